"""What happens while a session is asked, as values.

Those who work tell it through one callable, an :data:`OnEvent`; whoever listens
decides what to show. A listener may raise: that ends the work, which is how
``-ErrorAction Stop`` makes the first non-terminating error fatal.

All text in here may come from a host: whoever shows it makes it harmless first.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

from .vocabulary import Skipped


@dataclass(frozen=True, slots=True)
class Asking:
    """A question is being put to the host; ``what`` is for people."""

    what: str


@dataclass(frozen=True, slots=True)
class Answered:
    """A question has been answered: how many things came, in how many seconds."""

    what: str
    count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one activity is; ``total`` is ``None`` where nobody knows."""

    activity: str
    done: int
    total: int | None = None


class Severity(enum.Enum):
    """Which of PowerShell's streams a message belongs to."""

    WARNING = "WARNING"
    INFORMATION = "INFORMATION"
    VERBOSE = "VERBOSE"
    DEBUG = "DEBUG"


@dataclass(frozen=True, slots=True)
class Message:
    """Something to say that changes nothing; ``id`` is empty where there is none."""

    severity: Severity
    text: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """A non-terminating error: it cost what it names, and the work goes on."""

    skipped: Skipped


Event = Asking | Answered | Progress | Message | Problem
OnEvent = Callable[[Event], None]


def ignore(event: object) -> None:
    """Listen to nothing."""


__all__ = [
    "Answered",
    "Asking",
    "Event",
    "Message",
    "OnEvent",
    "Problem",
    "Progress",
    "Severity",
    "ignore",
]
