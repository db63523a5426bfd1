"""One command of the host → one function of the module.

Theory of operation. A proxy takes one of three shapes, the first that keeps the law of
:mod:`.types` (whatever the host would accept, the proxy accepts):

``TYPED``
    An advanced function with the command's own sets, positions, types and validation.
    It needs everything to be known (:attr:`Detail.FULL`), and no two sets that only
    types which the client lacks tell apart.
``SIMPLE``
    A function without ``CmdletBinding``, for a host's function without it: what is
    not bound goes into ``$args``, and so to the host.
``LOOSE``
    An advanced function that refuses nothing: names and aliases, one set; positions
    and unknown names are left to the host by way of a parameter that takes
    the remaining arguments, and any input is taken.

What a shape leaves out of the metadata is reported, so that nobody needs to guess.
The text of a proxy is the same few lines for all; whatever is unusual about one goes
into the table of specials, which the runtime reads.
"""

from __future__ import annotations

import enum
import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from ..model import (
    ALL_SETS,
    Command,
    CommandType,
    Detail,
    Membership,
    Parameter,
    Validation,
    ValidationKind,
)
from ..pslang import FunctionName, Quoted, VariableName, fold, needs_other_variable
from ..pslang.render import LiteralValue
from .pages import is_page
from .types import constraint, range_literal

#: Parameters of a loose proxy that no caller names; with underscores behind, where the
#: host's command has such a parameter: it may be such a proxy itself.
INPUT = "__PSExportInput"
REST = "__PSExportRest"
#: Stands before a number: what stands at that position.
ARGUMENT = "__PSExportArgument"
_MOST_ARGUMENTS = 10
#: The one variable that the text of a proxy uses.
CALL = "PSExportCall"
#: Types that take any object of a pipeline.
_NEVER_FAIL = frozenset(
    ("string", "string[]", "object", "object[]", "psobject", "psobject[]")
)
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


class Shape(enum.Enum):
    """How much of a command its proxy shows."""

    TYPED = "typed"
    SIMPLE = "simple"
    LOOSE = "loose"


@dataclass(frozen=True, slots=True)
class ProxyText:
    """The text of a proxy, and what the rest of the module must know of it.

    :ivar command: the command, as the host calls it.
    :ivar special: entries for the runtime's table: ``Renamed``, ``Input``,
        ``Arguments``, ``Positional``, ``Rest``.
    :ivar left_out: what the metadata lost, in words.
    """

    command: str
    text: str
    shape: Shape
    special: dict[str, LiteralValue] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


def shape_of(command: Command, *, compatible: bool = False) -> tuple[Shape, str | None]:
    """Return the shape for a command, and why it is not TYPED.

    :param compatible: flatten it as Export-PSSession does.
    """
    if command.type in (CommandType.APPLICATION, CommandType.EXTERNAL_SCRIPT):
        if command.advanced is not True:
            return Shape.SIMPLE, None
    elif command.advanced is False:
        return Shape.SIMPLE, None
    if command.advanced is None and command.type is not CommandType.CMDLET:
        return Shape.SIMPLE, "the host did not tell whether it is an advanced function"
    if compatible:
        return Shape.LOOSE, None
    if command.detail is not Detail.FULL:
        return Shape.LOOSE, "the host told only names and types of its parameters"
    if clash := _undecidable(command):
        return Shape.LOOSE, clash
    return Shape.TYPED, None


def render(
    command: Command, name: str, *, compatible: bool = False, help_file: str = ""
) -> ProxyText:
    """Return the proxy of a command.

    :param command: the command, its names checked by selection.
    :param name: what the proxy is called.
    :param compatible: flatten the parameters, as Export-PSSession does.
    :param help_file: name of the help file that documents it; empty for none.
    """
    shape, why = shape_of(command, compatible=compatible)
    left_out = [] if why is None else [why]
    renamed = _variables(command.parameters)
    extra_aliases = _as_job_prefixes(command.parameters)
    lines = [
        _parameter(
            parameter,
            renamed.get(parameter.name, parameter.name),
            shape,
            extra_aliases.get(parameter.name, ()),
            compatible,
        )
        for parameter in command.parameters
        if not (shape is Shape.TYPED and _is_paging(command, parameter))
    ]
    taken = _taken(command.parameters)
    special: dict[str, LiteralValue] = {}
    if renamed:
        special["Renamed"] = {new: old for old, new in sorted(renamed.items())}
    if shape is Shape.LOOSE or (shape is Shape.TYPED and _leaves_input(command)):
        special["Input"] = own = _free(INPUT, taken)
        lines.append(
            "[Parameter(ValueFromPipeline,DontShow)][AllowNull()]"
            f"[AllowEmptyString()][AllowEmptyCollection()]${{{own}}}"
        )
    if shape is Shape.LOOSE:
        # Of the remaining arguments nobody could tell "1 2" from "@(1, 2)".
        arguments = [
            _free(f"{ARGUMENT}{position}", taken)
            for position in range(min(len(command.parameters), _MOST_ARGUMENTS))
        ]
        special["Arguments"] = arguments
        special["Positional"] = [
            parameter.name
            for parameter in command.parameters
            if any(one.position is not None for one in parameter.memberships)
        ]
        lines += [
            f"[Parameter(Position={position},DontShow)][AllowNull()]"
            f"[AllowEmptyString()][AllowEmptyCollection()]${{{argument}}}"
            for position, argument in enumerate(arguments)
        ]
    if shape is Shape.LOOSE or (shape is Shape.TYPED and _needs_rest(command)):
        special["Rest"] = own = _free(REST, taken)
        lines.append(
            "[Parameter(ValueFromRemainingArguments,DontShow)][AllowNull()]"
            f"[AllowEmptyString()][AllowEmptyCollection()]${{{own}}}"
        )
    if shape is Shape.TYPED and command.has_dynamic_parameters:
        left_out.append("its dynamic parameters are known at the host only")
    if not _has(command.parameters, "AsJob"):
        lines.append("[switch]$AsJob")
    if shape is Shape.TYPED:
        left_out += _untyped(command.parameters)
    header = "" if shape is Shape.SIMPLE else _binding(command, shape)
    if header and command.output_types:
        types = ",".join(Quoted(one).render() for one in command.output_types)
        header += f"[OutputType({types})]\n"
    if help_file:
        header = f"#.ExternalHelp {help_file}\n{header}"
    what = Quoted(command.name).render()
    if shape is Shape.SIMPLE:
        start = f"{what} $null $PSBoundParameters $args $MyInvocation.ExpectingInput"
    else:
        start = f"{what} $PSCmdlet $PSBoundParameters"
    parameters = ",\n".join(lines)
    text = (
        f"function {FunctionName(name).render()} {{\n{header}param({parameters})\n"
        f"begin{{${CALL}=Start-PSExportCall {start}}}\n"
        f"process{{Send-PSExportInput ${CALL} $_}}\n"
        f"end{{Complete-PSExportCall ${CALL}}}\n}}\n"
    )
    return ProxyText(command.name, text, shape, special, tuple(left_out))


def speaks_for_itself(command: Command, *, compatible: bool = False) -> bool:
    """Whether help made up from the proxy is what it would be on the host.

    It is not where the proxy hides types of the host, or has parameters of its own
    (``-AsJob`` apart, which is there to be used).
    """
    shape, _ = shape_of(command, compatible=compatible)
    return not (
        shape is Shape.LOOSE
        or _needs_rest(command)
        or _leaves_input(command)
        or _variables(command.parameters)
        or any(
            _client_type(parameter, shape, compatible) is None
            for parameter in command.parameters
        )
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


def _needs_rest(command: Command) -> bool:
    return command.has_dynamic_parameters and not any(
        membership.from_remaining
        for parameter in command.parameters
        for membership in parameter.memberships
    )


def _leaves_input(command: Command) -> bool:
    """Whether only the host's types tell if a parameter takes an input object.

    Typed, a script block given to it by name would be run for each object; untyped, it
    is bound to the block, and nothing would be left to take the objects.
    """
    return any(
        membership.from_pipeline and _client_type(parameter, Shape.TYPED, False) is None
        for parameter in command.parameters
        for membership in parameter.memberships
    )


def _has(parameters: Iterable[Parameter], name: str) -> bool:
    key = fold(name)
    return any(
        key == fold(one)
        for parameter in parameters
        for one in (parameter.name, *parameter.aliases)
    )


def _variables(parameters: tuple[Parameter, ...]) -> dict[str, str]:
    """Map each parameter that cannot be its own variable to one that can."""
    renamed: dict[str, str] = {}
    taken: set[str] | None = None
    for parameter in parameters:
        if fold(parameter.name) == fold(CALL) or needs_other_variable(parameter.name):
            if taken is None:
                taken = _taken(parameters)
            new = _free(parameter.name + "_", taken)
            taken.add(fold(new))
            renamed[parameter.name] = new
    return renamed


def _taken(parameters: Iterable[Parameter]) -> set[str]:
    return {
        fold(one)
        for parameter in parameters
        for one in (parameter.name, *parameter.aliases)
    }


def _free(name: str, taken: set[str]) -> str:
    """Return the name, with as many underscores behind as make it nobody else's."""
    while fold(name) in taken:
        name += "_"
    return name


def _as_job_prefixes(parameters: tuple[Parameter, ...]) -> dict[str, tuple[str, ...]]:
    """Find what a caller may cut short only as long as there is no -AsJob.

    ``-A`` means ``-Age`` on the host. With our own ``-AsJob`` beside it that would be
    ambiguous, so it becomes an alias of ``-Age``.
    """
    owners: dict[str, list[str]] = {}
    for parameter in parameters:
        for prefix in ("A", "AS", "ASJ", "ASJO"):
            names = [fold(one) for one in (parameter.name, *parameter.aliases)]
            if prefix in names:
                owners[prefix] = ["", ""]  # an exact name is never ambiguous
            elif any(name.startswith(prefix) for name in names):
                owners.setdefault(prefix, []).append(parameter.name)
    extra: dict[str, tuple[str, ...]] = {}
    for prefix, names in owners.items():
        if len(names) == 1:
            extra[names[0]] = (*extra.get(names[0], ()), prefix)
    return extra


def _parameter(
    parameter: Parameter,
    variable: str,
    shape: Shape,
    extra_aliases: tuple[str, ...],
    compatible: bool,
) -> str:
    aliases = (*parameter.aliases, *extra_aliases)
    if variable != parameter.name:
        aliases = (parameter.name, *aliases)
    return _rendered(parameter, variable, shape, aliases, compatible)


@functools.lru_cache(maxsize=65536)
def _rendered(
    parameter: Parameter,
    variable: str,
    shape: Shape,
    aliases: tuple[str, ...],
    compatible: bool,
) -> str:
    parts: list[str] = []
    kind = _client_type(parameter, shape, compatible)
    exact = kind is not None
    if shape is Shape.TYPED and not parameter.is_dynamic:
        hidden = ",DontShow" if parameter.hidden else ""
        for membership in parameter.memberships:
            if words := _membership(membership) + hidden:
                parts.append(f"[Parameter({words.lstrip(',')})]")
    if aliases:
        quoted = ",".join(Quoted(alias).render() for alias in aliases)
        parts.append(f"[Alias({quoted})]")
    takes_input = any(one.from_pipeline for one in parameter.memberships)
    if shape is not Shape.LOOSE and exact and not takes_input:
        parts += _validations(parameter)
    elif shape is Shape.TYPED and any(one.mandatory for one in parameter.memberships):
        # What is mandatory is checked by its type, which is not the host's here.
        parts.append("[AllowNull()][AllowEmptyString()][AllowEmptyCollection()]")
    if values := _completions(parameter):
        parts.append(_completer(values))
    if kind is not None and kind != "object":
        parts.append(f"[{kind}]")
    return "".join(parts) + VariableName(variable).render()


def _client_type(parameter: Parameter, shape: Shape, compatible: bool) -> str | None:
    if parameter.is_switch:
        return "switch"
    if compatible or shape is Shape.LOOSE:
        # A loose proxy does not know which parameters take a script block to be run
        # for each input object, and a constraint would make text of that.
        return None
    if parameter.transforms or parameter.enum_values:
        return None
    kind = constraint(parameter.type_name)
    if kind not in _NEVER_FAIL and any(
        one.from_pipeline for one in parameter.memberships
    ):
        # Refused here, an object of the pipeline would be an error that overtakes
        # what the host still has to say of the objects before it.
        return None
    return kind


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


def _untyped(parameters: Iterable[Parameter]) -> list[str]:
    lost = []
    for parameter in parameters:
        if _client_type(parameter, Shape.TYPED, False) is not None:
            continue
        if parameter.enum_values:
            continue  # nothing is lost: its values are completed
        why = "the host transforms it" if parameter.transforms else "no client type"
        lost.append(f"-{parameter.name} is untyped ({parameter.type_name}: {why})")
    return lost


def _undecidable(command: Command) -> str | None:
    """Say which sets only the host's types tell apart, ``None`` if there are none."""
    if len(command.sets) < 2:
        return None
    untyped = [
        parameter
        for parameter in command.parameters
        if _client_type(parameter, Shape.TYPED, False) is None
    ]
    for parameter in untyped:
        if _competes(parameter, command) or _misleads(parameter, command):
            return (
                f"its parameter sets are told apart by the type of "
                f"-{parameter.name} ({parameter.type_name}), which is the host's"
            )
    return None


def _competes(parameter: Parameter, command: Command) -> bool:
    """Whether an argument without a name may become this parameter or another."""
    places = {one.position for one in parameter.memberships} - {None}
    return any(
        membership.position in places
        for other in command.parameters
        if other is not parameter
        for membership in other.memberships
    )


def _misleads(parameter: Parameter, command: Command) -> bool:
    """Whether input that is for another set would be taken by this parameter.

    Untyped, it takes any input object, and with it its own set: then two sets would
    take the object, or the caller would be asked for what else its set demands.
    """
    own = {one.set for one in parameter.memberships if one.from_pipeline}
    if not own or ALL_SETS in own:
        return False
    elsewhere = demands = False
    for other in command.parameters:
        for one in other.memberships:
            takes_input = one.from_pipeline or one.from_pipeline_by_name
            if one.from_pipeline and one.set not in own:
                return True
            elsewhere |= takes_input and one.set not in own
            demands |= one.mandatory and not takes_input and one.set in {*own, ALL_SETS}
    return elsewhere and demands
