"""A password, from where it is kept to where it is needed, and nowhere else."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

from .errors import UsageError

#: Asks a person; given the question, returns the answer without echoing it.
Prompt = Callable[[str], str]

_HIDDEN = "<secret>"
_KEYRING_SERVICE = "psexport"
_MAX_FILE = 4096
_FILE_HINT = "give -PasswordFile a text file whose first line is the password"


class Secret:
    """A text that shows itself to nobody but who calls :meth:`reveal`.

    :param sources: asked in order, once, when the secret is first needed; the first
        that returns a text is it.
    """

    __slots__ = ("_sources", "_value")

    def __init__(self, *sources: Callable[[], str | None]) -> None:
        self._sources = sources
        self._value: str | None = None

    def reveal(self) -> str:
        """Return the text itself.

        :raises UsageError: no source has it (id ``ErrorPasswordMissing``), or one
            cannot be read (id ``ErrorPasswordUnreadable``).
        """
        for source in self._sources if self._value is None else ():
            self._value = source()
            if self._value is not None:
                break
        if self._value is None:
            raise UsageError(
                "a password is needed and there is none",
                id="ErrorPasswordMissing",
                hint="set PSEXPORT_PASSWORD, or use -PasswordFile",
            )
        return self._value

    def __repr__(self) -> str:
        return _HIDDEN

    __str__ = __repr__

    def __format__(self, format_spec: str) -> str:
        return format(_HIDDEN, format_spec)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written down")


def password_of(
    user: str,
    host: str,
    *,
    file: str = "",
    prompt: Prompt | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Secret:
    """The password of a user of a host: looked for only when it is needed.

    In this order: ``PSEXPORT_PASSWORD``, the first line of ``file``, the keyring if
    the package is installed (service ``psexport``, name ``user@host``), ``prompt``.
    """
    question = f"Password of {user} at {host}: "
    return Secret(
        lambda: environ.get("PSEXPORT_PASSWORD"),
        lambda: _first_line(file) if file else None,
        lambda: _from_keyring(f"{user}@{host}"),
        lambda: prompt(question) if prompt is not None else None,
    )


def remember(user: str, host: str, password: str) -> None:
    """Put a password into the keyring, where :func:`password_of` finds it.

    :raises UsageError: there is no keyring, or it takes nothing (id
        ``ErrorKeyringUnavailable``).
    """
    try:
        import keyring

        keyring.set_password(_KEYRING_SERVICE, f"{user}@{host}", password)
    except Exception as error:  # each backend has exceptions of its own
        why = "is not installed" if isinstance(error, ImportError) else "takes nothing"
        # Not the error's own words: who knows what a backend puts into them.
        raise UsageError(
            f"the keyring {why}",
            id="ErrorKeyringUnavailable",
            target=type(error).__name__,
            hint="install psexport[keyring] and unlock your keyring, or leave out "
            "-Keyring and use PSEXPORT_PASSWORD or -PasswordFile",
        ) from None


def without_passwords(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment for a program that is to know no password of ours."""
    return {
        name: value
        for name, value in environ.items()
        if not (name.startswith("PSEXPORT_") and name.endswith("PASSWORD"))
    }


def is_open_to_others(path: str) -> bool:
    """Whether other users of this machine may read a file; false if nobody knows."""
    if os.name != "posix" or not path:
        return False
    try:
        return bool(Path(path).stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))
    except OSError:
        return False


def _first_line(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            line = file.read(_MAX_FILE).decode("utf-8-sig").split("\n", 1)[0]
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UsageError(
            f"the password file cannot be read: {why}",
            id="ErrorPasswordUnreadable",
            target=path,
            hint=_FILE_HINT,
        ) from None
    password = line.removesuffix("\r")
    if not password:
        # Whoever names a file does not mean to go without a password.
        raise UsageError(
            "the first line of the password file is empty",
            id="ErrorPasswordUnreadable",
            target=path,
            hint=_FILE_HINT,
        )
    return password


def _from_keyring(name: str) -> str | None:
    try:
        import keyring

        password: str | None = keyring.get_password(_KEYRING_SERVICE, name)
    except Exception:  # not installed, locked, or without a backend: not here, then
        return None
    return password


__all__ = [
    "Prompt",
    "Secret",
    "is_open_to_others",
    "password_of",
    "remember",
    "without_passwords",
]
