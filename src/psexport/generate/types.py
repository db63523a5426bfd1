"""Which of a host's types a proxy may insist on.

The law of a proxy: whatever the host would accept, the proxy accepts, and what arrives
is the same. A type constraint converts on the client, and what it made travels. So a
type may be a constraint only if every PowerShell has it **and** CLIXML brings its
values to the host as what they were. ``BigInteger`` or ``Regex`` arrive as property
bags that convert to nothing, where the text that the caller typed would have converted
on the host; an enum of the client may lack a value of a newer host. Those stay
untyped: the host converts, as it would have done without us.
"""

from __future__ import annotations

import functools

from .. import pslang

#: Full name → how PowerShell people write it.
ACCELERATORS = {
    "System.Boolean": "bool",
    "System.Byte": "byte",
    "System.Char": "char",
    "System.Collections.Hashtable": "hashtable",
    "System.DateTime": "datetime",
    "System.Decimal": "decimal",
    "System.Double": "double",
    "System.Guid": "guid",
    "System.Int16": "int16",
    "System.Int32": "int",
    "System.Int64": "long",
    "System.Management.Automation.PSCredential": "pscredential",
    "System.Management.Automation.PSObject": "psobject",
    "System.Management.Automation.ScriptBlock": "scriptblock",
    "System.Management.Automation.SwitchParameter": "switch",
    "System.Net.IPAddress": "ipaddress",
    "System.Object": "object",
    "System.SByte": "sbyte",
    "System.Security.SecureString": "securestring",
    "System.Single": "single",
    "System.String": "string",
    "System.TimeSpan": "timespan",
    "System.UInt16": "uint16",
    "System.UInt32": "uint32",
    "System.UInt64": "uint64",
    "System.Uri": "uri",
    "System.Version": "version",
    "System.Xml.XmlDocument": "xml",
}
#: Written out, since Windows PowerShell 5.1 lacks some short names.
_SPELLED = {
    "int16": "System.Int16",
    "uint16": "System.UInt16",
    "uint32": "System.UInt32",
    "uint64": "System.UInt64",
}
_NULLABLE = "System.Nullable`1[["
_VALUE_TYPES = frozenset(
    name
    for name, short in ACCELERATORS.items()
    if short
    not in (
        "hashtable",
        "ipaddress",
        "object",
        "pscredential",
        "psobject",
        "scriptblock",
        "securestring",
        "string",
        "switch",
        "uri",
        "version",
        "xml",
    )
)


@functools.lru_cache(maxsize=4096)
def constraint(type_name: str) -> str | None:
    """Return the type literal for a parameter of this type, without its brackets.

    :param type_name: full .NET name as in :class:`psexport.model.Parameter`.
    :return: ``string[]``, ``object`` …; ``None`` where the proxy must not constrain.
    """
    if type_name.endswith("[][]"):
        return None
    if type_name.endswith("[]"):
        element = constraint(type_name[:-2])
        if element is None or element.endswith("]") or element == "switch":
            return None
        return element + "[]"
    if type_name.startswith(_NULLABLE) and type_name.endswith("]]"):
        inner = type_name[len(_NULLABLE) : -2]
        return f"Nullable[{inner}]" if inner in _VALUE_TYPES else None
    short = ACCELERATORS.get(type_name)
    return None if short is None else _SPELLED.get(short, short)


def range_literal(type_name: str, text: str) -> str | None:
    """Return a number of a ValidateRange as PowerShell text, ``None`` if unsure.

    :param type_name: full name of the value's type; only whole numbers and doubles
        are written the same in every culture and edition.
    """
    if type_name in (
        "System.Int32",
        "System.Int64",
        "System.Int16",
        "System.Byte",
        "System.SByte",
        "System.UInt16",
        "System.UInt32",
    ):
        try:
            number = int(text)
        except ValueError:
            return None
        return pslang.Literal(number).render() if abs(number) < 2**63 else None
    return None
