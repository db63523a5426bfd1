"""Which files the paths on a command line mean."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import PSExportError


@dataclass(frozen=True)
class Listed:
    """What one path named: a file, or a folder with all files below it.

    :ivar links: links out of the folder to other folders, which are not followed.
    """

    folder: Path | None
    files: tuple[Path, ...]
    links: tuple[Path, ...] = ()


def list_files(paths: Iterable[str | Path]) -> Iterator[Listed]:
    """Yield the files that each of ``paths`` names.

    Links to folders are not followed below a folder, so the walk ends.

    :raises PSExportError: ``ErrorFileNotFound`` for a path that is not there,
        ``ErrorFileUnreadable`` for one that we may not look at.
    """
    for path in paths:
        if path == "":  # which pathlib takes for the current folder
            raise _missing(path)
        try:
            yield _listed(Path(path))
        except OSError as error:
            raise unreadable(Path(error.filename or path), error) from None


def _listed(path: Path) -> Listed:
    if path.is_dir():
        return _below(path)
    if path.is_file():
        return Listed(None, (path,))
    raise _missing(path)


def _missing(path: str | Path) -> PSExportError:
    return PSExportError(
        f"There is no file or folder {str(path)!r}",
        id="ErrorFileNotFound",
        target=str(path),
        hint="Check the path.",
    )


def _below(folder: Path) -> Listed:
    files: list[Path] = []
    links: list[Path] = []
    whole = folder.resolve()

    def fail(error: OSError) -> None:
        raise error

    for parent, folders, names in os.walk(folder, onerror=fail):
        folders.sort()
        links += [
            path
            for path in (Path(parent, name) for name in folders)
            if path.is_symlink() and not path.resolve().is_relative_to(whole)
        ]
        files += filter(Path.is_file, (Path(parent, name) for name in sorted(names)))
    return Listed(folder, tuple(files), tuple(links))


def read(path: Path) -> bytes:
    """Return a file's bytes.

    :raises PSExportError: ``ErrorFileUnreadable``.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from None


def unreadable(path: Path, error: OSError) -> PSExportError:
    """Error: the system does not let us read a file or folder."""
    return PSExportError(
        f"{path} cannot be read: {error.strerror or error}",
        id="ErrorFileUnreadable",
        target=str(path),
        hint="Check that it is there and that you may read it.",
    )
