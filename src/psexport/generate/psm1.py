"""The script module: settings, the runtime, a proxy a command, aliases."""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterable, Mapping
from importlib import resources

from ..pslang import Comment, Literal, Quoted
from ..pslang.render import LiteralValue

#: The line of the runtime after which a module has what is its own.
_SETTINGS = "# Here each module has its own settings.\n"
#: A file without a mark is read in the reader's own encoding, where bytes of a letter
#: may be a quotation mark, and end a string that holds text of the host. So a script
#: that is not ASCII runs nothing before it knows that each of its characters was read
#: as what it is.
_GUARD = """\
if (-not [string]::Equals({sample}, -join [char[]] ({codes}))) {{
    throw 'This file was read in another encoding than it was written in. Export it ' +
        'again with -Encoding utf8BOM.'
}}
"""
_START = "Initialize-PSExport $PSSessionOverride $PSSessionOptionOverride\n"


@functools.cache
def runtime() -> str:
    """Return the text of the runtime, with Unix line ends."""
    file = resources.files(__package__) / "runtime.psm1"
    return file.read_text("utf-8").replace("\r\n", "\n")


@functools.cache
def runtime_functions() -> frozenset[str]:
    """Return the names that the runtime defines, which no proxy may take."""
    return frozenset(
        line.split()[1]
        for line in runtime().splitlines()
        if line.startswith("function ")
    )


def render(
    banner: str,
    settings: Mapping[str, LiteralValue],
    proxies: Iterable[str],
    aliases: Mapping[str, str],
    specials: Mapping[str, LiteralValue],
) -> str:
    """Return the text of the psm1.

    :param banner: what a reader of the file should know; becomes a comment.
    :param settings: entries of ``$PSExport``.
    :param proxies: the texts of the functions, in the order in which they are to stand.
    :param aliases: alias → function.
    :param specials: entries of ``$PSExportSpecial``, by the host's command name.
    """
    head, marker, rest = runtime().partition(_SETTINGS)
    head = Comment(banner).render() + "\n" + head + marker
    parts = [
        head,
        f"$script:PSExport = {Literal(settings).render()}\n",
        f"$script:PSExportSpecial = {Literal(specials).render()}\n\n",
        rest,
        "\n\n# Proxies: from here on, one function for each command of the host.\n\n",
        _START,
    ]
    parts += proxies
    if aliases:
        pairs = "\n".join(
            f"    {Quoted(name).render()} = {Quoted(target).render()}"
            for name, target in aliases.items()
        )
        parts.append(f"Set-PSExportAlias @{{\n{pairs}\n}}\n")
    parts.append(
        "Microsoft.PowerShell.Core\\Export-ModuleMember -Function * -Alias *\n"
    )
    text = "".join(parts)
    if text.isascii():
        return text
    sample = "".join(sorted(set(filter(_beyond_ascii, text))))
    codes = sample.encode("utf-16-le")
    guard = _GUARD.format(
        sample=Quoted(sample).render(),
        codes=",".join(str(code) for (code,) in struct.iter_unpack("<H", codes)),
    )
    return head + guard + text[len(head) :]


def _beyond_ascii(character: str) -> bool:
    return character > "\x7f"
