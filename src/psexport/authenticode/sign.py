"""Signing: bytes in, signed bytes out; and the verb that does it to files.

``sign_paths`` refuses before it writes: all files are signed in memory, then written,
then each is replaced in one step, then read back and verified.
"""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Iterable
from pathlib import Path

from ..errors import PSExportError
from .algorithms import signing_hash
from .cms import build_signed_data, signed_attributes
from .envelope import (
    MINIMUM_SIZE,
    UNMARKED,
    UNSIGNABLE,
    ReadingError,
    TextKind,
    ansi_code_page,
    digest,
    encoding_of,
    kind_of,
    mentions_block,
    needs_bom,
    strip_block,
    write_block,
)
from .listing import list_files, read
from .replacing import Replacement, replace_files
from .results import FileSignature, Problem, SignedFile, Signing
from .signer import Signer
from .spc import indirect_data
from .timestamp import TimestampClient
from .verify import DEFAULT_CODE_PAGE, verify_integrity

DEFAULT_HASH = "SHA256"
DEFAULT_CHAIN = "notroot"


def sign_bytes(
    data: bytes,
    name: str,
    signer: Signer,
    hash_algorithm: str = DEFAULT_HASH,
    include_chain: str = DEFAULT_CHAIN,
    timestamp: TimestampClient | None = None,
    *,
    code_page: str | None = None,
) -> bytes:
    """Return a file's bytes with a signature at their end.

    A signature that is there already is replaced. No other byte changes.

    :param name: the file's name; its extension says how a signature is embedded.
    :param hash_algorithm: ``SHA256``, ``SHA384`` or ``SHA512``.
    :param include_chain: ``signer``, ``notroot`` or ``all``.
    :param timestamp: asks for a time stamp; ``None`` for none.
    :param code_page: the ANSI code page, such as ``1252``, of the machines that will
        read the file, if it has text that no byte order mark says the encoding of.
    :raises PSExportError: ``ErrorSigning…`` if the file cannot carry a signature that
        Windows accepts, ``ErrorTimestampServer``, ``ErrorCertificate…``.
    """
    algorithm = signing_hash(hash_algorithm)
    code_page = ansi_code_page(code_page) if code_page else None
    certificates = signer.included(include_chain)
    kind = _kind(name)
    body = strip_block(data, kind)
    _require_signable(body, kind, name, code_page)
    try:
        text_digest = digest(body, algorithm, code_page, strict=True)
    except ReadingError as error:
        raise _malformed(name, str(error)) from None
    content = indirect_data(text_digest, algorithm)
    attributes = signed_attributes(content, algorithm)
    signature = signer.sign(algorithm, attributes)
    token = None
    if timestamp:
        token = timestamp.stamp(signature, algorithm, signer.certificate)
    der = build_signed_data(
        content,
        signer.algorithm(algorithm),
        attributes,
        signature,
        certificates,
        token,
    )
    return body + write_block(der, kind, encoding_of(body))


def _kind(name: str) -> TextKind:
    kind = kind_of(name)
    if kind is None:
        raise PSExportError(
            f"PowerShell cannot sign {name}",
            id="ErrorSigningFileFormat",
            target=name,
            hint="Sign .ps1, .psm1, .psd1, .ps1xml, .psc1 and .cdxml files.",
        )
    return kind


def _malformed(name: str, why: str) -> PSExportError:
    return PSExportError(
        f"{name} cannot be signed: {why}",
        id="ErrorSigningMalformedText",
        target=name,
        hint="Save the file as UTF-8 with a byte order mark, then sign it.",
    )


def _require_signable(
    body: bytes, kind: TextKind, name: str, code_page: str | None
) -> None:
    encoding = encoding_of(body)
    if len(body) < MINIMUM_SIZE:
        raise PSExportError(
            f"{name} cannot be signed: it has fewer than {MINIMUM_SIZE} bytes",
            id="ErrorSigningFileTooShort",
            target=name,
            hint="Windows does not verify so short a file; add a comment to it.",
        )
    if encoding in UNSIGNABLE:
        raise _unsignable(encoding.name, name)
    if mentions_block(body, kind):
        raise PSExportError(
            f"{name} cannot be signed: it has the first line of a signature block"
            " in its text",
            id="ErrorSigningBlockInText",
            target=name,
            hint="Windows would take the file for unsigned; remove that line, and"
            " what is left of an old signature.",
        )
    if encoding is UNMARKED and b"\0" in body:
        raise _malformed(name, "it has NUL characters, so it may be UTF-16 unmarked")
    if needs_bom(body) and code_page is None:
        try:
            body.decode("utf-8")
        except UnicodeDecodeError as error:
            raise _malformed(
                name, f"byte {error.start} is not valid UTF-8, and nothing says what is"
            ) from None
        raise PSExportError(
            f"{name} cannot be signed: it has no byte order mark, and text that is"
            " not ASCII",
            id="ErrorSigningEncodingUncertain",
            target=name,
            hint="Save it as UTF-8 with a byte order mark, or name the code page in"
            " which its machines read it: -CodePage 1252.",
        )


def _unsignable(encoding: str, target: str) -> PSExportError:
    return PSExportError(
        f"A file in {encoding} cannot carry a signature",
        id="ErrorSigningEncoding",
        target=target,
        hint="Use UTF-8 with a byte order mark, or UTF-16.",
    )


def require_signable_encoding(encoding: str) -> None:
    """Refuse an encoding in which no file can be signed, before any is made.

    :param encoding: as Python spells it: ``utf-8``, ``utf-32``, ``cp1252``, …
    :raises PSExportError: ``ErrorSigningEncoding``.
    """
    try:
        plain = "\r\n# SIG".encode(encoding).endswith(b"\r\n# SIG")
        name = codecs.lookup(encoding).name
    except (LookupError, UnicodeError):
        raise _unsignable(encoding, encoding) from None
    utf16 = name.startswith("utf-16")
    if name == "utf-7" or not (plain or utf16):
        raise _unsignable(encoding, encoding)


def sign_paths(
    paths: Iterable[str | Path],
    signer: Signer,
    hash_algorithm: str = DEFAULT_HASH,
    include_chain: str = DEFAULT_CHAIN,
    timestamp: TimestampClient | None = None,
    *,
    code_page: str | None = None,
) -> Signing:
    """Sign files, and all files of folders that can be signed, where they are.

    Nothing is written unless every file can be signed. Each file is replaced in one
    step and verified afterwards; links are followed to the file that they name.

    Parameters and errors as :func:`sign_bytes`, and besides

    :raises PSExportError: ``ErrorFileNotFound``, ``ErrorFileUnreadable``,
        ``ErrorFileUnwritable``, ``ErrorSigningNothing`` if no file can be signed,
        ``ErrorSigningVerification`` if what is on the disk then is not right.
    """
    plans: dict[Path, Replacement] = {}
    skipped: list[Problem] = []
    for listed in list_files(paths):
        skipped += [
            Problem(
                str(link),
                "ErrorSigningLinkOutside",
                "It is a link to a folder elsewhere.",
            )
            for link in listed.links
        ]
        for file in listed.files:
            path = file.resolve()
            if why := _why_skipped(path, listed.folder):
                skipped.append(Problem(str(file), *why))
            elif path not in plans:
                before = read(path)
                after = sign_bytes(
                    before,
                    str(path),
                    signer,
                    hash_algorithm,
                    include_chain,
                    timestamp,
                    code_page=code_page,
                )
                plans[path] = Replacement(path, before, after)
    if not plans:
        raise PSExportError(
            "There is no file to sign",
            id="ErrorSigningNothing",
            hint="Name script files, or a folder that has some.",
        )
    replace_files(plans.values())
    return Signing(
        tuple(_verified(each, code_page) for each in plans.values()), tuple(skipped)
    )


def _why_skipped(path: Path, folder: Path | None) -> tuple[str, str] | None:
    """Say why a file below a folder is left alone; one that was named never is."""
    if folder is None:
        return None
    if kind_of(path.name) is None:
        return "ErrorSigningFileFormat", "PowerShell cannot sign this kind of file."
    if not path.is_relative_to(folder.resolve()):
        return "ErrorSigningLinkOutside", "It is a link to a file out of the folder."
    return None


def _verified(plan: Replacement, code_page: str | None) -> SignedFile:
    """Verify what is on the disk, whatever we think that we wrote."""
    data = read(plan.path)
    replaced = strip_block(plan.before, _kind(plan.path.name)) != plan.before
    return SignedFile(
        path=str(plan.path),
        length=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        replaced=replaced,
        signature=require_signed(data, str(plan.path), code_page=code_page),
    )


def require_signed(
    data: bytes, name: str, *, code_page: str | None = None
) -> FileSignature:
    """Check what was just signed and written, before anybody relies on it.

    :param data: the file as it was read back from where it was written.
    :raises PSExportError: ``ErrorSigningVerification``.
    """
    found = verify_integrity(data, name, code_page=code_page or DEFAULT_CODE_PAGE)
    if not found.valid:
        raise PSExportError(
            f"{name} was signed, but what is on the disk is not right: {found.message}",
            id="ErrorSigningVerification",
            target=name,
            hint="Check the disk, and programs that change files as they are written.",
        )
    return found
