"""What a host says of itself, and what is made of what it does not say."""

from __future__ import annotations

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
from psexport.errors import RemoteError, TransportError
from psexport.events import Event, Message, Severity
from psexport.fetch import host
from psexport.model import Host
from psexport.transport.base import Record, Stream
from recordings import messages

FACTS = output(
    *map(
        write,
        [
            "LanguageMode=FullLanguage",
            "Version=7.6.9",
            "Edition=",
            "Os=A=B",
            "Culture=de-CH",
            "UiCulture=en-US",
            "User=me",
            "Os=later",
        ],
    )
)


def fetch(private_data: bytes = b"", said: Said | None = None) -> Host:
    answers = {"script": said} if said is not None else {}
    return host.fetch(FakeSession(answers, private_data=private_data), lambda _: None)


def test_the_script_tells_what_the_opening_did_not() -> None:
    assert fetch(said=FACTS) == Host(
        version="7.6.9",
        os="A=B",
        language_mode="FullLanguage",
        culture="de-CH",
        ui_culture="en-US",
        identity="me",
        runspace_id="c0ffee",
    )


def test_the_opening_counts_before_the_script() -> None:
    private = {
        "ApplicationPrivateData": {
            "PSVersionTable": {"PSVersion": "5.1.1", "PSEdition": "Desktop"},
            "ImplicitRemoting": {"CommandsToSkip": ["A", 1, "B"], "Hash": 12345},
        }
    }
    found = fetch(write(Object(members=private)), FACTS)
    assert (found.version, found.edition) == ("5.1.1", "Desktop")
    assert found.commands_to_skip == ("A", "B")
    assert found.implicit_remoting_hash == "12345"


PRIVATE: list[tuple[object, tuple[str, ...] | None]] = [
    ({"ImplicitRemoting": {}}, None),
    ({"ImplicitRemoting": {"CommandsToSkip": []}}, ()),
    ({"ImplicitRemoting": {"CommandsToSkip": "A"}}, ("A",)),
    ({"ImplicitRemoting": {"CommandsToSkip": {"a": "b"}}}, ()),
    ({"ImplicitRemoting": "x", "PSVersionTable": [1]}, None),
    ([], None),
    ("x", None),
    (None, None),
]


@pytest.mark.parametrize(("private", "skip"), PRIVATE)
def test_private_data_of_any_shape(private: object, skip: tuple[str, ...]) -> None:
    for data in (
        write(Object(members={"ApplicationPrivateData": private})),
        write(private),
    ):
        assert fetch(data).commands_to_skip == skip


def test_private_data_that_cannot_be_read_are_a_warning() -> None:
    events: list[Event] = []
    session = FakeSession({}, private_data=b"<!DOCTYPE x><x/>")
    assert host.fetch(session, events.append) == Host(runspace_id="c0ffee")
    (message,) = [
        e for e in events if isinstance(e, Message) and e.severity is Severity.WARNING
    ]
    assert message.id == "ErrorMalformedDataFromRemoteCommand"


REFUSALS: list[Said] = [
    failure("The syntax is not supported by this runspace.", "ScriptsNotAllowed"),
    not_found("script"),
    RemoteError("no scripts here", id="ErrorRequiredRemoteCommandNotFound"),
    [],
    output(b"rubbish"),
    [Record(Stream.ERROR, error_record("no")), COMPLETED],
]


@pytest.mark.parametrize("said", REFUSALS)
def test_an_endpoint_without_scripts_has_no_language_mode(said: Said) -> None:
    assert fetch(said=said).language_mode is None


def test_a_broken_session_is_not_a_refusal() -> None:
    with pytest.raises(TransportError):
        fetch(said=TransportError("gone", id="ErrorSessionBroken", phase="run"))


@pytest.mark.parametrize("name", ["everything", "restricted"])
def test_recorded_private_data(name: str) -> None:
    (data,) = [
        m["data"] for m in messages(name) if m["type"] == "APPLICATION_PRIVATE_DATA"
    ]
    found = fetch(data.encode())
    assert (found.version, found.edition) == ("7.6.5", "Core")
    assert found.os.startswith("Debian")
    assert found.commands_to_skip is None
