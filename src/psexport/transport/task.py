"""Work that takes no longer than it may.

A socket's own time-out starts anew with each byte, so a host that says one now and then
could keep a session busy for ever. So whatever talks to a host does that in a thread of
its own, and who waits for it looks at the clock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar, cast

from . import http_failures
from .wire import Wire

_Result = TypeVar("_Result")

#: Seconds between looks at the clock; a wait without end cannot be interrupted on
#: Windows.
_TICK = 0.5


def left(deadline: float) -> float:
    """Seconds until a time of the monotonic clock; 0 when it is over."""
    return max(deadline - time.monotonic(), 0.0)


def patiently(wire: Wire, work: Callable[[], _Result], seconds: float) -> _Result:
    """Do something with a wire in a thread, and wait for it for so long at most.

    :raises TransportError: the time is over (id ``ErrorSessionTimeout``); the wire is
        of no use then.
    """
    return Task(wire, work).result(seconds)


class Task(Generic[_Result]):
    """Work with a wire, done in a thread of its own."""

    def __init__(self, wire: Wire, work: Callable[[], _Result]) -> None:
        self.wire = wire
        self._work = work
        self._outcome: _Result | BaseException | None = None
        self._done = threading.Event()
        threading.Thread(target=self._run, name="psexport-http", daemon=True).start()

    def result(self, seconds: float) -> _Result:
        """What came of it, or its exception, or after so long that of its silence."""
        deadline = time.monotonic() + seconds
        try:
            while not self._done.wait(min(_TICK, left(deadline))):
                if time.monotonic() >= deadline:
                    raise http_failures.silence(self.wire.connection, self.wire.step)
        except BaseException:
            self.wire.abort()
            raise
        outcome = self._outcome
        if isinstance(outcome, BaseException):
            raise outcome
        return cast(_Result, outcome)

    def _run(self) -> None:
        try:
            self._outcome = self._work()
        except BaseException as error:
            self._outcome = error
        self._done.set()


__all__ = ["Task", "left", "patiently"]
