"""What shall go wrong, when: a table that a test hands to the server.

A `Fault` names a phase, which occurrences of it, and what happens then:

    WsmanServer(faults=[
        Fault("receive", Reset(), nth=2),
        Fault("create", Wsman(2150859173)),
        Fault("auth", Http(401), times=None),      # from the first on, for good
    ])
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Phase = Literal[
    "connect",  # a TCP connection was accepted, no byte read, TLS not begun
    "auth",  # a request on a connection that is not yet logged on
    "identify",
    "get",
    "enumerate",
    "create",
    "command",
    "send",
    "receive",
    "signal",
    "delete",
    "disconnect",
    "reconnect",
    "reattach",  # the operation that WS-Management itself calls Connect
]


@dataclass(frozen=True)
class Reset:
    """Reset the connection; `after` the operation was carried out, if so said."""

    after: bool = False


@dataclass(frozen=True)
class Stall:
    """Wait, then carry on; without `seconds`, never answer.

    A `stubborn` host carries on even if nobody waits for it any more.
    """

    seconds: float | None = None
    stubborn: bool = False


@dataclass(frozen=True)
class Half:
    """Carry out, send the head and this part of the answer, then close."""

    part: float = 0.5


@dataclass(frozen=True)
class Drop:
    """Answer in full, then close the connection without having said so."""


@dataclass(frozen=True)
class Http:
    """Answer with an HTTP status and a plain body, without carrying out."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Wsman:
    """Answer with a WSMan fault (HTTP 500), encrypted if the request was."""

    code: int
    message: str = ""
    provider: str = ""


@dataclass(frozen=True)
class Redirect:
    """Send the client elsewhere."""

    url: str
    status: int = 302


@dataclass(frozen=True)
class HostDies:
    """Kill the process behind the shell of the request, then carry on."""


@dataclass(frozen=True)
class Reboot:
    """Lose all shells and connections; accept none that lives for `seconds`."""

    seconds: float = 0.0


Effect = Reset | Stall | Half | Drop | Http | Wsman | Redirect | HostDies | Reboot


_WITHOUT_REQUEST = (Reset, Stall, Drop, Reboot)


@dataclass(frozen=True)
class Fault:
    """One row: at the `nth` occurrence of `phase` (from 1), for `times` of them."""

    phase: Phase
    effect: Effect
    nth: int = 1
    times: int | None = 1

    def __post_init__(self) -> None:
        if self.phase == "connect" and not isinstance(self.effect, _WITHOUT_REQUEST):
            raise ValueError(f"{self.effect} cannot happen before there is a request")

    def covers(self, occurrence: int) -> bool:
        if occurrence < self.nth:
            return False
        return self.times is None or occurrence < self.nth + self.times


class FaultPlan:
    """Counts the occurrences of each phase and says what is due."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self._faults = tuple(faults)
        self._seen: Counter[str] = Counter()
        self._lock = threading.Lock()

    def due(self, phase: Phase) -> Effect | None:
        """Count one more occurrence of `phase`; the first row that covers it."""
        with self._lock:
            self._seen[phase] += 1
            occurrence = self._seen[phase]
        for fault in self._faults:
            if fault.phase == phase and fault.covers(occurrence):
                return fault.effect
        return None
