"""PowerShell literals as people type them, to values: nothing is ever run.

Numbers, both kinds of quoted strings, ``$true``, ``$false``, ``$null``, bare words,
``a, b``, ``@( )`` and ``@{ }``, typed as PowerShell types the arguments of a command.
A variable or a subexpression is refused: there is nothing here to expand it.
"""

from __future__ import annotations

import re
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import NoReturn

from ..errors import UsageError
from .characters import DASHES, DOUBLE_QUOTES, SINGLE_QUOTES, fold


class LiteralSyntaxError(UsageError):
    """The text is no literal.

    :param position: where reading stopped, in characters from 0.
    """

    def __init__(self, message: str, text: str, position: int) -> None:
        super().__init__(
            f"{message} at character {position + 1} of {text!r}",
            id="InvalidLiteral",
            target=text,
            hint="Put text with special characters in single quotes.",
        )
        self.position = position


class TypedInt(int):
    """An integer whose .NET type is not just the smallest of Int32 and Int64.

    :ivar type_name: full name of the type, as ``System.Int64`` of ``1L``.
    """

    type_name: str

    def __new__(cls, value: int, type_name: str) -> TypedInt:
        """Make *value* an integer of the .NET type of this name."""
        made = super().__new__(cls, value)
        made.type_name = type_name
        return made


#: What a literal can be.
Value = None | bool | int | float | Decimal | str | list["Value"] | dict[str, "Value"]


def parse_literal(text: str) -> Value:
    """Read *text* as the value of a command's argument.

    ``cert:`` is a string, ``1`` an Int32, ``1.5`` a Double, ``2kb`` 2048, ``'a','b'`` a
    list, ``@{ModuleName='X'}`` a dictionary.

    :raises LiteralSyntaxError: if it is none, or would need to be run.
    """
    reader = _Reader(text)
    value = reader.list()
    if reader.peek():
        reader.fail(f"Unexpected {reader.peek()!r}")
    return value


_SPACE = " \t\v\f\u00a0\u0085\ufeff"
_WORD_END = frozenset(_SPACE + "\r\n,;(){}|&" + SINGLE_QUOTES + DOUBLE_QUOTES)
_MAX_DEPTH = 50
_MAX_DIGITS = 400


class _Reader:
    """A cursor over the text, with one method for each kind of literal."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0

    def fail(self, message: str) -> NoReturn:
        raise LiteralSyntaxError(message, self._text, min(self._at, len(self._text)))

    def peek(self, *, lines: bool = True) -> str:
        """Skip space, then return the next character, or nothing at the end."""
        skipped = _SPACE + "\r\n" if lines else _SPACE
        while self._text[self._at : self._at + 1] and self._text[self._at] in skipped:
            self._at += 1
        return self._text[self._at : self._at + 1]

    def list(self) -> Value:
        """``a, b``: a list, or one value by itself."""
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            self.fail("Too many values in one another")
        first = self._value()
        values = [first]
        while self.peek(lines=False) == ",":
            self._at += 1
            values.append(self._value())
        self._depth -= 1
        return values if len(values) > 1 else first

    def _value(self) -> Value:
        character = self.peek()
        if not character:
            self.fail("A value is missing")
        if character in SINGLE_QUOTES:
            return self._single_quoted()
        if character in DOUBLE_QUOTES:
            return self._double_quoted()
        if self._text.startswith("@{", self._at):
            return self._hashtable()
        if self._text.startswith("@(", self._at):
            return self._array()
        return self._word()

    def _single_quoted(self) -> str:
        parts: list[str] = []
        self._at += 1
        while True:
            character = self._text[self._at : self._at + 1]
            if not character:
                self.fail("A single-quoted string has no end")
            self._at += 1
            if character in SINGLE_QUOTES:
                following = self._text[self._at : self._at + 1]
                if not following or following not in SINGLE_QUOTES:
                    return "".join(parts)
                character = following
                self._at += 1
            parts.append(character)

    def _double_quoted(self) -> str:
        parts: list[str] = []
        self._at += 1
        while True:
            character = self._text[self._at : self._at + 1]
            if not character:
                self.fail("A double-quoted string has no end")
            self._at += 1
            if character in DOUBLE_QUOTES:
                following = self._text[self._at : self._at + 1]
                if not following or following not in DOUBLE_QUOTES:
                    return "".join(parts)
                character = following
                self._at += 1
            elif character == "`":
                character = self._escape()
            elif character == "$" and self._expands():
                self._at -= 1
                self.fail("There is nothing here to expand $ with")
            parts.append(character)

    def _escape(self) -> str:
        code = self._text[self._at : self._at + 1]
        if not code:
            self.fail("A backtick escapes nothing")
        self._at += 1
        if code == "u" and (
            point := re.compile(r"\{([0-9A-Fa-f]{1,6})\}").match(self._text, self._at)
        ):
            value = int(point[1], 16)
            if value > 0x10FFFF or 0xD800 <= value <= 0xDFFF:
                self.fail("No such character")
            self._at = point.end()
            return chr(value)
        return _ESCAPED.get(code, code)

    def _expands(self) -> bool:
        following = self._text[self._at : self._at + 1]
        return following.isalnum() or (following != "" and following in "_({$^?:")

    def _array(self) -> Value:
        self._at += 2
        values: list[Value] = []
        while self.peek() != ")":
            if self.peek() == ";":
                self._at += 1
                continue
            member = self.list()
            values.extend(member if isinstance(member, list) else [member])
            if self.peek() not in (")", ";"):
                self.fail("An array has no )")
        self._at += 1
        return values

    def _hashtable(self) -> Value:
        self._at += 2
        table: dict[str, Value] = {}
        seen: set[str] = set()
        while self.peek() != "}":
            if self.peek() == ";":
                self._at += 1
                continue
            key = self._key()
            if fold(key) in seen:
                self.fail(f"The key {key!r} is there twice")
            seen.add(fold(key))
            if self.peek() != "=":
                self.fail("A key has no =")
            self._at += 1
            table[key] = self.list()
            if self.peek(lines=False) not in ("}", ";", "\r", "\n"):
                self.fail("A hashtable has no }")
        self._at += 1
        return table

    def _key(self) -> str:
        character = self.peek()
        if character and character in SINGLE_QUOTES:
            return self._single_quoted()
        if character and character in DOUBLE_QUOTES:
            return self._double_quoted()
        word = re.compile(r"[\w.-]+").match(self._text, self._at)
        if not word:
            self.fail("A hashtable has no }" if not character else "A key is missing")
        self._at = word.end()
        return word[0]

    def _word(self) -> Value:
        start = self._at
        parts: list[str] = []
        escaped = False
        while self._at < len(self._text):
            character = self._text[self._at]
            if character == "`":
                self._at += 1
                parts.append(self._escape())
                escaped = True
                continue
            if character in _WORD_END:
                break
            parts.append(character)
            self._at += 1
        word = "".join(parts)
        if not word:
            self.fail(f"Unexpected {self._text[start : start + 1]!r}")
        if escaped and self._depth == 1:
            return word
        if word[0] == "$":
            try:
                return _CONSTANTS[fold(word)]
            except KeyError:
                self._at = start
                self.fail("There is nothing here to expand $ with")
        if word[0] in "@#<>" or self._text[self._at : self._at + 1] in _NEVER_AFTER:
            self._at = start
            self.fail(f"Unexpected {word[0]!r}")
        as_argument = self._depth == 1
        # As an argument, "-5" is text: it might have been a parameter's name.
        signed = word[0] == "+" or word[0] in DASHES
        number = None if as_argument and signed else parse_number(word)
        if number is None and not as_argument:
            self._at = start
            self.fail("Text must be in quotes here")
        return word if number is None else number


_NEVER_AFTER = tuple("({" + SINGLE_QUOTES + DOUBLE_QUOTES)
_ESCAPED = {
    "0": "\0",
    "a": "\a",
    "b": "\b",
    "e": "\x1b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
}
_CONSTANTS: dict[str, Value] = {"$TRUE": True, "$FALSE": False, "$NULL": None}

_DASH = re.escape(DASHES)
_NUMBER = re.compile(
    rf"(?P<sign>[+{_DASH}]?)"
    r"(?:0x(?P<hex>[0-9a-f]+)|0b(?P<bits>[01]+)|(?P<whole>[0-9]*)"
    rf"(?P<point>\.[0-9]*)?(?P<exponent>e[+{_DASH}]?[0-9]+)?)"
    r"(?P<suffix>u?y|u?s|u?l|u|n|d|)(?P<unit>[kmgtp]b)?",
    re.IGNORECASE | re.ASCII,
)
_UNITS = {"": 1, "kb": 2**10, "mb": 2**20, "gb": 2**30, "tb": 2**40, "pb": 2**50}
_SIZED = {
    "y": ("System.SByte", -(2**7), 2**7),
    "uy": ("System.Byte", 0, 2**8),
    "s": ("System.Int16", -(2**15), 2**15),
    "us": ("System.UInt16", 0, 2**16),
    "l": ("System.Int64", -(2**63), 2**63),
    "ul": ("System.UInt64", 0, 2**64),
}


def parse_number(word: str) -> int | float | Decimal | None:
    """Read a number as PowerShell 7 does; ``None`` if *word* is only text.

    Integers are Int32, else Int64, else Decimal, else Double; a suffix says otherwise.
    """
    found = _NUMBER.fullmatch(word)
    if not found or len(word) > _MAX_DIGITS:
        return None
    suffix = found["suffix"].lower()
    unit = _UNITS[(found["unit"] or "").lower()]
    sign = -1 if found["sign"] and found["sign"] in DASHES else 1
    if found["hex"] or found["bits"]:
        return _based_integer(found, sign, suffix, unit)
    if not found["whole"] and len(found["point"] or "") < 2:
        return None
    exponent = re.sub(f"[{_DASH}]", "-", found["exponent"] or "")
    text = found["whole"] + (found["point"] or "") + exponent
    if suffix == "d":
        return _decimal(text, sign, unit)
    if found["point"] is None and found["exponent"] is None:
        return _integer(int(found["whole"]) * sign * unit, suffix)
    if not suffix:
        return float(text) * sign * unit
    exact = Fraction(text) if len(exponent) < 6 else Fraction(2**96)
    return _integer(round(exact * sign * unit), suffix)


def _based_integer(
    found: re.Match[str], sign: int, suffix: str, unit: int
) -> int | float | Decimal | None:
    """Read hexadecimal or binary digits: two's complement where they fill a type."""
    digits = found["hex"] or found["bits"]
    base, bits = (16, 4 * len(digits)) if found["hex"] else (2, len(digits))
    value = int(digits, base)
    if bits > 64 and not suffix:
        return None
    if suffix:
        widths: tuple[int, ...] = {"y": (8,), "s": (16,), "l": (64,)}.get(suffix, ())
    else:
        widths = (32, 64) if base == 16 else (8, 16, 32, 64)
    if bits in widths and value >= 2 ** (bits - 1):
        value -= 2**bits
    value *= sign * unit
    if bits == 64 and not suffix and -(2**31) <= value < 2**31:
        suffix = "l"
    return _integer(value, suffix)


def _integer(value: int, suffix: str) -> int | float | Decimal | None:
    if suffix == "n":
        return TypedInt(value, "System.Numerics.BigInteger")
    if suffix == "u":
        if 0 <= value < 2**32:
            return TypedInt(value, "System.UInt32")
        suffix = "ul"
    if suffix:
        type_name, least, end = _SIZED[suffix]
        return TypedInt(value, type_name) if least <= value < end else None
    if -(2**63) <= value < 2**63:
        return value
    if abs(value) < 2**96:
        return Decimal(value)
    return float(value)


def _decimal(text: str, sign: int, unit: int) -> Decimal | None:
    with localcontext(prec=60):
        value = Decimal(text) * sign * unit
        return value if abs(value) < 2**96 else None
