"""``psexport sessions``: what is saved, whether it works, one more, one less.

What is saved are the parameters of a session as they were given, and never a secret:
where a password may be found is part of a session, the password is not.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from .. import addresses, settings
from ..connection import Connection, Kind, parse
from ..errors import PSExportError, UsageError
from ..report import harmless
from ..secret import Prompt, password_of, remember
from ..settings import Saved
from .binder import Bound
from .console import Console
from .parameters import SESSION

#: Parameters that name a file.
_FILES = frozenset(
    {
        "PasswordFile",
        "CertificatePem",
        "CertificateKeyPem",
        "KeyFilePath",
        "ConfigurationFile",
        "CAFile",
        "KeytabFile",
    }
)
_SECRET_WORDS = ("password", "passwd", "pwd", "secret", "token", "apikey")


def sessions(bound: Bound, console: Console, prompt: Prompt | None) -> int:
    """Do what ``-Action`` says, and return the exit code.

    :raises PSExportError: it failed; no file was changed.
    """
    action = bound.text("Action") or "list"
    name = bound.text("Name")
    if action == "list":
        return _list(bound, console, name)
    if name is None:
        raise UsageError(
            f"There is no name of a session to {action}",
            id="MissingMandatoryParameter",
            target="Name",
            hint=f"Write psexport sessions {action} NAME.",
        )
    return _ACTIONS[action](bound, console, name, prompt)


def _list(bound: Bound, console: Console, name: str | None) -> int:
    found = settings.saved() if name is None else [_find(name)]
    _show(bound, console, found)
    return 0


def _show(bound: Bound, console: Console, found: Sequence[Saved]) -> None:
    rows = [_row(one) for one in found]
    if bound.flag("AsJson"):
        console.write(json.dumps({"sessions": rows}, indent=2) + "\n")
    else:
        console.write(_table(rows))


def _row(saved: Saved) -> dict[str, str | None]:
    """What is shown of a session: nothing that is not understood, nor a secret."""
    row: dict[str, str | None] = {
        "name": saved.name,
        "kind": None,
        "host": None,
        "user": None,
        "file": str(saved.file.absolute()),
        "problem": None,
    }
    try:
        connection = parse(saved.name, folders=[saved.file.parent])
    except UsageError as error:
        return {**row, "problem": error.message}
    return {
        **row,
        "kind": connection.kind.value,
        "host": connection.host or connection.path or None,
        "user": connection.user_name or None,
    }


def _table(rows: Sequence[dict[str, str | None]]) -> str:
    if not rows:
        return ""
    titles = {"name": "Name", "kind": "Kind", "user": "User", "host": "Host"}
    cells = [list(titles.values())]
    cells += [[harmless(row[key] or "") for key in titles] for row in rows]
    cells.insert(1, ["-" * len(title) for title in titles.values()])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    last = [
        "File",
        "----",
        *(harmless(row["problem"] or row["file"] or "") for row in rows),
    ]
    lines = [
        " ".join([*(c.ljust(w) for c, w in zip(line, widths, strict=True)), end])
        for line, end in zip(cells, last, strict=True)
    ]
    return "\n".join(["", *lines, "", ""])


def _test(bound: Bound, console: Console, name: str, prompt: Prompt | None) -> int:
    from ..api import open_session
    from ..fetch import host

    _find(name)
    started = time.monotonic()
    try:
        with open_session(parse(name, _given(bound)), prompt) as session:
            opened = time.monotonic() - started
            facts = host.fetch(session, console)
    except PSExportError as error:
        error.hint = (
            f"{error.hint or 'see what is wrong'}; psexport doctor {name} says more"
        )
        raise
    if bound.flag("AsJson"):
        told = {
            "name": name,
            "version": facts.version,
            "edition": facts.edition,
            "os": facts.os,
            "languageMode": facts.language_mode,
            "seconds": round(opened, 3),
        }
        console.write(json.dumps(told, indent=2) + "\n")
    else:
        version = f"PowerShell {facts.version}" if facts.version else "a host"
        place = f" on {facts.os}" if facts.os else ""
        said = f"{name} works: {version}{place}, opened in {opened:.2f} s"
        console.write(harmless(said) + "\n")
    return 0


def _save(bound: Bound, console: Console, name: str, prompt: Prompt | None) -> int:
    if not name.isprintable() or addresses.of_session(name) is not None:
        raise UsageError(
            f"A session cannot be called {name!r}",
            id="ErrorInvalidParameterValue",
            target="Name",
            hint="Give a name that is neither an address nor demo.",
        )
    given = _given(bound)
    connection = parse(None, given)
    _refuse_secrets(given)
    file = _file(bound, _known(name))
    if _known(name, [file.parent]) is not None and not bound.flag("Force"):
        raise UsageError(
            f"There is a session called {name} already",
            id="ErrorSessionExists",
            target=name,
            hint="Use -Force to save over it.",
        )
    if file.parent != Path():
        given = _rooted(given, connection)
    if bound.flag("Keyring"):
        _to_keyring(connection, prompt)
    settings.save(file, name, given)
    _show(bound, console, [Saved(name, given, file)])
    return 0


def _remove(bound: Bound, console: Console, name: str, prompt: Prompt | None) -> int:
    file = _file(bound, _find(name))
    if _known(name, [file.parent]) is None:
        raise _unknown(name)
    settings.remove(file, name)
    return 0


def _given(bound: Bound) -> dict[str, Any]:
    """The parameters of a session that were given, as they are saved."""
    names = ("Session", *(one.name for one in SESSION))
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in bound.values.items()
        if name in names
    }


def _refuse_secrets(given: dict[str, Any]) -> None:
    """Refuse what a password may be hidden in; -Session has been looked at before."""
    session = given.get("Session")
    if session is not None and addresses.of_session(session) is None:
        raise UsageError(
            f"{session} is the name of a session, not an address",
            id="ErrorSessionSpec",
            target=session,
            hint=f"Give one of {addresses.FORMS}.",
        )
    for name, _ in parse_qsl(urlsplit(given.get("ConnectionUri", "")).query):
        if any(word in name.lower().replace("_", "") for word in _SECRET_WORDS):
            raise addresses.password_refused("address")


def _file(bound: Bound, known: Saved | None) -> Path:
    """The file to change."""
    here = Path(settings.FILE_NAME)
    scope = bound.text("Scope")
    if scope is None and known is not None:
        return known.file
    if scope == "Project" or (scope is None and here.exists()):
        return here
    return settings.user_folder() / settings.FILE_NAME


def _rooted(given: dict[str, Any], connection: Connection) -> dict[str, Any]:
    """The same with whole paths: the user's file is read from everywhere."""
    rooted = {
        name: str(Path(value).absolute()) if name in _FILES else value
        for name, value in given.items()
    }
    kind, path = connection.kind, connection.path
    a_file = kind in (Kind.REPLAY, Kind.CATALOG) or (
        kind is Kind.LOCAL and Path(path).name != path
    )
    if a_file and path:
        scheme, rest = given["Session"].split(":", 1)
        rooted["Session"] = f"{scheme}:{Path(path).absolute()}{rest[len(path) :]}"
    return rooted


def _to_keyring(connection: Connection, prompt: Prompt | None) -> None:
    if connection.kind not in (Kind.WSMAN, Kind.WINRS) or not connection.user_name:
        raise UsageError(
            "This session has no password that the keyring could keep",
            id="ErrorConflictingParameters",
            target="Keyring",
            hint="Give -Credential USER; ssh and local sessions do without.",
        )
    password = password_of(
        connection.user_name,
        connection.host,
        file=connection.password_file,
        prompt=prompt,
    )
    remember(connection.user_name, connection.host, password.reveal())


def _known(name: str, folders: Sequence[Path] | None = None) -> Saved | None:
    for one in settings.saved(folders):
        if one.name.lower() == name.lower():
            return one
    return None


def _find(name: str) -> Saved:
    known = _known(name)
    if known is None:
        raise _unknown(name)
    return known


def _unknown(name: str) -> UsageError:
    names = [one.name for one in settings.saved()]
    return UsageError(
        f"there is no session called {name}{addresses.near(name, names)}",
        id="ErrorSessionNotFound",
        target=name,
        hint="see psexport sessions for those that there are",
    )


_ACTIONS: dict[str, Callable[[Bound, Console, str, Prompt | None], int]] = {
    "test": _test,
    "save": _save,
    "remove": _remove,
}

__all__ = ["sessions"]
