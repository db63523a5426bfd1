"""The digests that a module's manifest carries for files that cannot be signed.

The generator writes them, and the manifest's own signature protects them::

    PrivateData = @{
        PSExport = @{
            FileHashes = @{
                'ApplicationArguments.xml' = '<SHA-256 in hex>'
                'en-US/NAME-help.xml' = '<SHA-256 in hex>'
            }
        }
    }

Manifests are read for this table only, whoever wrote them: tokens are told apart
(a brace in a string or a comment is none), all else is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_PATH = ("privatedata", "psexport", "filehashes")

#: PowerShell takes the typographic quotes for the plain ones, see design notes.
_TOKEN = re.compile(
    r"""
      (?P<comment> <\#.*?(?:\#>|\Z) | \#[^\r\n]* )
    | (?P<here> @(?P<mark>['"])[ \t]*\r?\n.*?(?:\n(?P=mark)@|\Z) )
    | (?P<single> [\u0027\u2018-\u201b]
        (?: [^\u0027\u2018-\u201b] | [\u0027\u2018-\u201b]{2} )*
        [\u0027\u2018-\u201b] )
    | (?P<double> ["\u201c-\u201e]
        (?: `. | ["\u201c-\u201e]{2} | [^`"\u201c-\u201e] )*
        ["\u201c-\u201e] )
    | (?P<open> @\{ | \{ | @\( | \( )
    | (?P<close> \} | \) )
    | (?P<end> ; | \r?\n )
    | (?P<equals> = )
    | (?P<word> [^\s'"\u2018-\u201e{}()=;\#]+ )
    | (?P<space> \s )
    """,
    re.VERBOSE | re.DOTALL,
)

#: Two quotes in a quoted string are one, the second as it happens.
_DOUBLED = re.compile("[\u0027\u2018-\u201b]([\u0027\u2018-\u201b])")


def read_file_hashes(text: str) -> dict[str, str] | None:
    """Return the digests that a manifest carries, by relative path with ``/``.

    :returns: SHA-256 in upper-case hex; ``None`` if the manifest has no such table.
    """
    found: dict[str, str] | None = None
    path: list[str] = []  # the keys of the tables that are open
    statement: list[str] = []  # the words of the statement at hand
    for kind, value in _tokens(text):
        if kind == "open":
            named = len(statement) == 2 and statement[1] == "="
            path.append(statement[0].lower() if named else "")
            statement = []
            if _inside(path):
                found = {} if found is None else found
        elif kind in ("close", "end"):
            if found is not None and _inside(path) and len(statement) == 3:
                found[statement[0].replace("\\", "/")] = statement[2].upper()
            statement = []
            if kind == "close" and path:
                path.pop()
        else:
            statement.append(value)
    return found


def _inside(path: list[str]) -> bool:
    """Tell whether the innermost open table is the one with the digests."""
    return len(path) == len(_PATH) + 1 and tuple(path[1:]) == _PATH


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    """Yield what a manifest consists of, without blanks and comments."""
    for match in _TOKEN.finditer(text):
        kind, value = match.lastgroup or "", match[0]
        if kind == "single":
            yield kind, _DOUBLED.sub(r"\1", value[1:-1])
        elif kind == "double":
            yield kind, value[1:-1]
        elif kind not in ("comment", "space"):
            yield kind, value


def escapes(path: str) -> bool:
    """Tell whether a path of a manifest leads out of the module's folder."""
    return path.startswith("/") or ":" in path or ".." in path.split("/")
