"""Who signs: a key with its certificates, checked before anything is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from ..errors import PSExportError, UsageError
from .algorithms import (
    SHA256,
    SHA384,
    SHA512,
    Hash,
    SignatureAlgorithm,
    key_family,
    signature_fits,
    weakness,
)
from .certificates import (
    UNREADABLE,
    build_chain,
    is_self_signed,
    subject,
    usage_problem,
)
from .keys import KeySource, Password, SigningKey, open_source
from .keys.hook import unsupported

INCLUDE_CHAIN = ("signer", "notroot", "all")


@dataclass(frozen=True)
class Signer:
    """A key that may sign code, and the certificates that lead from it to a root.

    :ivar chain: the signer's own certificate first, then its issuers, as far as the
        certificates that were given reach.
    """

    chain: tuple[x509.Certificate, ...]
    key: SigningKey = field(repr=False)

    @property
    def certificate(self) -> x509.Certificate:
        """The signer's own certificate."""
        return self.chain[0]

    def algorithm(self, hash_algorithm: Hash) -> SignatureAlgorithm:
        """Return what this signer's key does with a digest of ``hash_algorithm``."""
        return SignatureAlgorithm(key_family(self.certificate) or "", hash_algorithm)

    def sign(self, hash_algorithm: Hash, data: bytes) -> bytes:
        """Sign ``data``, and check that the certificate's key made the signature.

        :raises PSExportError: ``ErrorCertificateKeyMismatch``, ``ErrorKeyService``.
        """
        algorithm = self.algorithm(hash_algorithm)
        digest = hash_algorithm.of(data)
        name = subject(self.certificate)
        try:
            signature = self.key.sign_digest(algorithm, digest)
        except PSExportError:
            raise
        except Exception as error:  # a hook is somebody else's code
            raise PSExportError(
                f"The key of {name} did not sign: {error}",
                id="ErrorKeyService",
                target=name,
                hint="Check that the key takes this algorithm, and your rights to it.",
            ) from error
        if not signature_fits(self.certificate, algorithm, signature, digest):
            raise _mismatch(name)
        return signature

    def included(self, include_chain: str) -> tuple[x509.Certificate, ...]:
        """Return the certificates that a signature carries.

        :param include_chain: ``signer``, ``notroot`` or ``all``.
        :raises PSExportError: ``ErrorCertificateChainIncomplete`` if ``all`` is asked
            for and the certificates do not reach a root.
        """
        wanted = include_chain.lower()
        if wanted not in INCLUDE_CHAIN:
            raise UsageError(
                f"IncludeChain cannot be {include_chain}",
                id="ErrorSigningIncludeChain",
                target=include_chain,
                hint=f"Use one of {', '.join(INCLUDE_CHAIN)}.",
            )
        if wanted == "signer":
            return self.chain[:1]
        complete = is_self_signed(self.chain[-1])
        if wanted == "notroot":
            has_root = complete and len(self.chain) > 1
            return self.chain[:-1] if has_root else self.chain
        if not complete:
            raise PSExportError(
                "The certificates given do not reach a root",
                id="ErrorCertificateChainIncomplete",
                target=subject(self.chain[-1]),
                hint="Add its issuers to the certificate file, or include less.",
            )
        return self.chain


def load_signer(
    certificate: str | Path,
    key: str | Path | None = None,
    *,
    password: Password | None = None,
    now: datetime | None = None,
) -> Signer:
    """Open a certificate and its key, and check that they may sign code.

    :param certificate: PFX, PEM or DER file, or the address of a key service.
    :param key: where the key is, if it is elsewhere: a file or an address.
    :param password: gives the password of a file or the PIN of a token; called only
        if one is needed, see :func:`.keys.password.password_from`.
    :param now: the time at which the certificate has to be valid, with a time zone.
    :raises PSExportError: ``ErrorCertificate…`` or ``ErrorKeyService…``.
    """
    name = str(certificate)
    source = open_source(name, password)
    key_source = source if key is None else open_source(str(key), password)
    if key_source.key is None:
        raise PSExportError(
            f"{key or certificate} has no private key",
            id="ErrorCertificateNoPrivateKey",
            target=str(key or certificate),
            hint="Give a PFX file, or the key with -CertificateKey.",
        )
    pool = (*source.certificates, *key_source.certificates)
    leaf = _leaf(pool, key_source, name)
    _require_usable(leaf, now or datetime.now(UTC))
    signer = Signer(build_chain(leaf, pool), key_source.key)
    # Sign something at once: a wrong key, PIN or right shows before any work is done.
    signer.sign(_fitting_hash(leaf), b"psexport")
    return signer


def _leaf(
    pool: Sequence[x509.Certificate], source: KeySource, name: str
) -> x509.Certificate:
    if not pool:
        raise PSExportError(
            f"{name} has no certificate",
            id="ErrorCertificateUnreadable",
            target=name,
            hint="Give the certificate with -Certificate, its key beside it.",
        )
    if source.public_key is None:
        return pool[0]
    for each in pool:
        try:
            if each.public_key() == source.public_key:
                return each
        except UNREADABLE:
            continue
    raise _mismatch(subject(pool[0]))


def _fitting_hash(certificate: x509.Certificate) -> Hash:
    """Return the hash that any service takes with a key of this size."""
    bits = getattr(getattr(certificate.public_key(), "curve", None), "key_size", 256)
    return {256: SHA256, 384: SHA384}.get(bits, SHA512)


def _mismatch(target: str) -> PSExportError:
    return PSExportError(
        f"The private key does not belong to the certificate of {target}",
        id="ErrorCertificateKeyMismatch",
        target=target,
        hint="Give the key that the certificate was issued for.",
    )


def _require_usable(leaf: x509.Certificate, now: datetime) -> None:
    """Refuse a certificate that Windows would not take a script's signature from."""
    name = subject(leaf)
    if key_family(leaf) is None:
        raise unsupported(name)
    if weak := weakness(leaf):
        raise PSExportError(
            f"The key of {name} is too weak: {weak}",
            id="ErrorCertificateWeakKey",
            target=name,
            hint="Use a certificate with a stronger key.",
        )
    if problem := usage_problem(leaf, ExtendedKeyUsageOID.CODE_SIGNING):
        raise PSExportError(
            f"The certificate of {name} is not for signing code: {problem}",
            id="ErrorCertificateNotForCodeSigning",
            target=name,
            hint="Use a certificate with the extended key usage Code Signing.",
        )
    first, last = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    if not first <= now <= last:
        raise PSExportError(
            f"The certificate of {name} is not valid now,"
            f" but from {first:%Y-%m-%d} to {last:%Y-%m-%d}",
            id="ErrorCertificateNotValidNow",
            target=name,
            hint="Renew the certificate, or check the clock.",
        )
