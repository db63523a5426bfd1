from __future__ import annotations

import subprocess
import sys

import pytest

from fake_session import FakeSession, error_record, failure, output
from pieces_text import command, piece, whole
from psexport.errors import RemoteError
from psexport.events import Event, Message
from psexport.fetch import FetchRequest, compact
from psexport.model import CommandType, Host
from psexport.transport.base import ModuleSpec, PipelineState, Record, Script, Stream

FULL = Host(language_mode="FullLanguage")


@pytest.mark.parametrize(
    "mode", [None, "NoLanguage", "ConstrainedLanguage", "RestrictedLanguage", "?"]
)
def test_a_restricted_endpoint_is_not_sent_the_script(mode: str | None) -> None:
    session = FakeSession({})
    events: list[Event] = []
    host = Host(language_mode=mode)
    assert compact.fetch(session, FetchRequest(), host, events.append) is None
    assert session.asked == []
    assert events == []


def test_an_answer_becomes_a_catalogue() -> None:
    session = FakeSession({"script": output(whole(command("Get-Thing")))})
    events: list[Event] = []
    catalogue = compact.fetch(session, FetchRequest(), FULL, events.append)
    assert catalogue is not None
    assert [c.name for c in catalogue.commands] == ["Get-Thing"]
    assert [type(q) for q in session.asked] == [Script]


@pytest.mark.parametrize(
    "answer",
    [
        failure("Cannot invoke method.", "MethodInvocationNotSupported"),
        [*output(piece([command("a")]))[:1], *failure("It stopped in the middle")],
        [Record(Stream.STATE, b"", PipelineState.STOPPED)],
        [Record(Stream.ERROR, error_record("It does not take that")), *output()],
    ],
)
def test_a_host_that_fails_at_it_is_asked_with_commands(answer: list[Record]) -> None:
    events: list[Event] = []
    session = FakeSession({"script": answer})
    assert compact.fetch(session, FetchRequest(), FULL, events.append) is None
    assert [e for e in events if isinstance(e, Message)]


@pytest.mark.parametrize(
    "answer",
    [output(), output(b"<S>hello</S>"), output(piece([command("a")]))],
)
def test_a_host_that_lies_is_an_error(answer: list[Record]) -> None:
    session = FakeSession({"script": answer})
    with pytest.raises(RemoteError) as caught:
        compact.fetch(session, FetchRequest(), FULL, lambda event: None)
    assert caught.value.id == "ErrorMalformedDataFromRemoteCommand"


def test_a_lie_ends_the_question() -> None:
    session = FakeSession({"script": output(b"<S>hello</S>", whole(command("a")))})
    with pytest.raises(RemoteError):
        compact.fetch(session, FetchRequest(), FULL, lambda event: None)
    assert session.stopped == 1


def test_complaints_on_the_way_cost_nothing() -> None:
    complaint = Record(Stream.ERROR, error_record("a profile is broken"))
    session = FakeSession({"script": [complaint, *output(whole(command("a")))]})
    events: list[Event] = []
    assert compact.fetch(session, FetchRequest(), FULL, events.append)
    assert "a profile is broken" in [e.text for e in events if isinstance(e, Message)]


def test_the_request_is_arguments() -> None:
    hostile = "'; Remove-Item * #"
    asked = compact.question(
        FetchRequest(
            names=(hostile,),
            types=CommandType.FUNCTION | CommandType.CMDLET,
            modules=("M*",),
            arguments=(1, "x"),
            format_type_names=("System.*",),
            wants_help=True,
            client_version="7.5",
        )
    )
    assert asked.text == compact.SCRIPT
    assert hostile not in asked.text
    assert dict(asked.parameters) == {
        "Name": (hostile,),
        "CommandType": 10,
        "Module": ("M*",),
        "ArgumentList": (1, "x"),
        "Help": True,
        "FormatTypeName": ("System.*",),
        "ClientVersion": "7.5",
    }


def test_module_specifications() -> None:
    specs = (
        ModuleSpec("A", version="1.0", maximum_version="2.0"),
        ModuleSpec("B", required_version="3.0", guid="g"),
    )
    request = FetchRequest(full_modules=specs, wants_views=False)
    assert dict(compact.question(request).parameters)["FullModule"] == [
        ["ModuleName", "A", "ModuleVersion", "1.0", "MaximumVersion", "2.0"],
        ["ModuleName", "B", "RequiredVersion", "3.0", "Guid", "g"],
    ]


def test_what_is_not_wanted_is_not_asked() -> None:
    views = compact.question(FetchRequest(wants_commands=False))
    assert dict(views.parameters).keys() == {"FormatTypeName", "ClientVersion"}
    commands = compact.question(FetchRequest(wants_views=False))
    assert dict(commands.parameters).keys() == {"Name", "CommandType", "Help"}


def test_the_script_is_small_and_plain() -> None:
    text = compact.SCRIPT
    assert text.isascii()
    lines = text.splitlines()
    code = [s for line in lines if (s := line.strip()) and not s.startswith("#")]
    assert len(code) < 450
    assert max(map(len, lines)) <= 88


def test_the_module_costs_no_network_library() -> None:
    code = "import psexport.fetch.compact, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    heavy = {"requests", "cryptography", "pypsrp", "psrpcore", "rich", "asyncio"}
    assert not heavy & set(done.stdout.split())
