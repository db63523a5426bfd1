"""Records about commands as a host writes them, from Python values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from clixml_text import Enum, Object, write

SWITCH = "System.Management.Automation.SwitchParameter"
COMMON = {
    "Verbose": (SWITCH, "vb"),
    "Debug": (SWITCH, "db"),
    "ErrorAction": ("System.Management.Automation.ActionPreference", "ea"),
    "WarningAction": ("System.Management.Automation.ActionPreference", "wa"),
    "ErrorVariable": ("System.String", "ev"),
    "WarningVariable": ("System.String", "wv"),
    "OutVariable": ("System.String", "ov"),
    "OutBuffer": ("System.Int32", "ob"),
}
SHOULD_PROCESS = {"WhatIf": (SWITCH, "wi"), "Confirm": (SWITCH, "cf")}
TYPES = {"Alias": 1, "Function": 2, "Filter": 4, "Cmdlet": 8, "Application": 32}


def count(number: int) -> bytes:
    """The record that announces how many come."""
    kind = "Selected.Microsoft.PowerShell.Commands.GenericMeasureInfo"
    return write(Object(types=[kind, "System.Object"], members={"Count": number}))


def metadata(
    name: str,
    kind: str = "Function",
    parameters: Mapping[str, Sequence[str]] | None = None,
    **others: object,
) -> bytes:
    """A command as GET_COMMAND_METADATA tells it.

    :param parameters: by name, the type and then the aliases.
    :param others: further properties, or other values of these.
    """
    told = {
        "Name": name,
        "Namespace": "",
        "HelpUri": "",
        "CommandType": Enum(kind, TYPES[kind]),
        "ResolvedCommandName": None,
        "OutputType": [],
        "Parameters": {
            key: Object(
                types=["System.Management.Automation.ParameterMetadata"],
                text="System.Management.Automation.ParameterMetadata",
                props={
                    "Name": key,
                    "ParameterType": type_name,
                    "Aliases": aliases,
                    "IsDynamic": False,
                    "SwitchParameter": type_name == SWITCH,
                },
            )
            for key, (type_name, *aliases) in (parameters or {}).items()
        },
    }
    kind_name = f"Selected.System.Management.Automation.{kind}Info"
    return write(Object(types=[kind_name], members=told | others))


def shown_parameter(
    name: str,
    type_name: str = "System.String",
    *,
    position: int | None = None,
    mandatory: bool = False,
    from_pipeline: bool = False,
    values: Sequence[str] = (),
    enum: Sequence[str] = (),
    flags: bool = False,
) -> Object:
    """A parameter as ``-ShowCommandInfo`` tells it in one set."""
    kind = {
        "FullName": type_name,
        "IsEnum": bool(enum),
        "IsArray": False,
        "EnumValues": enum,
        "HasFlagAttribute": flags,
        "ElementType": None,
        "ImplementsDictionary": False,
    }
    told = {
        "Name": name,
        "IsMandatory": mandatory,
        "ValueFromPipeline": from_pipeline,
        "Position": -(2**31) if position is None else position,
        "ParameterType": Object(members=kind),
        "HasParameterSet": bool(values),
        "ValidParamSetValues": values,
    }
    return Object(members=told)


def shown(
    name: str,
    sets: Mapping[str, Iterable[Object]],
    *,
    default: str | None = None,
    kind: str = "Function",
    module: str = "",
) -> bytes:
    """A command as ``-ShowCommandInfo`` tells it."""
    told = {
        "Name": name,
        "ModuleName": module,
        "Module": Object(members={"Name": module}),
        "CommandType": Enum(kind, TYPES[kind]),
        "Definition": "",
        "ParameterSets": [
            Object(
                members={
                    "Name": key,
                    "IsDefault": key == default,
                    "Parameters": list(parameters),
                }
            )
            for key, parameters in sets.items()
        ],
    }
    return write(Object(members=told))
