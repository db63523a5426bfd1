"""Results as text and as JSON; nothing in here writes or decides anything.

What hosts say ends up on somebody's terminal, so every line goes through
:func:`harmless` first.
"""

from __future__ import annotations

import json
import os
import stat
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import PSExportError, TransportError

if TYPE_CHECKING:
    from datetime import datetime

    from .authenticode import FileSignature, Verification
    from .results import ExportResult

#: Longest text from elsewhere in a line: enough for a path and a few sentences.
_MAX_TEXT = 1000
#: Longest message: enough for a list of all the commands that a shell has.
MAX_MESSAGE = 100_000


def harmless(text: str, most: int = _MAX_TEXT) -> str:
    """Return *text* as one line that a terminal can only print.

    Tabs and line breaks become spaces; other control characters, marks that turn the
    direction of writing and halves of surrogate pairs become visible escapes.

    :param most: characters that are kept.
    """
    if len(text) > most:
        text = text[: most - 1] + "…"
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    if character in "\t\r\n":
        return " "
    if character.isprintable() or unicodedata.category(character) == "Zs":
        return character
    return f"\\u{{{ord(character):x}}}"


def error_line(error: PSExportError) -> str:
    """Return an error as its one line: what failed, its id, what to do about it.

    Where a session failed, the line also says how far it had come.
    """
    message = error.message
    if isinstance(error, TransportError):
        message = f"{message.rstrip(' .')} (phase: {error.phase})"
    return problem_line(message, error.id, error.target, error.hint)


def problem_line(
    message: str, id: str, target: str | None = None, hint: str | None = None
) -> str:
    """Return one line that says what failed, its id, and what to do about it."""
    about = f"{harmless(target)}: " if target and target not in message else ""
    line = f"psexport: {about}{harmless(message).rstrip(' .')} [{harmless(id)}]"
    if hint:
        line += f". {hint[0].upper()}{harmless(hint[1:]).removesuffix('.')}"
        line += "" if line.endswith("?") else "."
    return line


def as_json(result: ExportResult) -> str:
    """Return the result as JSON, of the form in ``docs/export-result.schema.json``."""
    return json.dumps(
        {
            "module": _text(result.module),
            "files": [
                {
                    "path": _text(file.path),
                    "length": file.length,
                    "sha256": file.sha256,
                    "signature": file.signature,
                }
                for file in result.files
            ],
            "commands": list(result.commands),
            "aliases": list(result.aliases),
            "formats": list(result.formats),
            "skipped": [
                {"name": one.name, "id": one.id, "reason": one.reason}
                for one in result.skipped
            ],
            "warnings": list(result.warnings),
        },
        indent=2,
    )


def _text(path: Path) -> str:
    """Return a path as Unicode text: bytes that are none become U+FFFD."""
    return os.fsencode(path).decode("utf-8", "replace")


def signatures(found: Verification) -> str:
    """Return what a verifier found, as Get-AuthenticodeSignature prints it."""
    lines = [""]
    folders: dict[str, list[FileSignature]] = {}
    for file in found.files:
        folders.setdefault(str(Path(file.path).parent), []).append(file)
    columns = (_Column("SignerCertificate", 41), _Column("Status", 22), _Column("Path"))
    for folder, files in folders.items():
        lines += [f"    Directory: {harmless(folder)}", ""]
        lines += _heading(columns)
        for file in files:
            signer = file.signer.thumbprint if file.signer else ""
            cells = (signer, file.status.value, harmless(Path(file.path).name))
            lines.append(_row(columns, cells).rstrip())
        lines.append("")
    for file in found.files:
        if not file.valid:
            why = " ".join((file.message, *file.differs))
            lines.append(harmless(f"{file.path}: {why} [{file.status.value}]"))
    lines += [
        harmless(f"{one.path}: {one.message} [{one.id}]") for one in found.problems
    ]
    lines += [
        harmless(f"{path}: no signature speaks for it") for path in found.unprotected
    ]
    return "\n".join(lines).rstrip("\n") + "\n"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file as a listing shows it."""

    folder: str
    name: str
    length: int
    modified: datetime
    #: Permission letters on Unix, attribute letters on Windows.
    mode: str
    user: str = ""
    group: str = ""


def entries(paths: Iterable[Path]) -> Iterator[Entry]:
    """Look up what a listing shows of each file."""
    from datetime import datetime

    for path in paths:
        status = path.stat()
        yield Entry(
            folder=str(path.parent),
            name=path.name,
            length=status.st_size,
            modified=datetime.fromtimestamp(status.st_mtime),
            mode=_windows_mode(status) if os.name == "nt" else _unix_mode(status),
            user=_owner("pwd", "getpwuid", status.st_uid),
            group=_owner("grp", "getgrgid", status.st_gid),
        )


def _unix_mode(status: os.stat_result) -> str:
    return stat.filemode(status.st_mode)


def _windows_mode(status: os.stat_result) -> str:
    """Return attribute letters as PowerShell does: directory, archive, read-only…"""
    attributes = getattr(status, "st_file_attributes", 0)
    flags = (
        ("d", stat.FILE_ATTRIBUTE_DIRECTORY),
        ("a", stat.FILE_ATTRIBUTE_ARCHIVE),
        ("r", stat.FILE_ATTRIBUTE_READONLY),
        ("h", stat.FILE_ATTRIBUTE_HIDDEN),
        ("s", stat.FILE_ATTRIBUTE_SYSTEM),
        ("l", stat.FILE_ATTRIBUTE_REPARSE_POINT),
    )
    return "".join(letter if attributes & flag else "-" for letter, flag in flags)


def _owner(module: str, function: str, number: int) -> str:
    """Return the name of a user or group, its number if it has none."""
    try:
        database = __import__(module)
        return str(getattr(database, function)(number)[0])
    except (ImportError, KeyError):
        return str(number)


@dataclass(frozen=True, slots=True)
class _Column:
    label: str
    width: int = 0
    right: bool = False

    def cell(self, text: str) -> str:
        if not self.width:
            return text
        if len(text) > self.width:
            cut = self.width - 1
            text = "…" + text[-cut:] if self.right else text[:cut] + "…"
        return text.rjust(self.width) if self.right else text.ljust(self.width)


_UNIX = (
    _Column("UnixMode", 10),
    _Column("User", 10, right=True),
    _Column("Group", 10),
    _Column("LastWriteTime", 16, right=True),
    _Column("Size", 12, right=True),
    _Column("Name"),
)
_WINDOWS = (
    _Column("Mode", 7),
    _Column("LastWriteTime", 26, right=True),
    _Column("Length", 14, right=True),
    _Column("Name"),
)


def listing(files: Iterable[Entry], *, windows: bool = os.name == "nt") -> str:
    """Return files as Get-ChildItem prints them on Windows or elsewhere.

    Dates read as in the culture en-US, in which most documentation shows them.
    """
    columns = _WINDOWS if windows else _UNIX
    lines = [""]
    for folder, members in groupby(files, lambda entry: entry.folder):
        lines += [f"    Directory: {harmless(folder)}", ""]
        lines += _heading(columns)
        for entry in members:
            cells = _windows_cells(entry) if windows else _unix_cells(entry)
            lines.append(_row(columns, cells))
        lines.append("")
    return "\n".join(lines) + "\n"


def _heading(columns: Sequence[_Column]) -> list[str]:
    labels = [column.label for column in columns]
    return [_row(columns, labels), _row(columns, ["-" * len(one) for one in labels])]


def _row(columns: Sequence[_Column], cells: Sequence[str]) -> str:
    pairs = zip(columns, cells, strict=True)
    return " ".join(column.cell(cell) for column, cell in pairs)


def _date(moment: datetime) -> str:
    return f"{moment.month}/{moment.day}/{moment.year}"


def _unix_cells(entry: Entry) -> list[str]:
    return [
        entry.mode,
        entry.user,
        entry.group,
        f"{_date(entry.modified)} {entry.modified:%H:%M}",
        str(entry.length),
        harmless(entry.name),
    ]


def _windows_cells(entry: Entry) -> list[str]:
    hour = (entry.modified.hour - 1) % 12 + 1
    clock = f"{hour}:{entry.modified:%M %p}"
    return [
        entry.mode,
        f"{_date(entry.modified):>10} {clock:>8}",
        str(entry.length),
        harmless(entry.name),
    ]
