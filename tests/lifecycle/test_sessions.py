"""Which session a call runs in, over local processes: made, given, broken, closed."""

from __future__ import annotations

from pathlib import Path

import pytest

from .workshop import host, nowhere, run, write_module

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_module(tmp_path_factory.mktemp("modules"))


def test_a_session_is_made_once_said_once_and_closed_with_the_module(
    module: Path,
) -> None:
    assert run(
        """
        Import-Module $Module
        $first = far '$PID' 6>&1
        "$($first[0])"
        $first[0].GetType().Name
        far '$PID' -InformationVariable said | Out-Null
        "$($said.Count) said, same process: $((far '$PID') -eq $first[1])"
        Remove-Module Far
        "gone: $(Test-Gone $first[1])"
        """,
        module,
    ) == [
        "Making a new session to pwsh for the module Far.",
        "InformationRecord",
        "0 said, same process: True",
        "gone: True",
    ]


def test_a_given_session_is_used_and_never_closed(module: Path) -> None:
    assert run(
        """
        $session = New-ProcessSession
        $far = Invoke-Command $session { $PID }
        Import-Module $Module -ArgumentList $session
        "$((far '$PID' 6>&1) -eq $far)"
        Import-Module $Module -ArgumentList @{ session = $session } -Force
        "$((far '$PID' 6>&1) -eq $far)"
        Remove-Module Far
        "$($session.State)"
        """,
        module,
    ) == ["True", "True", "Opened"]


def test_a_given_session_that_was_closed_is_replaced(module: Path) -> None:
    assert run(
        """
        $session = New-ProcessSession
        Import-Module $Module -ArgumentList $session
        far '1'
        $session.Runspace.Close()
        $after = far '$PID' 6>&1
        "$($after[0])"
        "$((far '$PID' 6>&1) -eq $after[1])"
        """,
        module,
    ) == ["1", "Making a new session to pwsh for the module Far.", "True"]


def test_a_disconnected_session_is_reconnected(module: Path) -> None:
    assert run(
        """
        $session = New-ProcessSession
        $other = New-ProcessSession
        Import-Module $Module -ArgumentList $session
        # Only WSMan on Windows disconnects, so the state is set by force, and the
        # command that reconnects is a stand-in.
        $flags = [System.Reflection.BindingFlags]'NonPublic,Instance'
        $field = $session.Runspace.GetType().GetField('_runspaceStateInfo', $flags)
        $info = [System.Management.Automation.Runspaces.RunspaceStateInfo]
        $state = $info.GetConstructors($flags)[0].Invoke(@(
                [System.Management.Automation.Runspaces.RunspaceState]::Disconnected))
        $field.SetValue($session.Runspace, $state)
        function global:Connect-PSSession {
            [CmdletBinding()] param($Session)
            $global:asked = "$($Session.State)"
            $other
        }
        "$((far '$PID' 6>&1) -eq (Invoke-Command $other { $PID }))"
        $asked
        """,
        module,
    ) == ["True", "Disconnected"]


def test_a_host_that_dies_in_a_call(module: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    assert run(
        f"""
        Import-Module $Module
        $first = far '$PID'
        $kill = {{
            [IO.File]::AppendAllText('{trace}', 'x')
            'before'
            Start-Sleep -Milliseconds 200
            [Environment]::Exit(3)
        }}
        $got = @()
        try {{ Invoke-FarBlock $kill | ForEach-Object {{ $got += $_ }} }} catch {{
            Format-Id $_
            "$_" -replace 'ran: .* What', 'ran: ... What'
        }}
        "$got"
        $second = far '$PID' 6>&1
        "$($second[0])"
        "$($second[1] -ne $first)"
        "ran $((Get-Content -Raw '{trace}').Length) time"
        """,
        module,
    ) == [
        "PSExportSessionBroken",
        "The session to pwsh broke while 'Invoke-Command' ran: ... What it had done by"
        " then is done; it is not repeated. The next call gets a new session.",
        "before",
        "Making a new session to pwsh for the module Far.",
        "True",
        "ran 1 time",
    ]


def test_a_host_that_is_killed_between_calls_and_in_one(module: Path) -> None:
    assert run(
        """
        Import-Module $Module
        $first = far '$PID'
        [Diagnostics.Process]::GetProcessById($first).Kill()
        "$(Test-Gone $first)"
        Start-Sleep -Milliseconds 200
        $second = far '$PID'
        "$($second -ne $first)"
        $killer = [powershell]::Create().AddScript(
            'Start-Sleep -Milliseconds 400; ' +
            "[Diagnostics.Process]::GetProcessById($second).Kill()")
        $null = $killer.BeginInvoke()
        Get-Id { far 'Start-Sleep 20' }
        "$((far '$PID') -ne $second)"
        """,
        module,
    ) == ["True", "True", "PSExportSessionBroken", "True"]


def test_a_command_that_exits_ends_neither_shell_nor_session(module: Path) -> None:
    assert run(
        """
        Import-Module $Module
        $id = far '$PID'
        Get-Id { Invoke-FarBlock { 1; exit 3 } }
        "$((far '$PID' 6>&1) -eq $id)"
        """,
        module,
    ) == ["PSExportExit", "True"]


def test_debug_asks_nobody_whether_to_go_on_after_a_warning(module: Path) -> None:
    script = (
        "Import-Module '{0}'; far 'Write-Warning w; 1' -Debug"
        ' -WarningVariable kept *>&1 | ForEach-Object {{ "$_" }}; "kept $kept"'
    )
    told = run(
        f"Invoke-Elsewhere '{script.format(module).replace(chr(39), chr(39) * 2)}'"
    )
    assert told[-3:] == ["w", "1", "kept w"]


def test_no_process_outlives_the_shell_or_the_runspace(module: Path) -> None:
    inner = "Import-Module '$Module'; far '`$PID'"
    lines = run(
        f"""
        $inner = "{inner}"
        $id = Invoke-Elsewhere $inner
        "$(Test-Gone $id[0])"
        Import-Module $Module
        far '$PID'
        """,
        module,
    )
    assert lines[0] == "True"
    assert run(f"Test-Gone {int(lines[1])}") == ["True"]


def test_without_an_endpoint_it_asks_for_a_session(tmp_path: Path) -> None:
    assert run(
        """
        Import-Module $Module
        Get-Id { far 1 }
        # Not even where errors are passed over does a call go on.
        $ErrorActionPreference = 'SilentlyContinue'
        "[$(far 1)]"
        "[$(far 1 -ErrorAction SilentlyContinue)]"
        $ErrorActionPreference = 'Continue'
        Import-Module $Module -ArgumentList (New-ProcessSession) -Force
        far '40 + 2'
        """,
        write_module(tmp_path, nowhere()),
    ) == ["PSExportNoEndpoint", "[]", "[]", "42"]


#: What the host was at the export, VERSION standing for what it is → the warning.
CHANGES = [
    ({"version": ""}, ""),
    ({"version": "VERSION"}, ""),
    ({"version": "VERSION", "implicit_remoting_hash": "1"}, ""),
    ({"version": "VERSION.99"}, ""),
    ({"version": "VERSION-preview.2"}, ""),
    ({"version": "5.1.14393.0"}, "its PowerShell (5.1.14393.0, now VERSION)"),
]


def test_a_changed_host_gets_one_warning(tmp_path: Path) -> None:
    (version,) = run(
        "'{0}.{1}.{2}' -f @($PSVersionTable.PSVersion.ToString() -split '[.-]')"
    )
    script = "$session = New-ProcessSession\n"
    for number, (facts, _) in enumerate(CHANGES):
        told = {key: text.replace("VERSION", version) for key, text in facts.items()}
        home = tmp_path / str(number)
        home.mkdir()
        module = write_module(home, about=host(**told))
        script += f"""
            Import-Module '{module}' -ArgumentList $session
            $said = @(far '"out"' 3>&1)
            $said += @(far '"out"' 3>&1)
            @($said) -notmatch '^out' | ForEach-Object {{ "$_" }}
            '--'
            """
    lines = iter(run(script))
    for facts, warns in CHANGES:
        found = list(iter(lambda: next(lines), "--"))
        assert len(found) == bool(warns), facts
        for line in found:
            assert warns.replace("VERSION", version) in line
            assert "Export it again" in line


def test_a_session_that_the_module_makes_is_compared_too(tmp_path: Path) -> None:
    module = write_module(tmp_path, about=host(version="5.1.14393.0"))
    said = run(
        """
        Import-Module $Module
        foreach ($time in 1, 2) { far '"out"' 3>&1 | ForEach-Object { "$_" } }
        """,
        module,
    )
    assert said[1:] == ["out", "out"]
    assert "has changed" in said[0]


def test_another_hash_is_another_list_of_commands(tmp_path: Path) -> None:
    module = write_module(tmp_path, about=host(implicit_remoting_hash="1234"))
    said = run(
        """
        $far = Import-Module $Module -PassThru
        $test = { Test-PSExportHost @{ ImplicitRemoting = @{ Hash = $args[0] } } }
        foreach ($hash in '1234', 1234, $null) { & $far $test $hash }
        & $far $test '99' 3>&1
        """,
        module,
    )
    assert len(said) == 1
    assert "its list of commands" in said[0]


def test_modules_of_the_export_are_imported_again(tmp_path: Path) -> None:
    wanted = tmp_path / "Wanted"
    wanted.mkdir()
    (wanted / "Wanted.psm1").write_text("function Get-Wanted { 'wanted' }")
    (wanted / "Wanted.psd1").write_text(
        "@{ RootModule = 'Wanted.psm1'; ModuleVersion = '1.5';"
        " GUID = '11111111-2222-3333-4444-555555555555' }"
    )
    specification = {
        "ModuleName": str(wanted / "Wanted.psd1"),
        "ModuleVersion": "1.2",
        "Guid": "11111111-2222-3333-4444-555555555555",
    }
    script = """
        Import-Module $Module
        far '(Get-Module | ForEach-Object Name) -contains "Wanted"' 3>&1 |
            ForEach-Object { "$_" }
        """
    for number, modules in enumerate(
        [(str(wanted),), (specification,), ("NoSuchModule", specification)]
    ):
        home = tmp_path / str(number)
        home.mkdir()
        lines = run(script, write_module(home, modules=modules))
        assert lines[-1] == "True"
        assert ["NoSuchModule" in line for line in lines[:-1]] == [True] * (number == 2)
    home = tmp_path / "restricted"
    home.mkdir()
    restricted = host(language_mode="NoLanguage")
    module = write_module(home, modules=(str(wanted),), about=restricted)
    assert run(script, module) == ["False"]


@pytest.mark.parametrize(
    ("version", "sent"),
    [
        ("4.0", "ErrorAction"),
        ("5.1.19041.1", "ErrorAction InformationAction"),
        ("7.4.0-rc.1", "ErrorAction InformationAction ProgressAction"),
        ("", "ErrorAction InformationAction ProgressAction"),
    ],
)
def test_an_old_host_gets_no_newer_common_parameters(
    version: str, sent: str, tmp_path: Path
) -> None:
    module = write_module(tmp_path, about=host(version=version))
    assert run(
        """
        $far = Import-Module $Module -PassThru
        $actions = @{ ErrorAction = 'Stop'; InformationAction = 'Continue'
            ProgressAction = 'Continue' }
        far 1 @actions 3>$null 6>$null | ForEach-Object {
            $call = & $far { $PSExportState.Calls[0] }
            "$($call.Bound.Keys -like '*Action' | Sort-Object)"
        }
        """,
        module,
    ) == [sent]
