"""Where the password of a key comes from: a file, the environment, a person.

There is no way to pass it on a command line, where every user of the machine could
read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ...errors import PSExportError
from .hook import Password

VARIABLE = "PSEXPORT_CERTIFICATE_PASSWORD"


def password_from(
    file: str | Path | None,
    environment: Mapping[str, str],
    prompt: Password | None,
) -> Password | None:
    """Return how to get the password: the file, else the variable, else the prompt.

    The file is read when the password is needed; its first line is the password.

    :param prompt: asks a person; ``None`` where nobody can be asked.
    """
    if file is not None:
        path = Path(file)
        return lambda _target: _read(path)
    if VARIABLE in environment:
        return lambda _target: environment[VARIABLE]
    return prompt


def _read(path: Path) -> str:
    try:
        line = path.read_text("utf-8-sig").partition("\n")[0]
    except (OSError, UnicodeDecodeError):
        raise PSExportError(
            f"The password file {path} cannot be read",
            id="ErrorCertificatePassword",
            target=str(path),
            hint="Give a text file in UTF-8 with the password on its first line.",
        ) from None
    return line.removesuffix("\r")
