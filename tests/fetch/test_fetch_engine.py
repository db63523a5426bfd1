"""The portable road against a real host: the engine says what is right."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from psexport import clixml
from psexport.errors import RemoteError
from psexport.events import Event, Problem
from psexport.fetch import FetchRequest, host, portable
from psexport.fetch.interview import Interview
from psexport.fetch.type_names import type_name
from psexport.model import ALL_SETS, Catalogue, Command, CommandType, Detail
from psexport.transport.base import Limits, ModuleSpec, Script, Session
from psexport.transport.outofproc import OutOfProcessSession

pytestmark = pytest.mark.engine

# In the session that was asked, after it was asked: what PowerShell itself says.
_FACTS = """
$common = [System.Management.Automation.PSCmdlet]::CommonParameters +
    [System.Management.Automation.PSCmdlet]::OptionalCommonParameters
Get-Command -Name * -CommandType Alias, Function, Filter, Cmdlet -ListImported |
    ForEach-Object {
        $command = if ($_.CommandType -eq 'Alias') { $_.ResolvedCommand } else { $_ }
        $sets = @($command.ParameterSets | Where-Object { $_ })
        @{
            name = $_.Name
            type = [int] $_.CommandType
            default = [string] ($sets | Where-Object IsDefault).Name
            sets = @($sets | ForEach-Object Name)
            parameters = @($(foreach ($set in $sets) {
                foreach ($one in $set.Parameters) {
                    if ($one.Name -in $common) { continue }
                    @{
                        set = $set.Name
                        name = $one.Name
                        type = $one.ParameterType.ToString()
                        aliases = @($one.Aliases)
                        position = $one.Position
                        mandatory = $one.IsMandatory
                        pipeline = $one.ValueFromPipeline
                    }
                }
            }))
        } | ConvertTo-Json -Depth 5 -Compress
    }
"""

_CONFIGURATION = """@{
    SchemaVersion = '2.0.0.0'
    GUID = '5f5e9a0e-1d52-4d6e-8b53-0d3a4f1f7a11'
    SessionType = 'RestrictedRemoteServer'
    LanguageMode = 'NoLanguage'
    ModulesToImport = 'Microsoft.PowerShell.Utility', 'Microsoft.PowerShell.Management'
    VisibleCmdlets = 'Get-Process',
        @{ Name = 'Get-Date'; Parameters = @{ Name = 'Format' } }
    FunctionDefinitions = @{
        Name = 'Get-Uptime2'
        ScriptBlock = { param([string] $Name, [int] $Count = 1) "$Name $Count" }
    }
    VisibleFunctions = 'Get-Uptime2'
}
"""


@contextmanager
def session(pwsh: str, *arguments: str, runspaces: int = 1) -> Iterator[Session]:
    command = [pwsh, "-s", "-NoLogo", "-NoProfile", *arguments]
    limits = Limits(open=60, silence=60, close=5)
    with OutOfProcessSession(
        command, name="engine", limits=limits, runspaces=runspaces
    ) as opened:
        yield opened


def fetch(
    opened: Session, request: FetchRequest | None = None
) -> tuple[Catalogue, list[Problem]]:
    events: list[Event] = []
    facts = host.fetch(opened, events.append)
    catalogue = portable.fetch(opened, request or FetchRequest(), facts, events.append)
    return catalogue, [e for e in events if isinstance(e, Problem)]


def facts_of(opened: Session) -> list[dict[str, Any]]:
    problems: list[Event] = []
    asking = Interview(opened, problems.append).ask(Script(_FACTS), "facts")
    with closing(asking) as documents:
        facts = [json.loads(clixml.text(clixml.parse(data).root)) for data in documents]
    assert not [e for e in problems if isinstance(e, Problem)]
    return facts


def memberships(command: Command) -> set[tuple[object, ...]]:
    """Each parameter in each set, with all-sets membership spelled out."""
    return {
        (
            name,
            parameter.name,
            parameter.type_name,
            frozenset(parameter.aliases),
            place.position,
            place.mandatory,
            place.from_pipeline,
        )
        for parameter in command.parameters
        for place in parameter.memberships
        for name in (command.sets if place.set == ALL_SETS else (place.set,))
    }


def test_every_command_is_what_the_engine_says(pwsh: str) -> None:
    with session(pwsh) as opened:
        catalogue, problems = fetch(opened)
        facts = facts_of(opened)
    assert not problems
    assert catalogue.unreadable == ()
    assert catalogue.host.language_mode == "FullLanguage"
    assert catalogue.views
    assert {m.name for m in catalogue.modules} >= {"Microsoft.PowerShell.Utility"}
    found = {(c.type, c.name): c for c in catalogue.commands}
    assert found.keys() == {(CommandType(f["type"]), f["name"]) for f in facts}
    checked = 0
    for fact in facts:
        command = found[CommandType(fact["type"]), fact["name"]]
        if not fact["sets"]:
            assert command.parameters == ()
            continue
        checked += 1
        assert list(command.sets) == fact["sets"], command.name
        default = fact["default"]
        assert (command.default_set or "") == ("" if default == ALL_SETS else default)
        assert memberships(command) == {
            (
                p["set"],
                p["name"],
                type_name(p["type"]),
                frozenset(p["aliases"]),
                p["position"] if p["position"] >= 0 else None,
                p["mandatory"],
                p["pipeline"],
            )
            for p in fact["parameters"]
        }, command.name
    assert checked > 100


@pytest.mark.parametrize("runspaces", [1, 3])
def test_a_restricted_endpoint(pwsh: str, tmp_path: Path, runspaces: int) -> None:
    file = tmp_path / "restricted.pssc"
    file.write_text(_CONFIGURATION, encoding="utf-8")
    with session(pwsh, "-ConfigurationFile", str(file), runspaces=runspaces) as opened:
        catalogue, problems = fetch(opened)
    assert not problems
    assert catalogue.host.language_mode is None
    by_name = {c.name: c for c in catalogue.commands}
    assert by_name.keys() >= {"Get-Process", "Get-Date", "Get-Uptime2", "Get-Command"}
    assert [p.name for p in by_name["Get-Date"].parameters] == ["Format"]
    uptime = by_name["Get-Uptime2"]
    assert [p.type_name for p in uptime.parameters] == ["System.String", "System.Int32"]
    assert [p.memberships[0].position for p in uptime.parameters] == [0, 1]
    assert all(c.detail is Detail.SETS for c in catalogue.commands)
    assert catalogue.views


def test_a_command_that_the_host_cannot_describe(pwsh: str, tmp_path: Path) -> None:
    """It costs itself its parameter sets, and nobody else."""
    broken = """@{ Name = 'Get-Broken'; ScriptBlock = { [No()] param($x) } },
        @{ Name = 'Get-Uptime2'"""
    text = _CONFIGURATION.replace("@{\n        Name = 'Get-Uptime2'", broken)
    text = text.replace(
        "VisibleFunctions = ",
        "VisibleFunctions = 'Get-Broken', ",
    )
    file = tmp_path / "broken.pssc"
    file.write_text(text, encoding="utf-8")
    with session(pwsh, "-ConfigurationFile", str(file)) as opened:
        catalogue, _ = fetch(opened, FetchRequest(wants_views=False))
    by_detail = {c.name: c.detail for c in catalogue.commands if c.parameters}
    assert {"Get-Uptime2", "Get-Date"} <= by_detail.keys()
    assert set(by_detail.values()) == {Detail.SETS}
    assert "Get-Broken" in {c.name for c in catalogue.commands}


def test_a_module_that_is_there_but_not_loaded(pwsh: str) -> None:
    name = "Microsoft.PowerShell.Utility"
    for request in (
        FetchRequest(modules=(name,), wants_views=False),
        FetchRequest(
            full_modules=(ModuleSpec(name, version="1.0"),), wants_views=False
        ),
    ):
        with session(pwsh) as opened:
            catalogue, problems = fetch(opened, request)
        assert not problems
        assert {c.module for c in catalogue.commands} == {name}
        assert [m.name for m in catalogue.modules] == [name]


def test_a_module_that_is_not_there(pwsh: str) -> None:
    request = FetchRequest(
        modules=("No.Such.Module", "Microsoft.PowerShell.Core"), wants_views=False
    )
    with session(pwsh) as opened:
        catalogue, problems = fetch(opened, request)
    assert "No.Such.Module" in {p.skipped.name for p in problems}
    assert {c.module for c in catalogue.commands} == {"Microsoft.PowerShell.Core"}


def test_an_endpoint_that_lacks_what_is_needed(pwsh: str, tmp_path: Path) -> None:
    file = tmp_path / "empty.pssc"
    file.write_text(
        """@{ SchemaVersion = '2.0.0.0'; GUID = '5f5e9a0e-1d52-4d6e-8b53-0d3a4f1f7a12'
            SessionType = 'Empty'; LanguageMode = 'NoLanguage'
            ModulesToImport = 'Microsoft.PowerShell.Core'
            VisibleCmdlets = 'Get-Command', 'Get-Job' }""",
        encoding="utf-8",
    )
    with session(pwsh, "-ConfigurationFile", str(file)) as opened:
        for request, missing in (
            (FetchRequest(wants_views=False), "Measure-Object"),
            (FetchRequest(wants_commands=False), "Get-FormatData"),
        ):
            with pytest.raises(RemoteError) as caught:
                fetch(opened, request)
            assert caught.value.id == "ErrorRequiredRemoteCommandNotFound"
            assert caught.value.target == missing
