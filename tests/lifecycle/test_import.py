"""Imported in every way that there is, and found without being imported."""

from __future__ import annotations

from pathlib import Path

import pytest

import psexport
from engine import require_pwsh

from .workshop import host, local, run, write_module

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_module(tmp_path_factory.mktemp("modules"))


def test_twice_and_by_force(module: Path) -> None:
    assert run(
        """
        Import-Module $Module
        $first = far '$PID'
        Import-Module $Module
        "same: $((far '$PID') -eq $first)"
        Import-Module $Module -Force
        "gone: $(Test-Gone $first)"
        far '1'
        Remove-Module Far
        Import-Module $Module
        far '2'
        "$(@(Get-Module Far).Count) $($ExecutionContext.Events.Subscribers.Count)"
        Remove-Module Far
        "$(@(Get-Module Far).Count) $($ExecutionContext.Events.Subscribers.Count)"
        """,
        module,
    ) == ["same: True", "gone: True", "1", "2", "1 1", "0 0"]


def test_parts_of_it_and_under_other_names(module: Path) -> None:
    assert run(
        """
        Import-Module $Module -Prefix My
        Invoke-MyFar '1'
        "$((Get-Module Far).ExportedCommands.Keys | Sort-Object)"
        Remove-Module Far
        Import-Module $Module -Function Invoke-Far
        "$((Get-Command -Module Far).Name)"
        Invoke-Far '2'
        Remove-Module Far
        Import-Module $Module -Alias far
        "$((Get-Alias far).Definition)"
        Remove-Module Far
        function global:Invoke-Far { 'mine' }
        Import-Module $Module -NoClobber
        Invoke-Far '3'
        Far\\Invoke-FarBlock { '4' }
        """,
        module,
    ) == [
        "1",
        "far Invoke-MyFar Invoke-MyFarBlock",
        "Invoke-Far",
        "2",
        "Invoke-Far",
        "mine",
        "4",
    ]


def test_nested_in_another(module: Path, tmp_path: Path) -> None:
    outer = tmp_path / "Outer"
    outer.mkdir()
    (outer / "Outer.psm1").write_text("function Get-Outer { far '$PID' }")
    (outer / "Outer.psd1").write_text(
        "@{ RootModule = 'Outer.psm1'; ModuleVersion = '1.0'; FunctionsToExport = '*';"
        f" AliasesToExport = '*'; NestedModules = '{module}' }}"
    )
    assert run(
        f"""
        Import-Module '{outer}'
        $far = Get-Outer
        "$($far -ne $PID) $((Invoke-Far '$PID') -eq $far)"
        Remove-Module Outer
        "$(Test-Gone $far) $(@(Get-Module).Name -contains 'Far')"
        """,
        module,
    ) == ["True True", "True False"]


def test_found_by_name_without_being_run(tmp_path: Path) -> None:
    write_module(tmp_path)
    script = tmp_path / "Far" / "Far.psm1"
    ran = tmp_path / "ran"
    text = script.read_text("utf-8")
    mark = "# Here each module has its own settings.\n"
    assert mark in text
    text = text.replace(mark, f"[IO.File]::AppendAllText('{ran}', 'x')\n")
    script.write_text(text, "utf-8")
    assert run(
        f"""
        $env:PSModulePath = '{tmp_path}' + [IO.Path]::PathSeparator + $env:PSModulePath
        "$((Get-Command Invoke-F*r*).Name)"
        "$((Get-Module Far -ListAvailable).ExportedCommands.Keys | Sort-Object)"
        "$((TabExpansion2 'Invoke-Fa' 9).CompletionMatches.CompletionText)"
        "ran: $(Test-Path '{ran}')"
        Invoke-Far '1'
        "ran: $((Get-Content '{ran}').Length)"
        Remove-Module Far
        far '2'
        Remove-Module Far
        Import-Module Far
        far '3'
        """
    ) == [
        "Invoke-Far Invoke-FarBlock",
        "far Invoke-Far Invoke-FarBlock",
        "Invoke-Far Invoke-FarBlock",
        "ran: False",
        "1",
        "ran: 1",
        "2",
        "3",
    ]


#: What a careful user's session, or a careless one's, has set.
MOODS = [
    "Set-StrictMode -Version Latest; $ErrorActionPreference = 'Stop'",
    "$ErrorActionPreference = 'SilentlyContinue'",
    "$WarningPreference = 'Stop'; $InformationPreference = 'Stop'",
    "$VerbosePreference = 'Continue'",
    "$PSDefaultParameterValues = @{ '*:Source' = 'x'; '*:Target' = 'x'; '*:Depth' = 9}",
    "$OFS = '-'",
    "function global:Write-Warning { throw 'not this one' }",
]


@pytest.mark.parametrize("mood", MOODS)
def test_under_whatever_preferences(mood: str, module: Path) -> None:
    lines = run(
        f"""
        {mood}
        Import-Module $Module 4>$null
        $said = far '40 + 2' 6>$null 4>$null
        $said
        try {{ far 'throw "x"' 4>$null }} catch {{ "$_" }}
        $job = far '43' -AsJob 4>$null
        $null = Microsoft.PowerShell.Core\\Wait-Job -Job $job
        Microsoft.PowerShell.Core\\Receive-Job -Job $job
        Remove-Module Far -Verbose:$false
        """.replace("far '40 + 2' 6>$null", "far '40 + 2' -InformationAction Ignore"),
        module,
    )
    assert lines in (["42", "x", "43"], ["42", "43"]), mood


def test_the_runtime_itself_is_strict(module: Path, tmp_path: Path) -> None:
    """It puts strict mode off for its users, and needs it off nowhere."""
    home = tmp_path / "Far"
    home.mkdir()
    for file in module.parent.iterdir():
        text = file.read_text("utf-8")
        text = text.replace("Set-StrictMode -Off", "Set-StrictMode -Version Latest")
        (home / file.name).write_text(text, "utf-8")
    assert run(
        """
        Import-Module $Module -ArgumentList @{ Commands = $true; Retries = 1 }
        far '1'
        '1', '2' | ForEach-Object { far $_ }
        Get-Id { far 'throw "x"' }
        Get-Id { far 'Write-Error x -ErrorId Mine' }
        far '1' -AsJob | Wait-Job | Receive-Job
        (Get-FarSession).Origin
        Disconnect-Far
        Invoke-FarBlock { 5 }
        Get-Id { Connect-Far @{ Nonsens = 1 } }
        Get-Id { Connect-Far @{ Path = '/no/such/program' } }
        Get-Id { Connect-Far @{ ComputerName = 'srv'; NoCompression = $true } }
        Get-Id { Connect-Far @{ HostName = '127.0.0.1'; Port = 1
            Options = @{ LogLevel = 'QUIET' } } }
        Remove-Module Far
        """,
        home / "Far.psd1",
    )[:13] == [
        "1",
        "1",
        "2",
        "x",
        "Mine",
        "1",
        "Made",
        "5",
        "PSExportBadSetting",
        *(["PSExportNoSession"] * 3),
    ]


def test_everything_of_a_plain_host(tmp_path: Path) -> None:
    """All commands and aliases, with those that a shell does not let go of."""
    with psexport.connect(f"pwsh:{require_pwsh()}") as session:
        result = psexport.export(session, tmp_path / "All", allow_clobber=True)
    assert len(result.commands) > 100
    assert {"gmo", "where", "gps", "echo"} & set(result.aliases)
    lines = run(
        """
        $ErrorActionPreference = 'Stop'
        Set-StrictMode -Version Latest
        $said = @(Import-Module $Module -DisableNameChecking *>&1)
        $said | ForEach-Object { "$_" }
        $far = All\\Get-Process -Id $PID -ErrorAction Ignore 6>$null
        "$((All\\Get-Item /).FullName)"
        'done'
        Microsoft.PowerShell.Core\\Remove-Module All
        "$((Get-Command Get-Item).CommandType)"
        """,
        tmp_path / "All" / "All.psd1",
    )
    assert lines == ["/", "done", "Cmdlet"]


def test_aliases_that_a_shell_does_not_let_go_of(tmp_path: Path) -> None:
    from psexport.model import Alias

    from .workshop import SELECTION

    names = ("clhy", "echo", "foreach", "gmo", "gps", "nsn", "where")
    selection = type(SELECTION)(
        proxies=SELECTION.proxies,
        aliases=tuple(Alias(name, "Invoke-Far") for name in names),
    )
    module = write_module(tmp_path, local(), about=host(), selection=selection)
    assert run(
        """
        $kept = foreach ($name in -split 'clhy echo foreach gmo gps nsn where') {
            $there = Get-Alias $name -ErrorAction Ignore
            if ($there -and "$($there.Options)" -match 'ReadOnly|AllScope') { $name }
        }
        Import-Module $Module *>&1
        $all = (Get-Module Far).ExportedAliases.Keys
        "$(@($kept | Where-Object { $all -contains $_ }).Count)"
        "$(@($all | Where-Object { (Get-Alias $_).Definition -ne 'Invoke-Far' }).Count)"
        "$(($all.Count + @($kept).Count))"
        """,
        module,
    ) == ["0", "0", str(len(names))]


def test_where_the_policy_does_not_trust_it(tmp_path: Path) -> None:
    """It says so at the import; else commands were there of which none works."""
    module = write_module(tmp_path)
    assert run(
        """
        $ExecutionContext.SessionState.LanguageMode = 'ConstrainedLanguage'
        try { Import-Module $Module } catch { "$_" }
        "$(Get-Command Invoke-Far -ListImported -ErrorAction Ignore)"
        """,
        module,
    ) == [
        "The module Far cannot run in ConstrainedLanguage mode. Export it again with"
        " -Certificate, signed by whom the policy of this computer trusts.",
        "",
    ]
