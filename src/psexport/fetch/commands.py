"""What a host tells of its commands: records to :class:`~psexport.model.Command`.

Two answers are read. GET_COMMAND_METADATA has a record a command with its type,
module, aliases and the names and types of its parameters. ``Get-Command
-ShowCommandInfo`` has the parameter sets: positions, what is mandatory, what comes by
value from the pipeline, values of enums and ValidateSet. The second adds to the
first; neither is believed beyond what it can mean.

Common parameters are not kept. They tell what the command is instead: one that has
them all is advanced, WhatIf with Confirm is SupportsShouldProcess, and so on.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace

from .. import clixml
from ..clixml import Document, MalformedError, Node
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
from .type_names import type_name

#: More than this no command of a real host has: its parameter sets are a 32-bit mask,
#: the cmdlet with the most parameters that is known to us has 130.
MAX_PARAMETERS = 1_000
MAX_SETS = 64

_SWITCH = "System.Management.Automation.SwitchParameter"

#: The common parameters since PowerShell 3, by which an advanced command is known …
_COMMON_CORE = {
    "verbose",
    "debug",
    "erroraction",
    "warningaction",
    "errorvariable",
    "warningvariable",
    "outvariable",
    "outbuffer",
}
#: … and those that came in 4, 5, 7.4.
_COMMON = _COMMON_CORE | {
    "pipelinevariable",
    "informationaction",
    "informationvariable",
    "progressaction",
}
#: Parameters that the engine adds by attribute, with the alias or the type by which
#: they are told from a command's own parameter of that name.
_SHOULD_PROCESS = {"whatif": "wi", "confirm": "cf"}
_TRANSACTION = {"usetransaction": "usetx"}
_PAGING = {
    "first": "System.UInt64",
    "skip": "System.UInt64",
    "includetotalcount": _SWITCH,
}

_ONE_TYPE = frozenset(t for t in CommandType if t.bit_count() == 1)
_DEFAULT_MEMBERSHIPS = (Membership(),)


@dataclass(frozen=True, slots=True)
class ShownParameter:
    """A parameter in one set, as ``-ShowCommandInfo`` tells it."""

    name: str
    membership: Membership
    enum_values: tuple[str, ...] = ()
    enum_is_flags: bool = False
    set_values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shown:
    """One record of ``-ShowCommandInfo``."""

    name: str
    type: CommandType
    module: str
    sets: tuple[str, ...] = ()
    default_set: str | None = None
    parameters: tuple[ShownParameter, ...] = ()


def expected(doc: Document) -> int | None:
    """How many commands the host announces, if this record says that.

    The metadata answer starts with one such record. It is known by its type, since a
    command may have a property ``Count`` too.
    """
    names = doc.type_names(doc.root)
    if not names or not names[0].startswith("Selected."):
        return None
    if not names[0].endswith("MeasureInfo"):
        return None
    return clixml.number(doc.properties(doc.root).get("Count"))


def command(doc: Document) -> Command:
    """The command of one GET_COMMAND_METADATA record, at :attr:`Detail.NAMES`.

    :raises MalformedError: it has no name, no type that a command can have, or
        parameters that no command can have; its ``target`` is the name if there is.
    """
    told = doc.properties(doc.root)
    name = clixml.text(told.get("Name"))
    if not name:
        raise MalformedError("a command without a name")
    try:
        return _command(doc, told, name)
    except MalformedError as error:
        error.target = name
        raise


def shown(doc: Document) -> Shown:
    """The parameter sets of one ``Get-Command -ShowCommandInfo`` record.

    :raises MalformedError: as :func:`command`.
    """
    told = doc.properties(doc.root)
    name = clixml.text(told.get("Name"))
    if not name:
        raise MalformedError("a command without a name")
    try:
        return _shown(doc, told, name)
    except MalformedError as error:
        error.target = name
        raise


def merge(plain: Command, more: Shown) -> Command:
    """Add what ``-ShowCommandInfo`` tells of a command, giving :attr:`Detail.SETS`.

    The metadata decides which parameters there are. One of which no set is told is
    taken to be in all.
    """
    if not more.sets:
        return plain
    told: dict[str, list[ShownParameter]] = {}
    for place in more.parameters:
        told.setdefault(place.name.lower(), []).append(place)
    memberships = {
        parameter.name: tuple(p.membership for p in told.get(key, ()))
        for parameter in plain.parameters
        if (key := parameter.name.lower()) in told
    }
    common = _in_every_set_alike(memberships, more)
    parameters: list[Parameter] = []
    for parameter in plain.parameters:
        places = told.get(parameter.name.lower())
        if places is None:
            parameters.append(parameter)
            continue
        first = places[0]
        mine = memberships[parameter.name]
        if parameter.name in common:
            mine = (replace(mine[0], set=ALL_SETS),)
        parameters.append(
            replace(
                parameter,
                memberships=mine,
                enum_values=first.enum_values,
                enum_is_flags=first.enum_is_flags,
                # Which case the host ignores it does not say: it ignores it unless
                # somebody asked for the contrary.
                validations=(
                    (Validation(ValidationKind.SET, ("1", *first.set_values)),)
                    if first.set_values
                    else ()
                ),
            )
        )
    return replace(
        plain,
        parameters=tuple(parameters),
        detail=Detail.SETS,
        sets=more.sets,
        default_set=more.default_set,
    )


def _command(doc: Document, told: dict[str, Node], name: str) -> Command:
    kind = _command_type(told.get("CommandType"))
    entries = _entries(doc, told.get("Parameters"))
    advanced = kind is CommandType.CMDLET or entries.keys() >= _COMMON_CORE
    own = entries.keys() - _COMMON if advanced else entries.keys()
    parameters = {
        key: _parameter(doc, *entry) for key, entry in entries.items() if key in own
    }
    should_process = advanced and _has_aliased(parameters, _SHOULD_PROCESS)
    transactions = advanced and _has_aliased(parameters, _TRANSACTION)
    paging = advanced and _has_typed(parameters, _PAGING)
    for added, there in (
        (_SHOULD_PROCESS, should_process),
        (_TRANSACTION, transactions),
        (_PAGING, paging),
    ):
        for key in added if there else ():
            del parameters[key]
    is_alias = kind is CommandType.ALIAS
    resolved = clixml.text(told.get("ResolvedCommandName")) or None
    return Command(
        name=name,
        type=kind,
        module=sys.intern(clixml.text(told.get("Namespace"))),
        help_uri=clixml.text(told.get("HelpUri")),
        resolved_name=resolved if is_alias else None,
        parameters=tuple(parameters.values()),
        advanced=None if is_alias and resolved is None else advanced,
        output_types=tuple(
            type_name(clixml.text(item)) for item in doc.each(told.get("OutputType"))
        ),
        supports_should_process=should_process,
        supports_transactions=transactions,
        supports_paging=paging,
        has_dynamic_parameters=any(p.is_dynamic for p in parameters.values()),
    )


def _entries(doc: Document, node: Node | None) -> dict[str, tuple[str, Node]]:
    """The parameters' names and nodes by their names in lower case, still unread."""
    found: dict[str, tuple[str, Node]] = {}
    for key, node_ in doc.entries(node):
        name = clixml.text(key)
        if not name:
            raise MalformedError("a parameter without a name")
        if name.lower() in found:
            raise MalformedError(f"two parameters called {name[:100]!r}")
        if len(found) >= MAX_PARAMETERS:
            raise MalformedError(f"more than {MAX_PARAMETERS:,} parameters")
        found[name.lower()] = name, node_
    return found


def _parameter(doc: Document, name: str, node: Node) -> Parameter:
    told = doc.properties(node)
    kind = type_name(clixml.text(told.get("ParameterType")) or "System.Object")
    return Parameter(
        name=sys.intern(name),
        type_name=kind,
        aliases=_texts(doc.each(told.get("Aliases"))),
        is_switch=kind == _SWITCH or clixml.flag(told.get("SwitchParameter")),
        is_dynamic=clixml.flag(told.get("IsDynamic")),
        memberships=_DEFAULT_MEMBERSHIPS,
    )


def _has_aliased(by_name: dict[str, Parameter], aliases: dict[str, str]) -> bool:
    return all(
        key in by_name and alias in map(str.lower, by_name[key].aliases)
        for key, alias in aliases.items()
    )


def _has_typed(by_name: dict[str, Parameter], types: dict[str, str]) -> bool:
    return all(
        key in by_name and by_name[key].type_name == kind for key, kind in types.items()
    )


def _command_type(node: Node | None) -> CommandType:
    value = clixml.number(node)
    if value not in _ONE_TYPE:
        said = value if value is not None else clixml.text(node)
        raise MalformedError(f"a command of the unknown type {str(said)[:40]!r}")
    return CommandType(value)


def _shown(doc: Document, told: dict[str, Node], name: str) -> Shown:
    sets: list[str] = []
    default: str | None = None
    parameters: list[ShownParameter] = []
    for node in doc.each(told.get("ParameterSets")):
        one = doc.properties(node)
        set_name = sys.intern(clixml.text(one.get("Name")) or ALL_SETS)
        if len(sets) >= MAX_SETS:
            raise MalformedError(f"a command with more than {MAX_SETS} parameter sets")
        sets.append(set_name)
        if clixml.flag(one.get("IsDefault")) and set_name != ALL_SETS:
            default = set_name
        members = [
            (_name(member), member) for member in doc.each(one.get("Parameters"))
        ]
        if len(members) > MAX_PARAMETERS:
            raise MalformedError(f"a set of more than {MAX_PARAMETERS:,} parameters")
        advanced = {key.lower() for key, _ in members} >= _COMMON_CORE
        parameters.extend(
            _shown_parameter(doc, key, member, set_name)
            for key, member in members
            if not (advanced and key.lower() in _COMMON)
        )
    if len({s.lower() for s in sets}) != len(sets):
        raise MalformedError("two parameter sets of one name")
    return Shown(
        name=name,
        type=_command_type(told.get("CommandType")),
        module=sys.intern(clixml.text(told.get("ModuleName"))),
        sets=tuple(sets),
        default_set=default,
        parameters=tuple(parameters),
    )


def _name(node: Node) -> str:
    """The property Name of an object, without reading the others."""
    for bag in node:
        for member in bag if bag.tag in ("MS", "Props") else ():
            if member.get("N") == "Name":
                return clixml.text(member)
    raise MalformedError("a parameter without a name")


def _shown_parameter(
    doc: Document, name: str, node: Node, set_name: str
) -> ShownParameter:
    told = doc.properties(node)
    kind = doc.properties(told.get("ParameterType"))
    element = doc.properties(kind.get("ElementType"))
    enum = kind if clixml.flag(kind.get("IsEnum")) else element
    position = clixml.number(told.get("Position"))
    return ShownParameter(
        name=name,
        membership=Membership(
            set=set_name,
            # A parameter that is bound by name only has the least Int32 there is.
            position=None if position is None or position < 0 else position,
            mandatory=clixml.flag(told.get("IsMandatory")),
            from_pipeline=clixml.flag(told.get("ValueFromPipeline")),
        ),
        enum_values=_texts(doc.each(enum.get("EnumValues"))),
        enum_is_flags=clixml.flag(enum.get("HasFlagAttribute")),
        set_values=_texts(doc.each(told.get("ValidParamSetValues"))),
    )


def _texts(nodes: Iterable[Node]) -> tuple[str, ...]:
    return tuple(sys.intern(clixml.text(node)) for node in nodes)


def _in_every_set_alike(
    memberships: dict[str, tuple[Membership, ...]], more: Shown
) -> frozenset[str]:
    """Names of the parameters that can be said to be in all sets.

    ``-ShowCommandInfo`` lists a parameter of all sets under each set. Saying so again
    must not make a set vanish: without a parameter of its own it is only there if it
    is the default.
    """
    count = len(more.sets)
    alike = frozenset(
        name
        for name, places in memberships.items()
        if len(places) == count
        and len({replace(place, set=ALL_SETS) for place in places}) == 1
    )
    if count == 1:
        return alike
    anchored = {
        place.set
        for name, places in memberships.items()
        if name not in alike
        for place in places
    }
    vanishing = set(more.sets) - anchored - {more.default_set}
    return frozenset() if vanishing else alike
