"""What of a host's catalogue becomes a module: rules over tables, and nothing else.

A catalogue goes through them in this order, and each rule sees what the one before
has left:

1. what was not asked for is refused;
2. what the host (or, if it does not say, Export-PSSession) leaves out is left out;
3. of commands with one name, the one that the host itself would run is taken;
4. what could not safely become code is refused, or repaired;
5. what the caller's shell has already is left out, unless clobbering is allowed;
6. an alias becomes an alias if its command is exported, and a command otherwise.

Every refusal is a :class:`~psexport.model.Skipped` with the id that Export-PSSession
has for it, and costs the command that it names alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..errors import PSExportError
from ..model import (
    Alias,
    Catalogue,
    Command,
    CommandType,
    Proxy,
    Selection,
    Skipped,
)
from ..pslang import Wildcard, check_prefix, fold, has_wildcards
from .safety import Inspect, inspector, refuse_name

if TYPE_CHECKING:
    from ..views import TypeViews

#: Left out where the host does not say what to leave out.
DEFAULT_COMMANDS_TO_SKIP = (
    "Get-Command",
    "Get-FormatData",
    "Get-Help",
    "Select-Object",
    "Measure-Object",
    "Exit-PSSession",
    "Out-Default",
)

#: Of a name that a host made up, no more than this is repeated.
_MAX_SHOWN = 200

_FUNCTIONS = (
    CommandType.FUNCTION
    | CommandType.FILTER
    | CommandType.WORKFLOW
    | CommandType.CONFIGURATION
)
_PRIORITIES = (
    (CommandType.ALIAS, 0),
    (_FUNCTIONS | CommandType.SCRIPT, 1),
    (CommandType.CMDLET, 2),
    (CommandType.APPLICATION | CommandType.EXTERNAL_SCRIPT, 3),
)


@dataclass(frozen=True, slots=True)
class SelectionRequest:
    """What the caller asked for; the defaults are what Export-PSSession's are.

    :ivar names: patterns for names of commands.
    :ivar types: kinds of commands.
    :ivar format_type_names: patterns for names of types with views.
    :ivar prefix: put before the noun of every name, as Import-Module's -Prefix.
    """

    names: tuple[str, ...] = ("*",)
    types: CommandType = CommandType.DEFAULT
    format_type_names: tuple[str, ...] = ("*",)
    prefix: str = ""


def wanted(*, command_parameters: bool, format_parameter: bool) -> tuple[bool, bool]:
    """Return whether to fetch commands, and whether to fetch views.

    :param command_parameters: CommandName, CommandType, Module, FullyQualifiedModule
        or ArgumentList is given.
    :param format_parameter: FormatTypeName is given.
    """
    either = command_parameters or format_parameter
    return command_parameters or not either, format_parameter or not either


def select(
    catalogue: Catalogue,
    request: SelectionRequest | None = None,
    *,
    baseline: frozenset[str] | None = None,
    reserved: frozenset[str] = frozenset(),
    inspect: Inspect | None = None,
) -> Selection:
    """Choose what becomes a module.

    :param request: what was asked for; everything, unless said otherwise.
    :param baseline: folded names (:func:`psexport.pslang.fold`) of the commands that
        the caller's shell has and that must not be clobbered; ``None`` allows it.
    :param reserved: folded names that the module needs for functions of its own.
    :param inspect: an :func:`inspector` that may have seen commands already.
    :raises UsageError: a pattern or the prefix is no pattern or prefix.
    :raises PSExportError: ``ErrorNoCommandsImportedBecauseOfSkipping`` if there were
        commands and the baseline has them all.
    """
    request = request or SelectionRequest()
    ledger = _Ledger()
    for record in catalogue.unreadable:
        ledger.refuse(record.name, record.id, record.reason)

    commands = _requested(catalogue.commands, request, ledger)
    commands = _not_left_out(commands, catalogue, request, ledger)
    commands = _first_of_each_name(commands, ledger)
    proxies = _safe(commands, request, reserved, inspect or inspector(), ledger)
    proxies = _not_clobbering(proxies, baseline, ledger)
    proxies, aliases = _resolved(proxies, ledger)
    return Selection(
        proxies=tuple(sorted(proxies, key=lambda proxy: fold(proxy.name))),
        aliases=tuple(sorted(aliases, key=lambda alias: fold(alias.name))),
        views=_requested_views(catalogue.views, request, ledger),
        skipped=tuple(ledger.skipped),
        warnings=tuple(ledger.warnings),
        errors=tuple(ledger.errors),
    )


class _Ledger:
    """What was left out so far, and what has to be said."""

    def __init__(self) -> None:
        self.skipped: list[Skipped] = []
        self.errors: list[Skipped] = []
        self.warnings: list[str] = []

    def skip(self, name: str, id: str, reason: str) -> None:
        """Note what was left out by a rule of the game."""
        self.skipped.append(Skipped(name[:_MAX_SHOWN], id, reason))

    def refuse(self, name: str, id: str, reason: str) -> None:
        """Note what was left out because something is wrong with it."""
        self.skip(name, id, reason)
        self.errors.append(self.skipped[-1])


def _requested(
    commands: Sequence[Command], request: SelectionRequest, ledger: _Ledger
) -> list[Command]:
    patterns = [Wildcard(pattern) for pattern in request.names]
    types = request.types
    if types & _FUNCTIONS:
        types |= _FUNCTIONS  # asking for one kind of function may bring the others
    kinds = frozenset(types)
    kept = []
    for command in commands:
        if command.type in kinds and _matches_name(patterns, command.name):
            kept.append(command)
        else:
            ledger.refuse(
                command.name,
                "ErrorSkippedNonRequestedCommand",
                "The host sent a command that was not asked for",
            )
    return kept


def _matches_name(patterns: Sequence[Wildcard], name: str) -> bool:
    if any(pattern.matches(name) for pattern in patterns):
        return True
    stem = name[:-4]
    return fold(name).endswith(".PS1") and any(p.matches(stem) for p in patterns)


def _not_left_out(
    commands: Sequence[Command],
    catalogue: Catalogue,
    request: SelectionRequest,
    ledger: _Ledger,
) -> list[Command]:
    told = catalogue.host.commands_to_skip
    names = DEFAULT_COMMANDS_TO_SKIP if told is None else told
    left_out = frozenset(map(fold, names))
    literal = [Wildcard(name) for name in request.names if not has_wildcards(name)]
    kept = []
    for command in commands:
        if fold(command.name) in left_out and not _matches_name(literal, command.name):
            ledger.skip(
                command.name,
                "CommandToSkip",
                "The host leaves it out; name it literally to have it"
                if told is not None
                else "Left out unless it is named literally",
            )
        else:
            kept.append(command)
    return kept


def _first_of_each_name(commands: Sequence[Command], ledger: _Ledger) -> list[Command]:
    by_name: dict[str, Command] = {}
    for command in sorted(commands, key=_priority):  # stable: the first one wins
        first = by_name.setdefault(fold(command.name), command)
        if first is not command:
            ledger.skip(
                command.name,
                "CommandOfSameName",
                f"On the host {first.name!r} is another command, which comes first",
            )
    return list(by_name.values())


def _priority(command: Command) -> int:
    for types, priority in _PRIORITIES:
        if command.type & types:
            return priority
    return len(_PRIORITIES)


def _safe(
    commands: Sequence[Command],
    request: SelectionRequest,
    reserved: frozenset[str],
    inspect: Inspect,
    ledger: _Ledger,
) -> list[Proxy]:
    check_prefix(request.prefix)
    proxies = []
    for command in commands:
        name = _prefixed(command.name, request.prefix)
        found = refuse_name(command.name, name, reserved) or inspect(command)
        if isinstance(found, Command):
            proxies.append(Proxy(name, found))
        else:
            ledger.refuse(command.name, *found)
    return proxies


def _prefixed(name: str, prefix: str) -> str:
    verb, dash, noun = name.partition("-")
    return f"{verb}-{prefix}{noun}" if verb and dash and noun else prefix + name


def _not_clobbering(
    proxies: Sequence[Proxy], baseline: frozenset[str] | None, ledger: _Ledger
) -> list[Proxy]:
    if baseline is None:
        return list(proxies)
    kept = [proxy for proxy in proxies if fold(proxy.name) not in baseline]
    shadowing = sorted(
        (proxy.name for proxy in proxies if fold(proxy.name) in baseline), key=fold
    )
    for name in shadowing:
        ledger.skip(
            name,
            "ErrorCommandSkippedBecauseOfShadowing",
            "The shell has a command of that name",
        )
    if shadowing and not kept:
        raise PSExportError(
            "No command is exported: the shell has commands of all the names that were"
            " asked for",
            id="ErrorNoCommandsImportedBecauseOfSkipping",
            target=_some(shadowing),
            hint="Use -AllowClobber to export them nevertheless, or say with -Baseline"
            " which shell the module is for.",
        )
    if shadowing:
        ledger.warnings.append(
            "Commands that the shell has already are not exported"
            " (-AllowClobber exports them): " + ", ".join(shadowing)
        )
    return kept


def _some(names: Sequence[str], most: int = 5) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def _resolved(
    proxies: Sequence[Proxy], ledger: _Ledger
) -> tuple[list[Proxy], list[Alias]]:
    """Part commands from aliases: an alias whose command is there needs no proxy."""
    functions = {
        fold(proxy.command.name): proxy.name
        for proxy in proxies
        if not proxy.command.type & CommandType.ALIAS
    }
    kept: list[Proxy] = []
    aliases: list[Alias] = []
    unresolved: list[str] = []
    for proxy in proxies:
        if not proxy.command.type & CommandType.ALIAS:
            kept.append(proxy)
            continue
        resolved = proxy.command.resolved_name
        target = functions.get(fold(resolved)) if resolved else None
        if resolved:
            aliases.append(Alias(proxy.name, target))
        else:
            unresolved.append(proxy.command.name)
        if target is None:
            kept.append(proxy)
    if unresolved:
        unresolved.sort(key=fold)
        ledger.errors.append(
            Skipped(
                ", ".join(unresolved),
                "ErrorCouldntResolveAlias",
                "Could not resolve remote alias: the host has no such command loaded."
                " Each becomes a command that takes any arguments",
            )
        )
    return kept, aliases


def _requested_views(
    views: Sequence[TypeViews], request: SelectionRequest, ledger: _Ledger
) -> tuple[TypeViews, ...]:
    patterns = [Wildcard(pattern) for pattern in request.format_type_names]
    kept = []
    for each in views:
        asked = tuple(
            name
            for name in each.type_names
            if name and any(pattern.matches(name) for pattern in patterns)
        )
        if asked:
            kept.append(replace(each, type_names=asked))
        if unasked := [name for name in each.type_names if name not in asked]:
            ledger.refuse(
                ", ".join(unasked),
                "ErrorSkippedNonRequestedTypeDefinition",
                "The host sent views for a type that was not asked for",
            )
    return tuple(kept)
