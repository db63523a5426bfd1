"""Help by the portable road: from hosts that have it, and from those that play up."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from clixml_text import Object, write
from fake_session import (
    COMPLETED,
    FakeSession,
    Said,
    error_record,
    failure,
    not_found,
    output,
)
from psexport.connection import Connection, Kind
from psexport.errors import PSExportError, TransportError
from psexport.events import Answered, Event, Message, Problem, Progress, Severity
from psexport.fetch import FetchRequest, help, portable
from psexport.model import (
    Command,
    CommandType,
    Help,
    HelpExample,
    HelpParameter,
    Host,
)
from psexport.transport.base import (
    Answer,
    Commands,
    Limits,
    PipelineState,
    Question,
    Record,
    Session,
    Stream,
)
from psexport.transport.outofproc import OutOfProcessSession
from recordings import outputs

WRITTEN = ["MamlCommandHelpInfo", "HelpInfo"]
MADE_UP = ["ExtendedCmdletHelpInfo", "CmdletHelpInfo", "HelpInfo"]


def text(*paragraphs: str) -> list[Object]:
    return [Object(members={"Text": one}) for one in paragraphs]


def topic(synopsis: str = "Gets it.", types: list[str] = WRITTEN) -> bytes:
    return write(Object(types=types, members={"Synopsis": synopsis}))


WHOLE = write(
    Object(
        types=["MamlCommandHelpInfo#FullView", *WRITTEN],
        members={
            "Name": "Get-Other",
            "Synopsis": "Gets it.",
            "description": text("One.", "Two."),
            "parameters": Object(
                members={
                    "parameter": [
                        Object(
                            members={
                                "name": "Path",
                                "description": text("Where."),
                                "defaultValue": "here",
                                "globbing": "true",
                            }
                        )
                    ]
                }
            ),
            "examples": Object(
                members={
                    "example": Object(
                        members={
                            "title": "-- 1 --",
                            "introduction": text("PS >"),
                            "code": "Get-It",
                            "remarks": text("It is there.", ""),
                        }
                    )
                }
            ),
            "relatedLinks": Object(
                members={
                    "navigationLink": [
                        Object(members={"linkText": "", "uri": "https://example.org"}),
                        Object(members={"linkText": "Set-It"}),
                    ]
                }
            ),
            "Role": "Reader",
        },
    )
)


def command(name: str, kind: CommandType = CommandType.FUNCTION) -> Command:
    return Command(name, kind)


def asked(question: Question) -> dict[str, object]:
    assert isinstance(question, Commands)
    (call,) = question.calls
    assert call.name == "Get-Help"
    return dict(call.parameters)


def fetch(
    session: Session, names: list[str], seconds: float = 60, at_once: int = 1
) -> tuple[dict[str, Help], list[Event]]:
    events: list[Event] = []
    commands = [command(name) for name in names]
    found = help.fetch(
        session, commands, events.append, seconds=seconds, at_once=at_once
    )
    return found, events


def by_name(answers: dict[str, Said]) -> FakeSession:
    return FakeSession(
        {"Get-Help": lambda question: answers[str(asked(question)["Name"])]}
    )


def messages(events: list[Event], severity: Severity) -> list[str]:
    return [
        one.text
        for one in events
        if isinstance(one, Message) and one.severity is severity
    ]


def test_a_whole_topic() -> None:
    found, events = fetch(by_name({"Get-It": output(WHOLE)}), ["Get-It"])
    assert found == {
        "Get-It": Help(
            name="Get-It",
            synopsis="Gets it.",
            description="One.\nTwo.",
            parameters=(HelpParameter("Path", "Where.", "here", True),),
            examples=(HelpExample("-- 1 --", "PS >", "Get-It", "It is there."),),
            links=(("", "https://example.org"), ("Set-It", "")),
            role="Reader",
        )
    }
    assert not [e for e in events if isinstance(e, Message | Problem)]
    assert events[-1] == Answered("the help", 1, events[-1].seconds)  # type: ignore[union-attr]


def test_one_name_and_category_at_a_time() -> None:
    session = FakeSession({"Get-Help": output(topic())})
    commands = [
        command("Get-C", CommandType.CMDLET),
        command("gc", CommandType.ALIAS),
        command("Get-C", CommandType.FUNCTION),
        command("odd", CommandType.FILTER),
        command("x.ps1", CommandType.EXTERNAL_SCRIPT),
        command("x.exe", CommandType.APPLICATION),
        # These never become part of a module, and would ask for many topics.
        command("Get-*"),
        command("Get-[AB]"),
        command(""),
    ]
    found = help.fetch(session, commands, lambda event: None)
    assert [tuple(asked(one).values()) for one in session.asked] == [
        ("Get-C", "Function"),
        ("odd", "Filter"),
        ("x.ps1", "ExternalScript"),
    ]
    assert found.keys() == {"Get-C", "odd", "x.ps1"}


def test_what_powershell_made_up_is_no_help() -> None:
    answers: dict[str, Said] = {
        "Get-A": output(topic(types=MADE_UP)),
        "Get-B": output(),
        "Get-C": [Record(Stream.ERROR, error_record("no help", "HelpNotFound"))],
        "Get-D": output(topic(types=MADE_UP), topic("D."), topic("Not this.")),
    }
    answers["Get-C"] = [*answers["Get-C"], COMPLETED]  # type: ignore[misc]
    found, events = fetch(by_name(answers), list(answers))
    assert {name: one.synopsis for name, one in found.items()} == {"Get-D": "D."}
    assert not messages(events, Severity.WARNING)
    assert not [e for e in events if isinstance(e, Problem)]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (output(b"<Obj><MS>"), "not XML"),
        (output(b"<!DOCTYPE x><Obj/>"), "document type"),
        (output(topic("x" * help.MAX_TOPIC_BYTES)), "bytes"),
        (failure("it burns"), "it burns"),
        ([], "no end"),
    ],
)
def test_a_bad_topic_costs_that_topic(said: list[Record], why: str) -> None:
    session = by_name({"Get-A": said, "Get-B": output(topic())})
    found, events = fetch(session, ["Get-A", "Get-B"])
    assert found.keys() == {"Get-B"}
    (warning,) = messages(events, Severity.WARNING)
    assert "the syntax of Get-A:" in warning
    assert why in warning


def test_a_host_without_get_help() -> None:
    session = FakeSession({"Get-Help": not_found("Get-Help")})
    found, events = fetch(session, [f"Get-{n}" for n in range(40)])
    assert found == {}
    assert len(session.asked) == 1
    (told,) = messages(events, Severity.WARNING)
    assert "no command Get-Help" in told


def test_a_recording_without_get_help() -> None:
    """Export-PSSession asks for no help, so its recordings have none."""
    session = FakeSession({"Get-Help": not_found("Get-Help")})
    session.connection = Connection(kind=Kind.REPLAY, path="x")
    _, events = fetch(session, ["Get-A"])
    assert not messages(events, Severity.WARNING)
    assert messages(events, Severity.VERBOSE)


def test_a_session_that_breaks() -> None:
    broken = TransportError("it broke", id="ErrorSessionBroken", phase="run")
    session = by_name({"Get-A": output(topic()), "Get-B": broken})
    found, events = fetch(session, ["Get-A", "Get-B", "Get-C"])
    assert found.keys() == {"Get-A"}
    assert len(session.asked) == 2
    (warning,) = messages(events, Severity.WARNING)
    assert "Get-B, Get-C: it broke" in warning


class Slow(FakeSession):
    """Answers the first question, and hangs on all others until it is stopped."""

    def ask(self, question: Question) -> Answer:
        super().ask(question)
        return _Hanging(hangs=len(self.asked) > 1)


class _Hanging(Answer):
    def __init__(self, *, hangs: bool) -> None:
        self._hangs = hangs
        self._stopped = False

    def __iter__(self) -> Iterator[Record]:
        if not self._hangs:
            yield from output(topic())
            return
        while not self._stopped:
            time.sleep(0.005)
        yield Record(Stream.STATE, b"", PipelineState.STOPPED)

    def stop(self) -> None:
        self._stopped = True


@pytest.mark.parametrize("runspaces", [1, 3])
def test_a_slow_host_gives_a_module_all_the_same(runspaces: int) -> None:
    session = Slow({}, runspaces=runspaces)
    names = [f"Get-{n}" for n in range(30)]
    found, events = fetch(session, names, seconds=0.1, at_once=runspaces)
    assert found.keys() == {"Get-0"}
    # What hung when the time was up, and nothing after that.
    assert len(session.asked) == 1 + runspaces
    (warning,) = messages(events, Severity.WARNING)
    assert "Get-1" in warning
    assert "and 19 more: it took more than 0.1 s" in warning


def test_several_at_a_time() -> None:
    session = FakeSession(
        {"Get-Help": lambda question: output(topic(str(asked(question)["Name"])))},
        runspaces=4,
    )
    names = [f"Get-{n}" for n in range(100)]
    found, events = fetch(session, names, at_once=4)
    assert {name: one.synopsis for name, one in found.items()} == {
        name: name for name in names
    }
    told = [event for event in events if isinstance(event, Progress)]
    assert told[-1] == Progress("help", 100, 100)
    assert len(told) == 20


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(help, "MAX_TOPICS", 3)
    session = FakeSession({"Get-Help": output(topic())})
    found, events = fetch(session, [f"Get-{n}" for n in range(5)])
    assert len(found) == len(session.asked) == 3
    (warning,) = messages(events, Severity.WARNING)
    assert "Get-3, Get-4: at most 3 topics" in warning
    monkeypatch.setattr(help, "MAX_BYTES", 2 * len(topic()))
    session = FakeSession({"Get-Help": output(topic())})
    found, events = fetch(session, ["Get-0", "Get-1", "Get-2"])
    assert len(session.asked) == 3
    (warning,) = messages(events, Severity.WARNING)
    assert "Get-2: it is more than 0 MiB" in warning


def test_an_endless_answer_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(help, "MAX_BYTES", 100 * len(topic()))
    record = Record(Stream.OUTPUT, topic(types=MADE_UP))
    session = FakeSession({"Get-Help": lambda question: itertools.repeat(record)})
    found, _ = fetch(session, ["Get-A", "Get-B"])
    assert found == {}
    assert len(session.asked) == session.stopped == 1


def test_a_listener_that_raises_ends_the_work() -> None:
    stop = PSExportError("enough", id="ActionPreferenceStop")

    def listen(event: Event) -> None:
        if isinstance(event, Progress):
            raise stop

    session = FakeSession({"Get-Help": output(topic())})
    commands = [command(f"Get-{n}") for n in range(50)]
    with pytest.raises(PSExportError) as caught:
        help.fetch(session, commands, listen)
    assert caught.value is stop
    assert len(session.asked) < 10


def test_real_topics_that_powershell_made_up() -> None:
    topics = iter(outputs("queries", "Get-Help"))
    session = FakeSession({"Get-Help": lambda question: output(next(topics))})
    found, events = fetch(session, [f"Get-{n}" for n in range(5)])
    assert found == {}
    assert not messages(events, Severity.WARNING)


_CONFIGURATION = """@{
    SchemaVersion = '2.0.0.0'
    GUID = '5f5e9a0e-1d52-4d6e-8b53-0d3a4f1f7a13'
    SessionType = 'RestrictedRemoteServer'
    LanguageMode = 'NoLanguage'
    ModulesToImport = 'Microsoft.PowerShell.Management'
    VisibleCmdlets = 'Get-Process'
    FunctionDefinitions = @{
        Name = 'Get-Told'
        ScriptBlock = {
            # .SYNOPSIS
            # It is told.
            # .PARAMETER Name
            # Whose.
            param([string] $Name)
        }
    }
    VisibleFunctions = 'Get-Told'
}
"""


@pytest.mark.engine
@pytest.mark.parametrize("runspaces", [1, 3])
def test_a_restricted_endpoint(pwsh: str, tmp_path: Path, runspaces: int) -> None:
    file = tmp_path / "restricted.pssc"
    file.write_text(_CONFIGURATION, encoding="utf-8")
    line = [pwsh, "-s", "-NoLogo", "-NoProfile", "-ConfigurationFile", str(file)]
    events: list[Event] = []
    with OutOfProcessSession(
        line, name="engine", limits=Limits(60, 60, 5), runspaces=runspaces
    ) as session:
        catalogue = portable.fetch(
            session,
            FetchRequest(wants_views=False, wants_help=True),
            Host(),
            events.append,
        )
    assert not messages(events, Severity.WARNING)
    assert not [e for e in events if isinstance(e, Problem)]
    assert {c.name for c in catalogue.commands} >= {"Get-Process", "Get-Told"}
    assert "Get-Process" not in catalogue.help
    assert catalogue.help["Get-Told"] == Help(
        "Get-Told",
        synopsis="It is told.",
        parameters=(HelpParameter("Name", "Whose."),),
    )
