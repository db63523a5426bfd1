"""What sessions with a live host have in common, however they reach it."""

from __future__ import annotations

import abc
from collections.abc import Iterator

from ..errors import TransportError
from .base import Answer, Record, Stream


class LiveAnswer(Answer):
    """An answer whose records are waited for one after another."""

    #: Nothing more is to be said: its last word was, or nobody wants to hear it.
    _told = False

    @abc.abstractmethod
    def next_record(self) -> Record:
        """The next record, once it is there."""

    def __iter__(self) -> Iterator[Record]:
        while not self._told:
            record = self.next_record()
            self._told = record.stream is Stream.STATE
            yield record


def unheard(name: str, seconds: float) -> TransportError:
    """The error for a host that said nothing for so long."""
    return TransportError(
        f"nothing was heard from {name} for {seconds:g} s",
        id="ErrorSessionTimeout",
        phase="run",
        target=name,
        hint="see whether the host is busy, or allow more with -OperationTimeout",
    )


def closed(name: str) -> TransportError:
    """The error for a question to a session that was closed."""
    return TransportError(
        f"the session with {name} is closed",
        id="ErrorSessionBroken",
        phase="run",
        target=name,
        hint="open a new session",
    )


__all__ = ["LiveAnswer", "closed", "unheard"]
