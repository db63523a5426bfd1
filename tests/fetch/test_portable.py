"""The portable road against hosts that are good, old, restricted, or liars."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator

import pytest

from clixml_text import Object, write
from command_records import count, metadata, shown, shown_parameter
from fake_session import (
    COMPLETED,
    FakeSession,
    Said,
    error_record,
    failure,
    key,
    not_found,
    output,
)
from psexport.clixml import MalformedError
from psexport.errors import PSExportError, RemoteError, TransportError
from psexport.events import Event, Message, Problem, Progress, Severity
from psexport.fetch import FetchRequest, interview, portable
from psexport.model import (
    Catalogue,
    CommandType,
    Detail,
    Host,
    HostModule,
    Skipped,
)
from psexport.transport.base import (
    Commands,
    MetadataQuery,
    ModuleSpec,
    PipelineState,
    Question,
    Record,
    Stream,
    Version,
)

FULL = Host(version="7.6.9", language_mode="FullLanguage")
RESTRICTED = Host(version="7.6.9")
COMMANDS = FetchRequest(wants_views=False)
VIEWS = FetchRequest(wants_commands=False)


def view(name: str) -> bytes:
    """A type without views, which is enough to be counted."""
    told = {"TypeName": name, "TypeNames": [name], "FormatViewDefinition": []}
    types = ["System.Management.Automation.ExtendedTypeDefinition", "System.Object"]
    return write(Object(types=types, text=name, props=told))


Answers = dict[str, Said | Callable[[Question], Said]]
GOOD: Answers = {
    "metadata": output(
        count(2), metadata("Get-A", parameters={"X": ("System.String",)}),
        metadata("ga", "Alias", {"X": ("System.String",)}, ResolvedCommandName="Get-A"),
    ),
    "sets": output(
        shown("Get-A", {"S": [shown_parameter("X", position=0)]}, module="A"),
        shown("ga", {}, kind="Alias"),
    ),
    "Get-FormatData": output(view("T")),
    "Get-Module": output(
        write(Object(members={"Name": "A", "Version": "1.0", "Guid": "AB"})),
        write(Object(members={"Name": "B", "Version": "2.0", "Guid": "CD"})),
    ),
    "script": output(),
    "Import-Module": output(),
}  # fmt: skip


def fetch(
    answers: Answers,
    request: FetchRequest = COMMANDS,
    host: Host = RESTRICTED,
    runspaces: int = 1,
) -> tuple[Catalogue, list[Event], FakeSession]:
    events: list[Event] = []
    session = FakeSession(answers, runspaces=runspaces)
    catalogue = portable.fetch(session, request, host, events.append)
    return catalogue, events, session


@pytest.mark.parametrize("runspaces", [1, 2, 8])
def test_everything_of_a_good_host(runspaces: int) -> None:
    catalogue, events, session = fetch(GOOD, FetchRequest(), RESTRICTED, runspaces)
    one, alias = catalogue.commands
    assert (one.name, one.module, one.detail) == ("Get-A", "A", Detail.SETS)
    assert one.parameters[0].memberships[0].position == 0
    # An alias is told no sets of its own: it has its command's.
    assert alias.parameters[0].memberships[0].position == 0
    assert [v.type_names for v in catalogue.views] == [("T",)]
    assert catalogue.unreadable == ()
    assert not [e for e in events if isinstance(e, Problem)]
    assert Progress("commands", 2, 2) in events
    assert sorted(map(key, session.asked)) == ["Get-FormatData", "metadata", "sets"]
    assert session.stopped == 0


def test_a_host_with_scripts_loads_first_and_tells_its_modules() -> None:
    catalogue, _, session = fetch(GOOD, FetchRequest(), FULL, runspaces=8)
    asked = list(map(key, session.asked))
    assert asked == ["script", "metadata", "sets", "Get-FormatData", "Get-Module"]
    assert catalogue.modules == (HostModule("A", "1.0", "ab"),)


def test_what_is_asked() -> None:
    request = FetchRequest(
        names=("Get-*",),
        types=CommandType.FUNCTION | CommandType.EXTERNAL_SCRIPT | CommandType.WORKFLOW,
        modules=("A", "B*"),
        arguments=("env:",),
        format_type_names=("T*",),
        client_version="7.4.1",
    )
    _, _, session = fetch(GOOD, request, FULL)
    load, query, sets, formats, _ = session.asked
    assert isinstance(load, Commands)
    assert load.calls[0].parameters == (("Name", ("A",)),)
    assert isinstance(query, MetadataQuery)
    # PowerShell 7 has no workflows, and fails on being asked for them.
    assert query.types == CommandType.FUNCTION | CommandType.EXTERNAL_SCRIPT
    assert (query.names, query.modules) == (("Get-*",), ("A", "B*"))
    assert query.arguments == ("env:",)
    assert isinstance(sets, Commands)
    assert dict(sets.calls[0].parameters) == {
        "Name": ("Get-*",),
        "CommandType": "Function, ExternalScript",
        "ShowCommandInfo": True,
        "ListImported": True,
        "Module": ("A", "B*"),
        "ArgumentList": ("env:",),
    }
    assert isinstance(formats, Commands)
    assert formats.calls[0].parameters == (
        ("TypeName", ("T*",)),
        ("PowerShellVersion", Version("7.4.1")),
    )


def test_a_module_specification_is_loaded_by_its_versions() -> None:
    spec = ModuleSpec("A", version="1.0", maximum_version="1.*", guid="x")
    request = FetchRequest(full_modules=(spec,), wants_views=False)
    _, _, session = fetch(GOOD, request, FULL)
    load = session.asked[0]
    assert isinstance(load, Commands)
    assert load.calls[0].name == "Import-Module"
    assert load.calls[0].parameters == (
        ("Name", "A"),
        ("MinimumVersion", "1.0"),
        ("MaximumVersion", "1.*"),
    )


@pytest.mark.parametrize(
    "said", [not_found("Import-Module"), failure("no", target="A")]
)
def test_a_module_that_cannot_be_loaded_is_a_problem(said: Said) -> None:
    request = FetchRequest(modules=("A",), wants_views=False)
    answers = GOOD | {"Import-Module": said, "Get-Module": output()}
    catalogue, events, _ = fetch(answers, request, FULL)
    assert len(catalogue.commands) == 2
    problems = [e.skipped for e in events if isinstance(e, Problem)]
    assert [p.id for p in problems] == ["ErrorFromRemoteCommand"]


@pytest.mark.parametrize("said", [None, failure("no"), output(b"<S>nonsense</S>")])
def test_a_module_that_is_loaded_is_not_looked_for_again(said: Said | None) -> None:
    answers = GOOD if said is None else GOOD | {"Get-Module": said}
    _, _, session = fetch(answers, FetchRequest(modules=("a", "X")), FULL)
    loads = [
        question.calls[0].parameters
        for question in session.asked
        if isinstance(question, Commands) and question.calls[0].name == "Import-Module"
    ]
    assert loads == [(("Name", ("X",) if said is None else ("a", "X")),)]


VERSIONS = [("", True, True), ("7.6.9", False, True), ("5.1", True, True),
            ("3.0", True, False), ("x", True, True)]  # fmt: skip


@pytest.mark.parametrize(("version", "workflow", "configuration"), VERSIONS)
def test_types_that_the_host_knows(
    version: str, workflow: bool, configuration: bool
) -> None:
    _, _, session = fetch(GOOD, COMMANDS, Host(version=version))
    query = session.asked[0]
    assert isinstance(query, MetadataQuery)
    assert bool(query.types & CommandType.WORKFLOW) is workflow
    assert bool(query.types & CommandType.CONFIGURATION) is configuration


def test_many_names_are_asked_in_parts() -> None:
    names = tuple(f"Get-{n}" for n in range(2_500))
    request = FetchRequest(names=names, format_type_names=names)
    catalogue, _, session = fetch(GOOD, request)
    parts = [len(q.names) for q in session.asked if isinstance(q, MetadataQuery)]
    assert parts == [1_000, 1_000, 500]
    assert [key(q) for q in session.asked].count("Get-FormatData") == 3
    assert len(catalogue.commands) == 6


def test_no_sets_are_no_failure() -> None:
    for refusal in (
        not_found("Get-Command"),
        failure("no such parameter", "NamedParameterNotFound,x", "ShowCommandInfo"),
        RemoteError("this session cannot", id="ErrorRequiredRemoteCommandNotFound"),
    ):
        catalogue, events, _ = fetch(GOOD | {"sets": refusal})
        assert {c.detail for c in catalogue.commands} == {Detail.NAMES}
        texts = [e.text for e in events if isinstance(e, Message)]
        assert any("does not tell the parameter sets" in text for text in texts)


def test_sets_that_cannot_be_read_cost_only_the_sets() -> None:
    broken = shown("Get-A", {"S": [], "s": []})
    catalogue, events, _ = fetch(GOOD | {"sets": output(broken, b"<?")})
    assert [c.detail for c in catalogue.commands] == [Detail.NAMES] * 2
    warnings = [
        e.text
        for e in events
        if isinstance(e, Message) and e.severity is Severity.WARNING
    ]
    assert len(warnings) == 2
    assert "Get-A" in warnings[0]


def test_an_old_host_does_not_know_versions() -> None:
    def views(question: Question) -> Said:
        assert isinstance(question, Commands)
        if len(question.calls[0].parameters) == 2:
            words = "A parameter cannot be found that matches 'PowerShellVersion'."
            id = "NamedParameterNotFound,Microsoft.PowerShell.Commands.GetFormatData"
            return failure(words, id)
        return output(view("T"))

    catalogue, _, session = fetch({"Get-FormatData": views}, VIEWS)
    assert len(catalogue.views) == 1
    assert len(session.asked) == 2


def test_a_bad_record_costs_itself_alone() -> None:
    records = [
        count(4),
        metadata("Good"),
        metadata("Bad", parameters={"A": ("T",), "a": ("T",)}),
        b"<!DOCTYPE x><x/>",
        metadata("Better"),
    ]
    broken_views = output(view("T"), b"rubbish", view("U"))
    answers = GOOD | {"metadata": output(*records), "Get-FormatData": broken_views}
    catalogue, _, _ = fetch(answers, FetchRequest())
    assert [c.name for c in catalogue.commands] == ["Good", "Better"]
    assert len(catalogue.views) == 2
    id = "ErrorMalformedDataFromRemoteCommand"
    assert [(s.name, s.id) for s in catalogue.unreadable] == [
        ("Bad", id),
        ("record 4 of the commands", id),
        ("record 2 of the views", id),
    ]


def test_errors_on_the_way_are_told() -> None:
    error = Record(Stream.ERROR, error_record("not today", target="Get-B"))
    warning = Record(
        Stream.WARNING, write(Object(members={"InformationalRecord_Message": "hm"}))
    )
    records = [Record(Stream.OUTPUT, metadata("Get-A")), error, warning, COMPLETED]
    catalogue, events, _ = fetch({"metadata": records})
    assert len(catalogue.commands) == 1
    assert Problem(Skipped("Get-B", "ErrorFromRemoteCommand", "not today")) in events
    assert Message(Severity.WARNING, "hm") in events


FAILURES = [
    ("metadata", not_found("Get-Command"), "ErrorRequiredRemoteCommandNotFound",
     "Get-Command"),
    ("metadata", not_found("Select-Object"), "ErrorRequiredRemoteCommandNotFound",
     "Select-Object"),
    ("metadata", not_found("Measure-Object"), "ErrorRequiredRemoteCommandNotFound",
     "Measure-Object"),
    ("metadata", not_found("Get-Other"), "ErrorFromRemoteCommand", "Get-Other"),
    ("metadata", failure("boom"), "ErrorFromRemoteCommand", None),
    ("metadata", [Record(Stream.STATE, b"", PipelineState.FAILED)],
     "ErrorFromRemoteCommand", None),
    ("metadata", [Record(Stream.STATE, b"", PipelineState.STOPPED)],
     "ErrorFromRemoteCommand", None),
    ("metadata", output(), "ErrorNoResultsFromRemoteEnd", None),
    ("metadata", output(count(0)), "ErrorNoResultsFromRemoteEnd", None),
    ("metadata", output(b"rubbish"), "ErrorMalformedDataFromRemoteCommand", None),
    ("metadata", [], "ErrorMalformedDataFromRemoteCommand", None),
    ("metadata", output(count(2), metadata("Get-A"))[:-1] + failure("half"),
     "ErrorFromRemoteCommand", None),
    ("metadata", TransportError("gone", id="ErrorSessionBroken", phase="run"),
     "ErrorSessionBroken", None),
    ("sets", TransportError("gone", id="ErrorSessionBroken", phase="run"),
     "ErrorSessionBroken", None),
    ("Get-FormatData", not_found("Get-FormatData"),
     "ErrorRequiredRemoteCommandNotFound", "Get-FormatData"),
]  # fmt: skip


@pytest.mark.parametrize("runspaces", [1, 3])
@pytest.mark.parametrize(("what", "said", "id", "target"), FAILURES)
def test_failures(
    what: str, said: Said, id: str, target: str | None, runspaces: int
) -> None:
    with pytest.raises(PSExportError) as caught:
        fetch(GOOD | {what: said}, FetchRequest(), RESTRICTED, runspaces)
    assert (caught.value.id, caught.value.target) == (id, target)


def test_the_hosts_own_words_are_in_the_failure() -> None:
    with pytest.raises(RemoteError, match="the host failed on the commands: boom"):
        fetch({"metadata": failure("boom")})


def test_no_views_when_only_views_are_wanted() -> None:
    with pytest.raises(RemoteError) as caught:
        fetch({"Get-FormatData": output()}, VIEWS)
    assert caught.value.id == "ErrorNoResultsFromRemoteEnd"


def test_only_types_that_the_host_cannot_have() -> None:
    with pytest.raises(RemoteError) as caught:
        fetch(GOOD, FetchRequest(types=CommandType.WORKFLOW))
    assert caught.value.id == "ErrorNoResultsFromRemoteEnd"


def test_a_restricted_endpoint_takes_no_module_specification() -> None:
    refusal = failure("cannot be found", "NamedParameterNotFound,Get-Command", "x")
    with pytest.raises(RemoteError) as caught:
        fetch({"metadata": refusal}, FetchRequest(full_modules=(ModuleSpec("A"),)))
    assert caught.value.target == "FullyQualifiedModule"
    assert "-Module" in (caught.value.hint or "")


def endless(record: Record) -> Iterator[Record]:
    return itertools.repeat(record)


ENDLESS = [
    ("commands", Record(Stream.OUTPUT, metadata("x"))),
    ("rubbish", Record(Stream.OUTPUT, b"rubbish")),
    ("errors", Record(Stream.ERROR, error_record("x"))),
    ("warnings", Record(Stream.WARNING, b"x")),
    ("progress", Record(Stream.PROGRESS, b"x")),
    ("bytes", Record(Stream.OUTPUT, b" " * 1_000_000)),
]


@pytest.mark.parametrize(("what", "record"), ENDLESS)
def test_an_answer_without_end(
    what: str, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portable, "MAX_COMMANDS", 100)
    monkeypatch.setattr(portable, "MAX_UNREADABLE", 100)
    monkeypatch.setattr(interview, "MAX_ANSWER_RECORDS", 10_000)
    monkeypatch.setattr(interview, "MAX_ANSWER_BYTES", 20_000_000)
    monkeypatch.setattr(interview, "MAX_COMPLAINTS", 100)
    session = FakeSession({"metadata": lambda _: endless(record)})
    events: list[Event] = []
    with pytest.raises(RemoteError) as caught:
        portable.fetch(session, COMMANDS, RESTRICTED, events.append)
    assert caught.value.id == "ErrorMalformedDataFromRemoteCommand"
    assert session.stopped == 1
    assert len(events) < 500


def test_a_listener_that_raises_ends_the_work() -> None:
    def stop(event: Event) -> None:
        if isinstance(event, Problem):
            raise MalformedError("enough")

    records = [Record(Stream.ERROR, error_record("x")), COMPLETED]
    session = FakeSession({"metadata": lambda _: records})
    with pytest.raises(MalformedError, match="enough"):
        portable.fetch(session, COMMANDS, RESTRICTED, stop)
    assert session.stopped == 1


def test_one_failure_stops_the_other_answers() -> None:
    waiting = threading.Event()

    def forever(question: Question) -> Iterator[Record]:
        waiting.set()
        yield from itertools.repeat(Record(Stream.PROGRESS, b""), 400_000)
        raise AssertionError("nobody stopped this")

    def fail(question: Question) -> Said:
        assert waiting.wait(10)
        return not_found("Get-FormatData")

    answers = GOOD | {"metadata": forever, "Get-FormatData": fail}
    with pytest.raises(RemoteError) as caught:
        fetch(answers, FetchRequest(), RESTRICTED, runspaces=3)
    assert caught.value.target == "Get-FormatData"
