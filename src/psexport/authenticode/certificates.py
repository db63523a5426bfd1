"""Questions about certificates that both the signing and the verifying side ask."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID

#: What :mod:`cryptography` raises, at once or when a part is asked for, if a
#: certificate is not as it should be.
UNREADABLE = (
    TypeError,
    ValueError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)

#: Hashes under which nobody vouches for a certificate any more.
OUTDATED = ("MD5", "SHA1")

_PARTS = (
    "subject",
    "issuer",
    "not_valid_before_utc",
    "not_valid_after_utc",
    "extensions",
)


def load_certificate(der: bytes) -> x509.Certificate:
    """Load a certificate whose names, dates and extensions can be read.

    The library reads them when they are asked for; here they are asked for at once,
    so that nobody later has to expect an error.

    :raises ValueError: it is none, whatever exactly is wrong with it.
    """
    with warnings.catch_warnings():
        # What is odd about it, an old root's serial number or the country Germany, is
        # not for the person to mend who reads our messages.
        warnings.simplefilter("ignore", UserWarning)
        try:
            certificate = x509.load_der_x509_certificate(der)
            for part in _PARTS:
                getattr(certificate, part)
        except UNREADABLE as error:
            raise ValueError(str(error)) from None
    # The one octet that no signature protects: the signature's count of unused bits.
    if der[-len(certificate.signature) - 1]:
        raise ValueError("the certificate's signature is not in whole octets")
    return certificate


def usage_problem(
    certificate: x509.Certificate, purpose: x509.ObjectIdentifier
) -> str | None:
    """Say why a certificate may not sign for ``purpose``, or ``None``.

    The purpose has to be named: no extended key usage at all is not enough.
    """
    try:
        extensions = certificate.extensions
    except UNREADABLE:
        return "its extensions cannot be read"
    try:
        usages = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return "it has no extended key usage"
    if purpose not in usages:
        return "its extended key usage is another"
    try:
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return None
    stamps = purpose == ExtendedKeyUsageOID.TIME_STAMPING and usage.content_commitment
    fits = usage.digital_signature or stamps
    return None if fits else "its key usage forbids signatures"


def build_chain(
    leaf: x509.Certificate, pool: Sequence[x509.Certificate]
) -> tuple[x509.Certificate, ...]:
    """Return ``leaf`` and its issuers, as far as ``pool`` reaches."""
    chain = [leaf]
    while not is_self_signed(chain[-1]):
        issuer = next(
            (each for each in pool if each not in chain and issued_by(chain[-1], each)),
            None,
        )
        if issuer is None:
            break
        chain.append(issuer)
    return tuple(chain)


def issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Tell whether the issuer's name and key made ``certificate``."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, *UNREADABLE):
        return False
    return True


def is_self_signed(certificate: x509.Certificate) -> bool:
    """Tell whether a certificate is its own issuer, as roots are."""
    return certificate.issuer == certificate.subject and issued_by(
        certificate, certificate
    )


def signed_with(certificate: x509.Certificate) -> str | None:
    """Return the hash that a certificate is signed with: ``SHA256``, ``SHA1``, …"""
    try:
        used = certificate.signature_hash_algorithm
    except UNREADABLE:
        return None
    return used.name.upper() if used else None


def subject(certificate: x509.Certificate) -> str:
    """Return the subject's name as text, whatever is in it."""
    return _text(certificate, "subject")


def issuer_of(certificate: x509.Certificate) -> str:
    """Return the issuer's name as text, whatever is in it."""
    return _text(certificate, "issuer")


def _text(certificate: x509.Certificate, part: str) -> str:
    try:
        name: x509.Name = getattr(certificate, part)
        return name.rfc4514_string()
    except UNREADABLE:
        return "(unreadable name)"
