"""Help made from the parameter table: for the terminal, and as Markdown."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from itertools import groupby

from .parameters import EXPORT, VERBS, Kind, Parameter, Tier, Verb

_WIDTH = 79


def syntax(verb: Verb) -> str:
    """Return how a verb is called, as PowerShell writes a command's syntax.

    The common parameters are one word at the end, ours are left to the list.
    """
    words = ["psexport" if verb is EXPORT else f"psexport {verb.name}"]
    for name in verb.positional:
        words.append(_usage(verb, verb.parameter(name)))
    words.extend(
        _usage(verb, parameter)
        for parameter in verb.parameters
        if parameter.name not in verb.positional
        and (parameter.tier is Tier.CMDLET or verb is not EXPORT)
        and parameter.tier is not Tier.COMMON
        and parameter.group != _SESSION_GROUP
    )
    if any(parameter.group == _SESSION_GROUP for parameter in verb.parameters):
        words.append("[<session>]")
    words.append("[<common>]")
    filled = textwrap.fill(
        " ".join(word.replace(" ", "\0") for word in words),
        _WIDTH,
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return filled.replace("\0", " ")


_SESSION_GROUP = "The session, as New-PSSession says it"


def _usage(verb: Verb, parameter: Parameter) -> str:
    name = f"-{parameter.name}"
    if parameter.name in verb.positional:
        name = f"[{name}]"
    value = _value(parameter)
    usage = f"{name} <{value}>" if value else name
    return usage if parameter.name in verb.mandatory else f"[{usage}]"


def _value(parameter: Parameter) -> str:
    """Return what a parameter takes, in a word or a list of words."""
    if parameter.kind is Kind.CHOICE:
        return "|".join(parameter.choices)
    return str(parameter.kind.value)


def text(verb: Verb) -> str:
    """Return the help of one verb, for a terminal."""
    return "\n".join(_text(verb)) + "\n"


def _text(verb: Verb) -> Iterator[str]:
    yield verb.summary
    yield ""
    yield syntax(verb)
    if verb is EXPORT:
        yield from ("", "Other verbs (psexport help VERB):")
        for other in VERBS[1:]:
            mark = "" if other.ready else " (not yet)"
            yield f"  {other.name:<11} {other.summary}{mark}"
    for group, parameters in groupby(verb.parameters, lambda one: one.group):
        yield from ("", f"{group}:")
        for parameter in parameters:
            yield from _entry(parameter)
    yield ""
    yield from textwrap.wrap(_RULES, _WIDTH)


_RULES = (
    "Names are taken in any case and may be cut short as long as they are clear. "
    "-Name value, -Name:value, --long-name value and --long-name=value are the same; "
    "lists are a,b or a b; a switch is put off with -Name:$false; -- ends the names."
)


def _entry(parameter: Parameter) -> Iterator[str]:
    value = _value(parameter)
    aliases = "".join(f", -{alias}" for alias in parameter.aliases)
    yield f"  -{parameter.name}{aliases}" + (f" <{value}>" if value else "")
    yield from textwrap.wrap(
        description(parameter),
        _WIDTH,
        initial_indent="      ",
        subsequent_indent="      ",
    )


def description(parameter: Parameter) -> str:
    """Return what a parameter is for, with its values and default."""
    parts = [parameter.help]
    if parameter.kind is Kind.COMMAND_TYPES:
        parts.append(f"Types: {', '.join(parameter.choices)}.")
    if parameter.default:
        parts.append(f"Default: {parameter.default}.")
    if not parameter.ready:
        parts.append("Not yet.")
    return " ".join(parts)


def markdown() -> str:
    """Return every verb and parameter as Markdown, for ``docs/command-line.md``."""
    return "\n".join(_markdown())


def _markdown() -> Iterator[str]:
    common: tuple[Parameter, ...] = ()
    for verb in VERBS:
        mark = "" if verb.ready else " *Not yet.*"
        yield from (f"### {verb.name}", "", f"{verb.summary}{mark}", "")
        yield from ("```", syntax(verb), "```", "")
        own = [one for one in verb.parameters if one.tier is not Tier.COMMON]
        common = tuple(one for one in verb.parameters if one.tier is Tier.COMMON)
        yield from _rows(tuple(own), verb)
    yield from ("### Common parameters", "", "Every verb takes these.", "")
    yield from _rows(common, None)


def _rows(parameters: tuple[Parameter, ...], verb: Verb | None) -> Iterator[str]:
    yield "| parameter | aliases | takes | position | what it does |"
    yield "| --- | --- | --- | --- | --- |"
    for parameter in parameters:
        position = "named"
        if verb and parameter.name in verb.positional:
            position = str(verb.positional.index(parameter.name))
            if parameter.name in verb.mandatory:
                position += ", mandatory"
        cells = (
            f"`-{parameter.name}`",
            ", ".join(f"`{alias}`" for alias in parameter.aliases),
            (_value(parameter) or "switch").replace("|", ", "),
            position,
            description(parameter).replace("|", r"\|").replace("*", r"\*"),
        )
        yield f"| {' | '.join(cells)} |"
    yield ""
