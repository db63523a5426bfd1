"""Whether a certificate is to be trusted: roots, paths, revocation.

Paths are built and checked by :mod:`cryptography`. What it leaves to its caller is
here: which roots there are, the strength of keys, revocation lists, and saying in
words why a certificate is not trusted.
"""

from __future__ import annotations

import ssl
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from cryptography import x509
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from ..errors import PSExportError
from .algorithms import weakness
from .certificates import (
    OUTDATED,
    UNREADABLE,
    build_chain,
    is_self_signed,
    issued_by,
    issuer_of,
    load_certificate,
    signed_with,
    subject,
    usage_problem,
)

Certificates = tuple[x509.Certificate, ...]


@dataclass(frozen=True)
class Trust:
    """What a verifier takes for granted.

    :ivar roots: certificates that a signer's chain may end in.
    :ivar tsa_roots: certificates that a time stamp's chain may end in.
    :ivar crls: revocation lists; a certificate that none speaks of is not revoked.
    """

    roots: Certificates
    tsa_roots: Certificates
    crls: tuple[x509.CertificateRevocationList, ...] = ()


def load_trust(
    ca_file: str | Path | None = None,
    tsa_ca_file: str | Path | None = None,
    crl_files: Iterable[str | Path] = (),
) -> Trust:
    """Read what to trust from files, and from the system's store without them.

    :param ca_file: roots for signers, instead of the system's.
    :param tsa_ca_file: roots for time stamps; without it those of ``ca_file`` and of
        the system count, because public time-stamp services sign for private CAs.
    :param crl_files: revocation lists, PEM or DER.
    :raises PSExportError: ``ErrorTrustFileUnreadable``.
    """
    own = _read_certificates(Path(ca_file)) if ca_file else ()
    system = system_roots() if not (ca_file and tsa_ca_file) else ()
    return Trust(
        roots=own or system,
        tsa_roots=(
            _read_certificates(Path(tsa_ca_file)) if tsa_ca_file else (*own, *system)
        ),
        crls=tuple(crl for path in crl_files for crl in _read_crls(Path(path))),
    )


def system_roots() -> Certificates:
    """Return the roots of this machine's store; none where it has none."""
    if sys.platform == "win32":
        encoded = [der for der, _kind, _use in ssl.enum_certificates("ROOT")]
        return tuple(_loadable(encoded))
    paths = ssl.get_default_verify_paths()
    for path in (paths.cafile, paths.openssl_cafile):
        if path and Path(path).is_file():
            return tuple(_loadable(_pem_blocks(_read(Path(path)))))
    found: dict[str, None] = {}
    if paths.capath:
        for each in sorted(Path(paths.capath).glob("*.[0-9]")):
            if each.is_file():
                found.update(dict.fromkeys(_pem_blocks(_read(each))))
    return tuple(_loadable(found))


def _pem_blocks(data: bytes) -> list[str]:
    text = data.decode("ascii", "replace")
    start, end = ssl.PEM_HEADER, ssl.PEM_FOOTER
    parts = (part.partition(end)[0] for part in text.split(start)[1:])
    return [f"{start}{part}{end}" for part in parts]


def _load(encoded: str | bytes) -> x509.Certificate:
    """Load a certificate, PEM or DER. Raises ValueError if it is none."""
    if isinstance(encoded, str):
        encoded = ssl.PEM_cert_to_DER_cert(encoded)
    return load_certificate(encoded)


def _loadable(encoded: Iterable[str | bytes]) -> Iterable[x509.Certificate]:
    """Load certificates; stores hold old ones that the library does not read."""
    for each in encoded:
        try:
            yield _load(each)
        except ValueError:
            continue


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise _unreadable(path, why) from None


def _read_certificates(path: Path) -> Certificates:
    data = _read(path)
    try:
        if b"-----BEGIN" in data:
            found = tuple(map(_load, _pem_blocks(data)))
            if not found:
                raise ValueError("no certificates")
            return found
        return (_load(data),)
    except ValueError:
        raise _unreadable(path, "it holds no certificates") from None


def _read_crls(path: Path) -> list[x509.CertificateRevocationList]:
    data = _read(path)
    try:
        if b"-----BEGIN" not in data:
            return [x509.load_der_x509_crl(data)]
        end = b"-----END X509 CRL-----"
        blocks = [block + end for block in data.split(end)[:-1]]
        if blocks:
            return [x509.load_pem_x509_crl(block) for block in blocks]
    except ValueError:
        pass
    raise _unreadable(path, "it holds no revocation list")


def _unreadable(path: Path, why: str) -> PSExportError:
    return PSExportError(
        f"{path} cannot be read: {why}",
        id="ErrorTrustFileUnreadable",
        target=str(path),
        hint="Give a PEM or DER file.",
    )


class ChainError(ValueError):
    """A certificate is not to be trusted, and why."""


def verify_chain(
    leaf: x509.Certificate,
    pool: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
    purpose: x509.ObjectIdentifier,
    at: datetime,
) -> Certificates:
    """Return the chain from ``leaf`` to one of ``roots``.

    :param pool: certificates that may lie between.
    :param purpose: the extended key usage that the leaf has to have.
    :param at: the time at which all of them have to be valid.
    :raises ChainError: there is no such chain.
    """
    try:
        if problem := usage_problem(leaf, purpose):
            raise ChainError(f"the certificate is for another purpose: {problem}")
        if not roots:
            raise ChainError("no root is trusted here")
        chain = tuple(
            PolicyBuilder()
            .store(Store(list(roots)))
            .time(at)
            .extension_policies(
                ca_policy=ExtensionPolicy.permit_all()
                .require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None)
                .may_be_present(
                    x509.KeyUsage, Criticality.AGNOSTIC, _require_cert_sign
                ),
                ee_policy=ExtensionPolicy.permit_all(),
            )
            .build_client_verifier()
            .verify(leaf, list(pool))
            .chain
        )
        for each in chain:
            if weak := weakness(each):
                raise ChainError(f"the key of {subject(each)} is too weak: {weak}")
    except VerificationError as error:
        raise ChainError(_explain(leaf, pool, roots, at) or str(error)) from None
    except ChainError:
        raise
    except UNREADABLE as error:
        raise ChainError(f"a certificate cannot be read: {error}") from None
    return chain


def _require_cert_sign(
    policy: Policy, certificate: x509.Certificate, extension: x509.KeyUsage | None
) -> None:
    if extension is not None and not extension.key_cert_sign:
        raise ValueError("may not sign certificates")


def _explain(
    leaf: x509.Certificate,
    pool: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
    at: datetime,
) -> str | None:
    """Say what a person would find wrong with a chain; ``None`` if nothing."""
    chain = build_chain(leaf, (*pool, *roots))
    for each in chain:
        if at > each.not_valid_after_utc:
            ended = f"{each.not_valid_after_utc:%Y-%m-%d}"
            return f"the certificate of {subject(each)} expired on {ended}"
        if at < each.not_valid_before_utc:
            begins = f"{each.not_valid_before_utc:%Y-%m-%d}"
            return f"the certificate of {subject(each)} is valid from {begins} on"
        if (old := signed_with(each)) in OUTDATED and each not in roots:
            return f"the certificate of {subject(each)} is signed with {old}"
    last = chain[-1]
    if any(each in roots for each in chain):
        return None
    if is_self_signed(last):
        return f"the chain ends in {subject(last)}, which is not trusted here"
    return f"the issuer of {subject(last)} is not known here: {issuer_of(last)}"


def require_not_revoked(
    chain: Sequence[x509.Certificate],
    crls: Sequence[x509.CertificateRevocationList],
    at: datetime,
    now: datetime,
) -> None:
    """Check a verified chain against revocation lists.

    A revocation counts from its date on: what was signed before stays signed, if a
    time stamp shows that it was before.

    :param at: when the certificates were used.
    :param now: when the lists are read: they have to be current.
    :raises ChainError: one is revoked, or its issuer's list is of no use.
    """
    for certificate, issuer in pairwise(chain):
        for crl in crls:
            try:
                if crl.issuer == issuer.subject:
                    _require_not_listed(certificate, issuer, crl, at, now)
            except ChainError:
                raise
            except UNREADABLE as error:
                raise ChainError(f"a revocation list cannot be read: {error}") from None


def _require_not_listed(
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    crl: x509.CertificateRevocationList,
    at: datetime,
    now: datetime,
) -> None:
    name = subject(issuer)
    if not crl.is_signature_valid(issuer.public_key()):  # type: ignore[arg-type]
        raise ChainError(f"the revocation list is not signed by {name}")
    if crl.next_update_utc is not None and crl.next_update_utc < now:
        raise ChainError(f"the revocation list of {name} is out of date")
    entry = crl.get_revoked_certificate_by_serial_number(certificate.serial_number)
    if entry is None:
        return
    since = entry.revocation_date_utc
    try:
        invalidity = entry.extensions.get_extension_for_class(x509.InvalidityDate)
        since = min(since, invalidity.value.invalidity_date_utc)
    except x509.ExtensionNotFound:
        pass
    if since <= at:
        raise ChainError(
            f"the certificate of {subject(certificate)}"
            f" is revoked since {since:%Y-%m-%d}"
        )


def require_vouched(
    certificates: Sequence[x509.Certificate],
    chain: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
) -> None:
    """Check that each certificate which a signature carries is a genuine one.

    One that the chain does not need proves nothing, but a damaged one proves that the
    signature was changed. It is genuine if a certificate that we know issued it.

    :raises ChainError: one of them is not vouched for.
    """
    known = (*chain, *certificates, *roots)
    for each in certificates:
        if each in chain or each in roots:
            continue
        if not any(issued_by(each, issuer) for issuer in known):
            raise ChainError(
                f"the certificate of {subject(each)} in the signature is damaged,"
                " or its issuer is not known"
            )
