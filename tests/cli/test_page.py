"""What the page promises, on a real PowerShell: from the command line to the call."""

from __future__ import annotations

import io
import json
import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

import psexport
from clixml_text import Object, write
from engine import run_script
from fake_session import FakeSession
from psexport.cli import main
from psexport.transport.base import PipelineState, Record, Stream

VERSION = "@{{ ModuleVersion = '{0}'; RootModule = 'Tool.psm1'; GUID = '{1}' }}"
GUID = "6d8c0aa1-7a2e-4c53-8a4e-0d6a3e3d4c19"
VARIANT = """
function Get-Variant {
    [CmdletBinding()] param([Parameter(Position = 0)] $Path)
    dynamicparam {
        $name = if ($Path -eq 'cert:') { 'Signing' }
        elseif ($Path -is [int]) { 'Number' } else { 'Other' }
        $all = [System.Management.Automation.RuntimeDefinedParameterDictionary]::new()
        $place = [System.Management.Automation.ParameterAttribute]::new()
        $all.Add($name, [System.Management.Automation.RuntimeDefinedParameter]::new(
            $name, [switch], [Attribute[]] @($place)))
        $all
    }
    end { "variant $Path" }
}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pwsh: str) -> Path:
    """A current folder, with modules and programs that the host finds."""
    modules = tmp_path / "modules"
    for version in ("1.2", "2.0"):
        folder = modules / "Tool" / version
        folder.mkdir(parents=True)
        (folder / "Tool.psd1").write_text(VERSION.format(version, GUID))
        (folder / "Tool.psm1").write_text(f"function Get-Tool {{ 'tool {version}' }}\n")
    scripts = {"Variant": VARIANT, "Broken": "throw 'this one is broken'"}
    for name, text in scripts.items():
        (modules / name).mkdir()
        (modules / name / f"{name}.psm1").write_text(text)
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "mytool").write_text('#!/bin/sh\necho "program: $*"\ncat\n')
    (programs / "mytool").chmod(0o755)
    (programs / "Run-It.ps1").write_text('param([int] $X)\n"script: $X $args"\n')
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PSModulePath", str(modules))
    monkeypatch.setenv("PSEXPORT_PWSH", pwsh)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def run(*words: str) -> tuple[int, dict[str, object], str]:
    """A command line: its exit code, result, and what else it says."""
    stdout, stderr = io.StringIO(), io.StringIO()
    code = main([*words, "-AsJson"], stdout, stderr)
    return code, json.loads(stdout.getvalue() or "{}"), stderr.getvalue()


def call(pwsh: str, folder: Path, script: str) -> list[str]:
    """What a script says in a PowerShell of its own, line by line."""
    path = folder / "call.ps1"
    path.write_text(f"$ErrorActionPreference = 'Stop'\n{script}", "utf-8")
    return run_script(pwsh, path).splitlines()


pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(os.name != "posix", reason="the program is a shell script"),
]


def test_programs_and_scripts_are_called_by_their_names(here: Path, pwsh: str) -> None:
    code, made, stderr = run(
        "pwsh:", "./X", "mytool,Run-It", "-Type", "Application,ExternalScript"
    )
    assert (code, stderr) == (0, "")
    assert made["commands"] == ["mytool", "Run-It.ps1"]
    assert made["skipped"] == []
    calls = "'in' | mytool a 'b c'\nX\\Run-It.ps1 -X 5 more"
    script = f"Import-Module ./X -DisableNameChecking\n{calls}"
    assert call(pwsh, here, script) == ["program: a b c", "in", "script: 5 more"]


def test_a_module_that_is_there_but_not_loaded(here: Path, pwsh: str) -> None:
    """The written module has each new session load it, in the version asked for."""
    spec = "@{ModuleName='Tool'; RequiredVersion='1.2'}"
    for words, says in (
        (["-Module", "Tool"], "tool 2.0"),
        (["-FullyQualifiedModule", spec], "tool 1.2"),
        (["-FullyQualifiedModule", "Tool"], "tool 2.0"),
        (
            ["-FullyQualifiedModule", "@{ModuleName='Tool'; MaximumVersion='1.*'}"],
            "tool 1.2",
        ),
    ):
        code, made, stderr = run("pwsh:", "./X", *words, "-Force")
        assert (code, stderr) == (0, ""), words
        assert made["commands"] == ["Get-Tool"]
        assert call(pwsh, here, "Import-Module ./X\nX\\Get-Tool") == [says]


WRONG = "@{{ModuleName='Tool'; ModuleVersion='1.0'; Guid='{}'}}"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["-Module", "Nowhere"], "'Nowhere' was not loaded"),
        (["-FullyQualifiedModule", "@{ModuleName='Nowhere';ModuleVersion='1.0'}"], ""),
        (["-FullyQualifiedModule", "@{ModuleName='Tool';ModuleVersion='9.0'}"], "9.0"),
        (["-FullyQualifiedModule", WRONG.format(GUID.replace("6d", "7d"))], "'Tool'"),
        (["-Module", "Broken"], "Broken: this one is broken"),
    ],
)
def test_a_module_that_cannot_be_had(words: list[str], says: str, here: Path) -> None:
    code, _, stderr = run("pwsh:", "./X", *words)
    first, last = stderr.splitlines()
    assert code == 1
    assert says in first
    assert "[ErrorFromRemoteCommand]" in first
    assert "Hashtable" not in first
    assert "[ErrorNoResultsFromRemoteEnd]" in last
    assert list(here.iterdir()) == []


def test_the_guid_is_the_host_s_to_judge(here: Path) -> None:
    code, made, _ = run("pwsh:", "./X", "-FullyQualifiedModule", WRONG.format(GUID))
    assert code == 0
    assert made["commands"] == ["Get-Tool"]


@pytest.mark.parametrize(
    ("argument", "has"),
    [("cert:", "Signing"), ("5", "Number"), ("0", "Number"), ("'5'", "Other")],
)
def test_the_variant_that_arguments_give(argument: str, has: str, here: Path) -> None:
    line = ["pwsh:", "./X", "Get-Variant", "-Module", "Variant", "-ArgumentList"]
    code, _, stderr = run(*line, argument)
    assert code == 0, stderr
    text = (here / "X" / "X.psm1").read_text("utf-8")
    variants = ("Signing", "Number", "Other")
    assert [one for one in variants if f"${{{one}}}" in text] == [has]


def test_what_this_machine_s_powershell_has_is_guarded(here: Path) -> None:
    line = ["pwsh:", "./X", "Get-Tool,Get-Item", "-Baseline", "pwsh:"]
    code, _, stderr = run(*line)
    assert code == 1
    assert "Get-Item, Get-Tool" in stderr
    assert "[ErrorNoCommandsImportedBecauseOfSkipping]" in stderr
    code, made, stderr = run(*line[:-2])
    assert (code, made["commands"]) == (0, ["Get-Tool"])
    assert "Get-Item" in stderr


JEA = """@{ SchemaVersion = '2.0.0.0'; GUID = '6d8c0aa1-7a2e-4c53-8a4e-0d6a3e3d4c12'
SessionType = 'RestrictedRemoteServer'; LanguageMode = 'NoLanguage'
VisibleCmdlets = 'Get-Date' }"""


def test_a_restricted_endpoint_says_what_it_cannot(here: Path) -> None:
    (here / "jea.pssc").write_text(JEA)
    line = ["pwsh:", "./X", "-ConfigurationFile", "jea.pssc"]
    spec = "@{ModuleName='Tool';ModuleVersion='1.0'}"
    code, _, stderr = run(*line, "-FullyQualifiedModule", spec)
    assert code == 1
    assert "this endpoint's Get-Command takes no module specifications" in stderr
    assert "-Module instead" in stderr
    (here / "jea.pssc").write_text(JEA.replace("RestrictedRemoteServer", "Empty"))
    code, _, stderr = run(*line, "Get-Date")
    assert code == 1
    assert "[ErrorRequiredRemoteCommandNotFound]" in stderr


def test_a_terminal_sees_progress_and_pipes_do_not(tmp_path: Path) -> None:
    """Standard error is a terminal, standard output a pipe."""
    import pty

    ours, theirs = pty.openpty()
    program = subprocess.Popen(
        [sys.executable, "-m", "psexport", "demo", "./X", "-wa", "Ignore"],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "XDG_CONFIG_HOME": str(tmp_path)},
    )
    os.close(theirs)
    seen = b""
    while select.select([ours], [], [], 60)[0]:
        try:
            seen += os.read(ours, 65536)
        except OSError:  # how Linux says that the terminal is closed
            break
    stdout, _ = program.communicate(timeout=60)
    os.close(ours)
    assert program.returncode == 0, seen
    assert b"commands" in seen
    assert b"100%" in seen
    assert seen.rstrip(b"\r").endswith(b"\x1b[2K")  # nothing of it stays
    assert b"\x1b" not in stdout
    assert b"X.psd1" in stdout


@pytest.mark.parametrize("stream", [Stream.STATE, Stream.ERROR])
def test_an_error_of_the_host_says_where(stream: Stream, tmp_path: Path) -> None:
    position = "At C:\\bad.ps1:3 char:7\n+ throw 'x'"
    thrown = Object(types=["System.Exception"], props={"Message": "it is broken"})
    told = {
        "Exception": thrown,
        "FullyQualifiedErrorId": "Broken",
        "InvocationInfo": Object(members={"PositionMessage": position}),
    }
    data = write(Object(members=told))
    state = PipelineState.FAILED if stream is Stream.STATE else None
    answer = [Record(stream, data, state)]
    answer += [] if state else [Record(Stream.STATE, b"", PipelineState.COMPLETED)]
    with pytest.raises(psexport.PSExportError) as caught:
        psexport.export(
            FakeSession({"metadata": answer}), tmp_path / "X", on_event=stop_at_problems
        )
    assert "it is broken (At C:\\bad.ps1:3 char:7 + throw 'x')" in caught.value.message
    assert caught.value.id == "ErrorFromRemoteCommand"


def stop_at_problems(event: object) -> None:
    """As -ErrorAction Stop does."""
    skipped = getattr(event, "skipped", None)
    if skipped is not None:
        raise psexport.PSExportError(skipped.reason, id=skipped.id)
