"""The wires of one session: kept when they are free, so that one logon serves many."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ..connection import Connection
from ..secret import Secret
from .wire import Wire


class Wires:
    """Wires to one host, for any number of threads.

    :ivar connection: where to; may change as long as no wire is in use.
    :ivar phase: what the wires are used for from now on.
    """

    def __init__(self, connection: Connection, secret: Secret) -> None:
        self.connection = connection
        self.phase = "open"
        self._secret = secret
        self._lock = threading.Lock()
        self._free: list[Wire] = []
        self._busy: set[Wire] = set()
        self._ended = False

    def take(self) -> Wire:
        """A wire that nobody uses; to be given back."""
        with self._lock:
            wire = self._free.pop() if self._free else None
            wire = wire or Wire(self.connection, self._secret)
            wire.phase = self.phase
            self._busy.add(wire)
            return wire

    def give(self, wire: Wire, *, healthy: bool) -> None:
        """Take a wire back, for the next one or, if it is not healthy, for nobody."""
        with self._lock:
            self._busy.discard(wire)
            if healthy and not self._ended:
                self._free.append(wire)
                return
        wire.abort()
        wire.close()

    @contextmanager
    def one(self) -> Iterator[Wire]:
        """A wire for a while; it is healthy as long as nothing is raised."""
        wire = self.take()
        healthy = False
        try:
            yield wire
            healthy = True
        finally:
            self.give(wire, healthy=healthy)

    def drop(self) -> None:
        """Forget the free ones: they lead to where the host is not."""
        with self._lock:
            free, self._free = self._free, []
        for wire in free:
            wire.close()

    def end(self) -> None:
        """Close all of them, whatever they do."""
        with self._lock:
            self._ended = True
            wires = (*self._free, *self._busy)
            self._free.clear()
        for wire in wires:
            wire.abort()
            wire.close()


__all__ = ["Wires"]
