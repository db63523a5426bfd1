"""The records of the compact road's answer, put together to a catalogue.

A record is a list that starts with its kind. Types and parameters are numbered in the
order in which they come, and a command refers to its parameters by number: what many
commands share is sent, decoded and kept once. The record ``end`` is the last and
tells how many of each kind there were.

Counts are bounded. A record that is not what it should be costs that record, and what
refers to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from sys import intern
from typing import Any

from ..clixml import HostError, MalformedError
from ..errors import RemoteError
from ..events import Message, OnEvent, Problem, Progress, Severity
from ..model import (
    ALL_SETS,
    Catalogue,
    Command,
    CommandType,
    Detail,
    Help,
    Host,
    HostModule,
    Membership,
    Parameter,
    Skipped,
    Validation,
    ValidationKind,
)
from ..views import TypeViews
from . import topics, views
from .host import fact
from .pieces import Pieces, broken
from .request import FetchRequest
from .type_names import type_name

#: Entries of a kind, and places in which commands refer to parameters.
MAX_RECORDS = 1_000_000
MAX_REFERENCES = 10_000_000
#: As on the portable road: of one command, and of records that cannot be read.
MAX_PARAMETERS = 1_000
MAX_SETS = 64
MAX_UNREADABLE = 5_000

_SWITCH = "System.Management.Automation.SwitchParameter"
_CASELESS_ALL_SETS = ALL_SETS.lower()
_ONE_TYPE = frozenset(t for t in CommandType if t.bit_count() == 1)
_KINDS = {kind.value: kind for kind in ValidationKind}
_DEFAULT_MEMBERSHIPS = (Membership(),)
_PROGRESS_EVERY = 250

#: What a record that is not what it should be raises while it is taken apart.
_MISFITS = (TypeError, ValueError, LookupError, AttributeError, MalformedError)


@dataclass(frozen=True, slots=True)
class _Type:
    """A parameter type, with its values if it is an enum."""

    name: str
    values: tuple[str, ...]
    is_flags: bool


class Reader:
    """Puts a catalogue together from pieces, in the order in which they come.

    :param on_event: told how far it is, and what the host could not do.
    """

    def __init__(self, on_event: OnEvent) -> None:
        self._on_event = on_event
        self._pieces = Pieces()
        self._references = 0
        self._expected: int | None = None
        self._ended = False
        self._types: list[_Type | None] = []
        self._parameters: list[Parameter | None] = []
        self._commands: list[Command] = []
        self._views: list[TypeViews] = []
        self._help: dict[str, Help] = {}
        self._modules: list[HostModule] = []
        self._unreadable: list[Skipped] = []
        self._counts = dict.fromkeys(("command", "view", "help", "failed"), 0)
        self._memberships: dict[tuple[Any, ...], Membership] = {}
        self._validations: dict[tuple[str, ...], Validation] = {}
        self._read: dict[str, Callable[..., None]] = {
            "parameter": self._parameter,
            "command": self._command,
            "type": self._type,
            "view": self._view,
            "help": self._topic,
            "comment": self._comment,
            "module": self._module,
            "failed": self._failed,
            "problem": self._problem,
            "expect": self._expect,
            "end": self._end,
        }

    def take(self, data: bytes) -> Sequence[Command]:
        """Read the next piece, and return the commands in it.

        :param data: the CLIXML document of a byte array.
        :raises RemoteError: it is not the next piece.
        """
        if self._ended:
            raise broken("goes on after its end")
        before = len(self._commands)
        for record in self._pieces.open(data):
            self._take(record)
        if len(self._types) + len(self._parameters) + self._total() > MAX_RECORDS:
            raise broken(f"has more than {MAX_RECORDS:,} records")
        return self._commands[before:]

    def whisper(self, error: HostError) -> None:
        """Pass on what the host complains of without it costing anything."""
        self._on_event(Message(Severity.VERBOSE, str(error), error.id))

    def catalogue(self, request: FetchRequest, host: Host) -> Catalogue:
        """The catalogue, when all pieces were taken.

        :raises RemoteError: pieces are missing, or there is nothing in them.
        """
        if not self._ended:
            raise broken("has no end")
        found = self._commands if request.wants_commands else self._views
        if not found and self._unreadable:
            first = self._unreadable[0]
            raise RemoteError(
                f"nothing that the host sent can be read; the first: {first.name}: "
                f"{first.reason}",
                id="ErrorMalformedDataFromRemoteCommand",
                hint="look at what the host sends with -Debug",
            )
        if not found:
            what = "Get-Command" if request.wants_commands else "Get-FormatData"
            raise RemoteError(
                f"{what} on the host returned nothing",
                id="ErrorNoResultsFromRemoteEnd",
                hint="check the names and types asked for, and what the endpoint "
                "shows; -Module loads a module that it names in full",
            )
        return Catalogue(
            host=host,
            commands=tuple(map(self._with_help_uri, self._commands)),
            views=tuple(self._views),
            help=self._help,
            modules=tuple(self._modules),
            unreadable=tuple(self._unreadable),
        )

    def _take(self, record: Any) -> None:
        if type(record) is not list or not record:
            raise broken("has a record that is none")
        kind = record[0]
        read = self._read.get(kind) if type(kind) is str else None
        if read is None or self._ended:
            raise broken(f"has a record of the unknown kind {str(kind)[:40]!r}")
        counted = "help" if kind == "comment" else kind
        if counted in self._counts:
            self._counts[counted] += 1
        try:
            read(*record[1:])
        except _MISFITS as error:
            self._misfit(kind, record, error)

    def _misfit(self, kind: str, record: list[Any], error: Exception) -> None:
        """A record that cannot be read; what refers to it later cannot either."""
        if kind == "type":
            self._types.append(None)
            return
        if kind == "parameter":
            self._parameters.append(None)
            return
        if kind in ("end", "expect"):
            raise broken(f"has a record {kind!r} that cannot be read") from error
        name, why = _name_in(record), str(error)
        if isinstance(error, MalformedError):
            name, why = error.target or name, error.message
        self._skip(name, "ErrorMalformedDataFromRemoteCommand", why[:200])

    def _skip(self, name: str, id: str, reason: str) -> None:
        self._unreadable.append(Skipped(fact(name), id, fact(reason)))
        if len(self._unreadable) > MAX_UNREADABLE:
            raise broken(
                f"has more than {MAX_UNREADABLE:,} records that are unreadable"
            )

    # One method a kind of record; what does not fit raises one of _MISFITS.

    def _type(self, name: str, values: list[str], is_flags: int) -> None:
        self._types.append(_Type(type_name(_text(name)), _texts(values), is_flags == 1))

    def _parameter(
        self,
        names: list[str],
        number: int,
        flags: int,
        places: list[list[Any]],
        checks: list[list[str]],
        completions: list[str],
    ) -> None:
        kind = self._types[_index(number)]
        if kind is None:
            raise ValueError("a parameter of a type that cannot be read")
        name, *aliases = map(intern, names)
        flags = _index(flags)
        memberships = [self._membership(tuple(place)) for place in places]
        self._parameters.append(
            Parameter(
                name,
                kind.name,
                tuple(aliases),
                kind.name == _SWITCH,
                flags & 1 != 0,
                tuple(memberships) or _DEFAULT_MEMBERSHIPS,
                tuple(self._validation(_texts(check)) for check in checks),
                kind.values,
                kind.is_flags,
                _texts(completions),
                flags & 2 != 0,
                flags & 4 != 0,
            )
        )

    def _membership(self, place: tuple[Any, ...]) -> Membership:
        known = self._memberships.get(place)
        if known is None:
            name, position, how = place
            if type(position) is not int or type(how) is not int:
                raise ValueError("a place in a parameter set that is none")
            known = self._memberships[place] = Membership(
                intern(name) or ALL_SETS,
                # A parameter that is bound by name only has the least Int32 there is.
                position if position >= 0 else None,
                how & 1 != 0,
                how & 2 != 0,
                how & 4 != 0,
                how & 8 != 0,
            )
        return known

    def _validation(self, check: tuple[str, ...]) -> Validation:
        known = self._validations.get(check)
        if known is None:
            known = Validation(_KINDS[check[0]], check[1:])
            self._validations[check] = known
        return known

    def _command(
        self,
        kind: int,
        says: int,
        texts: list[str],
        output_types: list[str],
        numbers: list[int],
    ) -> None:
        name, module, resolved, help_uri, default, impact = map(intern, texts)
        if not name:
            raise ValueError("a command without a name")
        if kind not in _ONE_TYPE:
            raise ValueError(f"a command of the unknown type {kind}")
        says = _index(says)
        if len(numbers) > MAX_PARAMETERS:
            raise ValueError(f"a command with more than {MAX_PARAMETERS} parameters")
        self._references += len(numbers)
        if self._references > MAX_REFERENCES:
            raise broken(f"has more than {MAX_REFERENCES:,} parameters")
        if numbers and min(numbers) < 0:
            raise ValueError("a parameter that was not sent")
        known = self._parameters
        parameters = []
        for number in numbers:
            parameter = known[number]
            if parameter is None:
                raise ValueError("a parameter that cannot be read")
            parameters.append(parameter)
        if len({p.name.lower() for p in parameters}) != len(parameters):
            raise ValueError("two parameters of one name")
        if default.lower() == _CASELESS_ALL_SETS:
            default = ""
        is_alias = kind == CommandType.ALIAS
        self._commands.append(
            Command(
                name=name,
                type=CommandType(kind),
                module=module,
                help_uri=help_uri,
                resolved_name=(resolved or None) if is_alias else None,
                parameters=tuple(parameters),
                detail=Detail.FULL,
                sets=_sets(default, parameters),
                default_set=default or None,
                advanced=None if is_alias and not resolved else says & 1 != 0,
                output_types=tuple(map(type_name, _texts(output_types))),
                supports_should_process=says & 2 != 0,
                confirm_impact=impact,
                supports_paging=says & 4 != 0,
                supports_transactions=says & 8 != 0,
                positional_binding=says & 32 == 0,
                has_dynamic_parameters=says & 16 != 0,
            )
        )
        count = len(self._commands)
        if count % _PROGRESS_EVERY == 0 or count == self._expected:
            self._on_event(Progress("commands", count, self._expected))

    def _view(self, document: str) -> None:
        self._views.append(views.decode(_inner(document)))

    def _topic(self, name: str, document: str) -> None:
        self._help[_text(name)] = topics.from_topic(name, _inner(document))

    def _comment(self, name: str, document: str, parameters: list[str]) -> None:
        self._help[_text(name)] = topics.from_comment(
            name, _inner(document), _texts(parameters)
        )

    def _module(self, texts: list[str]) -> None:
        name, version, guid = map(_text, texts)
        self._modules.append(HostModule(name, version, guid.lower()))

    def _failed(self, texts: list[str]) -> None:
        name, reason = map(_text, texts)
        self._skip(name, "ErrorFromRemoteCommand", reason)

    def _problem(self, texts: list[str]) -> None:
        name, reason = map(_text, texts)
        skipped = Skipped(fact(name), "ErrorFromRemoteCommand", fact(reason))
        self._on_event(Problem(skipped))

    def _expect(self, count: int) -> None:
        self._expected = _index(count)

    def _end(self, *counts: int) -> None:
        if list(counts) != list(self._counts.values()):
            raise broken("tells of other records than those that came")
        self._ended = True

    def _with_help_uri(self, command: Command) -> Command:
        """The command; its help names a page where its attributes do not."""
        topic = self._help.get(command.resolved_name or command.name)
        if command.help_uri or topic is None:
            return command
        pages = (uri for _, uri in topic.links if uri.startswith("http"))
        return replace(command, help_uri=next(pages, ""))

    def _total(self) -> int:
        return sum(self._counts.values()) + len(self._modules)


def _inner(document: str) -> bytes:
    """The object of a document of PSSerializer, as a record has it."""
    start, end = document.index("<Obj "), document.rindex("</Objs>")
    return document[start:end].encode("utf-8", "replace")


def _sets(default: str, parameters: list[Parameter]) -> tuple[str, ...]:
    """Parameter sets in the host's order: the default, then as parameters name them."""
    found = {default.lower(): default} if default else {}
    for parameter in parameters:
        for place in parameter.memberships:
            if place.set != ALL_SETS:
                found.setdefault(place.set.lower(), place.set)
    if len(found) > MAX_SETS:
        raise ValueError(f"a command with more than {MAX_SETS} parameter sets")
    return tuple(found.values()) or (ALL_SETS,)


def _index(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("something else where a number should be")
    return value


def _text(value: object) -> str:
    if type(value) is not str:
        raise ValueError("something else where text should be")
    return value


def _texts(values: object) -> tuple[str, ...]:
    if type(values) is not list:
        raise ValueError("something else where a list should be")
    return tuple(map(intern, values))


def _name_in(record: list[Any]) -> str:
    """What a record that cannot be read is about, as well as it can be told."""
    for field in record[1:]:
        if type(field) is list and field:
            field = field[0]
        if type(field) is str and field and not field.startswith("<"):
            return field[:100]
    return f"a {record[0]}"


__all__ = ["Reader"]
