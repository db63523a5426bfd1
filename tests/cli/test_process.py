"""psexport as a program: started, interrupted, and against a real engine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine import run_script

PSEXPORT = [sys.executable, "-m", "psexport"]


def start(folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*PSEXPORT, *arguments],
        cwd=folder,
        env={**os.environ, "XDG_CONFIG_HOME": str(folder / "none"), **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def test_the_program_runs(tmp_path: Path, recording: Path) -> None:
    program = start(tmp_path, f"replay:{recording}", "./X", "Get-Thing")
    stdout, stderr = program.communicate(timeout=60)
    assert (program.returncode, stderr) == (0, "")
    assert "X.psd1" in stdout


def test_an_ascii_terminal_is_no_reason_to_fail(tmp_path: Path) -> None:
    program = start(
        tmp_path, "demo", "./X", "-Größe", PYTHONIOENCODING="ascii", PYTHONUTF8="0"
    )
    _, stderr = program.communicate(timeout=60)
    assert program.returncode == 2
    assert "NamedParameterNotFound" in stderr


@pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")
def test_nobody_listens(tmp_path: Path, recording: Path) -> None:
    for closed in (">&-", "2>&-", "<&- >&- 2>&-"):
        line = f'"$@" {closed}'
        words = [*PSEXPORT, f"replay:{recording}", "./X", "-Force"]
        done = subprocess.run(["sh", "-c", line, "sh", *words], cwd=tmp_path)
        assert done.returncode == 0, closed
    assert (tmp_path / "X" / "X.psd1").is_file()


@pytest.mark.skipif(os.name != "posix", reason="needs a shell script and signals")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_signal_leaves_nothing(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    """A host that never answers is being opened when the signal comes."""
    silent = tmp_path / "pwsh"
    silent.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/started\nexec sleep 300\n")
    silent.chmod(0o755)
    folder = tmp_path / "here"
    folder.mkdir()
    program = start(folder, "pwsh:", "./X", PSEXPORT_PWSH=str(silent))
    for _ in range(600):
        if (tmp_path / "started").exists() and (tmp_path / "started").read_text():
            break
        time.sleep(0.05)
    time.sleep(0.2)
    program.send_signal(number)
    stdout, stderr = program.communicate(timeout=60)
    assert (program.returncode, stdout) == (code, "")
    assert "Traceback" not in stderr
    assert list(folder.iterdir()) == []
    child = int((tmp_path / "started").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


#: The examples of Export-PSSession's page, with a local process in the place of
#: Server01: what each has to have, and what it must not have.
EXAMPLES = [
    (
        "SESSION -OutputModule ./Server01 -Baseline baseline.txt",
        "Get-Mine",
        "",
    ),
    (
        "SESSION -Module Mine* -CommandName Get-*, Set-* -FormatTypeName * "
        "-OutputModule ./Modules/Exchange -Encoding ASCII",
        "Get-Mine Set-Mine",
        "Test-Mine",
    ),
    (
        "SESSION -OutputModule ./TestCmdlets -Type Function "
        "-CommandName *test* -FormatTypeName *",
        "Test-Mine",
        "Get-Mine",
    ),
    (
        "SESSION -AllowClobber -OutputModule ./AllCommands",
        "Get-Process",
        "",
    ),
    (
        "SESSION -OpenTimeout 60000 -OperationTimeout 60000 -Module Mine "
        "-OutputModule ./Server01",
        "Get-Mine Set-Mine Test-Mine",
        "Get-Process",
    ),
]


@pytest.mark.engine
@pytest.mark.parametrize(("line", "has", "lacks"), EXAMPLES)
def test_the_examples_of_the_page(
    line: str, has: str, lacks: str, pwsh: str, tmp_path: Path
) -> None:
    module = tmp_path / "modules" / "Mine" / "Mine.psm1"
    module.parent.mkdir(parents=True)
    module.write_text(
        "function Get-Mine { 'got' }\nfunction Set-Mine { }\nfunction Test-Mine { }\n"
    )
    (tmp_path / "baseline.txt").write_text("Get-Process\n")
    host = tmp_path / "host.pssc"
    host.write_text(
        "@{ SchemaVersion = '2.0.0.0'; SessionType = 'Default'; ModulesToImport = "
        f"'{module}'; Guid = '6d8c0aa1-7a2e-4c53-8a4e-0d6a3e3d4c11' }}"
    )
    program = start(
        tmp_path,
        *line.replace("SESSION", f"-Session pwsh: -ConfigurationFile {host}").split(),
        "-AsJson",
        PSEXPORT_PWSH=pwsh,
        PSModulePath=str(module.parents[1]),
    )
    stdout, stderr = program.communicate(timeout=120)
    assert program.returncode == 0, stderr
    made = json.loads(stdout)
    assert set(has.split()) <= set(made["commands"])
    assert not set(lacks.split()) & set(made["commands"])
    folder = Path(made["module"])
    script = tmp_path / "check.ps1"
    script.write_text(
        f"""
        $ErrorActionPreference = 'Stop'
        $errors = $null
        $null = [System.Management.Automation.Language.Parser]::ParseFile(
            '{folder / folder.name}.psm1', [ref] $null, [ref] $errors)
        if ($errors) {{ throw "$errors" }}
        (Test-ModuleManifest '{folder / folder.name}.psd1').ExportedFunctions.Count
        """
    )
    assert run_script(pwsh, script).split() == [str(len(made["commands"]))]
