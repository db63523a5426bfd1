"""Saved sessions: what ``psexport.toml`` says, here and in the user's folder.

::

    [sessions.server01]
    Session = "winrm://server01.example.com"
    ConfigurationName = "Microsoft.Exchange"
    Authentication = "Kerberos"

A file belongs to whoever wrote it. Saving changes the lines of one session and no
other, comments stay, and what came out is read again before it replaces the file: a
file that is written in a way that this does not understand is left as it is.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .errors import PSExportError, UsageError

FILE_NAME = "psexport.toml"
_TABLE = "sessions"


def user_folder(
    environ: Mapping[str, str] = os.environ, platform: str = sys.platform
) -> Path:
    """The user's configuration folder of psexport, as the platform has it."""
    if platform == "win32":
        roaming = environ.get("APPDATA")
        base = Path(roaming) if roaming else Path.home() / "AppData" / "Roaming"
    elif platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        configured = environ.get("XDG_CONFIG_HOME", "")
        # The specification says that a relative one is to be ignored.
        rooted = configured.startswith("/")
        base = Path(configured) if rooted else Path.home() / ".config"
    return base / "psexport"


class Saved(NamedTuple):
    """A saved session, as it stands in a file.

    :ivar name: how it is called.
    :ivar parameters: those of New-PSSession, unchecked.
    :ivar file: where it stands.
    """

    name: str
    parameters: dict[str, Any]
    file: Path


def sessions(folders: Iterable[Path] | None = None) -> dict[str, dict[str, Any]]:
    """All saved sessions by name: parameters of New-PSSession, unchecked.

    :param folders: where to look, the first one wins; by default here, then
        :func:`user_folder`.
    :raises UsageError: a file cannot be read (id ``ErrorSettingsUnreadable``).
    """
    return {one.name: one.parameters for one in saved(folders)}


def saved(folders: Iterable[Path] | None = None) -> list[Saved]:
    """All saved sessions, each with its file, in the order of the files.

    :param folders: as in :func:`sessions`.
    :raises UsageError: a file cannot be read (id ``ErrorSettingsUnreadable``).
    """
    found: dict[str, Saved] = {}
    for folder in (Path(), user_folder()) if folders is None else folders:
        file = folder / FILE_NAME
        for name, parameters in _read(file).items():
            found.setdefault(name.lower(), Saved(name, parameters, file))
    return list(found.values())


def save(
    file: Path, name: str, parameters: Mapping[str, str | bool | int | Sequence[str]]
) -> None:
    """Write a session into a file, in the place of one that has its name.

    :param file: made, with its folder, if it is not there.
    :param parameters: what the session shall say, without secrets.
    :raises UsageError: the file cannot be read, or is written in a way that cannot be
        changed line by line (id ``ErrorSettingsUnreadable``); it is left as it is.
    :raises PSExportError: it cannot be written (id ``ErrorSettingsNotWritten``).
    """
    _change(file, name, dict(parameters))


def remove(file: Path, name: str) -> None:
    """Take a session out of a file, with the comments inside it.

    :raises UsageError: as :func:`save`.
    :raises PSExportError: as :func:`save`.
    """
    _change(file, name, None)


def _read(path: Path) -> dict[str, dict[str, Any]]:
    return _sessions_in(path, _parsed(path, _text(path)))


def _text(path: Path) -> str:
    """The text of a file; "" of one that is not there."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise _unreadable(path, why) from None


def _parsed(path: Path, text: str) -> dict[str, Any]:
    if not text:
        return {}
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _unreadable(path, str(error)) from None


def _sessions_in(path: Path, told: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    found = told.get(_TABLE, {})
    if not isinstance(found, dict) or not all(
        isinstance(one, dict) for one in found.values()
    ):
        raise _unreadable(path, f"{_TABLE} is not made of tables [{_TABLE}.NAME]")
    return found


def _unreadable(path: Path, why: str) -> UsageError:
    return UsageError(
        f"the saved sessions cannot be read: {why}",
        id="ErrorSettingsUnreadable",
        target=str(path),
        hint="correct the file, or move it away",
    )


# Changing a file: the lines of one table, and a proof that nothing else changed.


def _change(path: Path, name: str, parameters: dict[str, Any] | None) -> None:
    # A file that is a link to where somebody keeps it stays one.
    path = path.resolve()
    before = _text(path)
    expected = _parsed(path, before)
    known = _sessions_in(path, expected)
    written = next((one for one in known if one.lower() == name.lower()), name)
    text = _with(before, written, parameters)
    others = {one: said for one, said in known.items() if one != written}
    wanted = others if parameters is None else {**others, written: parameters}
    found = _data(text)
    if found is None or {_TABLE: {}, **found} != {**expected, _TABLE: wanted}:
        raise UsageError(
            f"the session {name} cannot be changed: the file is not made of tables "
            f"[{_TABLE}.NAME]",
            id="ErrorSettingsUnreadable",
            target=str(path),
            hint="change it by hand, or write its sessions as such tables",
        )
    _replace(path, text)


def _with(text: str, name: str, parameters: dict[str, Any] | None) -> str:
    """The text with the table of a session changed, added at the end, or taken out."""
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = re.findall(r"[^\n]*\n|[^\n]+", text)
    begin, end = _table(lines, (_TABLE, name))
    if parameters is None:
        return "".join(lines[:begin] + lines[end:])
    if begin < len(lines):
        body = _merged(lines[begin + 1 : end], parameters)
        return "".join([*lines[: begin + 1], *_ended(body, newline), *lines[end:]])
    table = [f"[{_TABLE}.{_key(name)}]", *_merged([], parameters)]
    gap = [newline] if text.strip() else []
    return "".join([*_ended(lines, newline), *gap, *_ended(table, newline)])


def _table(lines: Sequence[str], path: tuple[str, ...]) -> tuple[int, int]:
    """Where a table begins and ends; both past the end if it is not there.

    The comments above the next table are the next table's.
    """
    begin = len(lines)
    for number in _headers(lines):
        if begin < number:
            end = number
            while end > begin + 1 and lines[end - 1].lstrip()[:1] in ("", "#"):
                end -= 1
            return begin, end
        if _data(lines[number]) == {path[0]: {path[1]: {}}}:
            begin = number
    return begin, len(lines)


def _headers(lines: Sequence[str]) -> Iterator[int]:
    """The lines that begin a table: what stands above such a line is whole."""
    for number, line in enumerate(lines):
        if (
            line.lstrip().startswith("[")
            and _data(line) is not None
            and _data("".join(lines[:number])) is not None
        ):
            yield number


def _merged(lines: Sequence[str], parameters: Mapping[str, Any]) -> list[str]:
    """The lines of a table with other values, and with the comments that it had."""
    left = {key.lower(): (key, value) for key, value in parameters.items()}
    merged: list[str] = []
    for statement in _statements(lines):
        said = _data(statement) or {}
        if not said:
            merged.append(statement)
        for key, value in said.items():
            now = left.pop(key.lower(), None)
            if now is None:
                continue
            same = value == now[1] and type(value) is type(now[1])
            line = f"{_key(now[0])} = {_value(now[1])}{_comment(statement, said)}"
            merged.append(statement if same and key == now[0] else line)
    # Above the blank lines that part this table from the next.
    at = len(merged)
    while at and not merged[at - 1].strip():
        at -= 1
    new = [f"{_key(key)} = {_value(value)}" for key, value in left.values()]
    return [*merged[:at], *new, *merged[at:]]


def _statements(lines: Sequence[str]) -> Iterator[str]:
    """Lines put together as far as a value reaches."""
    gathered = ""
    for line in lines:
        gathered += line
        if _data(gathered) is not None:
            yield gathered
            gathered = ""
    if gathered:
        yield gathered


def _comment(statement: str, said: Mapping[str, Any]) -> str:
    """The comment behind a value; "" if there is none."""
    for at, character in enumerate(statement):
        if character == "#" and _data(statement[:at]) == said:
            return "  " + statement[at:].rstrip()
    return ""


def _data(text: str) -> dict[str, Any] | None:
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


def _ended(lines: Iterable[str], newline: str) -> list[str]:
    return [line if line.endswith("\n") else line + newline for line in lines]


def _key(name: str) -> str:
    plain = name.replace("-", "").replace("_", "")
    return name if plain.isascii() and plain.isalnum() else _value(name)


def _value(value: object) -> str:
    """A value in TOML; JSON's strings, numbers and lists are TOML's too."""
    # But for DEL, which TOML wants to see escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _replace(path: Path, text: str) -> None:
    """Put a text in the place of a file, at once or not at all."""
    import tempfile

    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o600
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode("utf-8"))
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except OSError as error:
        if temporary:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
        raise PSExportError(
            f"the saved sessions cannot be written: {error.strerror}",
            id="ErrorSettingsNotWritten",
            target=str(path),
            hint="check that you may write there, or save elsewhere with -Scope",
        ) from None


__all__ = ["FILE_NAME", "Saved", "remove", "save", "saved", "sessions", "user_folder"]
