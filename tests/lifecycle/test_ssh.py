"""Sessions over a real sshd on loopback, made and found by the module."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import require_pwsh
from psexport.connection import Connection, parse
from servers import sshd

from .workshop import run, write_module

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sshd.SshServer]:
    if reason := sshd.unavailable():
        pytest.skip(reason)
    subsystems = {
        "powershell": sshd.powershell(require_pwsh()),
        "silent": shlex.join(["/bin/sleep", "60"]),
    }
    with sshd.SshServer(tmp_path_factory.mktemp("sshd"), subsystems) as started:
        yield started


def to(server: sshd.SshServer, port: int | None = None) -> Connection:
    return parse(
        None,
        {
            "HostName": "127.0.0.1",
            "Port": port or server.port,
            "UserName": server.user,
            "KeyFilePath": str(server.key_file),
            "Options": [f"{k}={v}" for k, v in server.client_options.items()],
        },
    )


@pytest.fixture(scope="module")
def module(
    server: sshd.SshServer, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    path = write_module(tmp_path_factory.mktemp("modules"), to(server))
    options = "; ".join(f"{k} = '{v}'" for k, v in server.client_options.items())
    caller = f"""
        $arguments = @{{
            HostName = '127.0.0.1'; Port = {server.port}; UserName = '{server.user}'
            KeyFilePath = '{server.key_file}'; Options = @{{ {options} }}
        }}
        """
    return path, caller


def test_made_named_and_closed(module: tuple[Path, str]) -> None:
    path, _ = module
    assert run(
        """
        Import-Module $Module
        $said = far '$PID' 6>&1
        "$($said[0])"
        $sessions = @(Get-PSSession)
        "$($sessions.Count) $($sessions[0].Name) $($sessions[0].Transport)"
        "$((far '$PID' 6>&1) -eq $said[1])"
        # Closed by the caller: another is made.
        $sessions | Remove-PSSession
        $again = far '$PID' 6>&1
        "$($again[0])"
        Remove-Module Far
        "$(@(Get-PSSession).Count) $(Test-Gone $said[1]) $(Test-Gone $again[1])"
        """,
        path,
    ) == [
        "Making a new session to 127.0.0.1 for the module Far.",
        "1 Far SSH",
        "True",
        "Making a new session to 127.0.0.1 for the module Far.",
        "0 True True",
    ]


def test_the_callers_session_is_found_and_kept(module: tuple[Path, str]) -> None:
    path, caller = module
    lines = run(
        caller
        + """
        $mine = New-PSSession @arguments
        $other = New-PSSession @arguments
        Import-Module $Module
        "$((far '$PID' 6>&1) -eq (Invoke-Command $mine { $PID }))"
        # Busy with something else: the next one that is idle.
        Import-Module $Module -Force
        $job = Invoke-Command $mine { Start-Sleep 1 } -AsJob
        "$((far '$PID' 6>&1) -eq (Invoke-Command $other { $PID }))"
        Import-Module $Module -Force -ArgumentList @{ InstanceId = $other.InstanceId }
        "$((far '$PID' 6>&1) -eq (Invoke-Command $other { $PID }))"
        Remove-Module Far
        "$($mine.State) $($other.State)"
        # Another user, or port, is another endpoint.
        Import-Module $Module -ArgumentList @{ UserName = 'nobody-here' }
        Get-Id { far 1 }
        """,
        path,
    )
    assert lines[:4] == ["True", "True", "True", "Opened Opened"]
    assert lines[-1] == "PSExportNoSession"


def test_a_host_that_is_killed(module: tuple[Path, str]) -> None:
    path, _ = module
    assert run(
        """
        Import-Module $Module
        $first = far '$PID'
        Get-Id { Invoke-FarBlock { [Diagnostics.Process]::GetCurrentProcess().Kill() } }
        $second = far '$PID' 6>&1
        "$($second[0])"
        "$($second[1] -ne $first) $(@(Get-PSSession).Count)"
        """,
        path,
    ) == [
        "PSExportSessionBroken",
        "Making a new session to 127.0.0.1 for the module Far.",
        "True 1",
    ]


def test_runspaces_and_jobs(module: tuple[Path, str]) -> None:
    path, _ = module
    assert run(
        """
        $work = foreach ($i in 1..2) {
            $shell = [powershell]::Create()
            $null = $shell.AddScript({
                param($module, $i)
                Import-Module $module
                foreach ($n in 1..3) { far "$i * 10 + $n" }
            }).AddArgument($Module).AddArgument($i)
            @{ Shell = $shell; Task = $shell.BeginInvoke() }
        }
        Import-Module $Module
        $job = far '"job"' -AsJob
        foreach ($one in $work) { "$($one.Shell.EndInvoke($one.Task))" }
        $job | Wait-Job | Receive-Job
        """,
        path,
    ) == ["11 12 13", "21 22 23", "job"]


def test_who_is_not_let_in(server: sshd.SshServer, module: tuple[Path, str]) -> None:
    path, _ = module
    # ssh itself writes to standard error why; that is kept out of the test.
    lines = run(
        f"""
        $quiet = @{{ LogLevel = 'QUIET' }}
        $far = Import-Module $Module -PassThru
        $options = & $far {{ $script:PSExport.Endpoint.Options }}
        foreach ($key in $options.Keys) {{ $quiet[$key] = $options[$key] }}
        foreach ($settings in @{{ KeyFilePath = '{server.other_key_file}' }},
            @{{ Port = 1 }}, @{{ HostName = 'no-such-host.invalid' }},
            @{{ Subsystem = 'nonesuch' }},
            @{{ Subsystem = 'silent'; OpenTimeout = 700 }}) {{
            $settings.Options = $quiet
            Import-Module $Module -Force -ArgumentList $settings
            $watch = [Diagnostics.Stopwatch]::StartNew()
            try {{ far 1 6>$null }} catch {{ "$(Format-Id $_)|$_" }}
            "$($watch.ElapsedMilliseconds -lt 20000) $(@(Get-PSSession).Count)"
        }}
        """,
        path,
    )
    assert [line.split("|")[0] for line in lines[::2]] == ["PSExportNoSession"] * 5
    assert all("ssh -v" in line for line in lines[::2])
    assert lines[1::2] == ["True 0"] * 5


def test_nobody_is_asked_for_a_password(server: sshd.SshServer, tmp_path: Path) -> None:
    """Where nobody can answer, ssh is told not to ask."""
    options = dict(server.client_options)
    del options["BatchMode"]
    connection = parse(
        None,
        {
            "HostName": "127.0.0.1",
            "Port": server.port,
            "UserName": server.user,
            "KeyFilePath": str(server.key_file),
            "Options": [f"{k}={v}" for k, v in options.items()],
        },
    )
    assert run(
        """
        function global:New-PSSession {
            [CmdletBinding()]
            param($HostName, $Port, $UserName, $KeyFilePath, $Subsystem, $Name,
                $ConnectingTimeout, [hashtable] $Options)
            "$HostName $Subsystem $Name $ConnectingTimeout $($Options.BatchMode) " +
                "$($Options.IdentitiesOnly)" | Out-Host
            New-ProcessSession
        }
        Import-Module $Module
        far 1
        """,
        write_module(tmp_path, connection),
    ) == ["127.0.0.1 powershell Far 180000 yes yes", "1"]
