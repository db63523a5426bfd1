"""What an export made, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .vocabulary import Skipped


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file that was written.

    :ivar path: where it is, absolute.
    :ivar length: how many bytes it has.
    :ivar sha256: hash of these bytes, hexadecimal in lower case.
    :ivar signature: status of its signature as Get-AuthenticodeSignature names it,
        checked after writing; ``None`` if it was not signed.
    """

    path: Path
    length: int
    sha256: str
    signature: str | None = None


@dataclass(frozen=True, slots=True)
class ExportResult:
    """A module that was made.

    :ivar module: the module's folder, absolute.
    :ivar files: what was written: the folder's own files by name, then those in
        folders within it.
    :ivar commands: names of the commands that the module has as functions.
    :ivar aliases: names of the aliases that it has.
    :ivar formats: names of the types that it has views for.
    :ivar skipped: what was left out, and why.
    :ivar warnings: what should be known about the module.
    :ivar errors: the part of ``skipped`` that went wrong and was survived.
    """

    module: Path
    files: tuple[WrittenFile, ...] = ()
    commands: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    warnings: tuple[str, ...] = ()
    errors: tuple[Skipped, ...] = ()
