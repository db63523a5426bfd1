"""The manifest: what a module is, and exactly what it exports.

The lists are explicit, so that auto-loading works and ``Get-Command`` need not run the
module. Nothing in here changes from run to run.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .. import __version__
from ..pslang import Literal
from ..pslang.render import LiteralValue

_NAMESPACE = uuid.UUID("6a1c1a0e-0d8e-5c0f-9f0b-7f2f4a1f6b52")
#: The last two are how galleries know what a module runs on.
_TAGS = (
    "psexport",
    "ImplicitRemoting",
    "Remoting",
    "PSEdition_Desktop",
    "PSEdition_Core",
)
_PROJECT_URI = "https://pypi.org/project/psexport/"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the manifest of one module says.

    :ivar target: the host, as it is called in messages.
    :ivar has_about: whether there is a topic about_NAME.
    :ivar provenance: further entries of ``PrivateData.PSExport``.
    """

    name: str
    target: str
    version: str
    functions: Sequence[str]
    aliases: Sequence[str]
    format_file: str
    has_about: bool
    provenance: Mapping[str, LiteralValue]

    def render(self, file_hashes: Mapping[str, str] | None = None) -> str:
        """Return the text of the psd1.

        :param file_hashes: SHA-256 in upper-case hex, by path with forward slashes,
            of the files that cannot be signed; a signed manifest vouches for them.
        """
        provenance = {key: _ascii(text) for key, text in self.provenance.items()}
        if file_hashes:
            provenance["FileHashes"] = dict(sorted(file_hashes.items()))
        description = f"Commands of {self.target}, which run there."
        if self.has_about:
            description += f" See about_{self.name}."
        entries: dict[str, LiteralValue] = {
            "RootModule": f"{self.name}.psm1",
            "ModuleVersion": self.version,
            "GUID": str(uuid.uuid5(_NAMESPACE, f"{self.name}\n{self.target}")),
            "Author": "psexport",
            "Description": description,
            "PowerShellVersion": "5.1",
            "CompatiblePSEditions": ["Desktop", "Core"],
            "FormatsToProcess": [self.format_file],
            "FunctionsToExport": list(self.functions),
            "CmdletsToExport": [],
            "VariablesToExport": [],
            "AliasesToExport": list(self.aliases),
            "PrivateData": {
                "ImplicitRemoting": True,
                "PSExport": {"Version": __version__} | provenance,
                "PSData": {
                    "Tags": list(_TAGS),
                    "ProjectUri": _PROJECT_URI,
                },
            },
        }
        return Literal(entries).render() + "\n"


def _ascii(value: LiteralValue) -> LiteralValue:
    """Escape what a host says of itself.

    Windows PowerShell may read this file in its ANSI code page, where bytes of a
    letter may be a quotation mark. Data have no guard before them that would notice.
    The names of commands have to stay as they are, but hold letters and digits only.
    """
    if isinstance(value, str):
        return value.encode("ascii", "backslashreplace").decode("ascii")
    return value
