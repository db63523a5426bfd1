"""Everything that a run says: what goes where, and what the action parameters make
of it.

A :class:`Console` is the listener that the work reports to. Results go to standard
output; whatever happens on the way, to standard error.
"""

from __future__ import annotations

import threading
from typing import TextIO

from ..errors import PSExportError
from ..events import Answered, Asking, Event, Message, Problem, Progress, Severity
from ..report import MAX_MESSAGE, error_line, harmless, problem_line
from ..vocabulary import Skipped
from .binder import Bound
from .parameters import MEANINGLESS
from .progress import Display, display


class Console:
    """Says what happens, as the common parameters want it."""

    def __init__(self, bound: Bound, stdout: TextIO, stderr: TextIO) -> None:
        self.stdout = stdout
        self.debug = bound.flag("Debug")
        self._progress: Display = display(stderr, bound.text("ProgressAction"))
        self._on_error = bound.text("ErrorAction") or "Continue"
        self._actions = {
            Severity.WARNING: bound.text("WarningAction") or "Continue",
            Severity.INFORMATION: bound.text("InformationAction") or "SilentlyContinue",
            Severity.VERBOSE: "Continue"
            if bound.flag("Verbose")
            else "SilentlyContinue",
            Severity.DEBUG: "Continue" if self.debug else "SilentlyContinue",
        }
        self._lock = threading.Lock()
        for name in bound.values:
            if name in MEANINGLESS:
                self.say(Severity.WARNING, _meaningless(name))

    def __call__(self, event: Event) -> None:
        """Hear of an event; raise if an action parameter says Stop."""
        if isinstance(event, Progress):
            with self._lock:
                self._progress.update(event)
        elif isinstance(event, Asking):
            self.say(Severity.VERBOSE, f"Asking for {event.what}")
        elif isinstance(event, Answered):
            records = "record" if event.count == 1 else "records"
            text = f"Got {event.count} {records} for {event.what}"
            self.say(Severity.VERBOSE, f"{text} in {event.seconds:.2f} s")
        elif isinstance(event, Message):
            self.say(event.severity, event.text, event.id)
        elif isinstance(event, Problem):
            self._problem(event.skipped)

    def say(self, severity: Severity, text: str, id: str = "") -> None:
        """Say something on one of PowerShell's streams.

        :raises PSExportError: its action is Stop.
        """
        action = self._actions[severity]
        if action == "Stop":
            raise PSExportError(
                text,
                id=id or "ActionPreferenceStop",
                hint=f"-{severity.value.capitalize()}Action Stop ended the run here.",
            )
        if action == "Continue":
            mark = f" [{id}]" if id else ""
            self._line(f"{severity.value}: {harmless(text, MAX_MESSAGE)}{mark}")

    def _problem(self, skipped: Skipped) -> None:
        if self._on_error == "Stop":
            raise PSExportError(
                skipped.reason,
                id=skipped.id,
                target=skipped.name,
                hint="-ErrorAction Stop ended the run here.",
            )
        if self._on_error == "Continue":
            self._line(problem_line(skipped.reason, skipped.id, skipped.name))

    def fail(self, error: PSExportError) -> None:
        """Say what ended the run."""
        self._line(error_line(error))

    def write(self, text: str) -> None:
        """Write a result to standard output."""
        self.close()
        self.stdout.write(text)
        self.stdout.flush()

    def _line(self, text: str) -> None:
        with self._lock:
            self._progress.line(text)

    def close(self) -> None:
        """Take the progress away."""
        with self._lock:
            self._progress.close()


def _meaningless(name: str) -> str:
    if name == "OutBuffer":
        return "-OutBuffer has no effect: nothing is buffered outside PowerShell"
    return (
        f"-{name} has no effect: a program cannot set variables of the shell that "
        "started it; redirect its output instead"
    )
