"""A host of many functions: the module that it has, and the ways to reach it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_TYPES = ("string", "int", "string[]", "switch", "object", "datetime", "bool")

_CONFIGURATION = """\
@{{
    SchemaVersion = '2.0.0.0'
    GUID = '{guid}'
    ModulesToImport = '{module}'
    {session}
}}
"""
_FULL = "SessionType = 'Default'; LanguageMode = 'FullLanguage'"
_RESTRICTED = (
    "SessionType = 'RestrictedRemoteServer'; LanguageMode = 'NoLanguage'\n"
    "    VisibleFunctions = 'Get-Bench*'"
)


@dataclass(frozen=True)
class Host:
    """What a host offers.

    :ivar count: functions.
    :ivar parameters: of each function.
    :ivar sets: parameter sets of each function, at least 1.
    """

    count: int
    parameters: int = 14
    sets: int = 2

    def text(self) -> str:
        """The module, as somebody would have written it."""
        template = self._template()
        numbers = (f"{number:05}" for number in range(1, self.count + 1))
        return "\n\n".join(template.replace("NUMBER", number) for number in numbers)

    def _template(self) -> str:
        """One function; NUMBER stands for its number."""
        declared = ",\n".join(self._parameter(n) for n in range(self.parameters))
        # Without an address PowerShell looks for one in the help, which it reads the
        # whole file for: a fifth of a second for each function of a large one.
        binding = "HelpUri = 'https://example.org/NUMBER'"
        if self.sets > 1:
            binding += ", DefaultParameterSetName = 'Set0'"
        return (
            f"function Get-BenchNUMBER {{\n"
            f"    [CmdletBinding({binding})]\n"
            f"    param(\n{declared}\n    )\n"
            "    process { $PSBoundParameters.Count }\n}"
        )

    def _parameter(self, number: int) -> str:
        options = []
        if self.sets > 1 and number < self.sets:
            options.append(f"ParameterSetName = 'Set{number}'")
            options.append("Position = 0")
        if number == 0:
            options.append("ValueFromPipeline")
        elif number == self.sets:
            options.append("ValueFromPipelineByPropertyName")
        attributes = [f"[Parameter({', '.join(options)})]"]
        if number == 1:
            attributes.append(f"[Alias('a{number}xNUMBER')]")
        if number % 7 == 1:
            attributes.append("[ValidateRange(1, 100)]")
        if number % 7 == 2:
            attributes.append("[ValidateSet('Red', 'Green', 'Blue')]")
        if number % 7 == 5:
            attributes.append("[ValidateNotNull()]")
        # Two of three parameters are like those of other functions, as they are in
        # modules; the others are like none.
        own = "NUMBER" if number % 3 == 0 else ""
        return (
            f"        {''.join(attributes)} [{_TYPES[number % 7]}] $Value{number}{own}"
        )

    def write(self, folder: Path) -> None:
        """Write the module and the two configurations that load it."""
        module = folder / "Bench" / "Bench.psm1"
        module.parent.mkdir()
        module.write_text(self.text(), "utf-8")
        for name, guid, session in (
            ("full", "5f5e9a0e-1d52-4d6e-8b53-0d3a4f1f7a11", _FULL),
            ("restricted", "5f5e9a0e-1d52-4d6e-8b53-0d3a4f1f7a12", _RESTRICTED),
        ):
            text = _CONFIGURATION.format(guid=guid, module=module, session=session)
            (folder / f"{name}.pssc").write_text(text, "utf-8")
