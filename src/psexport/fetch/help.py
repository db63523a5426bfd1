"""Help by the portable road: Get-Help, one command at a time.

Help is a courtesy: a host that has none, is slow with it, or breaks while it is asked
for it costs help, and never the export. So there are limits to how long and how much,
and what could not be had is said in one message.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress

from .. import clixml
from ..clixml import HostError, MalformedError
from ..connection import Kind
from ..errors import RemoteError, TransportError
from ..events import Answered, Asking, Event, Message, OnEvent, Progress, Severity
from ..model import Command, CommandType, Help
from ..pslang import fold, is_safe_name
from ..transport.base import Call, Commands, Session
from . import topics
from .interview import Interview

#: How long all of it may take, in seconds.
MAX_SECONDS = 120.0
MAX_TOPICS = 10_000
#: One topic as CLIXML; PowerShell's own largest are a tenth of that.
MAX_TOPIC_BYTES = 4 * 1024**2
MAX_BYTES = 256 * 1024**2

#: The help categories of the commands that are asked for. An alias has its command's.
_CATEGORIES = {
    CommandType.FUNCTION: "Function",
    CommandType.FILTER: "Filter",
    CommandType.CMDLET: "Cmdlet",
    CommandType.EXTERNAL_SCRIPT: "ExternalScript",
    CommandType.CONFIGURATION: "Configuration",
}
_PROGRESS_EVERY = 5
_MOST_NAMED = 10
#: An object of this type is help that somebody wrote; of others PowerShell made it up.
_WRITTEN = "MamlCommandHelpInfo"


def fetch(
    session: Session,
    commands: Iterable[Command],
    on_event: OnEvent,
    *,
    at_once: int = 1,
    seconds: float = MAX_SECONDS,
) -> dict[str, Help]:
    """Ask for the help of commands.

    :param commands: of the catalogue.
    :param at_once: how many questions the endpoint may be asked at the same time.
    :param seconds: how long it may take.
    :return: by command; those are missing that nobody has documented.
    """
    asker = _Asker(session, list(_asked(commands)), on_event)
    started = time.monotonic()
    on_event(Asking("the help"))
    asker.ask(at_once, seconds)
    on_event(Answered("the help", len(asker.found), time.monotonic() - started))
    if asker.missing:
        text = _what_is_missing(asker.missing, asker.why)
        # A recording lacks what nobody asked for when it was made.
        quiet = asker.id != "" and _is_recorded(session)
        severity = Severity.VERBOSE if quiet else Severity.WARNING
        on_event(Message(severity, text, asker.id))
    return asker.found


def _asked(commands: Iterable[Command]) -> Iterator[Command]:
    """The commands with help of their own, each name once."""
    seen: set[str] = set()
    # Of two commands with one name, the export takes the one of the lesser number.
    for command in sorted(commands, key=lambda one: one.type):
        name = fold(command.name)
        if command.type in _CATEGORIES and name not in seen:
            seen.add(name)
            # No other name becomes part of a module, and none of these is a pattern.
            if is_safe_name(command.name):
                yield command


class _Asker:
    """The questions, each by whoever is free.

    :ivar found: the topics that came.
    :ivar missing: the commands of which nobody knows whether they have help.
    :ivar why: what went wrong, in words.
    :ivar id: of the error, where it is Get-Help itself that is missing.
    """

    def __init__(
        self, session: Session, commands: Sequence[Command], on_event: OnEvent
    ) -> None:
        self.found: dict[str, Help] = {}
        self.why = ""
        self.id = ""
        self._interview = Interview(session, self._hear)
        self._on_event = on_event
        self._commands = commands
        self._answered: set[str] = set()
        self._next = iter(commands[:MAX_TOPICS])
        self._lock = threading.Lock()
        self._bytes = 0
        if len(commands) > MAX_TOPICS:
            self.why = f"at most {MAX_TOPICS:,} topics are asked for"

    @property
    def missing(self) -> list[str]:
        return [one.name for one in self._commands if one.name not in self._answered]

    def ask(self, at_once: int, seconds: float) -> None:
        """Ask for all, as far as the host lets."""
        clock = threading.Timer(
            seconds, self._end, [f"it took more than {seconds:g} s"]
        )
        clock.daemon = True
        clock.start()
        try:
            self._interview.together([self._work] * at_once, at_once)
        finally:
            clock.cancel()

    def _work(self) -> None:
        while (command := self._take()) is not None:
            try:
                topic = self._topic(command)
            except TransportError as error:
                self._end(error.message)
                return
            except RemoteError as error:
                if error.id == "ErrorRequiredRemoteCommandNotFound":
                    self.id = error.id
                    self._end(error.message)
                    return
                self.why = self.why or error.message
                continue
            with self._lock:
                self._answered.add(command.name)
                if topic is not None:
                    self.found[command.name] = topic
                done = len(self._answered)
            if done % _PROGRESS_EVERY == 0 or done == len(self._commands):
                self._interview.tell(Progress("help", done, len(self._commands)))

    def _take(self) -> Command | None:
        with self._lock:
            return next(self._next, None)

    def _end(self, why: str) -> None:
        """Ask no more, and wait for nothing."""
        with self._lock:
            self._next = iter(())
            self.why = why
        with suppress(TransportError):  # it may be why this is the end
            self._interview.stop()

    def _topic(self, command: Command) -> Help | None:
        """Ask for one topic; ``None`` where nobody wrote any."""
        what = f"the help of {command.name}"
        call = Call(
            "Get-Help",
            (("Name", command.name), ("Category", _CATEGORIES[command.type])),
        )
        topic = None
        answer = self._interview.ask(Commands((call,)), what, on_error=self._whisper)
        with closing(answer) as documents:
            for data in documents:
                self._count(data)
                if topic is None and _is_written(data):
                    topic = topics.from_topic(command.name, data)
        return topic

    def _count(self, data: bytes) -> None:
        if len(data) > MAX_TOPIC_BYTES:
            raise MalformedError(f"a topic of {len(data):,} bytes")
        with self._lock:
            self._bytes += len(data)
            too_much = self._bytes > MAX_BYTES
        if too_much:
            self._end(f"it is more than {MAX_BYTES // 1024**2:,} MiB")

    def _whisper(self, error: HostError) -> None:
        """Most errors say only that there is no help for this one."""
        self._interview.tell(Message(Severity.DEBUG, str(error), error.id))

    def _hear(self, event: Event) -> None:
        # One question a command is too many to tell of each.
        if not isinstance(event, Asking | Answered):
            self._on_event(event)


def _is_recorded(session: Session) -> bool:
    connection = session.connection
    return connection is not None and connection.kind in (Kind.DEMO, Kind.REPLAY)


def _is_written(data: bytes) -> bool:
    document = clixml.parse(data)
    return any(
        name == _WRITTEN or name.startswith(f"{_WRITTEN}#")
        for name in document.type_names(document.root)
    )


def _what_is_missing(missing: Sequence[str], why: str) -> str:
    named = ", ".join(missing[:_MOST_NAMED])
    if len(missing) > _MOST_NAMED:
        named += f" and {len(missing) - _MOST_NAMED:,} more"
    return f"Help shows only the syntax of {named}: {why}"


__all__ = ["fetch"]
