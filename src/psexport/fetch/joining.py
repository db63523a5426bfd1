"""Commands and their parameter sets, which the portable road asks for apart.

They are joined by name. A name need not mean one thing: a function hides the cmdlet
of its name, and an alias may stand for what its module hides from all others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from ..model import Command, CommandType
from . import commands
from .commands import Shown

#: Parameter sets by the type of their command and its name in lower case.
Told = Mapping[tuple[CommandType, str], Shown]


def with_sets(plain: Sequence[Command], sets: Told) -> Iterator[Command]:
    """The commands with their parameter sets; an alias has those of its command."""
    by_name = _by_name(sets)
    for command in plain:
        told = sets.get((command.type, command.name.lower()))
        if told is not None and not command.module:
            command = replace(command, module=told.module)
        if command.type is CommandType.ALIAS:
            told = _of_alias(command, by_name)
        yield command if told is None else commands.merge(command, told)


def without_sets(plain: Sequence[Command], sets: Told) -> tuple[str, ...]:
    """Names of commands that are not aliases, whose parameter sets nobody told."""
    by_name = _by_name(sets)
    names = dict[str, str]()
    for command in plain:
        if command.type is not CommandType.ALIAS:
            name, told = command.name, sets.get((command.type, command.name.lower()))
        elif command.resolved_name and command.parameters:
            name, told = command.resolved_name, _of_alias(command, by_name)
        else:
            continue
        if told is None and not set(name) & set("*?[]`"):
            names.setdefault(name.lower(), name)
    return tuple(names.values())


def _by_name(sets: Told) -> dict[str, list[Shown]]:
    """What is no alias, by name; a function hides a cmdlet, so it comes first."""
    found: dict[str, list[Shown]] = {}
    for (kind, name), told in sorted(sets.items(), key=lambda one: one[0][0]):
        if kind is not CommandType.ALIAS:
            found.setdefault(name, []).append(told)
    return found


def _of_alias(command: Command, by_name: dict[str, list[Shown]]) -> Shown | None:
    """What was told of an alias's command, and not of another of the same name."""
    own = {parameter.name.lower() for parameter in command.parameters}
    for told in by_name.get((command.resolved_name or "").lower(), ()):
        if own <= {parameter.name.lower() for parameter in told.parameters}:
            return told
    return None


__all__ = ["Told", "with_sets", "without_sets"]
