"""Wildcard patterns, as System.Management.Automation.WildcardPattern matches them.

``*`` is any text, ``?`` one UTF-16 unit, ``[a-z]`` one of a class, a backtick takes
the next character as itself. ``]`` right after ``[`` is a member, there is no
negation, and case is ignored.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

from ..errors import UsageError
from .characters import fold

_SPECIAL = frozenset("*?[`")


class Wildcard:
    """A compiled pattern.

    :param pattern: the pattern as a person typed it.
    :raises UsageError: if the pattern is no pattern (``[a``, ``[z-a]``).
    """

    __slots__ = ("_match", "pattern")

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        head, *rest = _translate(pattern)
        # Each part between two stars is found at the first place where it fits, once
        # and for all: no pattern can take more than (pattern x text) steps.
        *middle, tail = rest or [""]
        expression = head + "".join(f"(?>.*?{part})" for part in middle)
        expression += (".*" if rest else "") + tail
        self._match = re.compile(expression, re.DOTALL).fullmatch

    def matches(self, text: str) -> bool:
        """Whether the whole of *text* fits, in any case."""
        return self._match(fold(_units(text))) is not None

    def __repr__(self) -> str:
        return f"Wildcard({self.pattern!r})"


@functools.lru_cache(maxsize=512)
def _compiled(pattern: str) -> Wildcard:
    return Wildcard(pattern)


def matches(pattern: str, text: str) -> bool:
    """Whether the whole of *text* fits *pattern*, in any case.

    :raises UsageError: if *pattern* is no pattern.
    """
    return _compiled(pattern).matches(text)


def has_wildcards(pattern: str) -> bool:
    """Whether *pattern* can fit more than one name; a name given literally cannot."""
    escaped = False
    for character in pattern:
        if not escaped and character in "*?[":
            return True
        escaped = character == "`" and not escaped
    return False


def _units(text: str) -> str:
    """Split characters beyond the basic plane into surrogates, as .NET has them."""
    if text.isascii() or max(text) <= "\uffff":
        return text
    raw = text.encode("utf-16-le", "surrogatepass")
    return "".join(
        chr(int.from_bytes(raw[at : at + 2], "little")) for at in range(0, len(raw), 2)
    )


def _translate(pattern: str) -> list[str]:
    """Write what is between the stars as regular expressions over folded text."""
    parts = [""]
    characters = iter(_units(pattern))
    for character in characters:
        if character == "*":
            parts.append("")
        elif character == "?":
            parts[-1] += "."
        elif character == "[":
            parts[-1] += _translate_class(pattern, characters)
        else:
            if character == "`":
                # A backtick at the very end is itself; one alone is nothing at all.
                character = next(characters, "" if pattern == "`" else "`")
            parts[-1] += re.escape(fold(character))
    return parts


def _translate_class(pattern: str, characters: Iterator[str]) -> str:
    """Translate what follows an opening bracket, up to the closing one."""
    members: list[tuple[str, bool]] = []  # (character, is an unescaped dash)
    for character in characters:
        if character == "]" and members:
            break
        if character == "`":
            escaped = next(characters, None)
            if escaped is None:
                raise _invalid(pattern)
            members.append((escaped, False))
        else:
            members.append((character, character == "-"))
    else:
        raise _invalid(pattern)

    parts = []
    at = 0
    while at < len(members):
        if at + 2 < len(members) and members[at + 1][1]:
            low, high = members[at][0], members[at + 2][0]
            # A range up to "[" is an error in PowerShell, whatever it starts at.
            if low > high or high == "[":
                raise _invalid(pattern)
            parts.append(_folded_range(low, high))
            at += 3
        else:
            parts.append(re.escape(fold(members[at][0])))
            at += 1
    return "[" + "".join(parts) + "]"


def _folded_range(low: str, high: str) -> str:
    """Write the members of a range as they look when they are folded."""
    return "".join(
        re.escape(character)
        for character in sorted({fold(chr(c)) for c in range(ord(low), ord(high) + 1)})
    )


def _invalid(pattern: str) -> UsageError:
    return UsageError(
        f"The wildcard pattern {pattern!r} is not valid",
        id="WildcardPatternInvalid",
        target=pattern,
        hint="Close each [ with ], write ranges upwards, or put a ` before a bracket"
        " that is meant literally.",
    )
