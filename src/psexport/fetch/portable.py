"""The portable road: commands with parameters, which every endpoint takes.

Three questions make the catalogue: GET_COMMAND_METADATA, ``Get-Command
-ShowCommandInfo`` for the parameter sets, ``Get-FormatData`` for the views. The second
may go unanswered; the catalogue then knows names and types of parameters only. They
are put at the same time where the endpoint offers the same in every runspace. Help
comes last, when all that it could cost is help.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace

from .. import clixml
from ..clixml import HostError, MalformedError
from ..errors import RemoteError
from ..events import Message, OnEvent, Progress, Severity
from ..model import Catalogue, Command, CommandType, Host, HostModule, Skipped
from ..transport.base import (
    Argument,
    Call,
    Commands,
    MetadataQuery,
    Question,
    Session,
    Version,
)
from ..views import TypeViews
from . import commands, help, joining, views
from .commands import Shown
from .interview import Interview, PipelineError
from .loading import load
from .request import FetchRequest

#: More than any host has, in commands and in format entries.
MAX_COMMANDS = 200_000
MAX_VIEWS = 100_000
#: Past this many records that cannot be read, an answer is none.
MAX_UNREADABLE = 5_000

#: A restricted endpoint's Get-Command takes no more names at once.
_NAMES_AT_ONCE = 1_000
#: Questions about the parameter sets that the first one left open.
_MAX_MORE_QUESTIONS = 100
_PROGRESS_EVERY = 25
#: Types of commands that all hosts know and that have parameters of their own.
_COMMON_TYPES = CommandType.FUNCTION | CommandType.FILTER | CommandType.CMDLET
#: Types of commands that hosts of some versions do not know: first and last version.
_VERSIONS = {CommandType.WORKFLOW: (3, 5), CommandType.CONFIGURATION: (4, 99)}
#: Ids of what a host says when it cannot answer a question at all.
_UNANSWERED = frozenset(
    {"ErrorFromRemoteCommand", "ErrorRequiredRemoteCommandNotFound"}
)


def fetch(
    session: Session, request: FetchRequest, host: Host, on_event: OnEvent
) -> Catalogue:
    """Ask for what the request wants, with commands only.

    :param host: what the host said of itself.
    :raises PSExportError: as :func:`psexport.fetch.fetch`.
    """
    types = _types_known_to(host, request.types)
    if request.wants_commands and not types:
        raise _nothing("the host knows no commands of the types asked for")
    interview = Interview(session, on_event)
    load(interview, request, host)
    asker = _Asker(interview, request, types)
    tasks: list[Callable[[], None]] = []
    if request.wants_commands:
        tasks += [asker.commands, asker.sets]
    if request.wants_views:
        tasks.append(asker.views)
    if request.wants_commands and host.language_mode is not None:
        tasks.append(asker.modules)
    # Where modules load by themselves, each runspace has loaded others.
    restricted = host.language_mode is None
    interview.together(tasks, at_once=len(tasks) if restricted else 1)
    if request.wants_commands:
        asker.sets_left()
    catalogue = asker.answers.catalogue(request, host)
    if request.wants_commands and request.wants_help:
        at_once = session.greeting.runspaces if restricted else 1
        topics = help.fetch(session, catalogue.commands, on_event, at_once=at_once)
        catalogue = replace(catalogue, help=topics)
    return catalogue


@dataclass(slots=True)
class _Answers:
    """What came; each list is filled by one question."""

    commands: list[Command] = field(default_factory=list)
    bad_commands: list[Skipped] = field(default_factory=list)
    sets: dict[tuple[CommandType, str], Shown] = field(default_factory=dict)
    views: list[TypeViews] = field(default_factory=list)
    bad_views: list[Skipped] = field(default_factory=list)
    modules: list[HostModule] = field(default_factory=list)

    def catalogue(self, request: FetchRequest, host: Host) -> Catalogue:
        unreadable = (*self.bad_commands, *self.bad_views)
        wanted = self.commands if request.wants_commands else self.views
        if not wanted and unreadable:
            raise RemoteError(
                f"nothing that the host sent can be read; the first: "
                f"{unreadable[0].name}: {unreadable[0].reason}",
                id="ErrorMalformedDataFromRemoteCommand",
                hint="look at what the host sends with -Debug",
            )
        if not wanted:
            what = "Get-Command" if request.wants_commands else "Get-FormatData"
            raise _nothing(f"{what} on the host returned nothing")
        merged = tuple(joining.with_sets(self.commands, self.sets))
        used = {command.module.lower() for command in merged}
        return Catalogue(
            host=host,
            commands=merged,
            views=tuple(self.views),
            modules=tuple(m for m in self.modules if m.name.lower() in used),
            unreadable=unreadable,
        )


class _Asker:
    """The questions, each a method that fills its part of the answers."""

    def __init__(
        self, interview: Interview, request: FetchRequest, types: CommandType
    ) -> None:
        self.answers = _Answers()
        self._interview = interview
        self._request = request
        self._types = types
        self._total: int | None = None
        self._tells_sets = True

    def commands(self) -> None:
        """GET_COMMAND_METADATA."""
        found, announced = self.answers.commands, False

        def read(data: bytes) -> None:
            nonlocal announced
            doc = clixml.parse(data)
            if not announced and (count := commands.expected(doc)) is not None:
                announced = True
                self._total = (self._total or 0) + max(count, 0)
                return
            found.append(commands.command(doc))
            self._check("commands", len(found), self._total, MAX_COMMANDS)

        for names in _chunks(self._request.names):
            announced = False
            question = MetadataQuery(
                names=names,
                types=self._types,
                modules=self._request.modules,
                full_modules=self._request.full_modules,
                arguments=self._request.arguments,
            )
            try:
                self._read(question, "the commands", read, self.answers.bad_commands)
            except PipelineError as failure:
                if self._request.full_modules and _is_unknown_parameter(failure.error):
                    raise RemoteError(
                        "this endpoint's Get-Command takes no module specifications",
                        id="ErrorFromRemoteCommand",
                        target="FullyQualifiedModule",
                        hint="name the modules with -Module instead",
                    ) from failure
                raise

    def sets(self) -> None:
        """``Get-Command -ShowCommandInfo``; no answer is an answer."""
        request = self._request
        # What cannot be read here costs a command its sets, not its place.
        bad: list[Skipped] = []
        modules = request.modules or tuple(s.name for s in request.full_modules)
        for names in _chunks(request.names):
            refusal = self._ask_sets(names, self._types, modules, bad)
            if refusal is not None:
                # A host may have stumbled over one of the commands, and can be asked
                # for the others; or it knows no such question.
                self._tells_sets = _may_be_one_command(refusal)
                break
        for one in bad:
            text = f"The parameter sets of {one.name} cannot be read: {one.reason}"
            self._interview.tell(Message(Severity.WARNING, text, one.id))

    def sets_left(self) -> None:
        """The parameter sets that :meth:`sets` did not get, asked for by name.

        What an alias stands for need not be among what was asked for. And a command
        that the host cannot describe costs it the whole answer: then it is asked for
        half as many, until only such commands are left.
        """
        names = joining.without_sets(self.answers.commands, self.answers.sets)
        types = (self._types | _COMMON_TYPES) & ~CommandType.ALIAS
        waiting = list(_chunks(tuple(names))) if self._tells_sets else []
        for _ in range(_MAX_MORE_QUESTIONS):
            if not waiting:
                return
            names = waiting.pop()
            refusal = self._ask_sets(names, types, (), [])
            if refusal is not None and _may_be_one_command(refusal) and names[1:]:
                half = len(names) // 2
                waiting += [names[half:], names[:half]]

    def _ask_sets(
        self,
        names: tuple[str, ...],
        types: CommandType,
        modules: tuple[str, ...],
        bad: list[Skipped],
    ) -> RemoteError | None:
        """Ask for parameter sets; the error if the host does not answer."""
        found = self.answers.sets

        def read(data: bytes) -> None:
            told = commands.shown(clixml.parse(data))
            found.setdefault((told.type, told.name.lower()), told)
            self._check("parameter sets", len(found), self._total, MAX_COMMANDS)

        parameters: list[tuple[str, Argument]] = [
            ("Name", names),
            ("CommandType", _type_names(types)),
            ("ShowCommandInfo", True),
            ("ListImported", True),
        ]
        if modules:
            parameters.append(("Module", modules))
        if self._request.arguments:
            parameters.append(("ArgumentList", self._request.arguments))
        question = Commands((Call("Get-Command", tuple(parameters)),))
        return self._read_if_answered(question, "the parameter sets", read, bad)

    def views(self) -> None:
        """``Get-FormatData``, with our version where the host knows what that is."""
        found = self.answers.views
        version: tuple[tuple[str, Argument], ...] = (
            ("PowerShellVersion", Version(self._request.client_version)),
        )

        def read(data: bytes) -> None:
            found.append(views.decode(data))
            self._check("views", len(found), None, MAX_VIEWS)

        def ask(names: tuple[str, ...]) -> None:
            question = Commands(
                (Call("Get-FormatData", (("TypeName", names), *version)),)
            )
            self._read(question, "the views", read, self.answers.bad_views)

        for names in _chunks(self._request.format_type_names):
            try:
                ask(names)
            except PipelineError as failure:
                if not version or not _is_unknown_parameter(failure.error):
                    raise
                version = ()
                ask(names)

    def modules(self) -> None:
        """``Get-Module``, for the versions of what the commands came from."""
        found = self.answers.modules

        def read(data: bytes) -> None:
            doc = clixml.parse(data)
            told = doc.properties(doc.root)
            found.append(
                HostModule(
                    name=clixml.text(told.get("Name")),
                    version=clixml.text(told.get("Version")),
                    guid=clixml.text(told.get("Guid")).lower(),
                )
            )
            self._check("modules", len(found), None, MAX_COMMANDS)

        properties = ("Name", "Version", "Guid")
        select = Call("Select-Object", (("Property", properties),))
        question = Commands((Call("Get-Module"), select))
        self._read_if_answered(question, "the modules", read, [])

    def _read(
        self,
        question: Question,
        what: str,
        read: Callable[[bytes], None],
        bad: list[Skipped],
        on_error: Callable[[HostError], None] | None = None,
    ) -> None:
        """Read an answer; a record that cannot be read costs that record alone."""
        answer = self._interview.ask(question, what, on_error=on_error)
        with closing(answer) as documents:
            for number, data in enumerate(documents, 1):
                try:
                    read(data)
                except MalformedError as error:
                    name = error.target or f"record {number:,} of {what}"
                    bad.append(Skipped(name, error.id, error.message))
                if len(bad) > MAX_UNREADABLE:
                    raise _too_many("records that cannot be read", MAX_UNREADABLE)

    def _read_if_answered(
        self,
        question: Question,
        what: str,
        read: Callable[[bytes], None],
        bad: list[Skipped],
    ) -> RemoteError | None:
        """Read an answer that the catalogue can do without; the error if none came."""

        def whisper(error: HostError) -> None:
            self._interview.tell(Message(Severity.VERBOSE, str(error), error.id))

        try:
            self._read(question, what, read, bad, whisper)
        except RemoteError as error:
            if error.id not in _UNANSWERED:
                raise
            text = f"The host does not tell {what}: {error.message}"
            self._interview.tell(Message(Severity.VERBOSE, text, error.id))
            return error
        return None

    def _check(self, what: str, done: int, total: int | None, limit: int) -> None:
        if done > limit:
            raise _too_many(what, limit)
        if done % _PROGRESS_EVERY == 0 or done == total:
            self._interview.tell(Progress(what, done, total))


def _types_known_to(host: Host, types: CommandType) -> CommandType:
    major = host.version.partition(".")[0]
    if not major.isdecimal():
        return types
    for kind, (first, last) in _VERSIONS.items():
        if not first <= int(major[:4]) <= last:
            types &= ~kind
    return types


def _type_names(types: CommandType) -> str:
    """``Alias, Function``, as PowerShell reads an enum of flags from text."""
    return ", ".join(
        (kind.name or "").title().replace("_", "")
        for kind in CommandType
        if kind.bit_count() == 1 and kind & types
    )


def _chunks(names: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for start in range(0, len(names), _NAMES_AT_ONCE):
        yield names[start : start + _NAMES_AT_ONCE]


def _may_be_one_command(refusal: RemoteError) -> bool:
    """Whether a host that is asked for fewer commands may answer."""
    return (
        isinstance(refusal, PipelineError)
        and refusal.id == "ErrorFromRemoteCommand"
        and not _is_unknown_parameter(refusal.error)
    )


def _is_unknown_parameter(error: HostError) -> bool:
    return error.id.startswith("NamedParameterNotFound")


def _nothing(message: str) -> RemoteError:
    return RemoteError(
        message,
        id="ErrorNoResultsFromRemoteEnd",
        hint="check the names and types asked for, and what the endpoint shows; "
        "-Module loads a module that it names in full",
    )


def _too_many(what: str, limit: int) -> RemoteError:
    return RemoteError(
        f"the host sends more than {limit:,} {what}",
        id="ErrorMalformedDataFromRemoteCommand",
        hint="ask for less, and do not trust this host",
    )
