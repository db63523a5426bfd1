"""Which questions are the same, and which a wider one's answer answers too.

A host that was asked for all its commands has told about each of them. So a recording
of that question can answer for some: what does not fit is left out of the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

from .. import clixml
from ..model import CommandType
from ..pslang import has_wildcards, matches
from .base import Argument, Call, Commands, MetadataQuery, Question, Script, Version

#: Whether a record of the wider answer belongs to the narrower one.
Fits = Callable[[clixml.Document], bool]

#: Only old hosts have workflows, so whether they are asked for makes no difference.
_ALL_BUT_WORKFLOW = ~CommandType.WORKFLOW


def identity(question: Question) -> Hashable:
    """What is equal for questions that are the same, however they were written.

    The client's PowerShell version makes no difference, nor do case and order of
    parameters; one thing is a list of one thing.
    """
    if isinstance(question, MetadataQuery):
        return (
            tuple(sorted(name.lower() for name in question.names)),
            question.types & _ALL_BUT_WORKFLOW,
            tuple(sorted(name.lower() for name in question.modules)),
            question.full_modules,
            tuple(map(_plain, question.arguments)),
        )
    if isinstance(question, Script):
        parameters = _parameters(question.parameters)
        return question.text, tuple(sorted(parameters.items(), key=lambda one: one[0]))
    return tuple(
        (
            call.name.lower(),
            tuple(sorted(_parameters(call.parameters).items(), key=_key)),
        )
        for call in question.calls
    )


class Narrowing(NamedTuple):
    """How an answer to a wider question answers a narrower one.

    :ivar liberties: how many parameters differ that should make no difference.
    """

    fits: Fits
    liberties: int


def narrow(wide: Question, asked: Question) -> Narrowing | None:
    """How the answer to ``wide`` answers what is ``asked``; ``None`` if it does not."""
    if isinstance(wide, MetadataQuery) and isinstance(asked, MetadataQuery):
        return _metadata(wide, asked)
    if not isinstance(wide, Commands) or not isinstance(asked, Commands):
        return None
    if len(wide.calls) != 1 or len(asked.calls) != 1:
        return None
    return _call(wide.calls[0], asked.calls[0])


def _metadata(wide: MetadataQuery, asked: MetadataQuery) -> Narrowing | None:
    same = wide.full_modules == asked.full_modules and tuple(
        map(_plain, wide.arguments)
    ) == tuple(map(_plain, asked.arguments))
    kept = [
        _names("Name")(wide.names, asked.names),
        _names("Namespace")(wide.modules, asked.modules),
        _types("CommandType")(int(wide.types), int(asked.types)),
    ]
    fits = [one for one in kept if one is not None]
    return _all(fits, 0) if same and len(fits) == len(kept) else None


def _call(wide: Call, asked: Call) -> Narrowing | None:
    rule = _RULES.get(wide.name.lower())
    if rule is None or wide.name.lower() != asked.name.lower():
        return None
    had, wants = _parameters(wide.parameters), _parameters(asked.parameters)
    fits: list[Fits] = []
    for name, filter in rule.filters.items():
        fit = filter(had.pop(name, None), wants.pop(name, None))
        if fit is None:
            return None
        fits.append(fit)
    different = {
        name
        for name in had.keys() | wants.keys()
        if name not in had or name not in wants or had[name] != wants[name]
    }
    if different - rule.liberties:
        return None
    return _all(fits, len(different))


def _all(fits: Sequence[Fits], liberties: int) -> Narrowing:
    return Narrowing(lambda document: all(fit(document) for fit in fits), liberties)


#: What fits, of what a parameter was and what it is; ``None`` if that is not narrower.
_Filter = Callable[[object, object], Fits | None]


def _names(property: str) -> _Filter:
    """Wildcards on a name; nothing is everything."""

    def narrowed(had: object, wants: object) -> Fits | None:
        wide, asked = _words(had), _words(wants)
        if wide and not all(_covered(one, wide) for one in asked or ["*"]):
            return None

        def fits(document: clixml.Document) -> bool:
            told = document.properties(document.root).get(property)
            names = [clixml.text(node) for node in document.each(told)]
            # foo.ps1 is also meant by foo.
            names += [name[:-4] for name in names if name.lower().endswith(".ps1")]
            return any(matches(one, name) for one in asked for name in names)

        return fits if asked else lambda document: True

    return narrowed


def _covered(asked: str, wide: Sequence[str]) -> bool:
    """Whether what one pattern means is among what the others mean; surely so."""
    return any(
        one == "*"
        or one.lower() == asked.lower()
        or (not has_wildcards(asked) and matches(one, asked))
        for one in wide
    )


def _types(property: str) -> _Filter:
    """A set of command types; nothing is everything."""

    def narrowed(had: object, wants: object) -> Fits | None:
        wide, asked = _mask(had), _mask(wants)
        if wide is None or asked is None or asked & ~wide & _ALL_BUT_WORKFLOW:
            return None

        def fits(document: clixml.Document) -> bool:
            told = document.properties(document.root).get(property)
            return bool((clixml.number(told) or 0) & asked)

        return fits

    return narrowed


class _Rule(NamedTuple):
    """How a command's answers can be narrowed.

    :ivar filters: parameters that leave out records.
    :ivar liberties: parameters that say how, not what: they may differ.
    """

    filters: dict[str, _Filter]
    liberties: frozenset[str]


_RULES = {
    "get-command": _Rule(
        {
            "name": _names("Name"),
            "module": _names("ModuleName"),
            "commandtype": _types("CommandType"),
        },
        # Without it, the answer has commands of other modules too.
        frozenset({"listimported"}),
    ),
    "get-formatdata": _Rule(
        {"typename": _names("TypeNames")}, frozenset({"powershellversion"})
    ),
    "get-help": _Rule(
        {"name": _names("Name"), "category": _names("Category")},
        # These choose how a topic prints; its content is the same.
        frozenset({"full", "detailed", "examples"}),
    ),
}

_TYPE_NAMES = {
    one.name.replace("_", "").lower(): one for one in CommandType if one.name
}
_TYPE_NAMES["all"] = CommandType.ALL


def _mask(value: object) -> CommandType | None:
    """The command types that a parameter means; ``None`` if it is none."""
    if value is None:
        return CommandType.ALL
    if isinstance(value, int):
        return CommandType(value & CommandType.ALL)
    mask = CommandType(0)
    for word in _words(value):
        for name in word.split(","):
            known = _TYPE_NAMES.get(name.strip().lower())
            if known is None:
                return None
            mask |= known
    return mask


def _words(value: object) -> list[str]:
    if value is None:
        return []
    values = value if isinstance(value, tuple | list) else (value,)
    return [str(one) for one in values]


def _parameters(
    parameters: Sequence[tuple[str, Argument]],
) -> dict[str, Hashable]:
    """Parameters with what makes no difference made equal."""
    plain = {name.lower(): _plain(value) for name, value in parameters}
    if "powershellversion" in plain:
        plain["powershellversion"] = None
    return plain


def _plain(value: Argument) -> Hashable:
    if isinstance(value, Version):
        return "version", value.text
    if isinstance(value, Sequence) and not isinstance(value, str):
        items = tuple(map(_plain, value))
        return items[0] if len(items) == 1 else items
    return value


def _key(parameter: tuple[str, Hashable]) -> str:
    return parameter[0]


__all__ = ["Narrowing", "identity", "narrow"]
