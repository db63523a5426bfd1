"""Saved sessions: what ``psexport.toml`` says, here and in the user's folder.

::

    [sessions.server01]
    Session = "winrm://server01.example.com"
    ConfigurationName = "Microsoft.Exchange"
    Authentication = "Kerberos"
"""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .errors import UsageError

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


def sessions(folders: Iterable[Path] | None = None) -> dict[str, dict[str, Any]]:
    """All saved sessions by name: parameters of New-PSSession, unchecked.

    :param folders: where to look, the first one wins; by default here, then
        :func:`user_folder`.
    :raises UsageError: a file cannot be read (id ``ErrorSettingsUnreadable``).
    """
    found: dict[str, dict[str, Any]] = {}
    for folder in (Path(), user_folder()) if folders is None else folders:
        for name, parameters in _read(folder / FILE_NAME).items():
            if not any(name.lower() == known.lower() for known in found):
                found[name] = parameters
    return found


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        with path.open("rb") as file:
            told = tomllib.load(file).get(_TABLE, {})
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:  # not TOML, or not UTF-8
        raise _unreadable(
            path, getattr(error, "strerror", None) or str(error)
        ) from None
    if not isinstance(told, dict) or not all(
        isinstance(one, dict) for one in told.values()
    ):
        raise _unreadable(path, f"{_TABLE} is not made of tables [{_TABLE}.NAME]")
    return told


def _unreadable(path: Path, why: str) -> UsageError:
    return UsageError(
        f"the saved sessions cannot be read: {why}",
        id="ErrorSettingsUnreadable",
        target=str(path),
        hint="correct the file, or move it away",
    )


__all__ = ["FILE_NAME", "sessions", "user_folder"]
