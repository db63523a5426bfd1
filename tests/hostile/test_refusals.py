"""Each refusal costs the command that it names alone, with its id; nothing escapes."""

from __future__ import annotations

import functools
import io
import json
import re
import tempfile
import unicodedata
from pathlib import Path

import pytest
from lxml import etree

from hostile.host import LAST, PLACES, Host, Parameter, Told, session
from hostile.worlds import INNOCENT_TEXTS, NAMES, ROADS, TEXTS, World, make, worlds
from psexport.cli import main
from psexport.fetch import FetchRequest, fetch
from psexport.model import CommandType
from psexport.transport.recorder import record

#: What a refusal at a place is called; at other places nothing is refused.
IDS = {
    **{name: {"ErrorSkippedUnsafeCommandName"} for name in NAMES},
    "parameter name": {"ErrorSkippedUnsafeParameterName"},
    "second parameter": {"ErrorSkippedUnsafeParameterName"},
    "parameter alias": {"ErrorSkippedUnsafeAliasName"},
    "parameter set": {"ErrorSkippedUnsafeParameterSetName"},
    "default set": {"ErrorSkippedUnsafeParameterSetName"},
}
#: What no command can be without.
NAMELESS = {"ErrorMalformedDataFromRemoteCommand"}
HOSTILE = [*worlds(TEXTS, "hostile")]


@pytest.mark.parametrize("world", HOSTILE, ids=lambda world: world.name)
def test_a_refusal_costs_what_it_names(world: World, tmp_path: Path) -> None:
    made = make(world, tmp_path)
    exported = {*made.result.commands, *made.result.aliases}
    assert exported >= {"Get-Innocent", "Get-Last"}
    refused: dict[str, set[str]] = {}
    for skipped in made.result.skipped:
        refused.setdefault(skipped.name, set()).add(skipped.id)
    names = [told.name.lower() for told in world.host.commands]
    for (place, label), told in world.lies.items():
        name = _heard(told.name, world.road)
        if name in exported:
            continue
        wanted = IDS.get(place, set())
        if not TEXTS[label]:
            wanted = wanted | NAMELESS
            refused[name] = {one.id for one in made.result.skipped}
        elif names.count(told.name.lower()) > 1:
            wanted = wanted | {"CommandOfSameName"}
        assert refused.get(name[:200], set()) & wanted, (place, label)
    assert elements(made.result.module) <= innocent_elements(world.road)
    # What went wrong was said, once, when it went wrong.
    said = [(one.name, one.id, one.reason) for one in made.problems]
    assert len(said) == len(set(said))
    assert {id for _, id, _ in said} <= {
        *NAMELESS,
        *(id for ids in IDS.values() for id in ids),
        "ErrorCouldntResolveAlias",
        "ErrorSkippedNonRequestedTypeDefinition",
    }


def elements(module: Path) -> set[tuple[str, ...]]:
    """The elements of a module's XML: where each is, and what attributes it has."""
    found = set()
    for path in module.rglob("*.*xml"):
        data = path.read_bytes()
        assert data.isascii()
        assert b"<!" not in data
        for _, node in etree.iterparse(io.BytesIO(data), load_dtd=False):
            # Controls may be in one another, so that no more than this says where.
            parents = [one.tag for one in node.iterancestors()][:3]
            found.add((node.tag, *parents, *sorted(node.attrib)))
    return found


@functools.cache
def innocent_elements(road: str) -> set[tuple[str, ...]]:
    """The elements that a module has of a host that means no harm."""
    innocent = worlds(INNOCENT_TEXTS, "innocent")
    with tempfile.TemporaryDirectory() as folder:
        made = [make(one, Path(folder)) for one in innocent if one.road == road]
        code = [*worlds(INNOCENT_TEXTS, "code")][-1]
        made.append(make(code, Path(folder)))
        return set().union(*(elements(one.result.module) for one in made))


def _heard(text: str, road: str) -> str:
    """A text as it arrives: halves of surrogate pairs do not."""
    return re.sub("[\ud800-\udfff]", "?" if road == "compact" else "\ufffd", text)


def test_nothing_is_written_outside_of_the_module(tmp_path: Path) -> None:
    for i, text in enumerate(TEXTS.values()):
        facts = {"UiCulture": text, "Culture": text}
        world = World("X", ROADS[i % 2], Host([LAST], facts=facts))
        folder = tmp_path / str(i)
        result = make(world, folder).result
        assert list(folder.iterdir()) == [result.module]
        names = {path.relative_to(result.module).as_posix() for path in _files(folder)}
        cultures = {name.split("/")[0] for name in names if "/" in name}
        assert cultures <= {"en-US", "if", text}
        assert not any(one in text for one in ("/", "\\", "..") for text in cultures)
        assert not cultures & {"con", "."}
    assert not list(tmp_path.parent.rglob("psexport-escaped*"))


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


#: Commands that no PowerShell could have, and what becomes of them.
IMPOSSIBLE: dict[str, tuple[list[Told], set[str]]] = {
    "a position beyond numbers": (
        [Told("Test-It", [Parameter(position=2**31)])],
        {"ErrorMalformedDataFromRemoteCommand"},
    ),
    "a position far beyond": (
        [Told("Test-It", [Parameter(position=10**30)])],
        {"ErrorMalformedDataFromRemoteCommand"},
    ),
    "parameters that differ in case": (
        [Told("Test-It", [Parameter("Name"), Parameter("NAME")])],
        {"ErrorMalformedDataFromRemoteCommand"},
    ),
    "an alias that is a parameter": (
        [Told("Test-It", [Parameter("Name", aliases=["other"]), Parameter("Other")])],
        set(),
    ),
    "an alias twice": (
        [Told("Test-It", [Parameter("Name", aliases=["n", "N"])])],
        set(),
    ),
    "a set twice": (
        [Told("Test-It", [Parameter(sets=["A", "a"])])],
        {"ErrorMalformedDataFromRemoteCommand"},
    ),
    "more sets than bits": (
        [Told("Test-It", [Parameter(sets=[f"S{i}" for i in range(40)])])],
        {"ErrorMalformedDataFromRemoteCommand"},
    ),
    "far more sets": (
        [Told("Test-It", [Parameter(sets=[f"S{i}" for i in range(200)])])],
        {"ErrorMalformedDataFromRemoteCommand"},
    ),
    "parameters without end": (
        [Told("Test-It", [Parameter(f"P{i}") for i in range(2_000)])],
        {"ErrorMalformedDataFromRemoteCommand"},
    ),
    "values without end": (
        [Told("Test-It", [Parameter(values=[f"V{i}" for i in range(20_000)])])],
        set(),
    ),
    "two commands that differ in case": (
        [Told("Test-It"), Told("TEST-IT")],
        {"CommandOfSameName"},
    ),
    "one command a thousand times": ([Told("Test-It")] * 1_000, {"CommandOfSameName"}),
    "an alias of itself": ([Told("Test-It", [], "Alias", resolved="Test-It")], set()),
    "a circle of aliases": (
        [
            Told("Test-It", [], "Alias", resolved="Test-That"),
            Told("Test-That", [], "Alias", resolved="Test-It"),
        ],
        set(),
    ),
}


#: The portable road asks for sets separately, and can do without.
SETS_ALONE = {"a set twice", "far more sets"}


@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize("what", IMPOSSIBLE)
def test_impossible_commands(what: str, road: str, tmp_path: Path) -> None:
    told, ids = IMPOSSIBLE[what]
    if road == "portable" and what in SETS_ALONE:
        ids = set()
    made = make(World("X", road, Host([LAST, *told])), tmp_path)
    assert "Get-Last" in made.result.commands
    assert {one.id for one in made.result.skipped} == ids
    assert ("Test-It" in made.result.commands) == (ids <= {"CommandOfSameName"})


@pytest.mark.parametrize("road", ROADS)
def test_what_was_not_asked_for(road: str, tmp_path: Path) -> None:
    """The host sends all that it has, whatever is asked."""
    world = next(w for w in worlds(INNOCENT_TEXTS, "x") if w.name == f"x-{road}")
    options = {
        "command_name": ["Get-L*"],
        "format_type_name": ["Hostile.Type1"],
        "include_help": False,
    }
    made = make(World("X", road, world.host, options), tmp_path)
    assert made.result.commands == ("Get-Last",)
    assert made.result.formats == ("Hostile.Type1",)
    ids = [one.id for one in made.problems]
    assert set(ids) - NAMELESS == {
        "ErrorSkippedNonRequestedCommand",
        "ErrorSkippedNonRequestedTypeDefinition",
    }
    others = {told.name for told in world.host.commands} - {"Get-Last"}
    assert {one.name for one in made.problems} >= others


@pytest.mark.parametrize("road", ROADS)
def test_a_terminal_only_ever_prints(road: str, tmp_path: Path) -> None:
    """A recording of the host, through the command line: what is shown is harmless."""
    hostile = next(w for w in HOSTILE if w.name == f"hostile-{road}-command-name")
    path = tmp_path / "host.jsonl.gz"
    facts = dict.fromkeys(("Version", "Os", "Identity"), "\x1b[31m\u202e\n")
    host = Host(hostile.host.commands, hostile.host.views, facts)
    with record(session(host, road), path) as recorded:
        fetch(recorded, FetchRequest(types=CommandType.ALL, wants_help=True))
    stdout, stderr = io.StringIO(), io.StringIO()
    line = [f"replay:{path}", str(tmp_path / "X"), "-Type", "All", "-FormatTypeName"]
    code = main([*line, "*", "-AllowClobber", "-AsJson", "-Verbose"], stdout, stderr)
    assert code == 0
    assert "Get-Last" in json.loads(stdout.getvalue())["commands"]
    for shown in (stdout.getvalue(), stderr.getvalue()):
        kinds = {unicodedata.category(one) for one in shown.replace("\n", "")}
        assert not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp", "Co"}
    assert "ErrorSkippedUnsafeCommandName" in stderr.getvalue()
    for one in stderr.getvalue().splitlines():
        assert one.startswith(("psexport: ", "WARNING: ", "VERBOSE: "))
        assert len(one) < 3_000


def test_every_place_is_tried() -> None:
    tried = {place for world in HOSTILE for place, _ in world.lies}
    assert tried == set(PLACES)
