"""Going through the steps, and what is shown of them."""

from __future__ import annotations

import io
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from fake_session import FakeSession
from psexport.cli import main
from psexport.connection import Connection, Kind
from psexport.doctor import Finding, Outcome
from psexport.doctor.findings import Step, fault, ok, skipped, warning
from psexport.doctor.text import step_lines
from psexport.doctor.tls import is_for
from psexport.doctor.visit import Visit
from psexport.doctor.walk import Probe, walk
from psexport.errors import TransportError
from servers.processes import free_port

VISIT = Visit(Connection(kind=Kind.DEMO))


def fine(visit: Visit) -> Iterator[Finding]:
    yield ok("fine")


def bad(visit: Visit) -> Iterator[Finding]:
    yield ok("so far")
    yield fault("Bad", "bad")


def nothing(visit: Visit) -> Iterator[Finding]:
    yield skipped("nothing to see")


def faints(visit: Visit) -> Iterator[Finding]:
    raise ZeroDivisionError("oh\x1b[2J")


def refuses(visit: Visit) -> Iterator[Finding]:
    yield ok("a step")
    raise TransportError("no", id="ErrorX", phase="open", hint="do it")


def sleeps(visit: Visit) -> Iterator[Finding]:
    time.sleep(20)
    yield ok("slept")


def go(*probes: Probe) -> dict[str, Step]:
    return {step.name: step for step in walk(probes, VISIT)}


def test_what_stands_on_a_fault_is_left_out() -> None:
    found = go(
        Probe("a", "A", fine),
        Probe("b", "B", bad, ("a",)),
        Probe("c", "C", fine, ("b",)),
        Probe("d", "D", fine, ("a", "c")),
        Probe("e", "E", nothing, ("a",)),
        Probe("f", "F", fine, ("e",)),
    )
    assert [step.outcome.value for step in found.values()] == [
        "ok",
        "fault",
        "skipped",
        "skipped",
        "skipped",
        "ok",
    ]
    assert found["c"].findings[0].text == "makes no sense without: B"


def test_a_step_that_ends_badly_is_a_fault() -> None:
    found = go(Probe("a", "A", faints), Probe("b", "B", refuses))
    first = found["a"].findings[0]
    assert first.cause == "StepFailed"
    assert "\x1b" not in first.text
    last = found["b"].findings[-1]
    assert (last.cause, last.text, last.hint) == ("ErrorX", "no", "do it")


def test_a_step_takes_no_longer_than_it_may() -> None:
    before = time.monotonic()
    found = go(Probe("a", "A", sleeps, seconds=0.1), Probe("b", "B", fine))
    assert time.monotonic() - before < 5
    assert found["a"].findings[0].cause == "StepTooLong"
    assert found["b"].outcome is Outcome.OK


def test_all_steps_are_done_by_one_thread_but_those_that_ask() -> None:
    threads: list[threading.Thread] = []

    def look(visit: Visit) -> Iterator[Finding]:
        threads.append(threading.current_thread())
        yield ok("seen")

    go(
        Probe("a", "A", look),
        Probe("b", "B", look),
        Probe("c", "C", look, in_person=True),
    )
    assert threads[0] is threads[1]
    assert threads[2] is threading.current_thread()


@pytest.mark.skipif(os.name != "posix", reason="signals are sent to a thread")
def test_what_is_opened_during_ctrl_c_is_closed() -> None:
    begun, session = threading.Event(), FakeSession({})
    closed: list[bool] = []
    session.close = lambda: closed.append(True)  # type: ignore[method-assign]

    def opens(visit: Visit) -> Iterator[Finding]:
        begun.set()
        time.sleep(0.3)
        visit.session = session
        yield ok("opened")

    def interrupt() -> None:
        begun.wait()
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    threading.Thread(target=interrupt).start()
    visit = Visit(Connection(kind=Kind.DEMO))
    with pytest.raises(KeyboardInterrupt), closing(visit):
        list(walk([Probe("a", "A", opens)], visit))
    assert closed == [True]


def test_lines_for_people() -> None:
    step = Step("a", "A step", (ok("fine"), warning("W", "but \x1b[31mthis")), 0.5)
    assert step_lines(step) == (
        "ok       A step             fine (500 ms)\n"
        "warning                     but \\u{1b}[31mthis\n"
    )


NAMES = [
    ("server01", ["server01"], True),
    ("SERVER01.example.com.", ["server01.Example.com"], True),
    ("server01", ["server01.example.com"], False),
    ("a.example.com", ["*.example.com"], True),
    ("a.b.example.com", ["*.example.com"], False),
    ("example.com", ["*.example.com"], False),
    ("example.com", ["*.com"], False),
    ("bücher.example.com", ["xn--bcher-kva.example.com"], True),
    ("10.0.0.1", ["10.0.0.1"], True),
    ("10.0.0.1", ["*.0.0.1"], False),
    ("fe80::1%eth0", ["fe80::1"], True),
    ("server01", [], False),
]


@pytest.mark.parametrize(("host", "names", "expected"), NAMES)
def test_whom_a_certificate_is_for(host: str, names: list[str], expected: bool) -> None:
    assert is_for(host, names) is expected


def run(*words: str) -> tuple[int, str, str]:
    stdout, stderr = io.StringIO(), io.StringIO()
    code = main(words, stdout, stderr)
    return code, stdout.getvalue(), stderr.getvalue()


def test_the_command_line() -> None:
    code, said, problems = run("doctor", "demo")
    assert (code, problems) == (0, "")
    assert said.endswith("An export from demo would work.\n")
    code, said, problems = run("doctor", f"winrm://localhost:{free_port()}")
    assert (code, problems) == (1, "")
    assert "fault    Port" in said
    assert "    Enable-PSRemoting -Force\n" in said
    code, said, _ = run("doctor", "demo", "-AsJson")
    assert code == 0
    assert json.loads(said)["works"] is True
    assert run("doctor")[0] == 2
    assert run("doctor", "winrm://me:hunter2@h")[0] == 2


def test_a_saved_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "psexport.toml").write_text('[sessions.x]\nSession = "replay:nope"\n')
    code, said, _ = run("doctor", "x", "-AsJson")
    assert code == 1
    assert json.loads(said)["cause"]["id"] == "FileUnusable"
