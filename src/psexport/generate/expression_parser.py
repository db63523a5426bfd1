"""A small, strict reader of the script blocks that views hold: text to a tree.

It reads a subset of PowerShell and refuses everything else, so a tree is all that a
script can be made of: reading properties of ``$_``, literals, casts to simple types,
arithmetic, comparison, logic, ``-f``, strings with ``$( )``, ``if`` and a few methods
that only read. No command, no assignment, no other variable, no static member.

Where PowerShell's own rules are murky (quotes inside a subexpression, typographic
quotes and dashes, line breaks in odd places) it refuses too. The levels of precedence
call each other, so they are one module of some length. What the tree means on
an object that came from a host is :mod:`.expressions`' business.
"""

from __future__ import annotations

import re
from typing import NoReturn

from .expression_tree import (
    Binary,
    Call,
    Cast,
    Chain,
    Constant,
    Format,
    If,
    Interpolation,
    Not,
    Number,
    String,
    Tree,
)

#: Longer script blocks than this, or deeper ones, are programs and not values.
MAX_LENGTH = 2_000
MAX_DEPTH = 24


class NotProvableError(Exception):
    """The script is none that is understood; the message says why."""


#: PowerShell's names for one type, by any of them. They convert, and do no more.
CAST_TYPES = {
    "int": "int",
    "int32": "int",
    "long": "long",
    "int64": "long",
    "float": "float",
    "single": "float",
    "double": "double",
    "decimal": "decimal",
    "string": "string",
    "bool": "bool",
}

_COMPARISONS = frozenset({"eq", "ne", "gt", "ge", "lt", "le", "like", "notlike"})
_LOGIC = frozenset({"-and", "-or", "-xor"})
_CONSTANTS = {"null": None, "true": True, "false": False}
_ESCAPES = {
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

_BLANKS = re.compile(r"[ \t]*")
_SPACE = re.compile(r"[ \t\r\n]*")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER = re.compile(r"-?\d{1,9}(?:\.\d{1,9})?[ld]?(?:[kmgtp]b)?", re.I)
_OPERATOR = re.compile(r"-[A-Za-z]+")
_CAST = re.compile(r"\[ *([A-Za-z0-9]+) *\]")
_UNICODE = re.compile(r"u\{([0-9A-Fa-f]{1,6})\}")
#: PSStyle.Reset is the same text on every machine that has it; PSStyle is not.
_RESET = re.compile(r"PSStyle\.Reset(?![\w.([:])", re.I)
#: What PowerShell reads as another quote or dash; these only make scripts ambiguous.
_AMBIGUOUS = re.compile("[\u2018-\u201e\u2013-\u2015]")


def parse(script: str) -> Tree:
    """Read a script block of one statement.

    :raises NotProvableError: it is anything but that, or beyond the subset.
    """
    if len(script) > MAX_LENGTH:
        raise NotProvableError("it is long")
    if _AMBIGUOUS.search(script):
        raise NotProvableError("it has typographic quotes or dashes")
    reader = _Reader(script)
    tree = reader.body()
    reader.expect_end()
    return tree


class _Reader:
    """A cursor over the script, with a method for each level of precedence."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        #: Whether we are in a subexpression, which ``return`` would leave.
        self._inner = False
        #: Whether that is one of a string, where ``""`` is a quote.
        self._quoted = False

    def body(self) -> Tree:
        """One statement, as a script or between braces."""
        self._skip(_SPACE)
        if self._keyword("if"):
            tree = self._if()
        else:
            if self._keyword("return"):
                if self._inner:
                    raise NotProvableError("it returns from a subexpression")
                self._skip(_BLANKS)
            tree = self._logical()
        while True:
            self._skip(_SPACE)
            if not self._take(";"):
                return tree

    def expect_end(self) -> None:
        if self._at < len(self._text):
            self._refuse()

    def _if(self) -> Tree:
        branches = [(self._condition(), self._block())]
        while True:
            end = self._at
            self._skip(_SPACE)
            if self._keyword("elseif"):
                branches.append((self._condition(), self._block()))
            elif self._keyword("else"):
                return If(tuple(branches), self._block())
            else:
                self._at = end
                return If(tuple(branches), None)

    def _condition(self) -> Tree:
        self._skip(_SPACE)
        self._expect("(")
        return self._parenthesised()

    def _block(self) -> Tree:
        self._skip(_SPACE)
        self._expect("{")
        self._deeper()
        tree = self.body()
        self._depth -= 1
        self._expect("}")
        return tree

    def _parenthesised(self) -> Tree:
        self._deeper()
        self._skip(_SPACE)
        tree = self._logical()
        self._skip(_SPACE)
        self._depth -= 1
        self._expect(")")
        return tree

    def _logical(self) -> Tree:
        left = self._comparison()
        while (operator := self._peek_operator()) in _LOGIC:
            self._take_operator(operator)
            left = Binary(operator, left, self._comparison())
        return left

    def _comparison(self) -> Tree:
        left = self._additive()
        operator = self._peek_operator()
        # -eq and -ieq are one; the c in -ceq is kept. Not every c or i is a prefix.
        plain = operator[1:]
        if plain not in _COMPARISONS and plain[:1] in ("i", "c"):
            plain = plain[1:]
        if plain not in _COMPARISONS:
            return left
        case = "c" if operator[1:] != plain and operator[1] == "c" else ""
        self._take_operator(operator)
        return Binary(f"-{case}{plain}", left, self._additive())

    def _additive(self) -> Tree:
        left = self._multiplicative()
        while operator := self._sign("+-"):
            left = Binary(operator, left, self._multiplicative())
        return left

    def _multiplicative(self) -> Tree:
        left = self._format()
        while operator := self._sign("*/%"):
            left = Binary(operator, left, self._format())
        return left

    def _format(self) -> Tree:
        left = self._unary()
        if self._peek_operator() != "-f":
            return left
        if not isinstance(left, String):
            raise NotProvableError("it computes a format string")
        self._take_operator("-f")
        arguments = [self._unary()]
        while self._sign(","):
            arguments.append(self._unary())
        return Format(left.text, tuple(arguments))

    def _unary(self) -> Tree:
        self._skip(_BLANKS)
        self._deeper()
        tree: Tree
        if self._take("!"):
            tree = Not(self._unary())
        elif self._peek_operator() == "-not":
            self._take_operator("-not")
            tree = Not(self._unary())
        elif cast := _CAST.match(self._text, self._at):
            try:
                type_name = CAST_TYPES[cast[1].lower()]
            except KeyError:
                raise NotProvableError(f"it uses the type {cast[1]}") from None
            self._at = cast.end()
            tree = Cast(type_name, self._unary())
        else:
            tree = self._postfix()
        self._depth -= 1
        return tree

    def _postfix(self) -> Tree:
        tree = self._primary()
        while self._text.startswith(".", self._at):
            self._at += 1
            name = self._match(_WORD)
            if self._take("("):
                tree = Call(tree, name, self._arguments())
            elif isinstance(tree, Chain):
                tree = Chain((*tree.names, name))
            else:
                raise NotProvableError(f"it reads {name} of something computed")
        return tree

    def _arguments(self) -> tuple[Tree, ...]:
        self._skip(_SPACE)
        arguments: list[Tree] = []
        if self._take(")"):
            return ()
        while True:
            self._deeper()
            arguments.append(self._logical())
            self._depth -= 1
            self._skip(_SPACE)
            if self._take(")"):
                return tuple(arguments)
            self._expect(",")
            self._skip(_SPACE)

    def _primary(self) -> Tree:
        if self._text.startswith("$(", self._at):
            self._at += 2
            return self._subexpression()
        if self._take("("):
            return self._parenthesised()
        if self._take("$"):
            return self._variable()
        if self._take("'"):
            return String(self._single_quoted())
        if self._text.startswith('"', self._at):
            return self._double_quoted()
        number = _NUMBER.match(self._text, self._at)
        if number and not _WORD.match(self._text, number.end()):
            self._at = number.end()
            return Number(number[0].lower())
        return self._refuse()

    def _variable(self) -> Tree:
        if reset := _RESET.match(self._text, self._at):
            self._at = reset.end()
            return String("\x1b[0m")
        name = self._match(_WORD).lower()
        if self._text.startswith(":", self._at):
            self._refuse()
        if name in ("_", "psitem"):
            return Chain()
        if name in _CONSTANTS:
            return Constant(_CONSTANTS[name])
        raise NotProvableError(f"it reads the variable {name}")

    def _subexpression(self) -> Tree:
        self._deeper()
        outer, self._inner = self._inner, True
        tree = self.body()
        self._inner = outer
        self._depth -= 1
        self._expect(")")
        return tree

    def _single_quoted(self) -> str:
        end = self._text.find("'", self._at)
        while self._text.startswith("''", end) and end >= 0:
            end = self._text.find("'", end + 2)
        if end < 0:
            self._refuse()
        text = self._text[self._at : end].replace("''", "'")
        # Here a quote of the other kind would be PowerShell's to interpret.
        if self._quoted and '"' in text:
            self._refuse()
        self._at = end + 1
        return text

    def _double_quoted(self) -> Tree:
        quote = '"'
        if self._quoted and self._text.startswith('""', self._at):
            quote = '""'
        self._at += len(quote)
        parts: list[Tree] = []
        text: list[str] = []
        while not self._take(quote):
            character = self._text[self._at : self._at + 1]
            if not character or (self._quoted and character == '"'):
                self._refuse()
            self._at += 1
            if character == "`":
                text.append(self._escape())
            elif character == "$" and self._expands():
                if text:
                    parts.append(String("".join(text)))
                    text = []
                parts.append(self._expansion())
            else:
                text.append(character)
            while not self._quoted and self._text.startswith('""', self._at):
                text.append('"')
                self._at += 2
        if self._quoted and self._text.startswith('"', self._at):
            self._refuse()
        if text:
            parts.append(String("".join(text)))
        if all(isinstance(part, String) for part in parts):
            return String("".join(p.text for p in parts if isinstance(p, String)))
        return Interpolation(tuple(parts))

    def _escape(self) -> str:
        if point := _UNICODE.match(self._text, self._at):
            value = int(point[1], 16)
            if value > 0x10FFFF or 0xD800 <= value <= 0xDFFF:
                self._refuse()
            self._at = point.end()
            return chr(value)
        code = self._text[self._at : self._at + 1]
        if not code or code == "u" or (code == '"' and self._quoted):
            self._refuse()
        self._at += 1
        return _ESCAPES.get(code, code)

    def _expands(self) -> bool:
        following = self._text[self._at : self._at + 1]
        return following.isalnum() or (following != "" and following in "_({$^?:")

    def _expansion(self) -> Tree:
        if self._take("("):
            outer, self._quoted = self._quoted, True
            tree = self._subexpression()
            self._quoted = outer
            return tree
        if _RESET.match(self._text, self._at):
            # Only $( ) reads a property; this would be PSStyle itself.
            self._refuse()
        return self._variable()

    def _keyword(self, word: str) -> bool:
        found = _WORD.match(self._text, self._at)
        if found is None or found[0].lower() != word:
            return False
        self._at = found.end()
        return True

    def _peek_operator(self) -> str:
        self._skip(_BLANKS)
        found = _OPERATOR.match(self._text, self._at)
        return found[0].lower() if found else ""

    def _take_operator(self, operator: str) -> None:
        self._at += len(operator)
        self._skip(_SPACE)

    def _sign(self, signs: str) -> str:
        """One of these characters, with what is blank around it; else nothing."""
        self._skip(_BLANKS)
        sign = self._text[self._at : self._at + 1]
        if not sign or sign not in signs:
            return ""
        following = self._text[self._at + 1 : self._at + 2]
        if sign in "+-" and (following.isalpha() or following in ("+", "-", "=")):
            return ""
        self._at += 1
        self._skip(_SPACE)
        return sign

    def _skip(self, what: re.Pattern[str]) -> None:
        found = what.match(self._text, self._at)
        if found:
            self._at = found.end()

    def _match(self, what: re.Pattern[str]) -> str:
        found = what.match(self._text, self._at)
        if found is None:
            self._refuse()
        self._at = found.end()
        return found[0]

    def _take(self, token: str) -> bool:
        if not self._text.startswith(token, self._at):
            return False
        self._at += len(token)
        return True

    def _expect(self, token: str) -> None:
        if not self._take(token):
            self._refuse()

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise NotProvableError("it is deeply nested")

    def _refuse(self) -> NoReturn:
        rest = self._text[self._at :].split("\n", 1)[0][:20]
        raise NotProvableError(f"it has {rest!r}" if rest else "it ends too soon")
