"""Text of a command line to values, by the kind of the parameter it is for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NoReturn

from ..errors import UsageError
from ..order import COMMAND_TYPES, module_spec
from ..pslang import LiteralSyntaxError, fold, parse_literal
from ..pslang.characters import DOUBLE_QUOTES, SINGLE_QUOTES
from ..pslang.literal import Value as LiteralValue
from ..transport.base import Argument, ModuleSpec
from ..vocabulary import CommandType
from .parameters import Kind, Parameter

#: What a bound parameter holds.
Value = (
    bool | int | str | tuple[str, ...] | tuple[Argument, ...] | tuple[ModuleSpec, ...]
)

_TRUE = frozenset({"$TRUE", "TRUE", "1"})
_FALSE = frozenset({"$FALSE", "FALSE", "0"})


def convert(parameter: Parameter, texts: Sequence[str]) -> Value:
    """Turn what was typed for *parameter* into its value.

    :param texts: the arguments, at least one, and just one unless the parameter takes
        many.
    :raises UsageError: it is no such value.
    """
    return _CONVERTERS[parameter.kind](parameter, texts)


def as_boolean(text: str) -> bool | None:
    """Read ``$true``, ``False``, ``1`` and the like; ``None`` if it is none."""
    key = fold(text)
    if key in _TRUE:
        return True
    return False if key in _FALSE else None


def ends_open(text: str) -> bool:
    """Whether a list goes on after *text*: it ends in a comma or inside braces."""
    return _depth(text) > 0 or text.rstrip().endswith(",")


def _refuse(
    parameter: Parameter,
    text: str,
    why: str,
    hint: str | None = None,
    id: str = "CannotConvertArgumentNoMessage",
) -> NoReturn:
    raise UsageError(
        f"-{parameter.name} cannot take {text!r}: {why}",
        id=id,
        target=parameter.name,
        hint=hint,
    )


def _text(parameter: Parameter, text: str) -> str:
    """Read one string, which may still wear the quotes that a shell left on it."""
    text = _unquoted(text)
    if not text:
        _refuse(
            parameter,
            text,
            "it is empty",
            id="ParameterArgumentValidationErrorEmptyStringNotAllowed",
        )
    if "\0" in text:
        _refuse(parameter, text, "it holds a NUL character")
    return text


def _unquoted(text: str) -> str:
    if len(text) < 2:
        return text
    for quotes in (SINGLE_QUOTES, DOUBLE_QUOTES):
        if text[0] in quotes and text[-1] in quotes:
            end, inner = _closing(text, quotes)
            return inner if end == len(text) else text
    return text


def _closing(text: str, quotes: str) -> tuple[int, str]:
    """Read the quoted string at the start: where it ends (0: nowhere), and its text."""
    parts: list[str] = []
    at = 1
    while at < len(text):
        if text[at] not in quotes:
            parts.append(text[at])
        elif at + 1 < len(text) and text[at + 1] in quotes:
            at += 1
            parts.append(text[at])
        else:
            return at + 1, "".join(parts)
        at += 1
    return 0, ""


def _elements(parameter: Parameter, texts: Sequence[str]) -> list[str]:
    """Split arguments at their commas: ``a,b c , d`` has four elements."""
    pieces = [piece for text in texts for piece in _pieces(text)]
    if any(left is right is None for left, right in pairwise([None, *pieces, None])):
        raise UsageError(
            f"-{parameter.name} lacks a value beside a comma in {' '.join(texts)!r}",
            id="MissingArgument",
            target=parameter.name,
            hint="Put a value that holds a comma in single quotes of its own.",
        )
    return [piece for piece in pieces if piece is not None]


def _pieces(text: str) -> list[str | None]:
    """Split one argument into elements and its commas, which are ``None``."""
    if not text:
        return [""]
    pieces: list[str | None] = []
    rest = text.strip()
    while rest:
        if rest[0] == ",":
            pieces.append(None)
            rest = rest[1:].lstrip()
            continue
        end = _quoted_end(rest) or (rest + ",").index(",")
        pieces.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return pieces or [text]


def _quoted_end(text: str) -> int:
    """Where a quoted first element ends; 0 if the first element is not quoted."""
    for quotes in (SINGLE_QUOTES, DOUBLE_QUOTES):
        if text[0] in quotes:
            end, _ = _closing(text, quotes)
            if text[end:].lstrip()[:1] in ("", ","):
                return end
    return 0


def _string(parameter: Parameter, texts: Sequence[str]) -> Value:
    return _text(parameter, texts[0])


def _strings(parameter: Parameter, texts: Sequence[str]) -> tuple[str, ...]:
    if texts[0].lstrip().startswith("@("):
        whole = " ".join(texts)
        members = _literal(parameter, whole)
        if not isinstance(members, list) or not all(
            isinstance(member, str) for member in members
        ):
            _refuse(parameter, whole, "it is no list of texts")
        texts = [str(member) for member in members]
        if not texts:
            _refuse(parameter, whole, "the list is empty")
        return tuple(_text(parameter, text) for text in texts)
    return tuple(_text(parameter, text) for text in _elements(parameter, texts))


def _integer(parameter: Parameter, texts: Sequence[str]) -> Value:
    text = _unquoted(texts[0])
    try:
        value = parse_literal(text)
    except LiteralSyntaxError:
        value = None
    if isinstance(value, bool) or not isinstance(value, int):
        _refuse(parameter, text, "it is no whole number")
    if not parameter.least <= value <= parameter.most:
        _refuse(parameter, text, f"not in {parameter.least} to {parameter.most}")
    return int(value)


def _one_of(parameter: Parameter, text: str) -> str:
    """Read a word of the choices, or an unambiguous prefix of one, in any case."""
    key = fold(_text(parameter, text))
    words = [word for word in parameter.choices if fold(word).startswith(key)]
    exact = [word for word in words if fold(word) == key]
    if len(exact or words) == 1:
        return (exact or words)[0]
    _refuse(
        parameter,
        text,
        "it fits several of its values" if words else "it is none of its values",
        f"Give one of {', '.join(words or parameter.choices)}.",
    )


def _choice(parameter: Parameter, texts: Sequence[str]) -> Value:
    return _one_of(parameter, texts[0])


def _command_types(parameter: Parameter, texts: Sequence[str]) -> Value:
    types = CommandType(0)
    for text in _strings(parameter, texts):
        types |= COMMAND_TYPES[_one_of(parameter, text)]
    return types


def _literal(parameter: Parameter, text: str) -> LiteralValue:
    try:
        return parse_literal(text)
    except LiteralSyntaxError as error:
        _refuse(parameter, text, error.message, error.hint)


def _objects(parameter: Parameter, texts: Sequence[str]) -> Value:
    """Type each argument as PowerShell would; a shell has eaten the outer quotes."""
    arguments: list[Argument] = []
    for text in _joined(texts):
        if text[:1] in ("@", "$"):
            value = _literal(parameter, text)
        else:
            try:
                value = parse_literal(text)
            except LiteralSyntaxError:
                value = text
        members = value if isinstance(value, list) else [value]
        arguments.extend(_argument(parameter, member) for member in members)
    return tuple(arguments)


def _argument(parameter: Parameter, value: LiteralValue) -> Argument:
    if isinstance(value, dict):
        _refuse(parameter, "@{…}", "a hashtable cannot be an argument here")
    if isinstance(value, list):
        return tuple(_argument(parameter, member) for member in value)
    return value


def _joined(texts: Sequence[str]) -> list[str]:
    """Put together again what a shell has cut at spaces: ``a, b`` or ``@{…; …}``."""
    joined: list[str] = []
    for text in texts:
        if joined and (ends_open(joined[-1]) or text.lstrip().startswith(",")):
            joined[-1] += " " + text
        else:
            joined.append(text)
    return joined


def _module_specs(parameter: Parameter, texts: Sequence[str]) -> Value:
    """Read specifications, also where a shell has cut one into several arguments."""
    specs: list[ModuleSpec] = []
    for text in _joined(texts):
        value = _literal(parameter, text)
        members = value if isinstance(value, list) else [value]
        specs.extend(_spec(parameter, member) for member in members)
    if not specs:
        _refuse(parameter, " ".join(texts), "the list is empty")
    return tuple(specs)


def _spec(parameter: Parameter, value: LiteralValue) -> ModuleSpec:
    if value == "System.Collections.Hashtable":
        _refuse(
            parameter,
            str(value),
            "PowerShell passed a hashtable as its name",
            "Quote the specification as a whole.",
        )
    try:
        return module_spec(value)
    except UsageError as error:
        raise UsageError(
            f"-{parameter.name}: {error.message}",
            id=error.id,
            target=parameter.name,
            hint=error.hint,
        ) from None


def _depth(text: str) -> int:
    """How many braces and brackets of *text* are open, outside quotes."""
    depth = 0
    quotes = ""
    for character in text:
        if quotes:
            quotes = "" if character in quotes else quotes
        elif character in SINGLE_QUOTES:
            quotes = SINGLE_QUOTES
        elif character in DOUBLE_QUOTES:
            quotes = DOUBLE_QUOTES
        elif character in "{(":
            depth += 1
        elif character in "})":
            depth -= 1
    return depth


def _switch(parameter: Parameter, texts: Sequence[str]) -> Value:
    value = as_boolean(_unquoted(texts[0]))
    if value is None:
        _refuse(parameter, texts[0], "it is neither $true nor $false")
    return value


_CONVERTERS: dict[Kind, Callable[[Parameter, Sequence[str]], Value]] = {
    Kind.SWITCH: _switch,
    Kind.STRING: _string,
    Kind.FILE: _string,
    Kind.STRINGS: _strings,
    Kind.FILES: _strings,
    Kind.OBJECTS: _objects,
    Kind.INTEGER: _integer,
    Kind.CHOICE: _choice,
    Kind.COMMAND_TYPES: _command_types,
    Kind.MODULE_SPECS: _module_specs,
}
