"""A shell on a WSMan host: made once, removed for sure.

Theory of operation. Of a Create whose answer is never heard, because the connection
broke or somebody pressed Ctrl-C, nobody knows what comes: the host may be making the
shell right now. So the shell has its id from here, and is deleted under that id; and
as long as an answer is owed, again and again, until there is something to delete.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from ..errors import TransportError
from . import wsman_faults
from .http_failures import DroppedError
from .task import left, patiently
from .wire import MAX_REDIRECTIONS, RedirectedError, Wire
from .wires import Wires
from .wsman_faults import Fault

_Result = TypeVar("_Result")

#: Seconds between looks whether a shell that was asked for is there by now.
_PAUSE = 0.25


class HostedShell:
    """A shell, from its Create to its Delete.

    :param wires: where to.
    :ivar id: as it is proposed to the host, then as the host says.
    """

    def __init__(self, wires: Wires, id: str) -> None:
        self.id = id
        self._wires = wires
        #: The wire over which it was asked for, which knows whether it got there.
        self._asked: Wire | None = None
        self._exists = False
        self._unanswered = False

    def create(self, create: Callable[[Wire], str], seconds: float) -> None:
        """Make it, wherever the host sends one that may be sent.

        :param create: asks for it, and returns the id that the host says.
        :raises TransportError: there is none, for all one knows.
        """
        deadline = time.monotonic() + seconds
        for _ in range(MAX_REDIRECTIONS + 1):
            try:
                return self.run(lambda wire: self._create(wire, create), left(deadline))
            except RedirectedError as elsewhere:
                self._wires.connection = elsewhere.connection
                self._wires.drop()
        name = self._wires.connection.name
        raise TransportError(
            f"{name} sends this session on and on",
            id="ErrorRedirected",
            phase="open",
            target=name,
            hint="open a new session and try again",
        )

    def remove(self, delete: Callable[[Wire, float], None], seconds: float) -> None:
        """Delete it; what goes wrong then is nobody's business any more.

        :param delete: asks for that, within so many seconds.
        """
        if not self._exists and not (self._asked and self._asked.reached):
            return
        deadline = time.monotonic() + seconds

        def ends(wire: Wire) -> bool:
            return self._ends(wire, delete, left(deadline))

        attempts = 2
        while attempts and time.monotonic() < deadline:
            try:
                if self.run(ends, left(deadline)):
                    return
                time.sleep(min(_PAUSE, left(deadline)))
            except RedirectedError:
                return
            except TransportError:
                attempts -= 1

    def run(self, work: Callable[[Wire], _Result], seconds: float) -> _Result:
        """Do something with it, over a wire of its own, in bounded time.

        :raises TransportError: also for what the host faults.
        """
        with self._wires.one() as wire:
            try:
                return patiently(wire, lambda: work(wire), seconds)
            except Fault as fault:
                refusal = fault
        # A fault is an answer: the wire is as good as before.
        raise self.explained(refusal)

    def explained(self, fault: Fault) -> TransportError:
        """What a fault means."""
        return wsman_faults.explain(fault, self._wires.connection, self._wires.phase)

    def _create(self, wire: Wire, create: Callable[[Wire], str]) -> None:
        self._asked, self._unanswered = wire, True
        try:
            self.id = create(wire)
        except Fault as fault:
            self._unanswered = fault.code == wsman_faults.TIMED_OUT
            if not self._unanswered:
                self._asked = None
            raise
        except TransportError as error:
            late = error.id == "ErrorSessionTimeout"
            self._unanswered = late or isinstance(error, DroppedError)
            raise
        self._exists, self._unanswered = True, False

    def _ends(
        self, wire: Wire, delete: Callable[[Wire, float], None], seconds: float
    ) -> bool:
        """Delete it; false if it is not there, but may still come."""
        try:
            delete(wire, seconds)
        except Fault as fault:
            missing = fault.code == wsman_faults.SHELL_NOT_FOUND
            return not (missing and self._unanswered)
        return True


__all__ = ["HostedShell"]
