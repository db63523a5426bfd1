"""Which arguments name a parameter, and which are values: each looked at by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..pslang.characters import DASHES


@dataclass(frozen=True, slots=True)
class Named:
    """An argument that names a parameter.

    :ivar inline: what follows the colon or equals sign; ``None`` without one.
    """

    raw: str
    name: str
    separator: str = ""
    inline: str | None = None


@dataclass(frozen=True, slots=True)
class Plain:
    """An argument that is a value."""

    text: str


class End:
    """The ``--``: what comes after it is given by position."""


Token = Named | Plain | End


def asks_for_help(arguments: Sequence[str]) -> bool:
    """Whether ``-?`` or ``--help`` is there, whatever else is wrong."""
    return any(
        isinstance(token, Named) and token.name.lower() in ("?", "h", "help")
        for token in scan(arguments)
    )


def scan(arguments: Sequence[str]) -> Iterator[Token]:
    """Say of each argument what it is."""
    ended = False
    for argument in arguments:
        if ended:
            yield Plain(argument)
        elif len(argument) == 2 and argument[0] in DASHES and argument[1] in DASHES:
            ended = True
            yield End()
        else:
            yield _named(argument) or Plain(argument)


def _named(argument: str) -> Named | None:
    """Read ``-Name``, ``-Name:value``, ``--name`` or ``--name=value``; else nothing.

    A dash before anything but a letter, ``_`` or ``?`` starts a value: ``-5``, ``-*``.
    """
    if argument[:1] not in DASHES or not argument:
        return None
    is_long = argument[1:2] != "" and argument[1] in DASHES
    body = argument[2 if is_long else 1 :]
    if not body or not (body[0].isalpha() or body[0] in "_?"):
        return None
    ends = [at for at in map(body.find, ":=" if is_long else ":") if at > 0]
    if not ends:
        name, separator, inline = body, "", None
    else:
        name, separator, inline = (
            body[: min(ends)],
            body[min(ends)],
            body[min(ends) + 1 :],
        )
    if is_long:
        name = name.replace("-", "")
    return Named(argument, name, separator, inline)
