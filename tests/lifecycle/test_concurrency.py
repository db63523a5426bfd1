"""Runspaces, jobs and Ctrl-C do not trip over each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from psexport.model import (
    Command,
    CommandType,
    Detail,
    Membership,
    Parameter,
    Proxy,
    Selection,
)

from .workshop import run, write_module

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_module(tmp_path_factory.mktemp("modules"))


def test_runspaces_have_sessions_of_their_own(module: Path) -> None:
    # Imports of any module with views, at the same moment in runspaces of one pool,
    # can fail with "Collection was modified": PowerShell's pool has one list of view
    # files for all its runspaces. So they import one by one, and call side by side.
    assert run(
        """
        $pool = [runspacefactory]::CreateRunspacePool(1, 3)
        $pool.Open()
        $work = foreach ($i in 1..6) {
            $shell = [powershell]::Create()
            $shell.RunspacePool = $pool
            $null = $shell.AddScript({
                param($module, $i)
                [Threading.Monitor]::Enter($module)
                try { Import-Module $module }
                finally { [Threading.Monitor]::Exit($module) }
                foreach ($n in 1..5) { far "$i * 10 + $n" }
                far '$PID'
            }).AddArgument($Module).AddArgument($i)
            @{ Shell = $shell; Task = $shell.BeginInvoke() }
        }
        $ids = foreach ($one in $work) {
            $got = $one.Shell.EndInvoke($one.Task)
            "$($got[0..4])"
            $one.Shell.Streams.Error
            $global:seen += @($got[5])
        }
        $ids
        $pool.Close()
        $left = $seen | Select-Object -Unique | Where-Object { -not (Test-Gone $_) }
        "left: $left"
        """,
        module,
    ) == [
        *(" ".join(str(i * 10 + n) for n in range(1, 6)) for i in range(1, 7)),
        "left: ",
    ]


def test_runspaces_may_share_a_session(module: Path) -> None:
    assert run(
        """
        $session = New-ProcessSession
        $work = foreach ($i in 1..3) {
            $shell = [powershell]::Create()
            $null = $shell.AddScript({
                param($module, $session, $i)
                Import-Module $module -ArgumentList $session
                foreach ($n in 1..8) { far "Start-Sleep -Milliseconds 5; $i * 10 + $n" }
            }).AddArgument($Module).AddArgument($session).AddArgument($i)
            @{ Shell = $shell; Task = $shell.BeginInvoke() }
        }
        foreach ($one in $work) {
            "$($one.Shell.EndInvoke($one.Task))"
            $one.Shell.Streams.Error
        }
        "$($session.State)"
        """,
        module,
    ) == [
        *(" ".join(str(i * 10 + n) for n in range(1, 9)) for i in range(1, 4)),
        "Opened",
    ]


def test_jobs_run_beside_calls_and_each_other(module: Path, tmp_path: Path) -> None:
    go = tmp_path / "go"
    assert run(
        f"""
        Import-Module $Module
        $wait = 'foreach ($try in 1..1500) {{
            if (Test-Path "{go}") {{ break }}
            Start-Sleep -Milliseconds 20
        }}
        $PID'
        $jobs = foreach ($i in 1, 2) {{ far $wait -AsJob }}
        $mine = far '$PID'
        "$($jobs.State)"
        $null = New-Item '{go}'
        $theirs = $jobs | Wait-Job | Receive-Job
        "$(@(@($theirs) + $mine | Select-Object -Unique).Count)"
        # The sessions are there for the next ones.
        $said = far '$PID' -AsJob 6>&1
        $there = @($theirs) + $mine
        "$(@($said).Count) $($there -contains ($said | Wait-Job | Receive-Job))"
        """,
        module,
    ) == ["Running Running", "3", "1 True"]


def test_jobs_in_a_given_session_follow_each_other(module: Path) -> None:
    assert run(
        """
        $session = New-ProcessSession
        Import-Module $Module -ArgumentList $session
        $jobs = foreach ($i in 1, 2) { far "Start-Sleep -Milliseconds 200; $i" -AsJob }
        far '3'
        "$($jobs | Wait-Job | Receive-Job)"
        Get-Id {
            Invoke-FarBlock { 1; Start-Sleep 1; 2 } | ForEach-Object { far 5 -AsJob }
        }
        far '4'
        """,
        module,
    ) == ["3", "1 2", "PSExportSessionBusy", "4"]


def test_a_failing_job_is_the_jobs_affair(module: Path) -> None:
    assert run(
        """
        Import-Module $Module
        $job = far 'throw "no"' -AsJob
        "$((Wait-Job $job).State)"
        far '1'
        """,
        module,
    ) == ["Failed", "1"]


def test_each_job_may_have_the_session_of_any_before_it(module: Path) -> None:
    assert run(
        """
        Import-Module $Module
        foreach ($round in 1..3) {
            $jobs = 1, 2 | ForEach-Object { far "Start-Sleep -m 200; $_" -AsJob }
            "$($jobs | Wait-Job | Receive-Job)"
        }
        "its sessions: $((Get-PSSession).Name | Select-Object -Unique)"
        Remove-Module Far
        "sessions left: $(@(Get-PSSession).Count)"
        """,
        module,
    ) == ["1 2", "1 2", "1 2", "its sessions: Far", "sessions left: 0"]


def test_a_job_gets_its_input_object_by_object(tmp_path: Path) -> None:
    for_each = Command(
        "ForEach-Object",
        CommandType.CMDLET,
        parameters=(
            Parameter(
                "InputObject",
                "System.Object",
                memberships=(Membership(from_pipeline=True),),
            ),
            Parameter("Process", "System.Management.Automation.ScriptBlock"),
        ),
        detail=Detail.FULL,
        advanced=True,
    )
    module = write_module(
        tmp_path, selection=Selection(proxies=(Proxy("Invoke-FarEach", for_each),))
    )
    assert run(
        """
        Import-Module $Module
        $kind = { if ($null -eq $_) { 'null' } else { $_.GetType().Name } }
        foreach ($given in (1, 2), (1, $null, 'x'), @(), (, (1, 2)), { 1 }) {
            $job = $given | Invoke-FarEach -Process $kind -AsJob
            "[$(Wait-Job $job | Receive-Job)]"
        }
        """,
        module,
    ) == ["[Int32 Int32]", "[Int32 null String]", "[]", "[Object[]]", "[ScriptBlock]"]


def test_ctrl_c_stops_the_host_at_once(module: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    assert run(
        f"""
        $runspace = [runspacefactory]::CreateRunspace()
        $runspace.Open()
        function Start-Script($text) {{
            $shell = [powershell]::Create()
            $shell.Runspace = $runspace
            $null = $shell.AddScript($text)
            $shell
        }}
        $far = (Start-Script "Import-Module '$Module'; far '`$PID'").Invoke()[0]
        $long = Start-Script @'
            Invoke-FarBlock {{
                try {{ foreach ($i in 1..500) {{ $i; Start-Sleep -Milliseconds 20 }} }}
                finally {{ [IO.File]::WriteAllText('{trace}', "$i") }}
            }}
'@
        $output = [System.Management.Automation.PSDataCollection[psobject]]::new()
        $task = $long.BeginInvoke($output, $output)
        while ($output.Count -lt 3) {{ Start-Sleep -Milliseconds 20 }}
        $watch = [Diagnostics.Stopwatch]::StartNew()
        $long.Stop()
        "$($long.InvocationStateInfo.State) $($watch.ElapsedMilliseconds -lt 5000)"
        foreach ($try in 1..100) {{
            if (Test-Path '{trace}') {{ break }}
            Start-Sleep -Milliseconds 20
        }}
        "host stopped: $([int](Get-Content '{trace}') -lt 300)"
        "same session: $((Start-Script "far '`$PID'").Invoke()[0] -eq $far)"
        """,
        module,
    ) == ["Stopped True", "host stopped: True", "same session: True"]
