"""Putting new files in the place of old ones, each in one step.

All new files are written beside the old ones first: whatever fails for want of space
or rights fails there, and then nothing has changed. What a file is to the system, its
mode, owner and extended attributes, goes over to the new one.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import PSExportError
from .listing import read


@dataclass(frozen=True)
class Replacement:
    """A file and its new content; ``before`` is what it has to hold until then."""

    path: Path
    before: bytes
    after: bytes


def replace_files(replacements: Iterable[Replacement]) -> None:
    """Write all files beside the old ones, then put each in its place.

    :raises PSExportError: ``ErrorFileUnwritable``, also where another program has
        changed a file; ``ErrorFileUnreadable`` where it is gone.
    """
    with contextlib.ExitStack() as leftovers:
        ready = [(each, _write_beside(each, leftovers)) for each in replacements]
        for each, written in ready:
            if read(each.path) != each.before:
                raise _unwritable(each.path, "another program has changed it meanwhile")
            try:
                written.replace(each.path)
            except OSError as error:
                raise _unwritable(each.path, error.strerror or str(error)) from None


def _write_beside(each: Replacement, leftovers: contextlib.ExitStack) -> Path:
    path = each.path
    if not os.access(path, os.W_OK):  # a rename would not ask
        raise _unwritable(path, "it is write-protected")
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:50]}.")
        written = Path(name)
        leftovers.callback(written.unlink, missing_ok=True)
        with os.fdopen(handle, "wb") as file:
            file.write(each.after)
            file.flush()
            os.fsync(file.fileno())
        _keep_owner(path, written)
        shutil.copystat(path, written)
        os.utime(written)  # only the times are new
    except OSError as error:
        raise _unwritable(path, error.strerror or str(error)) from None
    return written


def _keep_owner(old: Path, new: Path) -> None:
    """Give ``new`` the owner and group of ``old``, as far as we may."""
    if not hasattr(os, "chown"):
        return
    status = old.stat()
    for uid, gid in ((status.st_uid, -1), (-1, status.st_gid)):
        with contextlib.suppress(PermissionError):
            os.chown(new, uid, gid)


def _unwritable(path: Path, why: str) -> PSExportError:
    return PSExportError(
        f"{path} cannot be written: {why}",
        id="ErrorFileUnwritable",
        target=str(path),
        hint="Check the rights to the file and its folder, and the space there.",
    )
