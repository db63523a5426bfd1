"""Arguments of a command line to the values of a verb's parameters, as PowerShell does.

Two steps: :mod:`.scanner` decides of each argument by itself whether it names a
parameter or is a value; :func:`bind` then gives the values to the parameters. Neither
looks at anything but the arguments and the table.

Where we differ from PowerShell, because shells hand us words and not syntax:

* an array takes every value up to the next parameter, or ``--``;
* after ``--`` everything is a positional value;
* ``--long-option`` and ``--long-option=value`` are taken too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from ..errors import UsageError
from ..pslang import fold
from .parameters import VERBS, Kind, Parameter, Verb
from .scanner import Named, Plain, Token, scan
from .values import Value, as_boolean, convert, ends_open

_T = TypeVar("_T")
_ABBREVIATED_PASSWORD = tuple(fold("Password"[:end]) for end in range(4, 9))


@dataclass(frozen=True, slots=True)
class Bound:
    """A verb and the values that its parameters were given."""

    verb: Verb
    values: Mapping[str, Value]

    def flag(self, name: str) -> bool:
        """Whether a switch is on."""
        return bool(self.values.get(name, False))

    def get(self, name: str, kind: type[_T]) -> _T | None:
        """Return a parameter's value, ``None`` if it was not given."""
        return cast("_T | None", self.values.get(name))

    def text(self, name: str) -> str | None:
        """Return a string parameter's value, ``None`` if it was not given."""
        return self.get(name, str)

    def texts(self, name: str) -> tuple[str, ...] | None:
        """Return a string array's values, ``None`` if it was not given."""
        return cast("tuple[str, ...] | None", self.values.get(name))


def bind(verb: Verb, arguments: Sequence[str]) -> Bound:
    """Give *arguments* to the parameters of *verb*.

    :raises UsageError: a name is unknown or ambiguous, a value is missing or of the
        wrong kind, something is given twice, or together with what it excludes.
    """
    texts: dict[str, list[str]] = {}
    positional: list[str] = []
    tokens = list(scan(arguments))
    at = 0
    while at < len(tokens):
        token = tokens[at]
        at += 1
        if isinstance(token, Plain):
            positional.append(token.text)
        elif isinstance(token, Named):
            parameter = _find(verb, token)
            _refuse_password(parameter, token)
            if parameter.name in texts:
                raise UsageError(
                    f"-{parameter.name} is given more than once",
                    id="ParameterAlreadyBound",
                    target=parameter.name,
                    hint=f"Write -{parameter.name} value1,value2."
                    if parameter.kind.many
                    else None,
                )
            values = _values(parameter, token, tokens, at)
            texts[parameter.name] = values
            at += len(values) - (_own(token) is not None)
            if parameter.kind is Kind.SWITCH and not values:
                texts[parameter.name] = ["$true"]
    _bind_positional(verb, positional, texts)
    _check_exclusive(verb, texts)
    _check_mandatory(verb, texts)
    return Bound(
        verb,
        {name: convert(verb.parameter(name), given) for name, given in texts.items()},
    )


def _find(verb: Verb, token: Named) -> Parameter:
    """Return the parameter of this name, alias, or unambiguous prefix of either."""
    key = fold(token.name)
    fitting: list[Parameter] = []
    for parameter in verb.parameters:
        names = [fold(name) for name in (parameter.name, *parameter.aliases)]
        if key in names:
            return parameter
        if any(name.startswith(key) for name in names):
            fitting.append(parameter)
    if not fitting:
        raise _unknown(verb, token)
    first = min(parameter.tier for parameter in fitting)
    fitting = [parameter for parameter in fitting if parameter.tier == first]
    if len(fitting) > 1:
        raise UsageError(
            f"-{token.name} may be any of "
            + ", ".join(f"-{parameter.name}" for parameter in fitting),
            id="AmbiguousParameter",
            target=token.name,
            hint="Write more of the name.",
        )
    return fitting[0]


def _refuse_password(parameter: Parameter, token: Named) -> None:
    """Refuse a password where its file belongs: ``-Password`` is a prefix of that.

    It would be taken for the name of a file, shown, and saved.
    """
    if parameter.name.endswith("PasswordFile") and fold(token.name).endswith(
        _ABBREVIATED_PASSWORD
    ):
        raise UsageError(
            f"-{token.name} is not taken: others see what is on a command line",
            id="ErrorPasswordInSession",
            target=token.name,
            hint=f"Put the password into a file and write -{parameter.name} <path>, "
            "or wait to be asked.",
        )


def _unknown(verb: Verb, token: Named) -> UsageError:
    from difflib import get_close_matches

    folded = {
        fold(name): parameter.name
        for parameter in verb.parameters
        for name in (parameter.name, *parameter.aliases)
    }
    near = [folded[key] for key in get_close_matches(fold(token.name), folded, 5, 0.6)]
    elsewhere = [
        other.name
        for other in VERBS
        if any(fold(one.name) == fold(token.name) for one in other.parameters)
    ]
    if elsewhere:
        hint = f"It belongs to psexport {' and '.join(elsewhere)}."
    elif "=" in token.name and not token.separator:
        hint = f"Write {token.raw.partition('=')[0]}:value or --long-option=value."
    elif near:
        names = dict.fromkeys(f"-{name}" for name in near)
        hint = f"Did you mean {' or '.join(names)}?"
    else:
        hint = (
            f"See psexport help {verb.name}. "
            "A value that begins with a dash is written -Name:-value."
        )
    return UsageError(
        f"There is no parameter -{token.name}",
        id="NamedParameterNotFound",
        target=token.name,
        hint=hint,
    )


def _own(token: Named) -> str | None:
    """Return the value that a named argument brings along, if it does."""
    return None if token.separator == ":" and not token.inline else token.inline


def _values(
    parameter: Parameter, token: Named, tokens: Sequence[Token], at: int
) -> list[str]:
    """Return the values of a parameter, its own one first; *at* is the next token."""
    following = (one.text if isinstance(one, Plain) else None for one in tokens[at:])
    own = _own(token)
    if parameter.kind is Kind.SWITCH:
        return _switch_values(parameter, token, next(following, None))
    values = [] if own is None else [own]
    for text in following:
        if text is None or (values and not _goes_on(parameter, own, values, text)):
            break
        values.append(text)
    if not values:
        raise UsageError(
            f"-{parameter.name} lacks its value",
            id="MissingArgument",
            target=parameter.name,
            hint=f"Write -{parameter.name} <{parameter.kind.value}>; a value that "
            f"begins with a dash is written -{parameter.name}:-value.",
        )
    return values


def _goes_on(
    parameter: Parameter, own: str | None, values: Sequence[str], text: str
) -> bool:
    """Whether *text* belongs to the parameter too that has *values* already."""
    return parameter.kind.many and (own is None or _is_joined(values, text))


def _is_joined(values: Sequence[str], text: str) -> bool:
    """Whether a comma or an open brace ties *text* to the values before it."""
    return ends_open(" ".join(values)) or text.lstrip().startswith(",")


def _switch_values(
    parameter: Parameter, token: Named, following: str | None
) -> list[str]:
    if not token.separator:
        return []
    if token.inline:
        return [token.inline]
    if token.separator == ":" and following and as_boolean(following) is not None:
        return [following]
    raise UsageError(
        f"-{parameter.name}: lacks its value",
        id="MissingArgument",
        target=parameter.name,
        hint=f"A shell may have taken $false for a variable of its own: quote it, or "
        f"write -{parameter.name}:0.",
    )


def _bind_positional(
    verb: Verb, values: Sequence[str], texts: dict[str, list[str]]
) -> None:
    excluded = {
        name
        for exclusive in verb.exclusive
        if texts.keys() & set(exclusive.names)
        for name in exclusive.names
    }
    names = [
        name for name in verb.positional if name not in texts and name not in excluded
    ]
    rest = list(values)
    while rest:
        if not names:
            raise UsageError(
                f"There is no parameter for the value {rest[0]!r}",
                id="PositionalParameterNotFound",
                target=rest[0],
                hint=f"By position psexport {verb.name} takes "
                f"{', '.join(verb.positional)}.",
            )
        name = names.pop(0)
        taken = [rest.pop(0)]
        if verb.parameter(name).kind.many:
            kept = len(names) if verb.open_ended else len(rest)  # for those after it
            while rest and (len(rest) > kept or _is_joined(taken, rest[0])):
                taken.append(rest.pop(0))
        texts[name] = taken


def _check_exclusive(verb: Verb, texts: Mapping[str, Any]) -> None:
    for exclusive in verb.exclusive:
        given = [f"-{name}" for name in exclusive.names if name in texts]
        if len(given) > 1:
            raise UsageError(
                f"{' and '.join(given)} cannot be used together",
                id=exclusive.id,
                target=given[0][1:],
                hint="Give just one of them.",
            )


def _check_mandatory(verb: Verb, texts: Mapping[str, Sequence[str]]) -> None:
    missing = [
        name
        for name in verb.mandatory
        if name not in texts
        and not any(
            texts.keys() & set(exclusive.names)
            for exclusive in verb.exclusive
            if name in exclusive.names
        )
    ]
    if not missing:
        return
    greedy = [
        name
        for name, given in texts.items()
        if verb.parameter(name).kind.many and len(given) > 1
    ]
    raise UsageError(
        f"{' and '.join('-' + name for name in missing)} must be given",
        id="MissingMandatoryParameter",
        target=missing[0],
        hint=f"-{greedy[0]} has taken all values up to the next parameter: put those "
        "that are given by position first, or after --."
        if greedy
        else f"See psexport help {verb.name}.",
    )
