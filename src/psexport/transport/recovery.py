"""Asking again when a connection broke, where that is safe."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from ..errors import TransportError
from .http_failures import DroppedError

_Result = TypeVar("_Result")

#: Seconds in which a lost connection must be found again.
RECOVERY = 15.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0

#: Failures after which a new connection is worth a try, beside a dropped one.
_PASSING = frozenset({"ErrorHostUnreachable", "ErrorHostBusy", "ErrorProxy"})


def again(
    work: Callable[[], _Result], unwanted: Callable[[], bool]
) -> tuple[_Result, bool]:
    """Do something that may be done twice, until it works or it is no use.

    :param work: makes a connection of its own each time.
    :param unwanted: whether nobody waits for it any more.
    :return: its result, and whether a connection was lost on the way: what was on it
        may be lost too.
    :raises TransportError: it is no use.
    """
    give_up: float | None = None
    pause = _FIRST_PAUSE
    while True:
        try:
            return work(), give_up is not None
        except TransportError as error:
            now = time.monotonic()
            give_up = give_up or now + RECOVERY
            passing = isinstance(error, DroppedError) or error.id in _PASSING
            if not passing or now >= give_up or unwanted():
                raise
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


__all__ = ["RECOVERY", "again"]
