"""What a caller orders: Export-PSSession's parameters, and ours, as one frozen value.

The command line and the Python interface both come down to this, and what a person may
write in several ways is made uniform here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NoReturn

from .errors import UsageError
from .pslang import fold
from .transport.base import Argument, ModuleSpec, Version
from .vocabulary import CommandType


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A module, as it was ordered; ``None`` is what was not given.

    :func:`psexport.export` says what each of these means.
    """

    output_module: str
    command_name: tuple[str, ...] | None = None
    format_type_name: tuple[str, ...] | None = None
    force: bool = False
    encoding: str = "utf8NoBOM"
    allow_clobber: bool = False
    argument_list: tuple[Argument, ...] | None = None
    command_type: CommandType | None = None
    module: tuple[str, ...] | None = None
    fully_qualified_module: tuple[ModuleSpec, ...] | None = None
    certificate: str | None = None
    certificate_key: str | None = None
    certificate_password_file: str | None = None
    include_chain: str = "NotRoot"
    hash_algorithm: str = "SHA256"
    timestamp_server: tuple[str, ...] = ()
    fidelity: str = "Full"
    include_script_block: bool = False
    include_help: bool | None = None
    baseline: str = "pwsh-7"
    prefix: str = ""
    module_version: str = "1.0"
    secret: str = ""

    def __post_init__(self) -> None:
        for name in ("command_name", "format_type_name", "module"):
            given = getattr(self, name)
            if given is not None:
                _require_texts(name.title().replace("_", ""), given)
        if self.fully_qualified_module == ():
            raise _empty("FullyQualifiedModule", "Array")

    @property
    def is_compatible(self) -> bool:
        """Whether to make what Export-PSSession would have made."""
        return self.fidelity.lower() == "compatible"

    @property
    def wants_help(self) -> bool:
        """Whether help belongs to the module; Export-PSSession's modules have none."""
        if self.include_help is None:
            return not self.is_compatible
        return self.include_help

    @property
    def asks_for_commands(self) -> bool:
        """Whether a parameter was given that is about commands."""
        return any(
            given is not None
            for given in (
                self.command_name,
                self.command_type,
                self.module,
                self.fully_qualified_module,
                self.argument_list,
            )
        )


def texts(given: str | Iterable[str] | None) -> tuple[str, ...] | None:
    """Return one text or several as a tuple.

    :raises UsageError: something else than text is among them.
    """
    if given is None:
        return None
    if not isinstance(given, Iterable):
        _refuse(given, "it is no text", "Give a text, or a list of texts.")
    several = (given,) if isinstance(given, str) else tuple(given)
    for one in several:
        if not isinstance(one, str):
            _refuse(one, "it is no text", "Give a text, or a list of texts.")
    return several


def arguments(given: Argument) -> tuple[Argument, ...] | None:
    """Return one argument of a command or several as a tuple.

    :raises UsageError: something among them cannot be sent to a host.
    """
    if given is None:
        return None
    if isinstance(given, str) or not isinstance(given, Sequence):
        given = (given,)
    for member in given:
        _require_argument(member)
    return tuple(given)


def _require_argument(given: object) -> None:
    hint = "Give texts, numbers of at most 64 bits, and lists of them."
    if isinstance(given, Sequence) and not isinstance(given, str | bytes):
        for member in given:
            _require_argument(member)
    elif isinstance(given, int) and not -(2**63) <= given < 2**63:
        _refuse(given, "the number is too large", hint)
    elif given is not None and not isinstance(
        given, int | float | Decimal | str | Version
    ):
        _refuse(given, "it is no argument for a host", hint)


def _require_texts(name: str, given: Sequence[str]) -> None:
    """Refuse what PowerShell would: it must never mean everything."""
    if not given:
        raise _empty(name, "Array")
    if not all(given):
        raise _empty(name, "String")


def _empty(name: str, what: str) -> UsageError:
    return UsageError(
        f"-{name} cannot take an empty {what.lower()}",
        id=f"ParameterArgumentValidationErrorEmpty{what}NotAllowed",
        target=name,
        hint=f"Leave out -{name} where it is to mean everything.",
    )


def path_text(given: str | os.PathLike[str] | None) -> str | None:
    """Return a path as text."""
    return None if given is None else os.fspath(given)


_BETWEEN_WORDS = re.compile("(?<=[a-z])(?=[A-Z])")
#: PowerShell's names of the command types.
COMMAND_TYPES = {
    name: CommandType[_BETWEEN_WORDS.sub("_", name).upper()]
    for name in (
        "Alias",
        "All",
        "Application",
        "Cmdlet",
        "Configuration",
        "ExternalScript",
        "Filter",
        "Function",
        "Script",
        "Workflow",
    )
}


def command_types(
    given: CommandType | str | Iterable[str] | None,
) -> CommandType | None:
    """Read types of commands by name, in any case.

    :raises UsageError: there is no such type.
    """
    if given is None or isinstance(given, CommandType):
        return given
    known = {fold(name): value for name, value in COMMAND_TYPES.items()}
    types = CommandType(0)
    for name in texts(given) or ():
        if fold(name) not in known:
            _refuse(
                name, "it is no type of commands", f"Use {', '.join(COMMAND_TYPES)}."
            )
        types |= known[fold(name)]
    return types


#: A module specification as a caller may write it.
Spec = str | Mapping[str, str] | ModuleSpec

_SPEC_HINT = "Write @{ModuleName='X'; ModuleVersion='1.0'}."
_SPEC_KEYS = {
    "MODULENAME": "name",
    "MODULEVERSION": "version",
    "REQUIREDVERSION": "required_version",
    "MAXIMUMVERSION": "maximum_version",
    "GUID": "guid",
}
#: Two to four numbers; MaximumVersion may end in a star.
_VERSION = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9}){0,2}\.([0-9]{1,9}|\*)")
_GUID = re.compile(r"\{?[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}?")


def module_specs(
    given: Spec | Sequence[Spec] | None,
) -> tuple[ModuleSpec, ...] | None:
    """Read one module specification or several.

    :raises UsageError: it is none.
    """
    if given is None:
        return None
    if isinstance(given, str | Mapping | ModuleSpec):
        return (module_spec(given),)
    return tuple(module_spec(one) for one in given)


def module_spec(given: object) -> ModuleSpec:
    """Read a module specification: a name, or a table with PowerShell's keys.

    :raises UsageError: it is none.
    """
    if isinstance(given, ModuleSpec):
        return given
    if isinstance(given, str) and given:
        return ModuleSpec(given)
    if not isinstance(given, Mapping):
        _refuse(given, "it is no module specification", _SPEC_HINT)
    fields: dict[str, str] = {}
    for key, value in given.items():
        field = _SPEC_KEYS.get(fold(str(key)))
        if field is None:
            _refuse(given, f"a module specification has no {key}", _SPEC_HINT)
        # A bare 1.10 has been read as a number, and is 1.1 by now.
        if not isinstance(value, str) or not value:
            _refuse(given, f"{key} is no text", f"Quote it: {key}='…'.")
        if field.endswith("version") and not _VERSION.fullmatch(value):
            _refuse(given, f"{key} is no version", _SPEC_HINT)
        if field == "guid" and not _GUID.fullmatch(value):
            _refuse(given, f"{key} is no GUID", _SPEC_HINT)
        fields[field] = value
    if "name" not in fields:
        _refuse(given, "ModuleName is missing", _SPEC_HINT)
    if not fields.keys() & {"version", "required_version", "maximum_version"}:
        _refuse(
            given,
            "one of ModuleVersion, RequiredVersion and MaximumVersion is missing",
            _SPEC_HINT,
        )
    if "required_version" in fields and fields.keys() & {"version", "maximum_version"}:
        _refuse(given, "RequiredVersion excludes the other two", _SPEC_HINT)
    return ModuleSpec(**fields)


def _refuse(given: object, why: str, hint: str) -> NoReturn:
    target = _hashtable(given) if isinstance(given, Mapping) else str(given)
    shown = target if isinstance(given, Mapping) else repr(given)
    raise UsageError(
        f"{shown} cannot be taken: {why}",
        id="CannotConvertArgumentNoMessage",
        target=target,
        hint=hint,
    )


def _hashtable(table: Mapping[object, object]) -> str:
    """Return a table as PowerShell writes one, for people."""
    return "@{" + "; ".join(f"{key}={value!r}" for key, value in table.items()) + "}"
