from __future__ import annotations

from typing import Any

import pytest

from pieces_text import STRING, command, end, parameter, piece, whole
from psexport.errors import RemoteError
from psexport.events import Event, Problem, Progress
from psexport.fetch import FetchRequest, records
from psexport.fetch.records import Reader
from psexport.model import (
    ALL_SETS,
    Catalogue,
    Detail,
    Host,
    HostModule,
    Membership,
    Skipped,
    Validation,
    ValidationKind,
)

REQUEST = FetchRequest()


def read(*pieces: bytes, request: FetchRequest = REQUEST) -> Catalogue:
    reader = Reader(lambda event: None)
    for data in pieces:
        reader.take(data)
    return reader.catalogue(request, Host())


def test_a_command() -> None:
    catalogue = read(
        whole(
            ["expect", 1],
            STRING,
            ["type", "System.Nullable`1[Some.Enum]", ["None", "A", "B"], 1],
            parameter(
                "Name",
                "n",
                "id",
                flags=4,
                places=[["ByName", 0, 1 + 2], ["ById", -2147483648, 4 + 8]],
                checks=[
                    ["ValidateNotNull"],
                    ["ValidateRange", "System.Int32", "1", "9"],
                ],
                completions=["x", "y"],
            ),
            parameter("Kind", type=1, flags=1 + 2),
            ["type", "System.Management.Automation.SwitchParameter", [], 0],
            parameter("Force", type=2, places=[]),
            command(
                "Get-Thing",
                0,
                1,
                2,
                says=1 + 2 + 4 + 8 + 16 + 32,
                default="ByName",
                outputs=["System.Int32", "Some.Thing"],
            ),
            ["module", ["Some.Module", "1.2", "6B2A4C1E-0F3E-4A54-9F0E-5D0F6F0F9A01"]],
        )
    )
    (told,) = catalogue.commands
    assert (told.name, told.type, told.module) == ("Get-Thing", 2, "Some.Module")
    assert told.detail is Detail.FULL
    assert told.sets == ("ByName", "ById")
    assert told.default_set == "ByName"
    assert told.resolved_name is None
    assert told.output_types == ("System.Int32", "Some.Thing")
    assert told.advanced
    assert told.supports_should_process
    assert told.supports_paging
    assert told.supports_transactions
    assert told.has_dynamic_parameters
    assert not told.positional_binding
    name, kind, force = told.parameters
    assert (name.name, name.aliases, name.type_name) == (
        "Name",
        ("n", "id"),
        "System.String",
    )
    assert name.memberships == (
        Membership("ByName", 0, mandatory=True, from_pipeline=True),
        Membership("ById", None, from_pipeline_by_name=True, from_remaining=True),
    )
    assert name.validations == (
        Validation(ValidationKind.NOT_NULL),
        Validation(ValidationKind.RANGE, ("System.Int32", "1", "9")),
    )
    assert name.completions == ("x", "y")
    assert name.hidden
    assert not name.is_dynamic
    assert not name.transforms
    assert kind.type_name == "System.Nullable`1[[Some.Enum]]"
    assert kind.enum_values == ("None", "A", "B")
    assert kind.enum_is_flags
    assert kind.is_dynamic
    assert kind.transforms
    assert kind.memberships == (Membership(ALL_SETS, 0),)
    assert force.is_switch
    assert force.memberships == (Membership(),)
    assert catalogue.modules == (
        HostModule("Some.Module", "1.2", "6b2a4c1e-0f3e-4a54-9f0e-5d0f6f0f9a01"),
    )
    assert catalogue.unreadable == ()


def test_aliases() -> None:
    catalogue = read(
        whole(
            command("gt", type=1, resolved="Get-Thing"),
            command("nowhere", type=1, says=0),
        )
    )
    found, lost = catalogue.commands
    assert (found.resolved_name, found.advanced) == ("Get-Thing", True)
    assert (lost.resolved_name, lost.advanced) == (None, None)


@pytest.mark.parametrize(
    ("default", "places", "sets"),
    [
        ("", [[ALL_SETS, 0, 0]], (ALL_SETS,)),
        ("", [["B", 0, 0], ["A", 0, 0]], ("B", "A")),
        ("A", [["B", 0, 0], ["a", 0, 0]], ("A", "B")),
        ("Nowhere", [[ALL_SETS, 0, 0]], ("Nowhere",)),
        (ALL_SETS, [["A", 0, 0]], ("A",)),
    ],
)
def test_sets_are_in_the_hosts_order(
    default: str, places: list[Any], sets: tuple[str, ...]
) -> None:
    one = parameter("P", places=places)
    (told,) = read(whole(STRING, one, command("c", 0, default=default))).commands
    assert told.sets == sets
    assert told.default_set == (default if default not in ("", ALL_SETS) else None)


def test_what_commands_share_is_one() -> None:
    first, second = read(
        whole(STRING, parameter("P"), command("a", 0), command("b", 0))
    ).commands
    assert first.parameters[0] is second.parameters[0]


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(["command"], id="nothing"),
        pytest.param(["command", 2, 1, ["x"], [], []], id="too few texts"),
        pytest.param([*command("x"), 1], id="too many fields"),
        pytest.param(command(""), id="no name"),
        pytest.param(command("x", 99), id="a parameter that was not sent"),
        pytest.param(command("x", -1), id="a parameter from the end"),
        pytest.param(command("x", 0, 0), id="a parameter twice"),
        pytest.param(command("x", 0, 1), id="two of one name"),
        pytest.param(command("x", type=3), id="two types at once"),
        pytest.param(command("x", type=0), id="no type"),
        pytest.param(command("x", type="2"), id="type as text"),  # type: ignore
        pytest.param(command("x", says=-1), id="negative"),
        pytest.param(command("x", says=[]), id="a list"),  # type: ignore[arg-type]
        pytest.param(command("x", "0"), id="number as text"),  # type: ignore[arg-type]
        pytest.param(command("x", [0]), id="number as list"),  # type: ignore[arg-type]
        pytest.param(command("x", *[0] * 1001), id="too many parameters"),
        pytest.param(command("x", 2), id="a parameter of no type"),
        pytest.param(command("x", 3), id="a parameter that cannot be read"),
        pytest.param(command("x", 4), id="a validation of no kind"),
        pytest.param(command("x", 5), id="a place that is none"),
        pytest.param(command("x", 6), id="more sets than there can be"),
        pytest.param(command("x", outputs=[1]), id="output"),  # type: ignore
        pytest.param(["command", 2, 1, [1, "", "", "", "", ""], [], []], id="a number"),
        pytest.param(["command", 2, 1, {"a": 1}, [], []], id="an object"),
        pytest.param(["view", 1], id="view: a number"),
        pytest.param(["view", "<Objs></Objs>"], id="view: empty"),
        pytest.param(["view", "<Objs><Obj RefId='0'/></Objs>"], id="view: no names"),
        pytest.param(["view", "<Objs><Obj <</Objs>"], id="view: not XML"),
        pytest.param(["help", "x"], id="help: no topic"),
        pytest.param(["help", 1, "<Objs><Obj RefId='0'/></Objs>"], id="help: no name"),
        pytest.param(["comment", "x", "<Objs><Obj/></Objs>", [1]], id="comment"),
        pytest.param(["module", ["x"]], id="module"),
        pytest.param(["failed", "x"], id="failed"),
        pytest.param(["problem", 1], id="problem"),
    ],
)
def test_a_bad_record_costs_itself(record: list[Any]) -> None:
    before = [
        STRING,
        parameter("P"),
        parameter("p", "alias"),
        parameter("Q", type=99),
        ["parameter", 1, 2, 3],
        parameter("R", checks=[["Validate?"]]),
        parameter("S", places=[["A", "0", 0]]),
        parameter("T", places=[[f"Set{n}", 0, 0] for n in range(65)]),
    ]
    catalogue = read(whole(*before, command("Good", 0), record, command("Also", 1)))
    assert [c.name for c in catalogue.commands] == ["Good", "Also"]
    (skipped,) = catalogue.unreadable
    assert skipped.id == "ErrorMalformedDataFromRemoteCommand"
    assert skipped.name
    assert skipped.reason


def test_a_bad_type_costs_what_uses_it() -> None:
    catalogue = read(
        whole(
            ["type", 1],
            STRING,
            parameter("P"),
            parameter("Q", type=1),
            command("Bad", 0),
            command("Good", 1),
        )
    )
    assert [c.name for c in catalogue.commands] == ["Good"]
    assert [s.name for s in catalogue.unreadable] == ["Bad"]


def test_the_host_tells_of_its_failures() -> None:
    events: list[Event] = []
    reader = Reader(events.append)
    before = [
        ["expect", 2],
        ["problem", ["Some.Module", "not there"]],
        command("Good"),
        ["failed", ["Get-Broken", "its attributes throw"]],
    ]
    reader.take(whole(*before))
    catalogue = reader.catalogue(REQUEST, Host())
    id = "ErrorFromRemoteCommand"
    assert catalogue.unreadable == (Skipped("Get-Broken", id, "its attributes throw"),)
    problem = Problem(Skipped("Some.Module", id, "not there"))
    assert [e for e in events if isinstance(e, Problem)] == [problem]


def test_progress_has_a_total() -> None:
    events: list[Event] = []
    reader = Reader(events.append)
    commands = [command(f"c{n}") for n in range(300)]
    reader.take(whole(["expect", 300], *commands))
    assert events == [Progress("commands", 250, 300), Progress("commands", 300, 300)]


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([], id="nothing"),
        pytest.param([piece([command("a")])], id="no end"),
        pytest.param([piece([end(), command("a")])], id="more after the end"),
        pytest.param([piece([end()]), piece([], 1)], id="a piece after the end"),
        pytest.param([piece([["end", 1, 0, 0, 0]])], id="other counts"),
        pytest.param([piece([["end", 0, 0, 0]])], id="too few counts"),
        pytest.param([piece([["end"]])], id="no counts"),
        pytest.param([piece([["expect", "x"]])], id="expects nonsense"),
        pytest.param([piece([["strange"], end()])], id="an unknown kind"),
        pytest.param([piece([[["command"]], end()])], id="a list as kind"),
        pytest.param([piece([[]])], id="an empty record"),
        pytest.param([piece(["command"])], id="text as record"),
    ],
)
def test_an_answer_that_makes_no_sense(pieces: list[bytes]) -> None:
    with pytest.raises(RemoteError) as caught:
        read(*pieces)
    assert caught.value.id == "ErrorMalformedDataFromRemoteCommand"


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MAX_REFERENCES", 3)
    monkeypatch.setattr(records, "MAX_UNREADABLE", 2)
    monkeypatch.setattr(records, "MAX_RECORDS", 5)
    for answer, said in (
        (
            [STRING, parameter("P"), *(command(f"c{n}", 0) for n in range(4))],
            "parameters",
        ),
        ([["failed", ["x", "y"]]] * 3, "unreadable"),
        ([command(f"c{n}") for n in range(6)], "records"),
    ):
        with pytest.raises(RemoteError, match=said) as caught:
            read(whole(*answer))
        assert caught.value.id == "ErrorMalformedDataFromRemoteCommand"


@pytest.mark.parametrize(
    ("request_", "id", "said"),
    [
        (FetchRequest(), "ErrorNoResultsFromRemoteEnd", "Get-Command"),
        (
            FetchRequest(wants_commands=False),
            "ErrorNoResultsFromRemoteEnd",
            "Get-FormatData",
        ),
    ],
)
def test_nothing_is_an_error(request_: FetchRequest, id: str, said: str) -> None:
    with pytest.raises(RemoteError, match=said) as caught:
        read(whole(), request=request_)
    assert caught.value.id == id


def test_nothing_readable_is_another() -> None:
    with pytest.raises(RemoteError, match="Get-Broken") as caught:
        read(whole(["failed", ["Get-Broken", "no"]]))
    assert caught.value.id == "ErrorMalformedDataFromRemoteCommand"
