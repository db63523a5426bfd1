"""Which commands the caller's shell has: what -AllowClobber guards.

Export-PSSession looks into the session that it runs in. There is none here, so a list
stands for it: that of a stock shell, which comes with the package, or one that the
user captures on the machine where the module will live, with :data:`CAPTURE`.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterable
from importlib import resources
from pathlib import Path

from .errors import UsageError
from .pslang import fold

#: The lists that come with the package. They hold what is PowerShell's own, not what
#: Windows, its roles or other products add.
NAMES = ("pwsh-7", "windows-powershell-5.1")
#: The list of a shell that has no commands at all.
NONE = "none"

#: The script that prints the names; it works in Windows PowerShell 3 and everything
#: later, and loads no modules.
CAPTURE_SCRIPT = (
    "Get-Command -CommandType Alias, Function, Cmdlet |"
    " ForEach-Object { $_.Name } | Sort-Object -Unique"
)
#: What a user types to keep them in a file.
CAPTURE = f"{CAPTURE_SCRIPT} | Out-File -Encoding utf8 baseline.txt"


def load(spec: str) -> frozenset[str]:
    """Return the folded names of a baseline.

    :param spec: a name of :data:`NAMES`, :data:`NONE`, or the path of a file: a name a
        line (``#`` starts a comment), or JSON, a list of names or of objects with a
        ``Name``.
    :raises UsageError: ``ErrorBaseline``: there is no such list or file, or it has no
        names.
    """
    if spec.lower() == NONE:
        return frozenset()
    if spec.lower() in NAMES:
        return _stock(spec.lower())
    try:
        raw = Path(spec).expanduser().read_bytes()
    except FileNotFoundError:
        known = ", ".join((*NAMES, NONE))
        raise _error(
            f"There is no baseline {spec!r}, and no such file",
            spec,
            f"Use {known}, pwsh: for this machine's PowerShell, or the path of a file "
            "with names of commands.",
        ) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise _error(f"The baseline {spec!r} cannot be read: {reason}", spec) from error
    return _folded(_parse(_decode(raw, spec), spec), spec)


def capture(run: Callable[[str], str]) -> frozenset[str]:
    """Ask a PowerShell for its commands.

    :param run: runs a script in that PowerShell and returns what it printed.
    :raises UsageError: ``ErrorBaseline``: it printed no names.
    """
    return _folded(
        _parse(run(CAPTURE_SCRIPT), "the captured list"), "the captured list"
    )


def _stock(name: str) -> frozenset[str]:
    file = resources.files(__package__).joinpath("data", "baseline", f"{name}.txt")
    return _folded(_lines(file.read_text(encoding="utf-8")), name)


def _decode(raw: bytes, spec: str) -> str:
    """Decode what any PowerShell's redirection may have written."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    else:
        encoding = "utf-8-sig"
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        raise _error(
            f"The baseline {spec!r} is no UTF-8 or UTF-16 text", spec
        ) from None


def _parse(text: str, spec: str) -> Iterable[str]:
    if not text.lstrip().startswith(("[", "{", '"')):
        return _lines(text)
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        raise _error(f"The baseline {spec!r} is no valid JSON", spec) from None
    members = told if isinstance(told, list) else [told]
    names = []
    for member in members:
        name = member.get("Name") if isinstance(member, dict) else member
        if not isinstance(name, str):
            raise _error(f"The baseline {spec!r} is JSON, but no list of names", spec)
        names.append(name)
    return names


def _lines(text: str) -> Iterable[str]:
    for line in text.splitlines():
        name = line.strip()
        if name and not name.startswith("#"):
            yield name


def _folded(names: Iterable[str], spec: str) -> frozenset[str]:
    folded = frozenset(map(fold, names))
    if not folded:
        raise _error(f"The baseline {spec!r} has no names", spec)
    return folded


def _error(message: str, target: str, hint: str | None = None) -> UsageError:
    return UsageError(
        message,
        id="ErrorBaseline",
        target=target,
        hint=hint or f"Make one on the module's machine: {CAPTURE}",
    )
