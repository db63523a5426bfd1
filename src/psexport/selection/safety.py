"""What of a command's metadata could not safely become code.

A refusal costs the command. Where only a part would be in the way and nothing is lost
without it, the command is repaired instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..model import Command, Parameter
from ..once import once
from ..pslang import (
    COMMON_PARAMETER_ALIASES,
    COMMON_PARAMETERS,
    NameKind,
    fold,
    is_safe_name,
    why_not_definable,
)

#: PowerShell keeps the sets of a parameter in 32 bits.
MAX_PARAMETER_SETS = 32

#: Positions are Int32.
MAX_POSITION = 2**31 - 1

#: The id of an error, and its reason.
Refusal = tuple[str, str]

#: Looks at a command: returns it, repaired if need be, or why it cannot be exported.
Inspect = Callable[[Command], Command | Refusal]


def refuse_name(name: str, local: str, reserved: frozenset[str]) -> Refusal | None:
    """Say why no function can be made for a name of the host.

    :param local: the function's own name, which differs where there is a prefix.
    :param reserved: folded names that the module needs for itself.
    """
    id = NameKind.COMMAND.value
    if not (is_safe_name(name) and is_safe_name(local)):
        return id, "The name of the command is not safe"
    if reason := why_not_definable(name) or why_not_definable(local):
        return id, f"The name of the command is not safe: {reason}"
    if fold(local) in reserved:
        return id, "The module has a function of that name for itself; use -Prefix"
    return None


def inspector() -> Inspect:
    """Return what looks whether commands could safely become code.

    It gives a command back, repaired if need be, or says why it cannot be exported.
    That hangs on the command alone, so it can be done while the host still tells of
    others, and is done once. So are the parameters that commands share.
    """
    refuse_parameter = once(_refuse_parameter)

    def inspect(command: Command) -> Command | Refusal:
        for parameter in command.parameters:
            if refusal := refuse_parameter(parameter):
                return refusal
        return _refuse_together(command) or _repaired(command)

    return once(inspect)


def _refuse_parameter(parameter: Parameter) -> Refusal | None:
    if not is_safe_name(parameter.name, NameKind.PARAMETER):
        return _unsafe_part(NameKind.PARAMETER, parameter.name)
    for alias in parameter.aliases:
        if not is_safe_name(alias, NameKind.ALIAS):
            return _unsafe_part(NameKind.ALIAS, alias)
    places = parameter.memberships
    if any((place.position or 0) > MAX_POSITION for place in places):
        return _malformed(f"no parameter can be where {parameter.name!r} is")
    if len({fold(place.set) for place in places}) < len(places):
        return _malformed(f"{parameter.name!r} is in one parameter set twice")
    return None


def _refuse_together(command: Command) -> Refusal | None:
    """Say what is wrong with parameters each of which is in order."""
    names = {fold(parameter.name) for parameter in command.parameters}
    if len(names) < len(command.parameters):
        return _malformed("two parameters have the same name")
    sets = {
        place.set for parameter in command.parameters for place in parameter.memberships
    }
    sets.update(command.sets)
    if command.default_set:
        sets.add(command.default_set)
    for one in sorted(sets):
        if not is_safe_name(one, NameKind.PARAMETER_SET):
            return _unsafe_part(NameKind.PARAMETER_SET, one)
    if len(set(map(fold, sets))) > MAX_PARAMETER_SETS + 1:  # one may be all of them
        return _malformed("it has more parameter sets than PowerShell allows")
    return None


def _unsafe_part(kind: NameKind, name: str) -> Refusal:
    what = kind.name.lower().replace("_", " ")
    what = "parameter alias" if kind is NameKind.ALIAS else what
    return kind.value, f"The name of its {what} {name[:100]!a} is not safe"


def _malformed(reason: str) -> Refusal:
    return (
        "ErrorMalformedDataFromRemoteCommand",
        f"The host's metadata makes no sense: {reason}",
    )


_SHOULD_PROCESS = frozenset(("WHATIF", "WI", "CONFIRM", "CF"))
_PAGING = frozenset(("FIRST", "SKIP", "INCLUDETOTALCOUNT"))
_TRANSACTIONS = frozenset(("USETRANSACTION", "USETX"))
_COMMON = COMMON_PARAMETERS | COMMON_PARAMETER_ALIASES


def _repaired(command: Command) -> Command:
    """Take out what would make the function unusable and takes nothing away.

    A parameter that the proxy has as a common parameter is handed to the host as
    that; of two parameters with one alias, the host's binder knows only one.
    """
    # A simple function has no common parameters, and may have its own of their names.
    taken = frozenset() if command.advanced is False else _COMMON
    if command.supports_should_process:
        taken |= _SHOULD_PROCESS
    if command.supports_paging:
        taken |= _PAGING
    if command.supports_transactions:
        taken |= _TRANSACTIONS

    names = [fold(parameter.name) for parameter in command.parameters]
    if taken.isdisjoint(names) and not any(p.aliases for p in command.parameters):
        return command
    used = {*taken, *names}
    kept = tuple(
        _without_used_aliases(parameter, used)
        for key, parameter in zip(names, command.parameters, strict=True)
        if key not in taken
    )
    if kept == command.parameters:
        return command
    return replace(command, parameters=kept)


def _without_used_aliases(parameter: Parameter, used: set[str]) -> Parameter:
    """Drop aliases that something else is called; the others are used from now on."""
    if not parameter.aliases:
        return parameter
    free = []
    for alias in parameter.aliases:
        key = fold(alias)
        if key not in used:
            used.add(key)
            free.append(alias)
    if len(free) == len(parameter.aliases):
        return parameter
    return replace(parameter, aliases=tuple(free))
