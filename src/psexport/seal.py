"""Signing a module while it is made: between its bytes and the disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .authenticode import Signer, TimestampClient

#: Asks a person for a secret: given the question, returns the answer.
Prompt = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Seal:
    """Who signs the files of a module, and how.

    :ivar code_page: Python's name of the encoding that the files are read in where
        no byte order mark says so; ``None`` if it is not known.
    """

    signer: Signer = field(repr=False)
    hash_algorithm: str
    include_chain: str
    timestamp: TimestampClient | None
    code_page: str | None

    def apply(self, name: str, data: bytes) -> bytes:
        """Return a file's bytes with its signature, if it can carry one.

        :raises PSExportError: it cannot be signed.
        """
        from .authenticode import can_be_signed, sign_bytes

        if not can_be_signed(name):
            return data
        return sign_bytes(
            data,
            name,
            self.signer,
            self.hash_algorithm,
            self.include_chain,
            self.timestamp,
            code_page=self.code_page,
        )

    def status(self, name: str, data: bytes) -> str | None:
        """Check what was written, and return its status; ``None`` if unsigned.

        :raises PSExportError: what is on the disk is not what was signed.
        """
        from .authenticode import can_be_signed, require_signed

        if not can_be_signed(name):
            return None
        return require_signed(data, name, code_page=self.code_page).status.value


def open_signer(
    certificate: str | os.PathLike[str],
    key: str | os.PathLike[str] | None = None,
    password_file: str | os.PathLike[str] | None = None,
    prompt: Prompt | None = None,
) -> Signer:
    """Open a certificate and its key, with the password from wherever it is.

    :raises PSExportError: they cannot be had, or may not sign code.
    """
    from .authenticode import load_signer, password_from

    def ask(target: str) -> str:
        return prompt(f"Password of {target}: ") if prompt else ""

    password = password_from(
        None if password_file is None else os.fspath(password_file),
        os.environ,
        ask if prompt else None,
    )
    return load_signer(
        os.fspath(certificate),
        None if key is None else os.fspath(key),
        password=password,
    )


def timestamp_client(servers: str | Sequence[str]) -> TimestampClient | None:
    """Return what asks these authorities for time stamps; ``None`` if there are none.

    :raises UsageError: one of them is no address.
    """
    if not servers:
        return None
    from .authenticode import TimestampClient

    return TimestampClient((servers,) if isinstance(servers, str) else tuple(servers))
