"""Where a module goes, and that all of its files get there, or none."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from psexport.errors import PSExportError, UsageError
from psexport.files import (
    CANNOT_CREATE,
    CANNOT_WRITE,
    FOLDER_EXISTS,
    ModuleFolder,
    module_folder,
    user_modules,
)

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="paths and rights of POSIX")

FILES = {"M.psd1": b"data", "M.psm1": b"code", "en-US/M-help.xml": b"help"}


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def entries(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


# --- where ------------------------------------------------------------------------


@POSIX
@pytest.mark.parametrize(
    ("spec", "folder"),
    [
        ("Server01", "{data}/powershell/Modules/Server01"),
        ("a/b", "{data}/powershell/Modules/a/b"),
        ("/opt/x", "/opt/x"),
        ("/opt/x/", "/opt/x"),
        ("./Server01", "{here}/Server01"),
        (".\\Server01", "{here}/Server01"),
        ("../x", "{up}/x"),
        (".", "{here}"),
        (".hidden", "{here}/.hidden"),
        ("~/x", "{home}/x"),
    ],
)
def test_where_a_module_goes(
    spec: str, folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "up" / "here"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    expected = folder.format(
        data=tmp_path / "data", here=here, up=here.parent, home=tmp_path / "home"
    )
    environ = {"XDG_DATA_HOME": str(tmp_path / "data")}
    assert module_folder(spec, environ) == Path(expected)


@POSIX
def test_the_users_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert str(user_modules({})) == "/home/me/.local/share/powershell/Modules"
    relative = {"XDG_DATA_HOME": "relative"}  # to be ignored, says the specification
    assert str(user_modules(relative)) == "/home/me/.local/share/powershell/Modules"


@POSIX
@pytest.mark.parametrize(
    "spec",
    [
        *("", " ", "/", "a\nb", "a\0b", "C:\\Modules\\x", "./#>", "./X?", "\udcff"),
        "winrms://server01",
    ],
)
def test_what_names_no_module(spec: str) -> None:
    with pytest.raises(UsageError) as caught:
        module_folder(spec, {})
    assert caught.value.id == "ErrorModuleName"


@POSIX
def test_a_current_folder_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(PSExportError, match="not there any more"):
        module_folder("./X", {})
    assert module_folder("/X", {}) == Path("/X")


# --- a new module -----------------------------------------------------------------


def test_a_new_module(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "parents" / "M"
    written = ModuleFolder(folder).write(FILES)
    assert tree(tmp_path / "new") == {f"parents/M/{n}": c for n, c in FILES.items()}
    assert written == tuple(folder.joinpath(*name.split("/")) for name in FILES)
    assert entries(tmp_path / "new" / "parents") == [
        "M", "M/M.psd1", "M/M.psm1", "M/en-US", "M/en-US/M-help.xml",
    ]  # fmt: skip


@POSIX
def test_rights_are_those_of_any_new_folder(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        ModuleFolder(tmp_path / "M").write(FILES)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "M").stat().st_mode) == 0o750
    assert stat.S_IMODE((tmp_path / "M" / "M.psm1").stat().st_mode) == 0o640


@pytest.mark.parametrize("content", [{}, {"other": b"x"}])
def test_a_folder_that_is_there_is_an_error(
    tmp_path: Path, content: dict[str, bytes]
) -> None:
    folder = tmp_path / "M"
    folder.mkdir()
    for name, data in content.items():
        (folder / name).write_bytes(data)
    for act in (ModuleFolder(folder).check, lambda: ModuleFolder(folder).write(FILES)):
        with pytest.raises(PSExportError) as caught:
            act()
        assert caught.value.id == FOLDER_EXISTS
        assert "-Force" in (caught.value.hint or "")
    assert tree(folder) == content


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("below", ["", "sub/M"])
def test_a_file_in_the_way(tmp_path: Path, force: bool, below: str) -> None:
    (tmp_path / "M").write_bytes(b"mine")
    for act in ("check", "write"):
        folder = ModuleFolder(tmp_path / "M" / below, force=force)
        with pytest.raises(PSExportError) as caught:
            folder.check() if act == "check" else folder.write(FILES)
        assert caught.value.id == CANNOT_CREATE
    assert tree(tmp_path) == {"M": b"mine"}


@POSIX
def test_a_link_to_nothing_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "M").symlink_to(tmp_path / "nowhere")
    with pytest.raises(PSExportError) as caught:
        ModuleFolder(tmp_path / "M", force=True).write(FILES)
    assert caught.value.id == CANNOT_CREATE
    assert entries(tmp_path) == ["M"]


@pytest.mark.parametrize(
    "name",
    ["", "../x", "a/../x", "/etc/x", "a//b", ".", "a\\b", "C:x", "a\0b", "a/", "con|x"],
)
def test_no_file_leaves_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(PSExportError) as caught:
        ModuleFolder(tmp_path / "M").write({"good": b"", name: b"bad"})
    assert caught.value.id == CANNOT_WRITE
    assert entries(tmp_path) == []


# --- over an old module -----------------------------------------------------------

OLD = {"M.psm1": b"old code", "en-US/M-help.xml": b"old help", "notes.txt": b"mine"}


@pytest.fixture
def old(tmp_path: Path) -> Path:
    folder = tmp_path / "M"
    ModuleFolder(folder).write(OLD)
    (folder / "M.psm1").chmod(0o444)
    return folder


def test_force_overwrites_and_leaves_the_rest(old: Path) -> None:
    ModuleFolder(old, force=True).write(FILES)
    assert tree(old) == {**OLD, **FILES}
    assert entries(old.parent) == [
        "M", "M/M.psd1", "M/M.psm1", "M/en-US", "M/en-US/M-help.xml", "M/notes.txt",
    ]  # fmt: skip


@POSIX
def test_force_follows_no_link_out_of_the_folder(old: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"safe")
    (old / "M.psd1").symlink_to(outside)
    ModuleFolder(old, force=True).write(FILES)
    assert outside.read_bytes() == b"safe"
    assert not (old / "M.psd1").is_symlink()


@POSIX
def test_force_through_a_link_to_the_folder(old: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(old)
    ModuleFolder(tmp_path / "link", force=True).write(FILES)
    assert tree(old) == {**OLD, **FILES}
    assert (tmp_path / "link").is_symlink()


def test_force_does_not_replace_a_folder(old: Path) -> None:
    (old / "M.psd1").mkdir()
    (old / "M.psd1" / "x").write_bytes(b"mine")
    with pytest.raises(PSExportError) as caught:
        ModuleFolder(old, force=True).write({"new": b"", **FILES})
    assert caught.value.id == CANNOT_WRITE
    assert tree(old) == {**OLD, "M.psd1/x": b"mine"}


# --- failures ---------------------------------------------------------------------

Fault = Callable[[], BaseException]


def no_space() -> BaseException:
    return OSError(errno.ENOSPC, "No space left on device")


class _Faulty:
    """Lets the disk fail, or the user interrupt, at the nth change of the disk."""

    CALLS = ("mkdir", "rename", "open")

    def __init__(self, monkeypatch: pytest.MonkeyPatch, nth: int, fault: Fault) -> None:
        self.count = 0
        self._nth = nth
        self._fault = fault
        self.armed = True
        for name in self.CALLS:
            self._wrap(monkeypatch, name)

    def _wrap(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        real = getattr(Path, name)

        def call(path: Path, *args: object, **options: object) -> object:
            if self.armed and (name != "open" or "x" in str(args)):
                self.count += 1
                if self.count == self._nth:
                    self.armed = False
                    fault = self._fault()
                    if isinstance(fault, OSError):
                        raise fault
            return real(path, *args, **options)

        monkeypatch.setattr(Path, name, call)


def interrupt() -> BaseException:
    os.kill(os.getpid(), signal.SIGINT)
    return KeyboardInterrupt()


def changes(folder: Path, files: Mapping[str, bytes], force: bool) -> Iterator[int]:
    """Numbers of the changes of the disk that writing takes, one after the last."""
    with pytest.MonkeyPatch.context() as patch:
        counter = _Faulty(patch, 0, no_space)
        ModuleFolder(folder, force=force).write(files)
    return iter(range(1, counter.count + 1))


@pytest.mark.parametrize(
    "fault", [no_space, pytest.param(interrupt, marks=POSIX)], ids=["full", "ctrl-c"]
)
def test_a_new_module_that_fails_leaves_nothing(tmp_path: Path, fault: Fault) -> None:
    (tmp_path / "probe").mkdir()
    numbers = list(changes(tmp_path / "probe" / "new" / "M", FILES, force=False))
    assert len(numbers) > 6
    for number in numbers:
        home = tmp_path / str(number)
        home.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            _Faulty(patch, number, fault)
            with pytest.raises((PSExportError, KeyboardInterrupt)) as caught:
                ModuleFolder(home / "new" / "M").write(FILES)
        assert entries(home) == []
        if isinstance(caught.value, PSExportError):
            assert caught.value.id == CANNOT_WRITE
            assert "No space left" in caught.value.message
            assert "room" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "fault", [no_space, pytest.param(interrupt, marks=POSIX)], ids=["full", "ctrl-c"]
)
def test_an_old_module_is_as_it_was_after_a_failure(
    tmp_path: Path, fault: Fault
) -> None:
    ModuleFolder(tmp_path / "probe").write(OLD)
    numbers = list(changes(tmp_path / "probe", FILES, force=True))
    assert len(numbers) > 6
    for number in numbers:
        folder = tmp_path / str(number) / "M"
        ModuleFolder(folder).write(OLD)
        before = entries(folder.parent)
        with pytest.MonkeyPatch.context() as patch:
            _Faulty(patch, number, fault)
            with pytest.raises((PSExportError, KeyboardInterrupt)):
                ModuleFolder(folder, force=True).write(FILES)
        assert tree(folder) == OLD
        assert entries(folder.parent) == before


@POSIX
def test_ctrl_c_works_again_afterwards(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    ModuleFolder(tmp_path / "M").write(FILES)
    assert signal.getsignal(signal.SIGINT) is before


def test_writing_in_another_thread(tmp_path: Path) -> None:
    folder = ModuleFolder(tmp_path / "M")
    thread = threading.Thread(target=folder.write, args=(FILES,))
    thread.start()
    thread.join()
    assert tree(tmp_path / "M") == FILES


@POSIX
@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere"
)
def test_a_folder_without_rights(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    with pytest.raises(PSExportError) as caught:
        ModuleFolder(locked / "M").write(FILES)
    assert caught.value.id == CANNOT_WRITE
    assert "may write" in (caught.value.hint or "")


@POSIX
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs Linux")
@pytest.mark.parametrize("folder", ["/proc/M", "/dev/null/M", "/dev/full", "x" * 300])
def test_places_where_nothing_can_be_written(tmp_path: Path, folder: str) -> None:
    for force in (False, True):
        with pytest.raises(PSExportError) as caught:
            ModuleFolder(tmp_path / folder, force=force).write(FILES)
        assert caught.value.id in (CANNOT_WRITE, CANNOT_CREATE)
    assert entries(tmp_path) == []


@pytest.mark.skipif(sys.platform != "linux", reason="needs RLIMIT_FSIZE")
def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    script = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from psexport.files import ModuleFolder\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "ModuleFolder(Path(sys.argv[1])).write({'a': b'x', 'b': b'x' * 5000})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "M")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "PSExportError" in done.stderr
    assert "File too large" in done.stderr
    assert entries(tmp_path) == []
