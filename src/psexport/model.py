"""What a host has, as frozen values: the catalogue and its parts.

Fetching makes these, selection and generation read them, nobody changes them.
Everything in here came from a host and is **not trusted**: a name is text until
:mod:`psexport.pslang` has said that it is safe, a string is data until it is quoted
at the sink.

The views of a catalogue are trees of their own kind and live in
:mod:`psexport.views`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .vocabulary import CommandType as CommandType
from .vocabulary import Skipped as Skipped

if TYPE_CHECKING:
    from .views import TypeViews

#: The name that PowerShell gives to membership in every parameter set.
ALL_SETS = "__AllParameterSets"


class Detail(enum.IntEnum):
    """How much a host told about the parameters of a command."""

    #: Names, types, aliases, switches: GET_COMMAND_METADATA alone.
    NAMES = 0
    #: Also sets, positions, mandatory, by value, enum and set values:
    #: ``-ShowCommandInfo``.
    SETS = 1
    #: Everything, from the command's own attributes: a script on the host.
    FULL = 2


@dataclass(frozen=True, slots=True)
class Membership:
    """A parameter's place in one parameter set."""

    set: str = ALL_SETS
    #: ``None`` where the parameter is only bound by name.
    position: int | None = None
    mandatory: bool = False
    from_pipeline: bool = False
    from_pipeline_by_name: bool = False
    from_remaining: bool = False


class ValidationKind(enum.Enum):
    """The attributes that restrict, or widen, what a parameter takes."""

    NOT_NULL = "ValidateNotNull"
    NOT_NULL_OR_EMPTY = "ValidateNotNullOrEmpty"
    NOT_NULL_OR_WHITE_SPACE = "ValidateNotNullOrWhiteSpace"
    ALLOW_NULL = "AllowNull"
    ALLOW_EMPTY_STRING = "AllowEmptyString"
    ALLOW_EMPTY_COLLECTION = "AllowEmptyCollection"
    #: arguments: (least, most) as decimal text
    COUNT = "ValidateCount"
    #: arguments: (least, most) as decimal text
    LENGTH = "ValidateLength"
    #: arguments: (full type name, least, most), or (name of the range kind,)
    RANGE = "ValidateRange"
    #: arguments: (regular expression, RegexOptions as decimal text)
    PATTERN = "ValidatePattern"
    #: arguments: ("1" if case is ignored else "0", value, value, …)
    SET = "ValidateSet"
    #: A restriction that only the host can check (a script, a drive, a class);
    #: arguments: (type name of the attribute,)
    HOST_ONLY = "HostOnly"


@dataclass(frozen=True, slots=True)
class Validation:
    """One validate or allow attribute of a parameter."""

    kind: ValidationKind
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a host's command; common parameters are not listed."""

    name: str
    #: Full .NET name without assembly: ``System.String[]``,
    #: ``System.Nullable`1[[System.Int32]]``.
    type_name: str = "System.Object"
    aliases: tuple[str, ...] = ()
    is_switch: bool = False
    is_dynamic: bool = False
    #: Never empty at Detail.SETS or above; at Detail.NAMES one all-sets default.
    memberships: tuple[Membership, ...] = (Membership(),)
    validations: tuple[Validation, ...] = ()
    #: Names of the enum's values where the type is an enum (or array of it).
    enum_values: tuple[str, ...] = ()
    #: Whether the enum is a flags enum, so that ``A,B`` is one value.
    enum_is_flags: bool = False
    #: Values that the host's ArgumentCompletions attribute offers.
    completions: tuple[str, ...] = ()
    #: The host transforms arguments before it types them ([Credential()] and
    #: the like), so that the declared type says nothing about what is accepted.
    transforms: bool = False
    #: DontShow, so that completion keeps quiet about it.
    hidden: bool = False

    @property
    def takes_input(self) -> bool:
        """Whether it takes objects of the pipeline, as what they are."""
        return any(one.from_pipeline for one in self.memberships)

    def __hash__(self) -> int:
        # Most hosts have few parameters of one name; all fields would take long.
        return hash((self.name, self.type_name))


@dataclass(frozen=True, slots=True)
class Command:
    """A command of a host."""

    name: str
    type: CommandType
    module: str = ""
    help_uri: str = ""
    #: For an alias, the command that it ends at; ``None`` if it ends nowhere.
    resolved_name: str | None = None
    parameters: tuple[Parameter, ...] = ()
    detail: Detail = Detail.NAMES
    #: Names of the parameter sets in the host's order, ALL_SETS alone if unnamed.
    sets: tuple[str, ...] = (ALL_SETS,)
    default_set: str | None = None
    #: Has CmdletBinding: cmdlets and advanced functions. ``None``: not told.
    advanced: bool | None = None
    #: Full type names of OutputType.
    output_types: tuple[str, ...] = ()
    supports_should_process: bool = False
    #: None, Low, Medium or High; "" where not told.
    confirm_impact: str = ""
    supports_paging: bool = False
    supports_transactions: bool = False
    positional_binding: bool = True
    #: Has a dynamicparam block or interface: more parameters may come at call time.
    has_dynamic_parameters: bool = False


@dataclass(frozen=True, slots=True)
class HelpParameter:
    """What help says of one parameter."""

    name: str
    description: str = ""
    default_value: str = ""
    globbing: bool = False


@dataclass(frozen=True, slots=True)
class HelpExample:
    """One example of a help topic."""

    title: str = ""
    introduction: str = ""
    code: str = ""
    remarks: str = ""


@dataclass(frozen=True, slots=True)
class Help:
    """A command's help as the host documents it; paragraphs are split by newline."""

    name: str
    synopsis: str = ""
    description: str = ""
    parameters: tuple[HelpParameter, ...] = ()
    examples: tuple[HelpExample, ...] = ()
    #: (type name, description)
    inputs: tuple[tuple[str, str], ...] = ()
    outputs: tuple[tuple[str, str], ...] = ()
    #: (title, text)
    notes: tuple[tuple[str, str], ...] = ()
    #: (text, uri), either may be empty
    links: tuple[tuple[str, str], ...] = ()
    component: str = ""
    role: str = ""
    functionality: str = ""


@dataclass(frozen=True, slots=True)
class HostModule:
    """A module of the host that commands came from."""

    name: str
    version: str = ""
    guid: str = ""


@dataclass(frozen=True, slots=True)
class Host:
    """What the host says of itself."""

    #: ``$PSVersionTable.PSVersion``, e.g. ``7.6.9``; "" where not told.
    version: str = ""
    #: Core or Desktop; "" where not told.
    edition: str = ""
    os: str = ""
    #: FullLanguage, ConstrainedLanguage, RestrictedLanguage or NoLanguage; ``None``
    #: where the host would not say, which is how a NoLanguage endpoint answers.
    language_mode: str | None = None
    culture: str = ""
    ui_culture: str = ""
    #: ApplicationPrivateData.ImplicitRemoting.Hash as text; "" where there is none.
    implicit_remoting_hash: str = ""
    #: ApplicationPrivateData.ImplicitRemoting.CommandsToSkip; ``None``: not told.
    commands_to_skip: tuple[str, ...] | None = None
    #: Who the host says that the caller is; "" where not told.
    identity: str = ""
    #: InstanceId of the runspace that the catalogue was fetched through.
    runspace_id: str = ""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything that was fetched from one host, checked for nothing yet."""

    host: Host = Host()
    commands: tuple[Command, ...] = ()
    views: tuple[TypeViews, ...] = ()
    #: By command name as the host spells it.
    help: Mapping[str, Help] = field(default_factory=dict)
    modules: tuple[HostModule, ...] = ()
    #: Records that could not be read, each of which cost that record alone.
    unreadable: tuple[Skipped, ...] = ()


@dataclass(frozen=True, slots=True)
class Proxy:
    """A command of the host that the module will have as a function."""

    #: Of the function: the host's name, with the prefix if one was asked for.
    name: str
    command: Command


@dataclass(frozen=True, slots=True)
class Alias:
    """An alias of the host that the module will have.

    The host's alias may stand for a command that is not exported. Then the function
    of the alias's own name is what the module has of it, and there is no target.
    """

    name: str
    #: Name of the function that it stands for; ``None`` if that is its own.
    target: str | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """What of a catalogue becomes a module: checked, ordered, ready to be written."""

    #: In the order of their names.
    proxies: tuple[Proxy, ...] = ()
    #: In the order of their names.
    aliases: tuple[Alias, ...] = ()
    #: In the host's order, which decides between views for one type.
    views: tuple[TypeViews, ...] = ()
    #: All that was left out.
    skipped: tuple[Skipped, ...] = ()
    warnings: tuple[str, ...] = ()
    #: Non-terminating errors, in the order in which they came up.
    errors: tuple[Skipped, ...] = ()
