"""Verifying files and folders: each signature, and what holds a module together.

A module is one signer's work, and its manifest speaks for the files that cannot carry
a signature of their own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from .envelope import ansi_code_page, encoding_of, kind_of
from .listing import list_files, read
from .manifest import escapes, read_file_hashes
from .results import FileSignature, Problem, Verification
from .trust import Trust, load_trust
from .verify import DEFAULT_CODE_PAGE, verify_bytes


def verify_paths(
    paths: Iterable[str | Path],
    trust: Trust | None = None,
    *,
    now: datetime | None = None,
    code_page: str = DEFAULT_CODE_PAGE,
) -> Verification:
    """Verify files, and folders with what makes a module of their files.

    :param trust: see :func:`.trust.load_trust`; by default the system's roots.
    :param now: the present, with a time zone.
    :param code_page: see :func:`.verify.verify_bytes`.
    :raises PSExportError: ``ErrorFileNotFound`` or ``ErrorFileUnreadable``: a
        signature that is not valid is a result, not an error.
    """
    trust = trust or load_trust()
    now = now or datetime.now(UTC)
    files: list[FileSignature] = []
    problems: list[Problem] = []
    unprotected: list[str] = []
    for listed in list_files(paths):
        folder = listed.folder
        signatures = {
            each: verify_bytes(
                read(each), str(each), trust, now=now, code_page=code_page
            )
            for each in listed.files
            if folder is None or kind_of(each.name)
        }
        files += signatures.values()
        if folder is None:
            continue
        problems += _one_signer(folder, list(signatures.values()))
        problems += [
            Problem(str(link), "ErrorModuleLink", "What it links to is not checked.")
            for link in listed.links
        ]
        others = [each for each in listed.files if each not in signatures]
        vouched: set[Path] = set()
        for manifest in signatures:
            if manifest.suffix.lower() == ".psd1":
                text = _text(read(manifest), code_page)
                problems += _check_hashes(manifest, text, others, vouched)
        unprotected += [str(each) for each in others if each not in vouched]
    return Verification(tuple(files), tuple(problems), tuple(unprotected))


def _one_signer(folder: Path, signatures: Sequence[FileSignature]) -> Iterator[Problem]:
    if not signatures:
        yield Problem(
            str(folder),
            "ErrorModuleNothingSigned",
            "There is no file in it that could be signed.",
        )
    signers = {
        each.signer.thumbprint: each.signer for each in signatures if each.signer
    }
    if len(signers) > 1:
        names = ", ".join(sorted(each.subject for each in signers.values()))
        yield Problem(
            str(folder),
            "ErrorModuleSigners",
            f"Its files are signed with {len(signers)} certificates: {names}.",
        )


def _check_hashes(
    manifest: Path, text: str, others: Sequence[Path], vouched: set[Path]
) -> Iterator[Problem]:
    """Compare the digests in a manifest; add the files that fit to ``vouched``."""
    hashes = read_file_hashes(text)
    if hashes is None:
        return
    yield from _compare(manifest.parent, hashes, vouched)
    # PowerShell reads XML next to a module: such a file must not come from elsewhere.
    listed = {manifest.parent / name for name in hashes}
    for each in others:
        below = manifest.parent in each.parents
        if below and each.suffix.lower() == ".xml" and each not in listed:
            yield Problem(
                str(each),
                "ErrorModuleFileNotListed",
                f"{manifest.name} has no digest of it.",
            )


def _compare(
    folder: Path, hashes: Mapping[str, str], vouched: set[Path]
) -> Iterator[Problem]:
    for name, expected in sorted(hashes.items()):
        path = folder / name
        if escapes(name):
            yield Problem(
                name, "ErrorModuleFilePath", "The path leads out of the module."
            )
        elif not path.is_file():
            yield Problem(str(path), "ErrorModuleFileMissing", "The file is missing.")
        elif (actual := hashlib.sha256(read(path)).hexdigest().upper()) != expected:
            yield Problem(
                str(path),
                "ErrorModuleFileChanged",
                f"The file was changed: SHA-256 {expected} expected, {actual} found.",
            )
        else:
            vouched.add(path)


def _text(data: bytes, code_page: str) -> str:
    """Read a manifest: PowerShell 7 tries UTF-8 where Windows' own reads ANSI."""
    encoding = encoding_of(data)
    if encoding.bom:
        return data.removeprefix(encoding.bom).decode(encoding.codec, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode(ansi_code_page(code_page), "replace")
