"""Records about commands: real ones, made ones, broken ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clixml_text import Enum, Object, write
from command_records import (
    COMMON,
    SHOULD_PROCESS,
    SWITCH,
    count,
    metadata,
    shown,
    shown_parameter,
)
from psexport import clixml
from psexport.clixml import MalformedError
from psexport.fetch import commands
from psexport.fetch.type_names import type_name
from psexport.model import (
    ALL_SETS,
    Command,
    CommandType,
    Detail,
    Membership,
    Parameter,
    Validation,
    ValidationKind,
)
from recordings import outputs


def read(data: bytes) -> Command:
    return commands.command(clixml.parse(data))


def merged(plain: bytes, more: bytes) -> Command:
    return commands.merge(read(plain), commands.shown(clixml.parse(more)))


def places(command: Command) -> dict[str, list[tuple[str, int | None]]]:
    return {
        p.name: [(m.set, m.position) for m in p.memberships] for p in command.parameters
    }


def test_a_command_in_full() -> None:
    command = read(
        metadata(
            "Get-Fruit",
            parameters={
                **COMMON,
                "Name": ("System.String[]", "n", "FruitName"),
                "Ripe": (SWITCH,),
                "Weight": ("System.Nullable`1[System.Double]",),
            },
            Namespace="Fruit",
            HelpUri="https://example.org/fruit",
            OutputType=["Fruit", "System.Object[]"],
        )
    )
    assert command == Command(
        name="Get-Fruit",
        type=CommandType.FUNCTION,
        module="Fruit",
        help_uri="https://example.org/fruit",
        parameters=(
            Parameter("Name", "System.String[]", aliases=("n", "FruitName")),
            Parameter("Ripe", SWITCH, is_switch=True),
            Parameter("Weight", "System.Nullable`1[[System.Double]]"),
        ),
        advanced=True,
        output_types=("Fruit", "System.Object[]"),
    )


def test_what_is_not_told_is_not_there() -> None:
    bare = Object(members={"Name": "x", "CommandType": Enum("Filter", 4)})
    assert read(write(bare)) == Command(
        name="x", type=CommandType.FILTER, advanced=False
    )


ADVANCED = [
    ("Function", COMMON, True, []),
    ("Function", {}, False, []),
    ("Cmdlet", {}, True, []),
    # One common name alone is a parameter like others.
    ("Function", {"Verbose": (SWITCH,)}, False, ["Verbose"]),
    ("Function", COMMON | {"ProgressAction": ("Some.Type", "proga")}, True, []),
    ("Function", COMMON | {"PipelineVariable": ("System.String", "pv")}, True, []),
    ("Function", {k.upper(): v for k, v in COMMON.items()}, True, []),
]


@pytest.mark.parametrize(("kind", "parameters", "advanced", "kept"), ADVANCED)
def test_common_parameters_tell_what_it_is(
    kind: str, parameters: dict[str, tuple[str, ...]], advanced: bool, kept: list[str]
) -> None:
    command = read(metadata("x", kind, parameters))
    assert command.advanced is advanced
    assert [p.name for p in command.parameters] == kept


def test_should_process_is_known_by_its_aliases() -> None:
    by_engine = read(metadata("x", parameters=COMMON | SHOULD_PROCESS))
    assert by_engine.supports_should_process
    assert by_engine.parameters == ()
    by_hand = {"WhatIf": (SWITCH,), "Confirm": (SWITCH,)}
    for parameters in (COMMON | by_hand, SHOULD_PROCESS):
        own = read(metadata("x", parameters=parameters))
        assert not own.supports_should_process
        assert [p.name for p in own.parameters] == ["WhatIf", "Confirm"]


def test_paging_needs_all_three_with_their_types() -> None:
    paging = {
        "First": ("System.UInt64",),
        "Skip": ("System.UInt64",),
        "IncludeTotalCount": (SWITCH,),
    }
    assert read(metadata("x", parameters=COMMON | paging)).supports_paging
    for other in (
        {key: paging[key] for key in ("First", "Skip")},
        paging | {"First": ("System.Int32",)},
    ):
        own = read(metadata("x", parameters=COMMON | other))
        assert not own.supports_paging
        assert len(own.parameters) == len(other)


def test_transactions() -> None:
    parameters = COMMON | {"UseTransaction": (SWITCH, "usetx")}
    command = read(metadata("x", parameters=parameters))
    assert command.supports_transactions
    assert command.parameters == ()


def test_an_alias_and_what_it_ends_at() -> None:
    found = read(metadata("gf", "Alias", COMMON, ResolvedCommandName="Get-Fruit"))
    assert (found.resolved_name, found.advanced) == ("Get-Fruit", True)
    lost = read(metadata("gf", "Alias"))
    assert (lost.resolved_name, lost.advanced) == (None, None)


BROKEN = {
    "no name": metadata("", "Cmdlet"),
    "unknown type": metadata("x", CommandType=Enum("Alias, Function", 3)),
    "type of the future": metadata("x", CommandType=4096),
    "type as text": metadata("x", CommandType="Function"),
    "type that is none": metadata("x", CommandType=None),
    "twice one parameter": metadata("x", parameters={"A": ("T",), "a": ("T",)}),
    "a parameter without name": metadata("x", parameters={"": ("T",)}),
    "parameters without end": metadata(
        "x", parameters={f"p{n}": ("T",) for n in range(commands.MAX_PARAMETERS + 1)}
    ),
    "a list": write(["x"]),
    "a word": write("x"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_metadata_names_its_command(name: str) -> None:
    with pytest.raises(MalformedError) as caught:
        read(BROKEN[name])
    named = name not in ("no name", "a list", "a word")
    assert caught.value.target == ("x" if named else None)


def test_the_count_is_known_by_its_type() -> None:
    def expected(data: bytes) -> int | None:
        return commands.expected(clixml.parse(data))

    assert expected(count(280)) == 280
    assert expected(metadata("x", OutputType=["GenericMeasureInfo"], Count=3)) is None
    kind = "Microsoft.PowerShell.Commands.GenericMeasureInfo"
    assert expected(write(Object(types=[kind], members={"Count": 1}))) is None
    assert expected(write("x")) is None


def test_sets_positions_and_values() -> None:
    plain = metadata(
        "Set-Fruit",
        parameters={
            "Name": ("System.String",),
            "Id": ("System.Int32",),
            "Colour": ("Fruit.Colour",),
            "Kind": ("System.String",),
            "Late": ("System.String",),
        },
    )
    colour = shown_parameter("Colour", enum=["Red", "Green"], flags=True)
    kind = shown_parameter("kind", values=["Pome", "Drupe"])
    more = shown(
        "Set-Fruit",
        {
            "ByName": [
                shown_parameter("Name", position=0, mandatory=True, from_pipeline=True),
                colour,
                kind,
            ],
            "ById": [shown_parameter("Id", position=0, mandatory=True), colour, kind],
        },
        default="ByName",
    )
    command = merged(plain, more)
    assert command.detail is Detail.SETS
    assert (command.sets, command.default_set) == (("ByName", "ById"), "ByName")
    by_name = {p.name: p for p in command.parameters}
    assert by_name["Name"].memberships == (
        Membership("ByName", 0, mandatory=True, from_pipeline=True),
    )
    assert by_name["Id"].memberships == (Membership("ById", 0, mandatory=True),)
    assert by_name["Colour"].memberships == (Membership(),)
    assert by_name["Colour"].enum_values == ("Red", "Green")
    assert by_name["Colour"].enum_is_flags
    assert by_name["Kind"].validations == (
        Validation(ValidationKind.SET, ("1", "Pome", "Drupe")),
    )
    assert by_name["Late"].memberships == (Membership(),)


def test_saying_all_sets_must_not_make_one_vanish() -> None:
    plain = metadata("x", parameters={"A": ("T",), "B": ("T",)})
    alone = {"One": [shown_parameter("A", position=0), shown_parameter("B")]}
    without = {**alone, "Two": [shown_parameter("B")]}
    assert places(merged(plain, shown("x", alone))) == {
        "A": [(ALL_SETS, 0)],
        "B": [(ALL_SETS, None)],
    }
    # Two has no parameter of its own: said of all sets, B would only be in One.
    assert places(merged(plain, shown("x", without))) == {
        "A": [("One", 0)],
        "B": [("One", None), ("Two", None)],
    }
    # As the default it stays by itself.
    assert places(merged(plain, shown("x", without, default="Two"))) == {
        "A": [("One", 0)],
        "B": [(ALL_SETS, None)],
    }


def test_an_unnamed_set_has_no_default() -> None:
    command = merged(metadata("x"), shown("x", {ALL_SETS: []}, default=ALL_SETS))
    assert (command.sets, command.default_set) == ((ALL_SETS,), None)


def test_no_sets_are_no_detail() -> None:
    assert merged(metadata("x"), shown("x", {})) == read(metadata("x"))


SETS_BROKEN = {
    "two of one name": shown("x", {"A": [], "a": []}),
    "too many": shown("x", {str(n): [] for n in range(commands.MAX_SETS + 1)}),
    "nameless": shown("x", {"A": [Object(members={"Position": 1})]}),
    "position": shown("x", {"A": [Object(members={"Name": "p", "Position": "0"})]}),
}


@pytest.mark.parametrize("name", SETS_BROKEN)
def test_broken_sets(name: str) -> None:
    if name == "position":
        told = commands.shown(clixml.parse(SETS_BROKEN[name]))
        assert told.parameters[0].membership.position is None
        return
    with pytest.raises(MalformedError) as caught:
        commands.shown(clixml.parse(SETS_BROKEN[name]))
    assert caught.value.target == "x"


def test_every_recorded_command_is_read() -> None:
    announced, *records = outputs("everything", "GET_COMMAND_METADATA")
    assert commands.expected(clixml.parse(announced)) == len(records) == 280
    found = {command.name: command for command in map(read, records)}
    sets = {
        told.name: told
        for record in outputs("queries", "ShowCommandInfo")
        for told in [commands.shown(clixml.parse(record))]
    }
    assert found.keys() <= sets.keys()
    assert found["Get-Job"].supports_should_process is False
    assert found["Remove-Job"].supports_should_process is True
    assert found["prompt"].advanced is False
    unresolved = [c for c in found.values() if c.advanced is None]
    assert len(unresolved) == 43
    command = commands.merge(found["Out-File"], sets["Out-File"])
    assert places(command)["FilePath"] == [("ByPath", 0)]
    assert places(command)["Append"] == [(ALL_SETS, None)]
    assert not any(
        p.name in COMMON for command in found.values() for p in command.parameters
    )


TYPE_NAMES = [
    ("System.String", "System.String"),
    ("System.String[]", "System.String[]"),
    ("System.Nullable`1[System.Int32]", "System.Nullable`1[[System.Int32]]"),
    (
        "System.Nullable`1[[System.Int32, mscorlib, Version=4.0.0.0, Culture=neutral,"
        " PublicKeyToken=b77a5c561934e089]]",
        "System.Nullable`1[[System.Int32]]",
    ),
    (
        "System.Collections.Generic.Dictionary`2[System.String,System.Object[]][,]",
        "System.Collections.Generic.Dictionary`2[[System.String],[System.Object[]]][,]",
    ),
    (
        "A`1[[B`2[[C, c],[D+E, d]], b]][]",
        "A`1[[B`2[[C],[D+E]]]][]",
    ),
    ("A`1[", "A`1["),
    ("A`1[]x", "A`1[]x"),
    ("A`1[B", "A`1[B"),
    ("`[[[[", "`[[[["),
    ("A`1" + "[B`1" * 40, "A`1" + "[B`1" * 40),
    ("", ""),
]


@pytest.mark.parametrize(("said", "name"), TYPE_NAMES)
def test_type_name(said: str, name: str) -> None:
    assert type_name(said) == name
    assert type_name(name) == name


@given(st.text("A`1[], *+."))
def test_any_type_name_is_read_once(said: str) -> None:
    once = type_name(said)
    assert type_name(once) == once
