"""The out-of-process session, against hosts that misbehave."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psexport.errors import PSExportError, TransportError
from psexport.transport import outofproc
from psexport.transport.base import (
    Call,
    Commands,
    Limits,
    PipelineState,
    Record,
    Script,
    Stream,
)
from psexport.transport.outofproc import OutOfProcessSession
from psexport.transport.packets import Packet, render

FAKE = Path(__file__).with_name("fake_host.py")
QUICK = Limits(open=10, silence=10, close=2)
QUESTION = Commands((Call("Get-Thing"),))


def session(mode: str, *arguments: str, limits: Limits = QUICK) -> OutOfProcessSession:
    command = [sys.executable, str(FAKE), mode, *arguments]
    return OutOfProcessSession(command, name="fake", limits=limits)


def ask(
    opened: OutOfProcessSession, question: Commands | Script = QUESTION
) -> list[Record]:
    with opened.ask(question) as answer:
        return list(answer)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie whose parent is gone too is not alive.
    status = Path(f"/proc/{pid}/stat")
    return not (status.exists() and ") Z " in status.read_text())


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    """After every test there is no child and no thread of ours left."""
    before = set(threading.enumerate())
    others = children()  # of tests before this one, in the same process
    yield
    gc.collect()
    deadline = time.monotonic() + 5
    while set(threading.enumerate()) - before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not set(threading.enumerate()) - before
    assert not children() - others


def children() -> set[str]:
    """The child processes of this one; none are known where there is no /proc."""
    listed = Path(f"/proc/self/task/{os.getpid()}/children")
    return set(listed.read_text().split()) if listed.exists() else set()


def test_a_well_behaved_host() -> None:
    with session("good") as opened:
        assert opened.greeting.private_data.endswith(b"fake</S></MS></Obj>")
        assert ask(opened) == [
            Record(Stream.OUTPUT, b"<S>hello</S>"),
            Record(Stream.STATE, b"", PipelineState.COMPLETED),
        ]
        assert len(ask(opened)) == 2
    with pytest.raises(TransportError, match="closed"):
        opened.ask(QUESTION)
    opened.close()


def test_a_banner_before_the_first_packet() -> None:
    with session("banner") as opened:
        assert len(ask(opened)) == 2


@pytest.mark.parametrize(
    ("mode", "id", "words"),
    [
        ("immediate", "ErrorSessionOpen", "exit code 7, saying: cannot go on"),
        ("refuse", "ErrorSessionOpen", "no such file"),
        ("mute", "ErrorSessionTimeout", "did not open a session in 1 s"),
        ("noise", "ErrorSessionProtocol", "no packet"),
    ],
)
def test_a_session_that_does_not_open(mode: str, id: str, words: str) -> None:
    with pytest.raises(TransportError) as caught:
        session(mode, limits=Limits(open=1))
    assert (caught.value.id, caught.value.target) == (id, "fake")
    assert words in caught.value.message
    assert caught.value.hint


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(TransportError) as caught:
        OutOfProcessSession(["/no/such/pwsh", "-s"], name="x", limits=QUICK)
    assert (caught.value.id, caught.value.phase) == ("ErrorSessionOpen", "connect")


@pytest.mark.parametrize(
    ("mode", "id", "words"),
    [
        ("die", "ErrorSessionBroken", "exit code 3, saying: out of luck"),
        ("kill", "ErrorSessionBroken", "was ended by signal 9"),
        ("close", "ErrorSessionBroken", "closed its output"),
        ("fatal", "ErrorSessionBroken", "it broke / at line 2"),
        ("rubbish", "ErrorSessionProtocol", "Hello, I am a program."),
        ("cut", "ErrorSessionProtocol", "packet"),
        ("huge", "ErrorMessageTooLarge", "bytes"),
        ("silent", "ErrorSessionTimeout", "nothing was heard from fake for 1 s"),
    ],
)
def test_a_session_that_breaks(mode: str, id: str, words: str) -> None:
    silence = 1 if mode == "silent" else 10
    with session(mode, limits=Limits(open=10, silence=silence, close=0.2)) as opened:
        with pytest.raises(TransportError) as caught:
            ask(opened)
        assert (caught.value.id, caught.value.target) == (id, "fake")
        assert words in caught.value.message
        assert caught.value.hint
        if mode != "silent":
            with pytest.raises(TransportError):
                opened.ask(QUESTION)


def test_a_slow_host_is_not_silent() -> None:
    with session("slow", limits=Limits(open=10, silence=0.5, close=1)) as opened:
        assert len(ask(opened)) == 8


def test_a_question_of_the_host_is_refused() -> None:
    with session("prompt") as opened:
        assert ask(opened)[0].data == b"<B>true</B>"


def test_leaving_early_stops_the_pipeline() -> None:
    with session("slow") as opened:
        with opened.ask(QUESTION) as answer:
            next(iter(answer))
        assert len(ask(opened)) == 8


def test_a_host_that_ignores_the_stop() -> None:
    with session("silent", limits=Limits(open=10, silence=5, close=0.2)) as opened:
        with opened.ask(QUESTION) as answer:
            pass
        assert list(answer) == []


def test_another_thread_stops_an_answer() -> None:
    with session("silent", limits=Limits(open=10, silence=10, close=0.2)) as opened:
        answer = opened.ask(QUESTION)
        stopper = threading.Timer(0.2, answer.stop)
        stopper.start()
        started = time.monotonic()
        assert [record.state for record in answer] == [PipelineState.STOPPED]
        assert time.monotonic() - started < 5
        stopper.join()


def test_a_flood_is_held_up_and_does_not_starve_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outofproc, "BUFFER", 3_000_000)
    with session("flood", "12") as opened:
        flooded = opened.ask(Script("flood"))
        deadline = time.monotonic() + 5
        while opened._buffered < 3_000_000 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.2)
        # A packet more than the mark, at most; and the rest is still with the host.
        assert opened._buffered < 5_000_000
        # One thread: the answer behind the flood is read first.
        assert ask(opened)[0].data == b"<S>hello</S>"
        assert len(list(flooded)) == 14


def test_an_answer_that_nobody_fetches_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outofproc, "BUFFER", 2_000_000)
    monkeypatch.setattr(outofproc, "OVERRUN", 5_000_000)
    with session("flood", "12") as opened:
        flooded = opened.ask(Script("flood"))
        assert ask(opened)[0].data == b"<S>hello</S>"
        with pytest.raises(TransportError, match="nobody fetched") as caught:
            list(flooded)
        assert caught.value.id == "ErrorMessageTooLarge"
        assert len(ask(opened)) == 2


@pytest.mark.skipif(os.name != "posix", reason="process groups are POSIX's")
def test_what_the_host_started_ends_with_it() -> None:
    with session("child") as opened:
        pid = int(ask(opened)[0].data.removeprefix(b"<I32>").removesuffix(b"</I32>"))
        assert alive(pid)
    deadline = time.monotonic() + 5
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not alive(pid)


def test_a_host_that_does_not_want_to_end() -> None:
    opened = session("stubborn", limits=Limits(open=10, silence=10, close=0.2))
    pid = opened._process.pid
    started = time.monotonic()
    opened.close()
    assert time.monotonic() - started < 5
    assert not alive(pid)


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
def test_ctrl_c_while_opening_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pids: list[int] = []
    real = outofproc.Process

    def started(*arguments: object, **named: object) -> object:
        process = real(*arguments, **named)  # type: ignore[arg-type]
        pids.append(process.pid)
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        return process

    monkeypatch.setattr(outofproc, "Process", started)
    with pytest.raises(KeyboardInterrupt):
        session("mute")
    assert not alive(pids[0])


def test_a_forgotten_session_ends_its_process() -> None:
    opened = session("good")
    process = opened._process
    process._finalizer()
    assert not alive(process.pid)
    opened.close()


PRINT = "import sys; sys.stdout.buffer.write(bytes.fromhex(sys.argv[1]))"
OUTPUT = st.lists(
    st.one_of(
        st.binary(max_size=60),
        st.just(b"\n"),
        st.sampled_from(["DataAck", "CommandAck", "CloseAck", "Close", "Command"]).map(
            lambda kind: render(Packet(kind, None))
        ),
        st.binary(max_size=60).map(lambda data: render(Packet("Data", None, data))),
    ),
    max_size=6,
).map(b"".join)


@settings(max_examples=20)
@given(OUTPUT)
def test_any_output_is_a_clear_error(output: bytes) -> None:
    command = [sys.executable, "-S", "-c", PRINT, output.hex()]
    with pytest.raises(PSExportError) as caught:
        OutOfProcessSession(command, name="fake", limits=QUICK)
    assert caught.value.id in (
        "ErrorSessionOpen",
        "ErrorSessionProtocol",
        "ErrorMessageTooLarge",
    )
