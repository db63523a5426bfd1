"""Where tests get a PowerShell engine from, and how they ask it something."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

_BESIDE = Path(__file__).resolve().parents[2] / "shared" / "pwsh" / "pwsh"


def find_pwsh() -> str | None:
    """PSEXPORT_PWSH, then PATH, then the one beside the repository."""
    if named := os.environ.get("PSEXPORT_PWSH"):
        return named
    return shutil.which("pwsh") or (str(_BESIDE) if _BESIDE.is_file() else None)


def require_pwsh() -> str:
    """The engine's path; skips the test without one."""
    found = find_pwsh()
    if found is None:
        pytest.skip("no PowerShell engine: set PSEXPORT_PWSH or put pwsh on PATH")
    return found


def run_script(
    pwsh: str, script: Path | str, *arguments: str, timeout: int = 120
) -> str:
    """Run a script file in a process of its own; what it wrote, as UTF-8."""
    command = [pwsh, "-NoLogo", "-NoProfile", "-NonInteractive", "-File", str(script)]
    done = subprocess.run(
        [*command, *arguments],
        capture_output=True,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    return done.stdout.decode("utf-8")
