"""Recording a session, and replaying what was recorded."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from psexport.errors import PSExportError, TransportError
from psexport.transport.base import (
    Answer,
    Call,
    Commands,
    Greeting,
    MetadataQuery,
    PipelineState,
    Question,
    Record,
    Script,
    Session,
    Stream,
)
from psexport.transport.recorder import record
from psexport.transport.replay import ReplaySession

END = Record(Stream.STATE, b"", PipelineState.COMPLETED)
FAILED = Record(
    Stream.STATE, b'<Obj RefId="0"><ToString>no</ToString></Obj>', PipelineState.FAILED
)
PRIVATE = (
    b'<Obj RefId="0"><MS><Obj N="ApplicationPrivateData" RefId="1"><DCT><En>'
    b'<S N="Key">PSVersionTable</S><Obj N="Value" RefId="2"><DCT><En>'
    b'<S N="Key">PSVersion</S><Version N="Value">7.6.9</Version></En><En>'
    b'<S N="Key">Platform</S><S N="Value">Unix</S></En></DCT></Obj></En></DCT></Obj>'
    b"</MS></Obj>"
)


class Talker(Session):
    """A host that says what it is given, whatever it is asked."""

    def __init__(self, *records: Record | Exception) -> None:
        self.name = "secret-host.example.com"
        self.greeting = Greeting("some-id", PRIVATE, 1)
        self.records = records
        self.closed = 0

    def ask(self, question: Question) -> Answer:
        return Talk(self.records)

    def close(self) -> None:
        self.closed += 1


class Talk(Answer):
    def __init__(self, records: tuple[Record | Exception, ...]) -> None:
        self.records = records

    def __iter__(self) -> Iterator[Record]:
        for one in self.records:
            if isinstance(one, Exception):
                raise one
            yield one

    def stop(self) -> None:
        pass


QUESTIONS: list[Question] = [
    MetadataQuery(("Get-*",)),
    Commands((Call("Get-It", (("Name", ("a", "b")),)),)),
    Script("param($a) $a", (("a", 1),)),
]
SAID = [
    Record(Stream.OUTPUT, '<S>\u00e9 "quoted"</S>'.encode()),
    Record(Stream.WARNING, b"<S>careful</S>"),
    Record(Stream.PROGRESS, b"<S>half</S>"),
]


@pytest.mark.parametrize("last", [END, FAILED], ids=["completed", "failed"])
def test_what_was_recorded_is_replayed(tmp_path: Path, last: Record) -> None:
    path = tmp_path / "r.gz"
    talker = Talker(*SAID, last)
    with record(talker, path) as session:
        assert session.greeting == talker.greeting
        for question in QUESTIONS:
            with session.ask(question) as answer:
                assert list(answer) == [*SAID, last]
        assert list(tmp_path.iterdir()) != [path]
    assert talker.closed == 1
    assert list(tmp_path.iterdir()) == [path]
    replayed = ReplaySession(path, name="r")
    assert replayed.greeting == Greeting("some-id", PRIVATE, 1)
    for question in QUESTIONS:
        with replayed.ask(question) as answer:
            assert list(answer) == [*SAID, last]


def test_the_same_session_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        with record(Talker(*SAID, END), tmp_path / name) as session:
            list(session.ask(QUESTIONS[0]))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_header_names_no_machine(tmp_path: Path) -> None:
    path = tmp_path / "r.gz"
    with record(Talker(END), path, note="why"):
        pass
    first, private = gzip.decompress(path.read_bytes()).splitlines()
    assert json.loads(first) == {
        "recording": 1,
        "host": "PowerShell 7.6.9 on Unix",
        "note": "why",
        "runspace_id": "some-id",
    }
    assert json.loads(private)["type"] == "APPLICATION_PRIVATE_DATA"
    assert b"secret-host" not in gzip.decompress(path.read_bytes())


def test_what_is_scrubbed_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "r.gz"
    records = [Record(Stream.OUTPUT, b"<S>vm17</S>"), FAILED]
    with record(
        Talker(*records), path, scrub=lambda data: data.replace(b"vm17", b"host")
    ) as session:
        # Who asks hears what was said.
        assert list(session.ask(Script("vm17"))) == records
    written = gzip.decompress(path.read_bytes())
    assert b"vm17" not in written
    assert b"<S>host</S>" in written


def test_a_session_that_breaks_leaves_no_file(tmp_path: Path) -> None:
    broken = TransportError("gone", id="ErrorSessionBroken", phase="run")
    talker = Talker(*SAID, broken)
    session = record(talker, tmp_path / "r.gz")
    with pytest.raises(TransportError):
        list(session.ask(QUESTIONS[0]))
    session.close()
    assert talker.closed == 1
    assert list(tmp_path.iterdir()) == []


def test_a_failure_outside_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "r.gz"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), record(Talker(END), path):
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_answer_that_was_left_early_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "r.gz"
    with record(Talker(*SAID, END), path) as session:
        with session.ask(QUESTIONS[0]) as answer:
            next(iter(answer))
        with session.ask(QUESTIONS[1]) as answer:
            list(answer)
    replayed = ReplaySession(path, name="r")
    assert list(replayed.ask(QUESTIONS[0]))[-1].state is PipelineState.FAILED
    assert len(list(replayed.ask(QUESTIONS[1]))) == 4


@pytest.mark.parametrize("place", ["no/such/folder/r.gz", "taken"])
def test_a_place_where_nothing_can_be_written(tmp_path: Path, place: str) -> None:
    (tmp_path / "taken").mkdir()
    talker = Talker(END)
    with (
        pytest.raises(PSExportError) as caught,
        record(talker, tmp_path / place) as session,
    ):
        list(session.ask(QUESTIONS[0]))
    assert caught.value.id == "ErrorRecordingUnwritable"
    assert [one.name for one in tmp_path.rglob("*")] == ["taken"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_disk_that_is_full(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb", buffering=0) as full:
        session = record(Talker(*SAID, END), tmp_path / "r.gz")
        session._file.fileobj = full  # type: ignore[attr-defined]
        with pytest.raises(PSExportError) as caught, session:
            list(session.ask(QUESTIONS[0]))
    assert caught.value.id == "ErrorRecordingUnwritable"
    assert list(tmp_path.iterdir()) == []
