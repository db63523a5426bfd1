"""Going through the steps: each in its time, none whose ground is missing.

The steps of a kind of session are a table. Each names the steps that it stands on, and
is left out where one of those failed; so a fault ends what depends on it, and nothing
else. The looking is done in one thread, and whoever waits for it does not wait longer
than a step's time. But what keeps its own time, and has something to put away if it is
interrupted, is done by whoever called: Ctrl-C reaches no other thread.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ..errors import PSExportError
from .findings import Finding, Outcome, Step, fault, skipped
from .session import found_in
from .visit import Visit

#: Looks at one thing, and yields what it finds.
Look = Callable[[Visit], Iterator[Finding]]

_Jobs = queue.SimpleQueue[Callable[[], None] | None]

#: Seconds that a step has to come to its end when everything is to end.
_GRACE = 3.0


@dataclass(frozen=True, slots=True)
class Probe:
    """One row of a table of steps.

    :ivar name: stable name, for scripts.
    :ivar title: name for people.
    :ivar look: what is done.
    :ivar needs: names of steps that must have gone well before.
    :ivar in_person: whether whoever called does it, for as long as it takes: where a
        person may be asked, and where Ctrl-C must find something to close.
    :ivar seconds: how long it may take otherwise.
    """

    name: str
    title: str
    look: Look
    needs: tuple[str, ...] = ()
    seconds: float = 30.0
    in_person: bool = False


def walk(probes: Sequence[Probe], visit: Visit) -> Iterator[Step]:
    """Go through the steps, and yield each when it is done."""
    worker = _Worker()
    titles = {probe.name: probe.title for probe in probes}
    standing: set[str] = set()
    for probe in probes:
        missing = [name for name in probe.needs if name not in standing]
        started = time.monotonic()
        if missing:
            findings = [skipped(f"makes no sense without: {titles[missing[0]]}")]
        elif probe.in_person:
            findings = list(_looked(probe, visit))
        else:
            findings = worker.look(probe, visit)
        seconds = time.monotonic() - started
        cleaned = tuple(visit.clean(finding) for finding in findings)
        step = Step(probe.name, probe.title, cleaned, seconds)
        if not missing and step.outcome is not Outcome.FAULT:
            standing.add(probe.name)
        yield step
    worker.end()


class _Worker:
    """A thread that looks while somebody waits, but not for ever.

    One that does not come back is left alone, and another takes its place: it is a
    daemon, and what it waits for is cut off when the visit ends.
    """

    def __init__(self) -> None:
        self._jobs = _hire()

    def look(self, probe: Probe, visit: Visit) -> list[Finding]:
        """What a probe finds within its time."""
        found: list[Finding] = []
        finished = threading.Event()

        def job() -> None:
            try:
                found.extend(_looked(probe, visit))
            finally:
                finished.set()

        self._jobs.put(job)
        try:
            if finished.wait(probe.seconds):
                return found
        except BaseException:
            # Ctrl-C: what is being opened now is to be closed with the visit.
            finished.wait(_GRACE)
            raise
        self.end()
        self._jobs = _hire()
        return [fault("StepTooLong", f"this was given up after {probe.seconds:g} s")]

    def end(self) -> None:
        """Let the thread go, once it comes back."""
        self._jobs.put(None)


def _hire() -> _Jobs:
    """A thread that does one job after another, until there comes ``None``."""
    jobs: _Jobs = queue.SimpleQueue()

    def work() -> None:
        while (job := jobs.get()) is not None:
            job()

    threading.Thread(target=work, daemon=True, name="psexport-doctor").start()
    return jobs


def _looked(probe: Probe, visit: Visit) -> Iterator[Finding]:
    try:
        yield from probe.look(visit)
    except PSExportError as error:
        yield found_in(error)
    except Exception as error:
        # Hosts are strange, and a doctor who faints is of no use to anybody.
        yield fault("StepFailed", f"this ended in {type(error).__name__}: {error}")


__all__ = ["Look", "Probe", "walk"]
