"""Export-PSSession for every platform: a remoting session in, a module out.

::

    import psexport
    with psexport.connect("ssh://admin@server01") as session:
        result = psexport.export(session, "Server01", command_name=["Get-*"])
        for file in result.files:
            print(file.path, file.sha256)

What ``__all__`` names is public, nothing else is. The names are looked up when they
are used, so that ``import psexport`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import capture, compare, connect, sign, verify
    from .authenticode import FileSignature, SignedFile, Signing, Verification
    from .errors import PSExportError
    from .exporter import build, export
    from .model import Catalogue, Skipped
    from .results import ExportResult, WrittenFile
    from .transport.base import Session

__version__ = "0.1.0"

_HOMES = {
    ".api": ("capture", "compare", "connect", "sign", "verify"),
    ".authenticode": ("FileSignature", "SignedFile", "Signing", "Verification"),
    ".errors": ("PSExportError",),
    ".exporter": ("build", "export"),
    ".model": ("Catalogue", "Skipped"),
    ".results": ("ExportResult", "WrittenFile"),
    ".transport.base": ("Session",),
}

__all__ = [
    "Catalogue",
    "ExportResult",
    "FileSignature",
    "PSExportError",
    "Session",
    "SignedFile",
    "Signing",
    "Skipped",
    "Verification",
    "WrittenFile",
    "build",
    "capture",
    "compare",
    "connect",
    "export",
    "sign",
    "verify",
]


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            value = getattr(import_module(home, __name__), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
