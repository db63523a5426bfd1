"""A table of command lines, right and wrong: exit code, standard output and error."""

from __future__ import annotations

import io
import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest
from test_binder import REFUSED

from psexport import exporter, preparation
from psexport.cli import main


@pytest.fixture
def here(tmp_path: Path, recording: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with a few files, and a user without PowerShell or settings."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.delenv("PSEXPORT_PWSH", raising=False)
    folder = tmp_path / "here"
    (folder / "Old").mkdir(parents=True)
    (folder / "Old" / "mine.txt").write_text("keep")
    (folder / "file").write_text("no folder")
    (folder / "names.txt").write_text("Get-Thing\n# no\nset-thing\n")
    (folder / "junk.gz").write_text("junk")
    monkeypatch.chdir(folder)
    return folder


def run(line: str, recording: Path) -> tuple[int, str, str]:
    words = [word.replace("HOST", f"replay:{recording}") for word in shlex.split(line)]
    stdout, stderr = io.StringIO(), io.StringIO()
    code = main(words, stdout, stderr)
    return code, stdout.getvalue(), stderr.getvalue()


@dataclass(frozen=True)
class Made:
    """A line that makes a module: what is in it, and what is said about it."""

    line: str
    commands: str = ""
    formats: str = ""
    says: tuple[str, ...] = ()
    aliases: str = ""


ALL = "Get-Thing Get-Widget Grüß-Gott lost Select-Odd Set-Thing Test-Files"
EVERYTHING = (
    "[ErrorSkippedUnsafeCommandName]",
    "lost: Could not resolve",
    "WARNING: Commands that the shell has already",
    "WARNING: Windows PowerShell 5.1",
)
VIEWS = "Thing.Type Widget.Type"

MADE = [
    # what is fetched: everything, or what one kind of parameter asks for
    Made("HOST ./X", ALL, VIEWS, EVERYTHING, "gth"),
    Made("-Session HOST -OutputModule ./X", ALL, VIEWS, EVERYTHING, "gth"),
    Made("export HOST ./X", ALL, VIEWS, EVERYTHING, "gth"),
    Made("HOST ./X Get-Thing", "Get-Thing"),
    Made("HOST ./X get-thing", "Get-Thing"),
    Made("HOST ./X -Name Get-Thing", "Get-Thing"),
    Made("HOST ./X *-Thing", "Get-Thing Set-Thing"),
    Made("HOST ./X Get-T*,Test*", "Get-Thing Test-Files"),
    Made("HOST ./X Get-T*, Test*", "Get-Thing Test-Files"),
    Made("HOST ./X -CommandName Get-T* Test* -vb:0", "Get-Thing Test-Files"),
    Made("HOST ./X Get-[STU]*", "Get-Thing"),
    Made("HOST ./X ?et-Thing", "Get-Thing Set-Thing"),
    Made("HOST ./X gth", "gth", aliases="gth"),
    Made("HOST ./X gth,Get-Thing", "Get-Thing", aliases="gth"),
    Made("HOST ./X Get-Thing Thing.Type", "Get-Thing", "Thing.Type"),
    Made("HOST ./X Get-Thing *", "Get-Thing", VIEWS),
    Made("HOST ./X -FormatTypeName *", "", VIEWS),
    Made("HOST ./X -FormatTypeName Widget*", "", "Widget.Type"),
    Made("HOST ./X -Module ThingTools", "Get-Thing Get-Widget Set-Thing"),
    Made("HOST ./X -PSSnapin TestTools", "Test-Files"),
    Made("HOST ./X *et-Thing -Module ThingTools,TestTools", "Get-Thing Set-Thing"),
    Made("HOST ./X -Type Filter", "Select-Odd"),
    Made("HOST ./X tool* -Type Application", "tool.exe"),
    Made("HOST ./X *o* -Type Application,Filter", "tool.exe Select-Odd"),
    Made("HOST ./X Get-* -Type Cmdlet", "Get-Thing", "", ("Get-ChildItem",)),
    # clobbering
    Made("HOST ./X Get-* -Type Cmdlet -AllowClobber", "Get-ChildItem Get-Thing"),
    Made("HOST ./X Get-* -Type Cmdlet -Baseline none", "Get-ChildItem Get-Thing"),
    Made(
        "HOST ./X Get-T*,Set-T*,Test* -Baseline names.txt",
        "Test-Files",
        "",
        ("Get-Thing, Set-Thing",),
    ),
    Made(
        "HOST ./X Get-C*,Get-T* -Baseline windows-powershell-5.1",
        "Get-Thing",
        "",
        ("Get-ChildItem",),
    ),
    # the module
    Made("HOST ./X Get-Thing -Prefix My", "Get-MyThing"),
    Made("HOST ./X Get-Thing -Fidelity Compatible", "Get-Thing"),
    Made("HOST ./X Get-Thing -IncludeScriptBlock", "Get-Thing"),
    Made("HOST ./X Get-Thing -ModuleVersion 2.1.3", "Get-Thing"),
    # encodings
    Made("HOST ./X Get-Thing -Encoding ascii", "Get-Thing"),
    Made("HOST ./X Gr* -Encoding utf8BOM", "Grüß-Gott"),
    Made("HOST ./X Gr* -Encoding unicode", "Grüß-Gott"),
    Made("HOST ./X Gr* -Enc bigendianunicode", "Grüß-Gott"),
    Made("HOST ./X Gr* -Encoding utf32", "Grüß-Gott"),
    Made("HOST ./X Gr*", "Grüß-Gott", "", ("utf8NoBOM; use -Encoding utf8BOM",)),
    Made("HOST ./X Gr* -Encoding 1252", "Grüß-Gott", "", ("PowerShell 7 would",)),
    Made("HOST ./X Gr* -Encoding windows-1252", "Grüß-Gott", "", ("PowerShell 7",)),
    Made("HOST ./X Gr* -Encoding utf7", "Grüß-Gott", "", ("obsolete",)),
    # streams
    Made("HOST ./X -ea SilentlyContinue -wa Ignore", ALL, VIEWS, (), "gth"),
    Made(
        "HOST ./X Get-Thing -Verbose",
        "Get-Thing",
        "",
        ("Got 2 records for the commands",),
    ),
    Made("HOST ./X Get-Thing -ea Stop -wa Stop", "Get-Thing"),
    Made("HOST ./X Get-Thing -ProgressAction Continue", "Get-Thing"),
    Made("HOST ./X Get-Thing -ProgressAction Ignore", "Get-Thing"),
    Made("HOST ./X Get-Thing -ErrorVariable e", "Get-Thing", "", ("no effect",)),
    Made("HOST ./X Get-Thing -ov o -wa SilentlyContinue", "Get-Thing"),
    # spellings
    Made("--session HOST --output-module=./X --command-name Get-Thing", "Get-Thing"),
    Made("–Session HOST —OutputModule ./X ―Name Get-Thing", "Get-Thing"),
    Made("-sess:HOST -out:./X -n:Get-Thing '-Force:$false'", "Get-Thing"),
    Made("-CommandName Get-Thing -- HOST ./X", "Get-Thing"),
    # the examples of Export-PSSession's page, in our spelling
    Made("-Session HOST -OutputModule ./Server01", ALL, VIEWS, EVERYTHING, "gth"),
    Made(
        "-Session HOST -Module Thing* -CommandName Get-*, Set-* -FormatTypeName * "
        "-OutputModule ./Modules/Exchange -Encoding ASCII",
        "Get-Thing Get-Widget Set-Thing",
        VIEWS,
    ),
    Made(
        "-Session HOST -OutputModule ./TestCmdlets -Type Cmdlet -CommandName *test* "
        "-FormatTypeName *",
        "Test-Files",
        VIEWS,
    ),
    Made(
        "-Session HOST -AllowClobber -OutputModule ./AllCommands",
        f"Get-ChildItem {ALL}",
        VIEWS,
        (*EVERYTHING[:2], EVERYTHING[3]),
        "gth",
    ),
]


@pytest.mark.parametrize("row", MADE, ids=lambda row: row.line)
def test_what_is_made(row: Made, here: Path, recording: Path) -> None:
    names, end, positional = row.line.partition(" -- ")
    code, stdout, stderr = run(f"{names} -AsJson{end}{positional}", recording)
    assert code == 0, stderr
    made = json.loads(stdout)
    assert sorted(made["commands"]) == sorted(row.commands.split())
    assert made["formats"] == row.formats.split()
    assert made["aliases"] == row.aliases.split()
    for words in row.says:
        assert words in stderr
    if not row.says:
        assert stderr == ""
    folder = Path(made["module"])
    has_help = made["commands"] and "Compatible" not in row.line
    folders = {folder, folder / "en-US"} if has_help else {folder}
    assert {Path(file["path"]).parent for file in made["files"]} == folders
    for file in made["files"]:
        assert len(Path(file["path"]).read_bytes()) == file["length"]


FAILS: list[tuple[str, int, str, str]] = [
    # all that the binder refuses
    *((line, 2, id, words) for line, id, words in REFUSED),
    # verbs
    ("help nope", 2, "VerbNotFound", "capture"),
    ("completion fish", 2, "CannotConvertArgumentNoMessage", "bash"),
    ("completion", 2, "MissingMandatoryParameter", "-Shell"),
    ("capture demo x", 1, "ErrorNotYet", "psexport capture"),
    ("compare demo demo", 1, "ErrorNotYet", "psexport compare"),
    ("HOST ./X -Nupkg", 1, "ErrorNotYet", "-Nupkg"),
    # sessions
    ("nope ./X", 2, "ErrorSessionNotFound", "nope"),
    ("dem ./X", 2, "ErrorSessionNotFound", "demo"),
    ("gopher://x ./X", 2, "ErrorSessionSpec", "winrm"),
    ("replay:nope.gz ./X", 1, "ErrorRecordingUnreadable", "nope.gz"),
    ("replay:junk.gz ./X", 1, "ErrorRecordingUnreadable", "junk.gz"),
    ("replay: ./X", 2, "", "replay"),
    ("catalog:x ./X", 2, "ErrorSessionOffline", "catalogue"),
    ("pwsh: ./X", 1, "", "PSEXPORT_PWSH"),
    ("pwsh:/nowhere/pwsh ./X", 1, "", "/nowhere/pwsh"),
    ("HOST ./X -Port 5985", 2, "ErrorConflictingParameters", "-Port"),
    ("HOST ./X -KeyFilePath k", 2, "ErrorConflictingParameters", "-KeyFilePath"),
    ("winrm://user:secret@host ./X", 2, "ErrorPasswordInSession", "PSEXPORT_PASSWORD"),
    ("-ComputerName h ./X -SkipCACheck", 2, "ErrorConflictingParameters", "TLS"),
    # folders
    ("HOST ./Old", 1, "ExportProxyCommand_OutputDirectoryExists", "-Force"),
    ("HOST ./file", 1, "ExportProxyCommand_CannotCreateOutputDirectory", "file"),
    ("HOST ./file/X", 1, "ExportProxyCommand_CannotCreateOutputDirectory", "file"),
    ("HOST /", 2, "ErrorModuleName", "Server01"),
    # a * that the shell has replaced by the names of the files here
    (
        "HOST ./X Get-Thing Old file junk.gz names.txt",
        2,
        "PositionalParameterNotFound",
        "write it as '*'",
    ),
    (
        "HOST ./X -FormatTypeName Old file junk.gz names.txt",
        1,
        "ErrorNoResultsFromRemoteEnd",
        "write it as '*'",
    ),
    # patterns
    ("HOST ./X '[a'", 2, "WildcardPatternInvalid", "[a"),
    ("HOST ./X Get-*,x[z-a]", 2, "WildcardPatternInvalid", "x[z-a]"),
    ("HOST ./X -FormatTypeName 'System['", 2, "WildcardPatternInvalid", "System["),
    ("HOST ./X -Module 'exch['", 2, "WildcardPatternInvalid", "exch["),
    # what the host has
    ("HOST ./X Nope", 1, "ErrorNoResultsFromRemoteEnd", ""),
    ("HOST ./X -FormatTypeName Nope", 1, "ErrorNoResultsFromRemoteEnd", ""),
    (
        "HOST ./X Get-ChildItem",
        1,
        "ErrorNoCommandsImportedBecauseOfSkipping",
        "-AllowClobber",
    ),
    ("HOST ./X -ea Stop", 1, "ErrorSkippedUnsafeCommandName", "-ErrorAction Stop"),
    ("HOST ./X Get-* -wa Stop", 1, "ActionPreferenceStop", "-WarningAction Stop"),
    # the module
    ("HOST ./X -Encoding nope", 2, "ErrorUnknownEncoding", "utf8BOM"),
    ("HOST ./X Gr* -Encoding ascii", 1, "ErrorEncodingCannotHold", "Grüß-Gott"),
    ("HOST ./X -Baseline nope", 2, "ErrorBaseline", "pwsh-7"),
    ("HOST ./X -Prefix 'a b'", 2, "InvalidPrefix", "a b"),
    ("HOST ./X -ModuleVersion one", 2, "CannotConvertArgumentNoMessage", "1.2.0"),
    ("HOST ./X -Fidelity Half", 2, "CannotConvertArgumentNoMessage", "Compatible"),
    ("HOST ./X -Certificate nope.pfx", 1, "ErrorCertificateUnreadable", "nope.pfx"),
    ("HOST ./X -Certificate file", 1, "ErrorCertificateUnreadable", "file"),
    (
        "HOST ./X -Certificate x -Encoding utf7",
        1,
        "ErrorSigningEncoding",
        "UTF-8",
    ),
]


@pytest.mark.parametrize(("line", "code", "id", "words"), FAILS)
def test_what_fails(
    line: str, code: int, id: str, words: str, here: Path, recording: Path
) -> None:
    before = sorted(here.parent.rglob("*"))
    done, stdout, stderr = run(line, recording)
    assert (done, stdout) == (code, "")
    last = stderr.splitlines()[-1]
    assert re.match(r"psexport: .+ \[\w+\]", last)
    if id:
        assert f"[{id}]" in last
    assert words in stderr
    assert "Traceback" not in stderr
    assert "secret" not in stderr
    if code == 2:
        assert len(stderr.splitlines()) == 1
    assert sorted(here.parent.rglob("*")) == before


def test_there_are_enough_of_them() -> None:
    assert len(MADE) + len(FAILS) >= 120


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("-?", "psexport [-Session]"),
        ("--help", "psexport [-Session]"),
        ("-h", "psexport [-Session]"),
        ("demo -Bogus -?", "psexport [-Session]"),
        ("help", "psexport [-Session]"),
        ("help verify", "psexport verify [-Path]"),
        ("verify -?", "psexport verify [-Path]"),
        ("VERIFY --help", "psexport verify [-Path]"),
        ("--version", "psexport 0."),
        ("completion bash", "complete -o default -F _psexport psexport"),
        ("completion zsh", "#compdef psexport"),
        ("completion powershell", "Register-ArgumentCompleter"),
    ],
)
def test_what_is_told(line: str, words: str, here: Path, recording: Path) -> None:
    code, stdout, stderr = run(line, recording)
    assert (code, stderr) == (0, "")
    assert words in stdout


def test_the_files_are_listed(here: Path, recording: Path) -> None:
    code, stdout, stderr = run("HOST ./X Get-Thing", recording)
    assert (code, stderr) == (0, "")
    assert f"    Directory: {here / 'X'}" in stdout
    assert f"    Directory: {here / 'X' / 'en-US'}" in stdout
    names = [line.split()[-1] for line in stdout.splitlines() if line[:2] == "-r"]
    files = ["X.format.ps1xml", "X.psd1", "X.psm1"]
    assert names == [*files, "X-help.xml", "about_X.help.txt"]


def test_help_is_left_out(here: Path, recording: Path) -> None:
    assert run("HOST ./X Get-Thing -IncludeHelp:$false", recording)[0] == 0
    assert not (here / "X" / "en-US").exists()
    assert "about_X" not in (here / "X" / "X.psd1").read_text("utf-8")
    line = "HOST ./Y Get-Thing -Fidelity Compatible -IncludeHelp"
    assert run(line, recording)[0] == 0
    assert (here / "Y" / "en-US" / "Y-help.xml").is_file()


def test_a_bare_name_goes_to_the_user_s_modules(here: Path, recording: Path) -> None:
    assert run("HOST Server01 Get-Thing", recording)[0] == 0
    assert (here.parent / "data/powershell/Modules/Server01/Server01.psd1").is_file()


def test_force_overwrites_and_keeps_what_is_not_its_own(
    here: Path, recording: Path
) -> None:
    manifest = here / "Old" / "Old.psd1"
    manifest.write_text("old")
    manifest.chmod(0o444)
    assert run("HOST ./Old Get-Thing -Force", recording)[0] == 0
    assert "Get-Thing" in manifest.read_text("utf-8")
    assert (here / "Old" / "mine.txt").read_text() == "keep"


def test_the_same_input_gives_the_same_bytes(here: Path, recording: Path) -> None:
    def made() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (here / "X").rglob("*.*")}

    assert run("HOST ./X -ea Ignore -wa Ignore", recording)[0] == 0
    first = made()
    assert run("HOST ./X -ea Ignore -wa Ignore -Force", recording)[0] == 0
    assert made() == first


class Broken(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_a_reader_that_has_gone(here: Path, recording: Path) -> None:
    stderr = io.StringIO()
    words = [f"replay:{recording}", "./X", "Get-Thing"]
    assert main(words, Broken(), stderr) == 1
    assert stderr.getvalue() == ""


@pytest.mark.parametrize(
    ("raised", "code", "words"),
    [
        (KeyboardInterrupt(), 130, "Interrupted"),
        (ZeroDivisionError("oh"), 1, "[InternalError]"),
        (MemoryError(), 1, "[InternalError]"),
    ],
)
def test_what_happens_in_the_middle(
    raised: BaseException,
    code: int,
    words: str,
    here: Path,
    recording: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr(exporter, "select", fail)
    before = sorted(here.rglob("*"))
    done, stdout, stderr = run("HOST ./X", recording)
    assert (done, stdout) == (code, "")
    assert words in stderr
    assert "Traceback" not in stderr
    assert len(stderr.splitlines()) == 1
    assert sorted(here.rglob("*")) == before


def test_a_traceback_only_with_debug(
    here: Path, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(preparation, "prepare", fail)
    code, _, stderr = run("HOST ./X -Debug", recording)
    assert code == 1
    assert "Traceback" in stderr
    assert "[InternalError]" in stderr.splitlines()[-1]
