"""What the importer and the environment may say, and how it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from psexport.connection import parse

from .workshop import local, run, write_module

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_module(tmp_path_factory.mktemp("modules"))


#: What is given → the end of the message, after the module's name.
REFUSED = [
    ("42", "PSExportBadArgument", "not a Int32"),
    ("'server01'", "PSExportBadArgument", "not a String"),
    ("@{ HostNam = 'x' }", "PSExportBadSetting", "did you mean HostName?"),
    ("@{ Prot = 22 }", "PSExportBadSetting", "did you mean Port or Prompt?"),
    (
        "@{ Zzzzzz = 1 }",
        "PSExportBadSetting",
        "There are: AllowRedirection, Application",
    ),
    ("@{ HostName = 'x'; Port = 'ssh' }", "PSExportBadSetting", "takes a whole number"),
    ("@{ HostName = 'x'; Port = -1 }", "PSExportBadSetting", "takes a whole number"),
    ("@{ HostName = 'x'; Port = $true }", "PSExportBadSetting", "takes a whole number"),
    ("@{ HostName = '' }", "PSExportBadSetting", "takes a text"),
    ("@{ HostName = 'a', 'b' }", "PSExportBadSetting", "takes a text"),
    ("@{ HostName = 'x'; Options = 'y' }", "PSExportBadSetting", "takes a hashtable"),
    ("@{ ComputerName = 'x'; UseSSL = 'ja' }", "PSExportBadSetting", "takes $true or"),
    (
        "@{ ComputerName = 'x'; Credential = 'me' }",
        "PSExportBadSetting",
        "PSCredential",
    ),
    ("@{ Session = 'x' }", "PSExportBadSetting", "takes a PSSession"),
    (
        "@{ ComputerName = 'x'; HostName = 'y' }",
        "PSExportBadSetting",
        "Give one of them",
    ),
    ("@{ UseSSL = $true }", "PSExportBadSetting", "reaches its host by Process"),
    ("@{ HostName = 'x'; Credential = { } }", "PSExportBadSetting", "is for WSMan"),
]


def test_what_cannot_be_is_refused_at_the_import(module: Path) -> None:
    tries = "\n".join(
        f"try {{ Import-Module $Module -ArgumentList ({given}); 'taken' }}"
        ' catch { "$(Format-Id $_)|$_" }'
        for given, _, _ in REFUSED
    )
    lines = run(tries, module)
    assert len(lines) == len(REFUSED)
    for line, (given, id, words) in zip(lines, REFUSED, strict=True):
        assert line.startswith(id + "|"), (given, line)
        assert words in line, given
        assert "Far" in line


def test_refused_settings_let_no_call_through(module: Path) -> None:
    assert run(
        """
        $ErrorActionPreference = 'SilentlyContinue'
        Import-Module $Module -ArgumentList @{ Pathh = 'x' }
        "[$(far 1)]"
        """,
        module,
    ) == ["[]"]


def test_settings_are_laid_over_each_other(tmp_path: Path) -> None:
    connection = parse(
        "winrms://server01",
        {"Credential": "admin", "ConfigurationName": "Exchange", "SkipCACheck": True},
    )
    module = write_module(tmp_path, connection)
    show = """
        $endpoint = & (Get-Module Far) { $script:PSExport.Endpoint }
        $words = $endpoint.Keys | Sort-Object | ForEach-Object { "$_=$($endpoint[$_])" }
        "$words"
        & (Get-Module Far) { $script:PSExport.Target }
        """
    of_the_export = (
        "AskCredential=True ComputerName={0} ConfigurationName=Exchange Port={1}"
        " SkipCACheck=True Transport=WSMan UserName=admin UseSSL=True"
    )
    cases = {
        "$null": (of_the_export.format("server01", 5986), "server01"),
        # The same kind of endpoint: what is known of it stays.
        "@{ ComputerName = 'server02' }": (
            "AskCredential=True ComputerName=server02 ConfigurationName=Exchange"
            " Port=5986 SkipCACheck=True Transport=WSMan UserName=admin UseSSL=True",
            "server02",
        ),
        "@{ port = [long] 443; Target = 'it' }": (
            of_the_export.format("server01", 443).replace("Trans", "Target=it Trans"),
            "it",
        ),
        "@{ ConnectionUri = [uri] 'https://x/y'; SkipCACheck = $null }": (
            "AskCredential=True ConfigurationName=Exchange ConnectionUri=https://x/y"
            " Transport=WSMan UserName=admin",
            "https://x/y",
        ),
        # Another kind: nothing stays.
        "@{ HostName = 'server03' }, @{ UserName = 'me' }": (
            "HostName=server03 Transport=SSH UserName=me",
            "server03",
        ),
    }
    script = "".join(
        f"Import-Module $Module -Force -ArgumentList {given}\n{show}" for given in cases
    )
    lines = run(script, module)
    for number, (given, expected) in enumerate(cases.items()):
        assert tuple(lines[2 * number : 2 * number + 2]) == expected, given


def test_the_environment(tmp_path: Path) -> None:
    module = write_module(tmp_path, name="My.Far")
    lines = run(
        """
        Import-Module $Module 3>&1 | ForEach-Object { "$_" }
        $far = Get-Module My.Far
        $e = & $far { $script:PSExport.Endpoint }
        "$($e.HostName) $($e.Port) $($e.Transport) $($e.Prompt) $($e.Port -is [int])"
        Import-Module $Module -Force -ArgumentList @{ Port = 23 } 3>$null
        & (Get-Module My.Far) { "$($script:PSExport.Endpoint.Port)" }
        $env:psexport_My_Far_Port = 'x'
        try { Import-Module $Module -Force 3>$null } catch { "$_" }
        """,
        module,
        environment={
            "PSEXPORT_MY_FAR_HOSTNAME": "server09",
            "psexport_My_Far_Port": "2222",
            "PSEXPORT_MY_FAR_PROMPT": "yes",
            "PSEXPORT_MY_FAR_SUBSYSTEM": "",
            "PSEXPORT_MY_FAR_KEYFILE": "x",
            "PSEXPORT_MY_FAR_AWAY_HOSTNAME": "of another module",
            "PSEXPORT_MY_HOSTNAME": "of another module",
        },
    )
    assert len(lines) == 4, lines
    assert lines[0].startswith(
        "The environment variable PSEXPORT_MY_FAR_KEYFILE is not"
    )
    assert "KeyFilePath" in lines[0]
    assert lines[1:3] == ["server09 2222 SSH True True", "23"]
    assert "environment variable Port" in lines[3]


def test_control_by_hand(tmp_path: Path) -> None:
    module = write_module(tmp_path, local(), name="My.Far")
    assert run(
        """
        Import-Module $Module
        "$(@(Get-Command *-MyFar*).Count)"
        Import-Module $Module -Force -ArgumentList @{ Commands = $true }
        "$((Get-Command *-MyFar* | Sort-Object Name).Name)"
        $none = Get-MyFarSession
        "$($none.Module) $($none.State) $($none.Origin)"
        $made = Connect-MyFar 6>$null
        "$($made.State) $($made.Transport) $($made.Availability) $($made.Origin)"
        $id = far '$PID'
        Disconnect-MyFar
        "$(Test-Gone $id) $((Get-MyFarSession).State)"
        $session = New-ProcessSession
        "$((Connect-MyFar $session).Origin)"
        "$((far '$PID' 6>&1) -eq (Invoke-Command $session { $PID }))"
        Disconnect-MyFar
        "$($session.State)"
        Get-Id { Connect-MyFar @{ Path = '/no/such/program' } }
        Get-Id { Connect-MyFar @{ Nonsense = 1 } }
        Remove-Module My.Far
        "$(@(Get-Command *-MyFar*).Count)"
        """,
        module,
    ) == [
        "0",
        "Connect-MyFar Disconnect-MyFar Get-MyFarSession",
        "My.Far None None",
        "Opened Process Available Made",
        "True None",
        "Given",
        "True",
        "Opened",
        "PSExportNoSession",
        "PSExportBadSetting",
        "0",
    ]
