"""Values to PowerShell text: escaped at the sink, by type.

Raw text never meets a template: it is wrapped in one of these, whose ``render`` is
the one place that knows how such a thing is written. What is rendered parses to the
value that went in, in Windows PowerShell 5.1 and in PowerShell 7; text that no file
can hold is refused with :class:`UnrenderableError`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import PSExportError
from .characters import DOUBLE_QUOTES, SINGLE_QUOTES, has_lone_surrogate
from .names import is_safe_name, why_not_definable


class UnrenderableError(PSExportError):
    """A value that cannot be written as PowerShell text."""

    def __init__(self, message: str, target: str) -> None:
        super().__init__(
            message,
            id="ErrorUnrenderableText",
            target=ascii(target[:60]),
            hint="Leave out the command that it belongs to.",
        )


def _checked(text: str) -> str:
    if has_lone_surrogate(text):
        raise UnrenderableError("The text has half of a surrogate pair", text)
    return text


# A string stays on its line, so that no line of the host's starts a line of the file:
# "# SIG # Begin signature block" would be found there by whoever checks signatures.
_ESCAPES = str.maketrans(
    {
        "\0": "`0",
        "\a": "`a",
        "\b": "`b",
        "\t": "`t",
        "\n": "`n",
        "\v": "`v",
        "\f": "`f",
        "\r": "`r",
        "`": "``",
        "$": "`$",
        **{quote: "`" + quote for quote in DOUBLE_QUOTES},
    }
)
_NEEDS_ESCAPE = re.compile(r"[\0\a\b\t\n\v\f\r]")
_DOUBLED = str.maketrans({quote: quote * 2 for quote in SINGLE_QUOTES})


@dataclass(frozen=True, slots=True)
class Quoted:
    """A string, on one line: single-quoted, or double-quoted where it must be."""

    text: str

    def render(self) -> str:
        """Return the quoted string; a constant, also where only those are allowed."""
        text = _checked(self.text)
        if _NEEDS_ESCAPE.search(text):
            return '"' + text.translate(_ESCAPES) + '"'
        return "'" + text.translate(_DOUBLED) + "'"


@dataclass(frozen=True, slots=True)
class VariableName:
    """A variable without scope or drive, ``${name}``: parameters among them."""

    name: str

    def render(self) -> str:
        """Return the braced variable."""
        name = _checked(self.name)
        if not name or ":" in name or _NEEDS_ESCAPE.search(name):
            raise UnrenderableError("This can be no variable's name", name)
        return "${" + re.sub(r"[`{}]", r"`\g<0>", name) + "}"


@dataclass(frozen=True, slots=True)
class FunctionName:
    """The bare name after ``function``; names of aliases are quoted strings."""

    name: str

    def render(self) -> str:
        """Return the name as it is, having made sure that it may be."""
        if not is_safe_name(self.name):
            raise UnrenderableError("This can be no function's name", self.name)
        if reason := why_not_definable(self.name):
            raise UnrenderableError(
                f"No such function can be made: {reason}", self.name
            )
        return self.name


_TYPE_TOKEN = re.compile(
    r"[^\W\d][\w.+]*(?:`\d+)?(?:\+[^\W\d][\w.+]*(?:`\d+)?)*|.", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class TypeLiteral:
    """A .NET type by its full name: ``[System.String[]]``.

    Takes the names that reflection gives, ``System.Nullable`1[[System.Int32, mscorlib,
    Version=…]]``, and writes PowerShell's: ``[System.Nullable[System.Int32]]``.
    """

    name: str

    def render(self) -> str:
        """Return the bracketed type."""
        return f"[{self.expression()}]"

    def expression(self) -> str:
        """Return the type without brackets, as an argument of another type."""
        reader = _TypeReader(self.name)
        written = reader.type()
        if reader.peek():
            raise UnrenderableError("This is no type's name", self.name)
        return written


class _TypeReader:
    """Reads a reflection name: ``name [ arguments ] arrays``."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._tokens = _TYPE_TOKEN.findall(name)
        self._at = 0
        self._depth = 0

    def peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        token = self.peek()
        self._at += 1
        return token

    def _expect(self, token: str) -> None:
        if self._next() != token:
            raise UnrenderableError("This is no type's name", self._name)

    def type(self) -> str:
        name = self._next()
        self._depth += 1
        if not re.match(r"[^\W\d]", name) or name.endswith(".") or self._depth > 20:
            raise UnrenderableError("This is no type's name", self._name)
        if self.peek() == "[" and self._tokens[self._at + 1 : self._at + 2] not in (
            ["]"],
            [","],
        ):
            name = re.sub(r"`\d+$", "", name) + self._arguments()
        while self.peek() == "[":
            self._expect("[")
            name += "["
            while self.peek() == ",":
                name += self._next()
            self._expect("]")
            name += "]"
        self._depth -= 1
        return name

    def _arguments(self) -> str:
        self._expect("[")
        arguments = []
        while True:
            if bracketed := self.peek() == "[":
                self._expect("[")
            arguments.append(self.type())
            if bracketed:
                while self.peek() not in ("]", ""):  # the assembly's name
                    self._next()
                self._expect("]")
            if self.peek() != ",":
                break
            self._expect(",")
        self._expect("]")
        return "[" + ",".join(arguments) + "]"


#: What a literal may hold; a dictionary keeps the order that it was given.
LiteralValue = (
    str | int | bool | Sequence["LiteralValue"] | Mapping[str, "LiteralValue"] | None
)


@dataclass(frozen=True, slots=True)
class Literal:
    """A nested value as data: strings, integers, ``@( )`` and ``@{ }``.

    It is valid where only data is allowed, as in a psd1 file.
    """

    value: LiteralValue

    def render(self, indent: int = 0) -> str:
        """Return the value; lists and dictionaries take a line for each member.

        :param indent: how far the line is indented on which the value starts, in
            spaces.
        """
        return _literal(self.value, " " * indent)


def _literal(value: LiteralValue, margin: str) -> str:
    inner = margin + "    "
    match value:
        case None:
            return "$null"
        case bool():
            return "$true" if value else "$false"
        case int():
            return str(value)
        case str():
            return Quoted(value).render()
        case Mapping():
            if not value:
                return "@{}"
            entries = [
                f"{inner}{_key(key)} = {_literal(member, inner)}\n"
                for key, member in value.items()
            ]
            return "@{\n" + "".join(entries) + margin + "}"
        case Sequence():
            if not value:
                return "@()"
            members = [_literal(member, inner) for member in value]
            if len(members) == 1 and members[0].startswith("@("):
                members[0] = ", " + members[0]  # else one level of list would be lost
            lines = ",\n".join(inner + member for member in members)
            return "@(\n" + lines + "\n" + margin + ")"
    raise TypeError(f"no PowerShell literal for {type(value).__name__}")


def _key(key: str) -> str:
    bare = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key)
    return key if bare else Quoted(key).render()


_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Comment:
    """Text that neither ends its comment early nor means anything as comment help.

    Always a block comment. PowerShell takes any line comment that merely resembles
    ``# SIG # Begin signature block`` for one, by edit distance, and lets no code
    follow it.
    """

    text: str

    def render(self) -> str:
        """Return the comment, on one line if the text is one."""
        text = _checked(self.text).replace("\0", " ").strip()
        lines = [_tamed(line) for line in _LINE_END.split(text)]
        if len(lines) == 1:
            return f"<# {lines[0]} #>"
        return "<#\n" + "\n".join(lines) + "\n#>"


@dataclass(frozen=True, slots=True)
class CommentHelp:
    """Comment-based help: directives, each with an argument or with text below it.

    :param directives: pairs like ``("FORWARDHELPTARGETNAME", "Get-Item")``; the names
        are ours, the arguments may be the host's and become one line.
    """

    directives: tuple[tuple[str, str], ...]

    def render(self) -> str:
        """Return the comment."""
        lines = (
            f".{name} " + _unended(_LINE_END.sub(" ", _checked(text))).replace("\0", "")
            for name, text in self.directives
        )
        return "<#\n" + "\n".join(lines) + "\n#>"


def _unended(text: str) -> str:
    return text.replace("#>", "# >").replace("<#", "< #")


def _tamed(line: str) -> str:
    """Make a line of text that is a line of comment and nothing else.

    ``.WORD`` at its start would be a directive of comment help, and ``# SIG #`` is
    what tools look for that read a signature without parsing.
    """
    line = _unended(line)
    return "\\" + line if line.lstrip().startswith((".", "#")) else line
