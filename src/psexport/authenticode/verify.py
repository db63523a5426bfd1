"""Whether a file's signature holds: what Get-AuthenticodeSignature would say.

The checks of one file run from the outside in: is there a block, does the digest fit
the text, does the signature fit the digest, is the signer to be trusted. The first
that fails decides the status.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from . import spc
from .algorithms import Hash
from .asn1 import UnsupportedError, reading
from .cms import (
    COUNTERSIGNATURE,
    NESTED_SIGNATURE,
    RFC3161_TOKEN,
    BadSignatureError,
    SignedData,
    read_signed_data,
)
from .der import MalformedError
from .envelope import (
    MINIMUM_SIZE,
    UTF8,
    BadBlockError,
    NoBlockError,
    TextKind,
    ansi_code_page,
    digest,
    encoding_of,
    kind_of,
    mentions_block,
    read_block,
    split,
)
from .results import CertificateInfo, FileSignature, Status, TimestampInfo
from .timestamp import Stamp, read_countersignature, read_token
from .trust import ChainError, Trust, require_not_revoked, require_vouched, verify_chain

#: The ANSI code page of a Western Windows: how it reads text that is not marked.
DEFAULT_CODE_PAGE = "cp1252"
#: Says that a signer's signatures end with his certificate, stamped or not.
LIFETIME_SIGNING = x509.ObjectIdentifier("1.3.6.1.4.1.311.10.3.13")

_UNSIGNED_ATTRIBUTES = {RFC3161_TOKEN, COUNTERSIGNATURE, NESTED_SIGNATURE}


class _Verdict(Exception):  # noqa: N818 - it ends a verification, it is no error
    def __init__(self, status: Status, message: str, *differs: str) -> None:
        super().__init__(message)
        self.status = status
        self.differs = differs


@dataclass(frozen=True)
class _Statement:
    """What a signature block says: this text has that digest, says the signer."""

    body: bytes
    algorithm: Hash
    digest: bytes
    data: SignedData
    signer: x509.Certificate


def verify_bytes(
    data: bytes,
    name: str,
    trust: Trust,
    *,
    now: datetime | None = None,
    code_page: str = DEFAULT_CODE_PAGE,
) -> FileSignature:
    """Verify the signature in a file's bytes. Whatever the bytes, it gives a status.

    :param name: the file's name; its extension says how a signature is embedded.
    :param trust: roots and revocation lists, see :func:`.trust.load_trust`.
    :param now: the present, with a time zone.
    :param code_page: the ANSI code page, such as ``1252``, in which Windows reads text
        that no byte order mark says the encoding of.
    :raises UsageError: ``ErrorSigningCodePage``.
    """
    return _verify(data, name, code_page, trust, now or datetime.now(UTC))


def verify_integrity(
    data: bytes, name: str, *, code_page: str = DEFAULT_CODE_PAGE
) -> FileSignature:
    """Verify a signature without asking who made it: all but trust.

    It is for a signer, who knows himself; parameters as :func:`verify_bytes`.
    """
    return _verify(data, name, code_page, None, None)


def _verify(
    data: bytes, name: str, code_page: str, trust: Trust | None, now: datetime | None
) -> FileSignature:
    code_page = ansi_code_page(code_page)
    found = FileSignature(name, Status.VALID, "The signature is valid.")
    try:
        kind = kind_of(name)
        if kind is None:
            raise _Verdict(
                Status.NOT_SUPPORTED, "PowerShell cannot sign this kind of file."
            )
        statement = _read_statement(data, kind)
        found = replace(
            found,
            hash_algorithm=statement.algorithm.name,
            signer=CertificateInfo.of(statement.signer),
        )
        _check_digest(statement, code_page)
        _check_signature(statement)
        stamp = _read_stamp(statement.data)
        if stamp:
            authority = CertificateInfo.of(stamp.authority)
            found = replace(found, timestamp=TimestampInfo(stamp.time, authority))
        if trust is None or now is None:
            return found
        chain = _trusted_chain(statement, stamp, trust, now)
        return replace(found, chain=tuple(map(CertificateInfo.of, chain)))
    except _Verdict as verdict:
        return replace(
            found,
            status=verdict.status,
            message=str(verdict),
            differs=verdict.differs,
        )


def _read_statement(data: bytes, kind: TextKind) -> _Statement:
    if len(data) < MINIMUM_SIZE:
        raise _Verdict(Status.NOT_SIGNED, "The file is too short to be signed.")
    parts = split(data, kind)
    if not parts.tail:
        raise _Verdict(Status.NOT_SIGNED, *_why_unsigned(data, kind))
    if mentions_block(data, kind, twice=True):
        raise _Verdict(
            Status.NOT_SIGNED,
            "Not signed: the line that starts a signature block is there more than"
            " once, so Windows does not find it.",
        )
    try:
        signed = read_signed_data(read_block(parts.tail, kind))
        if signed.content_type != spc.INDIRECT_DATA:
            raise MalformedError("it is not about a file")
        with reading("the signed content"):
            algorithm, signed_digest = spc.read_indirect_data(signed.content)
        signer = signed.signer.find_certificate(signed.certificates)
    except NoBlockError as error:
        raise _Verdict(Status.NOT_SIGNED, f"Not signed: {error}.") from None
    except UnsupportedError as error:
        raise _Verdict(
            Status.INCOMPATIBLE, f"The signature needs what is not known here: {error}."
        ) from None
    except (BadBlockError, MalformedError, BadSignatureError) as error:
        raise _bad(error) from None
    return _Statement(parts.body, algorithm, signed_digest, signed, signer)


def _bad(why: object) -> _Verdict:
    return _Verdict(Status.UNKNOWN_ERROR, f"The signature is not valid: {why}.")


def _why_unsigned(data: bytes, kind: TextKind) -> tuple[str, ...]:
    if not mentions_block(data, kind):
        return ("The file is not signed.",)
    return (
        "Not signed: the line that starts a signature block is not on its own between"
        " CRLF line ends.",
        "line ends: a tool may have converted them; a signature block ends its lines"
        " with CRLF",
    )


def _check_digest(statement: _Statement, code_page: str) -> None:
    if statement.algorithm != statement.data.signer.algorithm.hash:
        raise _bad("digest and signature use different hashes")
    actual = digest(statement.body, statement.algorithm, code_page)
    if hmac.compare_digest(actual, statement.digest):
        return
    raise _Verdict(
        Status.HASH_MISMATCH,
        "The text is not the one that was signed.",
        f"{statement.algorithm.name}: signed {statement.digest.hex().upper()},"
        f" found {actual.hex().upper()}",
        *_explanations(statement),
    )


def _explanations(statement: _Statement) -> Iterator[str]:
    """Say which common accident makes the difference, if one does."""
    body = statement.body
    encoding = encoding_of(body)
    if encoding.unit > 1:
        return
    lines = body.replace(b"\r\n", b"\n")
    for text, why in (
        (lines.replace(b"\n", b"\r\n"), "line ends: they were CRLF"),
        (lines, "line ends: they were LF"),
        (body.rstrip(b"\r\n"), "the end: line ends were added"),
        (UTF8.bom + body, "byte order mark: there was one"),
        (body.removeprefix(encoding.bom), "byte order mark: there was none"),
        (body, "encoding: signed as UTF-8, but no byte order mark says so"),
    ):
        if digest(text, statement.algorithm) == statement.digest:
            yield why


def _check_signature(statement: _Statement) -> None:
    signed = statement.data
    try:
        signed.signer.check(statement.signer, signed.content_type, signed.covered)
        if strange := sorted(set(signed.signer.unsigned) - _UNSIGNED_ATTRIBUTES):
            raise MalformedError(f"it has an unknown attribute {strange[0]}")
    except (MalformedError, BadSignatureError) as error:
        raise _bad(error) from None


def _read_stamp(signed: SignedData) -> Stamp | None:
    """Return the time stamp, of either kind; the modern one if there are both."""
    signature, unsigned = signed.signer.signature, signed.signer.unsigned
    stamps = []
    try:
        for value in unsigned.get(RFC3161_TOKEN, ()):
            stamps.append(read_token(value, signature))
        for value in unsigned.get(COUNTERSIGNATURE, ()):
            stamps.append(read_countersignature(value, signature, signed.certificates))
    except UnsupportedError as error:
        raise _Verdict(
            Status.INCOMPATIBLE,
            f"The time stamp needs what is not known here: {error}.",
        ) from None
    except (MalformedError, BadSignatureError) as error:
        raise _Verdict(
            Status.UNKNOWN_ERROR, f"The time stamp is not valid: {error}."
        ) from None
    return stamps[0] if stamps else None


def _trusted_chain(
    statement: _Statement, stamp: Stamp | None, trust: Trust, now: datetime
) -> tuple[x509.Certificate, ...]:
    """Return the signer's chain as it was when the signature was made."""
    embedded = statement.data.certificates
    stamp_chain: tuple[x509.Certificate, ...] = ()
    at = now
    try:
        if stamp:
            stamp_chain = verify_chain(
                stamp.authority,
                stamp.certificates,
                trust.tsa_roots,
                ExtendedKeyUsageOID.TIME_STAMPING,
                stamp.time,
            )
            require_not_revoked(stamp_chain, trust.crls, stamp.time, now)
            require_vouched(stamp.certificates, stamp_chain, trust.tsa_roots)
            if not _lifetime_signing(statement.signer):
                at = stamp.time
    except ChainError as error:
        raise _Verdict(
            Status.UNKNOWN_ERROR, f"The time stamp is not valid: {error}."
        ) from None
    try:
        chain = verify_chain(
            statement.signer,
            embedded,
            trust.roots,
            ExtendedKeyUsageOID.CODE_SIGNING,
            at,
        )
        require_not_revoked(chain, trust.crls, at, now)
        require_vouched(embedded, (*chain, *stamp_chain), trust.roots)
    except ChainError as error:
        raise _Verdict(
            Status.UNKNOWN_ERROR, f"The signer is not trusted: {error}."
        ) from None
    return chain


def _lifetime_signing(certificate: x509.Certificate) -> bool:
    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        return False
    return LIFETIME_SIGNING in usages.value
