"""Where a module goes, and how its files get there: all of them, or none.

Theory of operation. Files are written into a private folder on the same filesystem
first: whatever can fail for want of space, rights or patience fails there. Then they
are moved: a new module is one rename of the whole folder; in a module that is
overwritten each old file is moved aside before the new one takes its name, so that
every step can be taken back. Ctrl-C is noticed between the steps, never within one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import signal
import stat
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

from .errors import PSExportError, UsageError

#: Export-PSSession's ids.
FOLDER_EXISTS = "ExportProxyCommand_OutputDirectoryExists"
CANNOT_CREATE = "ExportProxyCommand_CannotCreateOutputDirectory"
CANNOT_WRITE = "ErrorCannotWriteModule"

#: What names of files cannot hold everywhere where modules are carried to.
_NOT_IN_NAMES = frozenset('\0\\:*?"<>|')


def module_folder(spec: str, environ: Mapping[str, str] | None = None) -> Path:
    """Return the folder of a module, absolute, from what -OutputModule says.

    A rooted path, or one that starts with a dot or ``~``, is that path; anything else
    is a name under the user's own module folder.

    :raises UsageError: ``ErrorModuleName``: it names no folder that could be a module.
    :raises PSExportError: it is relative to a current folder that has been removed.
    """
    if not spec.strip() or any(character < " " for character in spec):
        raise _no_module(spec)
    # With -HostName and its like, an address of a session too many is taken for this.
    if re.match(r"[A-Za-z]\w*://", spec):
        raise _no_module(spec)
    if os.sep == "/":  # PowerShell takes both there
        spec = spec.replace("\\", "/")
        if re.match(r"[A-Za-z]:", spec):
            raise _no_module(spec)
    path = Path(spec)
    if spec.startswith("~"):
        path = path.expanduser()
    elif not (spec.startswith(".") or path.anchor):
        path = user_modules(os.environ if environ is None else environ) / path
    try:
        folder = Path(os.path.abspath(path))  # noqa: PTH100 - links are to be kept
    except FileNotFoundError as error:
        raise PSExportError(
            "The current folder is not there any more",
            id=CANNOT_CREATE,
            target=spec,
            hint="Go to another folder, or give a rooted path.",
        ) from error
    is_text = not any("\ud800" <= character <= "\udfff" for character in folder.name)
    if not folder.name or not is_text or _NOT_IN_NAMES & set(folder.name):
        raise _no_module(spec)
    return folder


def user_modules(environ: Mapping[str, str]) -> Path:
    """Return the folder that PowerShell 7 searches for the user's own modules."""
    if sys.platform == "win32":
        return _documents() / "PowerShell" / "Modules"
    data = environ.get("XDG_DATA_HOME") or ""
    base = Path(data) if os.path.isabs(data) else Path.home() / ".local" / "share"  # noqa: PTH117
    return base / "powershell" / "Modules"


class ModuleFolder:
    """The folder of a module that is to be written.

    :param path: the folder, absolute.
    :param force: overwrite files of a module that is there; others stay.
    """

    def __init__(self, path: Path, *, force: bool = False) -> None:
        self.path = path
        self._force = force

    def check(self) -> None:
        """Say early what :meth:`write` would say late.

        :raises PSExportError: the folder exists and may not be touched, or it or one
            above it is no folder.
        """
        if _is_folder(self.path):
            if not self._force:
                raise self._exists()
            return
        for path in (self.path, *self.path.parents):
            if _is_folder(path):
                return
            if os.path.lexists(path):
                raise _no_folder(path)

    def write(self, files: Mapping[str, bytes]) -> tuple[Path, ...]:
        """Write all files, or none, and leave nothing else behind.

        :param files: by name; ``/`` parts subfolders.
        :return: absolute paths, in the order given.
        :raises PSExportError: as :meth:`check`, or ``ErrorCannotWriteModule``.
        :raises KeyboardInterrupt: the user interrupted; nothing was written.
        """
        for name in files:
            _require_inside(name)
        self.check()
        work = self._overwrite if _is_folder(self.path) else self._create
        with _Interrupts() as interrupts, contextlib.ExitStack() as undo:
            try:
                private = work(files, undo, interrupts)
                interrupts.check()
            except OSError as error:
                raise self._failed(error) from error
            undo.pop_all()
            _remove(private)
        return tuple(_inside(self.path, name) for name in files)

    def _create(
        self,
        files: Mapping[str, bytes],
        undo: contextlib.ExitStack,
        interrupts: _Interrupts,
    ) -> Path:
        for parent in reversed(self.path.parents):
            _make_folder(parent, undo)
        private = self._private_folder(self.path.parent, undo)
        made = private / "module"  # with the rights that a new folder gets
        _fill(made, files, interrupts)
        if os.path.lexists(self.path):  # a rename would replace an empty folder
            raise self._exists()
        made.rename(self.path)
        undo.callback(_remove, self.path)
        return private

    def _overwrite(
        self,
        files: Mapping[str, bytes],
        undo: contextlib.ExitStack,
        interrupts: _Interrupts,
    ) -> Path:
        private = self._private_folder(self.path, undo)
        new, old = private / "new", private / "old"
        _fill(new, files, interrupts)
        old.mkdir()
        for number, name in enumerate(files):
            interrupts.check()
            target = _inside(self.path, name)
            for parent in reversed(target.parents):
                _make_folder(parent, undo)
            if _is_folder(target):
                raise IsADirectoryError(errno.EISDIR, f"{name} is a folder there")
            if os.path.lexists(target):
                kept = old / str(number)
                target.rename(kept)
                undo.callback(kept.replace, target)
            _inside(new, name).rename(target)
            undo.callback(target.unlink)
        return private

    def _private_folder(self, parent: Path, undo: contextlib.ExitStack) -> Path:
        import tempfile

        prefix = f".{self.path.name[:50]}."
        made = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        undo.callback(_remove, made)
        return made

    def _exists(self) -> PSExportError:
        return PSExportError(
            f"The module folder {str(self.path)!r} exists already",
            id=FOLDER_EXISTS,
            target=str(self.path),
            hint="Use -Force to overwrite its files, or another -OutputModule.",
        )

    def _failed(self, error: OSError) -> PSExportError:
        reason = error.strerror or str(error)
        hint = _HINTS.get(error.errno or 0, "Choose another -OutputModule.")
        return PSExportError(
            f"The module cannot be written to {str(self.path)!r}: {reason}",
            id=CANNOT_WRITE,
            target=str(self.path),
            hint=hint,
        )


_HINTS = {
    errno.ENOSPC: "Make room on the disk, or choose another -OutputModule.",
    errno.EDQUOT: "Make room in your quota, or choose another -OutputModule.",
    errno.EACCES: "Choose an -OutputModule in a folder that you may write to.",
    errno.EPERM: "Choose an -OutputModule in a folder that you may write to.",
    errno.EROFS: "Choose an -OutputModule on a disk that can be written to.",
    errno.ENAMETOOLONG: "Choose a shorter -OutputModule.",
}


class _Interrupts:
    """Ctrl-C as a question instead of an exception, while files are being moved.

    Only the main thread is ever interrupted; in others there is nothing to hold back.
    """

    def __init__(self) -> None:
        self._came = False
        self._held = False

    def __enter__(self) -> _Interrupts:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._note)
            self._held = True
        return self

    def __exit__(self, *exception: object) -> None:
        if self._held:
            signal.signal(signal.SIGINT, self._before)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._came = True

    def check(self) -> None:
        """Be interrupted, if that was asked for in the meantime."""
        if self._came:
            raise KeyboardInterrupt


def _inside(folder: Path, name: str) -> Path:
    return folder.joinpath(*name.split("/"))


def _is_folder(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir may raise


def _fill(folder: Path, files: Mapping[str, bytes], interrupts: _Interrupts) -> None:
    folder.mkdir()
    for name, content in files.items():
        interrupts.check()
        target = _inside(folder, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            file.write(content)


def _make_folder(folder: Path, undo: contextlib.ExitStack) -> None:
    if not _is_folder(folder):
        folder.mkdir()
        undo.callback(_remove_empty, folder)


def _remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):  # somebody else has put something into it
        folder.rmdir()


def _remove(folder: Path) -> None:
    """Remove a folder of ours with all that is in it, if it is still there."""
    if not os.path.lexists(folder):
        return
    for path, _, names in os.walk(folder):
        for name in names:  # Windows does not delete read-only files
            with contextlib.suppress(OSError):
                Path(path, name).chmod(stat.S_IRUSR | stat.S_IWUSR)
    shutil.rmtree(folder, ignore_errors=True)


def _require_inside(name: str) -> None:
    """Make sure that a file stays in its folder: its name may come from a host."""
    parts = name.split("/")
    if not all(parts) or {".", ".."} & set(parts) or set(name) & _NOT_IN_NAMES:
        raise PSExportError(
            f"{name!r} is no name for a file of a module",
            id=CANNOT_WRITE,
            target=name,
        )


def _documents() -> Path:
    """Return the user's Documents folder on Windows, wherever it was moved to."""
    import ctypes

    buffer = ctypes.create_unicode_buffer(260)
    windll = ctypes.windll  # type: ignore[attr-defined, unused-ignore]
    if windll.shell32.SHGetFolderPathW(None, 5, None, 0, buffer) == 0:
        return Path(buffer.value)
    return Path.home() / "Documents"


def _no_folder(path: Path) -> PSExportError:
    return PSExportError(
        f"{str(path)!r} is there, and it is no folder",
        id=CANNOT_CREATE,
        target=str(path),
        hint="Choose another -OutputModule, or move it away.",
    )


def _no_module(spec: str) -> UsageError:
    return UsageError(
        f"{spec!r} names no folder for a module",
        id="ErrorModuleName",
        target=spec,
        hint="Give the module's name, or a path that ends in it, such as ./Server01.",
    )
