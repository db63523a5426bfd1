"""How much of a command its proxy can show, decided before a line of it is written.

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
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ..model import ALL_SETS, Command, CommandType, Detail, Parameter
from ..pslang import fold, needs_other_variable
from .types import constraint

#: The one variable that the text of a proxy uses.
CALL = "PSExportCall"
#: Types that take any object of a pipeline.
_NEVER_FAIL = frozenset(
    ("string", "string[]", "object", "object[]", "psobject", "psobject[]")
)


class Shape(enum.Enum):
    """How much of a command its proxy shows."""

    TYPED = "typed"
    SIMPLE = "simple"
    LOOSE = "loose"


@dataclass(frozen=True, slots=True)
class Design:
    """What the proxy of a command will be.

    :ivar command: the command, its names checked by selection.
    :ivar why: why the shape is not ``TYPED``; ``None`` if it need not be.
    :ivar types: the constraint of each parameter, ``None`` for one that the client
        has no type for.
    :ivar renamed: parameter → variable, of those that cannot be their own variable.
    :ivar leaves_input: whether only the host's types tell if a parameter takes an
        input object. Typed, a script block given to it by name would be run for each
        object; untyped, it is bound to the block, and nothing would be left to take
        the objects.
    :ivar needs_rest: whether the host has parameters that nobody knows yet.
    """

    command: Command
    shape: Shape
    why: str | None
    types: tuple[str | None, ...]
    renamed: Mapping[str, str]
    leaves_input: bool
    needs_rest: bool

    @property
    def speaks_for_itself(self) -> bool:
        """Whether help made up from the proxy is what it would be on the host.

        It is not where the proxy hides types of the host, or has parameters of its
        own (``-AsJob`` apart, which is there to be used).
        """
        return not (
            self.shape is Shape.LOOSE
            or self.needs_rest
            or self.leaves_input
            or self.renamed
            or None in self.types
        )

    def left_out(self) -> Iterator[str]:
        """Tell what the metadata loses, in words."""
        if self.why is not None:
            yield self.why
        if self.shape is not Shape.TYPED:
            return
        if self.command.has_dynamic_parameters:
            yield "its dynamic parameters are known at the host only"
        for parameter, kind in zip(self.command.parameters, self.types, strict=True):
            # With values to complete nothing is lost.
            if kind is None and not parameter.enum_values:
                why = (
                    "the host transforms it"
                    if parameter.transforms
                    else "no client type"
                )
                yield f"-{parameter.name} is untyped ({parameter.type_name}: {why})"


def design(command: Command, *, compatible: bool = False) -> Design:
    """Decide what the proxy of a command will be.

    :param compatible: flatten it as Export-PSSession does.
    """
    types = tuple(map(_client_type, command.parameters))
    shape, why = _shape(command, types, compatible)
    leaves_input = any(
        kind is None and parameter.takes_input
        for parameter, kind in zip(command.parameters, types, strict=True)
    )
    if shape is Shape.LOOSE or compatible:
        # A loose proxy does not know which parameters take a script block to be run
        # for each input object, and a constraint would make text of that.
        types = tuple(
            "switch" if parameter.is_switch else None
            for parameter in command.parameters
        )
    return Design(
        command,
        shape,
        why,
        types,
        _renamed(command.parameters),
        leaves_input,
        command.has_dynamic_parameters
        and not any(
            one.from_remaining
            for parameter in command.parameters
            for one in parameter.memberships
        ),
    )


def taken(parameters: Iterable[Parameter]) -> set[str]:
    """The folded names that callers may use for these parameters."""
    return {
        fold(one)
        for parameter in parameters
        for one in (parameter.name, *parameter.aliases)
    }


def free(name: str, names: set[str]) -> str:
    """Return the name, with as many underscores behind as make it nobody else's."""
    while fold(name) in names:
        name += "_"
    return name


def _client_type(parameter: Parameter) -> str | None:
    if parameter.is_switch:
        return "switch"
    if parameter.transforms or parameter.enum_values:
        return None
    kind = constraint(parameter.type_name)
    if kind not in _NEVER_FAIL and parameter.takes_input:
        # Refused here, an object of the pipeline would be an error that overtakes
        # what the host still has to say of the objects before it.
        return None
    return kind


def _shape(
    command: Command, types: tuple[str | None, ...], compatible: bool
) -> tuple[Shape, str | None]:
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
    if clash := _undecidable(command, types):
        return Shape.LOOSE, clash
    return Shape.TYPED, None


def _undecidable(command: Command, types: tuple[str | None, ...]) -> str | None:
    """Say which sets only the host's types tell apart, ``None`` if there are none."""
    if None not in types or len(command.sets) < 2:
        return None
    for parameter, kind in zip(command.parameters, types, strict=True):
        if kind is None and (
            _competes(parameter, command) or _misleads(parameter, command)
        ):
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


def _renamed(parameters: tuple[Parameter, ...]) -> dict[str, str]:
    renamed: dict[str, str] = {}
    names: set[str] | None = None
    for parameter in parameters:
        if needs_other_variable(parameter.name) or fold(parameter.name) == _CALL_KEY:
            if names is None:
                names = taken(parameters)
            new = free(parameter.name + "_", names)
            names.add(fold(new))
            renamed[parameter.name] = new
    return renamed


_CALL_KEY = fold(CALL)


__all__ = ["CALL", "Design", "Shape", "design", "free", "taken"]
