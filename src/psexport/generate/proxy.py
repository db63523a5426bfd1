"""One command of the host → one function of the module.

The text of a proxy is the same few lines for all; whatever is unusual about one goes
into the table of specials, which the runtime reads. How much of the command it shows
is :mod:`.design`'s business.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..model import (
    ALL_SETS,
    Command,
    Membership,
    Parameter,
    Validation,
    ValidationKind,
)
from ..pslang import FunctionName, Quoted, VariableName, fold
from ..pslang.render import LiteralValue
from .design import CALL, Design, Shape, free, taken
from .pages import is_page
from .types import range_literal

#: Parameters of a loose proxy that no caller names; with underscores behind, where the
#: host's command has such a parameter: it may be such a proxy itself.
INPUT = "__PSExportInput"
REST = "__PSExportRest"
#: Stands before a number: what stands at that position.
ARGUMENT = "__PSExportArgument"
_MOST_ARGUMENTS = 10
#: A count that is sure to be an Int32.
_COUNT = re.compile("[0-9]{1,9}")
#: More values than this are no help to who presses Tab.
_MOST_COMPLETIONS = 500
#: What becomes of the values that fit: whoever presses Tab and Enter runs them, so all
#: of PowerShell's single quotes are doubled.
_MATCH_AND_QUOTE = (
    "-like$args[2].Trim('''\"')+'*'|&{process{if($_-match'^\\w+$'){$_}"
    "else{\"'\"+($_-replace'[''\\u2018-\\u201B]','$0$0')+\"'\"}}}"
)


@dataclass(frozen=True, slots=True)
class Draft:
    """A proxy, but for its name and its help.

    :ivar command: the command, as the host calls it.
    :ivar body: all that comes after these.
    :ivar special: entries for the runtime's table: ``Renamed``, ``Input``,
        ``Arguments``, ``Positional``, ``Rest``.
    :ivar left_out: what the metadata lost, in words.
    :ivar speaks_for_itself: whether help made up from it is what it would be on the
        host.
    """

    command: str
    body: str
    special: Mapping[str, LiteralValue]
    left_out: tuple[str, ...]
    speaks_for_itself: bool


def opening(name: str) -> str:
    """Return the first line of a proxy.

    :param name: what the proxy is called.
    :raises UnrenderableError: no function can have the name.
    """
    return f"function {FunctionName(name).render()} {{\n"


def help_line(file: str | None) -> str:
    """Return the line that leads to a proxy's help; nothing if it is in no file."""
    return f"#.ExternalHelp {file}\n" if file else ""


def draft(design: Design) -> Draft:
    """Return the proxy of a command, but for its name.

    :raises UnrenderableError: something in it can be part of no text.
    """
    command, shape = design.command, design.shape
    extra_aliases = _as_job_prefixes(command.parameters)
    lines = [
        _parameter(
            parameter,
            kind,
            design.renamed.get(parameter.name, parameter.name),
            shape,
            extra_aliases.get(parameter.name, ()),
        )
        for parameter, kind in zip(command.parameters, design.types, strict=True)
        if not (shape is Shape.TYPED and _is_paging(command, parameter))
    ]
    special: dict[str, LiteralValue] = {}
    is_loose, is_typed = shape is Shape.LOOSE, shape is Shape.TYPED
    takes_input = is_loose or (is_typed and design.leaves_input)
    takes_rest = is_loose or (is_typed and design.needs_rest)
    names = taken(command.parameters) if takes_input or takes_rest else set()
    if design.renamed:
        special["Renamed"] = {new: old for old, new in sorted(design.renamed.items())}
    if takes_input:
        special["Input"] = own = free(INPUT, names)
        lines.append(_catching("ValueFromPipeline", own))
    if is_loose:
        # Of the remaining arguments nobody could tell "1 2" from "@(1, 2)".
        arguments = [
            free(f"{ARGUMENT}{position}", names)
            for position in range(min(len(command.parameters), _MOST_ARGUMENTS))
        ]
        special["Arguments"] = arguments
        special["Positional"] = [
            parameter.name
            for parameter in command.parameters
            if any(one.position is not None for one in parameter.memberships)
        ]
        lines += [
            _catching(f"Position={position}", argument)
            for position, argument in enumerate(arguments)
        ]
    if takes_rest:
        special["Rest"] = own = free(REST, names)
        lines.append(_catching("ValueFromRemainingArguments", own))
    if not _has_as_job(command.parameters):
        lines.append("[switch]$AsJob")
    header = "" if shape is Shape.SIMPLE else _binding(command, shape)
    if header and command.output_types:
        types = ",".join(Quoted(one).render() for one in command.output_types)
        header += f"[OutputType({types})]\n"
    what = Quoted(command.name).render()
    if shape is Shape.SIMPLE:
        start = f"{what} $null $PSBoundParameters $args $MyInvocation.ExpectingInput"
    else:
        start = f"{what} $PSCmdlet $PSBoundParameters"
    parameters = ",\n".join(lines)
    body = (
        f"{header}param({parameters})\n"
        f"begin{{${CALL}=Start-PSExportCall {start}}}\n"
        f"process{{Send-PSExportInput ${CALL} $_}}\n"
        f"end{{Complete-PSExportCall ${CALL}}}\n}}\n"
    )
    return Draft(
        command.name,
        body,
        special,
        tuple(design.left_out()),
        design.speaks_for_itself,
    )


def _catching(how: str, variable: str) -> str:
    """Declare a parameter that takes what no other does, and that no caller names."""
    return (
        f"[Parameter({how},DontShow)][AllowNull()]"
        f"[AllowEmptyString()][AllowEmptyCollection()]${{{variable}}}"
    )


def _binding(command: Command, shape: Shape) -> str:
    """Write CmdletBinding, short: parsing is most of what importing costs."""
    words = []
    # Where one parameter has a position or a set, none gets a position by itself.
    explicit = shape is Shape.TYPED and any(
        one.position is not None or one.set != ALL_SETS
        for parameter in command.parameters
        for one in parameter.memberships
        if not parameter.is_dynamic
    )
    if shape is Shape.TYPED:
        if command.default_set and command.default_set != ALL_SETS:
            words.append(
                f"DefaultParameterSetName={Quoted(command.default_set).render()}"
            )
        if command.supports_paging:
            words.append("SupportsPaging")
    if command.supports_should_process:
        words.append("SupportsShouldProcess")
        if command.confirm_impact in ("None", "Low", "High"):
            words.append(f"ConfirmImpact='{command.confirm_impact}'")
    if is_page(command.help_uri):
        words.append(f"HelpUri={Quoted(command.help_uri).render()}")
    if not explicit:
        words.append("PositionalBinding=$false")
    if explicit and not words:
        return ""  # an attribute of a parameter says that it is an advanced function
    return f"[CmdletBinding({','.join(words)})]\n"


def _is_paging(command: Command, parameter: Parameter) -> bool:
    # SupportsPaging brings them; declared twice they would fail every call.
    return command.supports_paging and fold(parameter.name) in (
        "first",
        "skip",
        "includetotalcount",
    )


def _has_as_job(parameters: Iterable[Parameter]) -> bool:
    return any(
        len(one) == len("AsJob") and fold(one) == "ASJOB"
        for parameter in parameters
        for one in (parameter.name, *parameter.aliases)
    )


def _as_job_prefixes(parameters: tuple[Parameter, ...]) -> dict[str, tuple[str, ...]]:
    """Find what a caller may cut short only as long as there is no -AsJob.

    ``-A`` means ``-Age`` on the host. With our own ``-AsJob`` beside it that would be
    ambiguous, so it becomes an alias of ``-Age``.
    """
    owners: dict[str, list[str]] = {}
    for parameter in parameters:
        names = [
            fold(one)
            for one in (parameter.name, *parameter.aliases)
            if one.startswith(("A", "a"))
        ]
        if not names:
            continue
        for prefix in ("A", "AS", "ASJ", "ASJO"):
            if prefix in names:
                owners[prefix] = ["", ""]  # an exact name is never ambiguous
            elif any(name.startswith(prefix) for name in names):
                owners.setdefault(prefix, []).append(parameter.name)
    extra: dict[str, tuple[str, ...]] = {}
    for prefix, named in owners.items():
        if len(named) == 1:
            extra[named[0]] = (*extra.get(named[0], ()), prefix)
    return extra


def _parameter(
    parameter: Parameter,
    kind: str | None,
    variable: str,
    shape: Shape,
    extra_aliases: tuple[str, ...],
) -> str:
    aliases = (*parameter.aliases, *extra_aliases)
    if variable != parameter.name:
        aliases = (parameter.name, *aliases)
    return _rendered(parameter, kind, variable, shape, aliases)


@functools.lru_cache(maxsize=4096)
def _rendered(
    parameter: Parameter,
    kind: str | None,
    variable: str,
    shape: Shape,
    aliases: tuple[str, ...],
) -> str:
    parts: list[str] = []
    if shape is Shape.TYPED and not parameter.is_dynamic:
        hidden = ",DontShow" if parameter.hidden else ""
        for membership in parameter.memberships:
            if words := _membership(membership) + hidden:
                parts.append(f"[Parameter({words.lstrip(',')})]")
    if aliases:
        quoted = ",".join(Quoted(alias).render() for alias in aliases)
        parts.append(f"[Alias({quoted})]")
    if shape is not Shape.LOOSE and kind is not None and not parameter.takes_input:
        parts += _validations(parameter)
    elif shape is Shape.TYPED and any(one.mandatory for one in parameter.memberships):
        # What is mandatory is checked by its type, which is not the host's here.
        parts.append("[AllowNull()][AllowEmptyString()][AllowEmptyCollection()]")
    if values := _completions(parameter):
        parts.append(_completer(values))
    if kind is not None and kind != "object":
        parts.append(f"[{kind}]")
    return "".join(parts) + VariableName(variable).render()


def _membership(membership: Membership) -> str:
    words = []
    if membership.set != ALL_SETS:
        words.append(f"ParameterSetName={Quoted(membership.set).render()}")
    if membership.position is not None:
        words.append(f"Position={membership.position}")
    if membership.mandatory:
        words.append("Mandatory")
    if membership.from_pipeline:
        words.append("ValueFromPipeline")
    if membership.from_pipeline_by_name:
        words.append("ValueFromPipelineByPropertyName")
    if membership.from_remaining:
        words.append("ValueFromRemainingArguments")
    return ",".join(words)


def _validations(parameter: Parameter) -> list[str]:
    return [
        text
        for validation in parameter.validations
        if (text := _validation(validation)) is not None
    ]


def _validation(validation: Validation) -> str | None:
    kind, arguments = validation.kind, validation.arguments
    match kind:
        case (
            ValidationKind.NOT_NULL
            | ValidationKind.NOT_NULL_OR_EMPTY
            | ValidationKind.ALLOW_NULL
            | ValidationKind.ALLOW_EMPTY_STRING
            | ValidationKind.ALLOW_EMPTY_COLLECTION
        ):
            return f"[{kind.value}()]"
        case ValidationKind.COUNT | ValidationKind.LENGTH if len(arguments) == 2:
            if all(_COUNT.fullmatch(one) for one in arguments):
                least, most = map(int, arguments)
                if least <= most and most > 0:  # else no call would get through
                    return f"[{kind.value}({least},{most})]"
        case ValidationKind.RANGE if len(arguments) == 3:
            ends = [range_literal(arguments[0], one) for one in arguments[1:]]
            if None in ends or int(arguments[1]) > int(arguments[2]):
                return None
            return f"[ValidateRange({ends[0]},{ends[1]})]"
        case ValidationKind.PATTERN if len(arguments) == 2 and arguments[0]:
            options = arguments[1]
            # IgnoreCase is what the attribute does anyhow; other options are rare
            # enough to be left to the host.
            if options == "1":
                return f"[ValidatePattern({Quoted(arguments[0]).render()})]"
    return None


def _completions(parameter: Parameter) -> tuple[str, ...]:
    values = parameter.enum_values or parameter.completions
    for validation in parameter.validations:
        if validation.kind is ValidationKind.SET:
            values = validation.arguments[1:]
    if len(values) > _MOST_COMPLETIONS:
        return ()
    # Others would control the terminal that shows them.
    return tuple(value for value in values if value.isprintable())


def _completer(values: tuple[str, ...]) -> str:
    """Offer values without insisting on them: a newer host may take others."""
    listed = ",".join(Quoted(value).render() for value in values)
    if all(value.isascii() and value.isalnum() for value in values):
        body = f"{listed}-like$args[2]+'*'"
    else:
        # What needs quotes gets them, and is found with and without.
        body = listed + _MATCH_AND_QUOTE
    if len(values) == 1:
        body = "," + body
    return f"[ArgumentCompleter({{{body}}})]"
