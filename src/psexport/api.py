"""The small verbs of the Python interface: one function each, typed and documented.

The big one, :func:`~psexport.exporter.export`, has a module of its own. What is heavy
is imported when it is used, so that importing the package costs nothing.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from .connection import Connection, Value, parse
from .encoding import encoder
from .errors import PSExportError
from .events import OnEvent, ignore
from .seal import Prompt, open_signer, timestamp_client
from .transport.base import Session

if TYPE_CHECKING:
    from .authenticode import Signing, Verification
    from .model import Catalogue

#: One file or folder, or several.
Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


def connect(
    session: str | None = None, *, prompt: Prompt | None = None, **parameters: Value
) -> Session:
    """Open a session.

    :param session: what ``-Session`` takes: ``demo``, ``pwsh:``, ``ssh://user@host``,
        ``winrms://host``, ``replay:FILE``, the name of a saved session.
    :param prompt: asks a person for a password if one is needed and not to be found.
    :param parameters: New-PSSession's parameters, in Python's spelling or its own:
        ``computer_name="server01"``, ``UseSSL=True``. Time-outs are in milliseconds.
    :return: an open session; a context manager that closes itself. Use a session in
        one thread; different sessions do not touch each other.
    :raises UsageError: the description makes no sense.
    :raises TransportError: the session cannot be opened.
    """
    given = {name.replace("_", ""): value for name, value in parameters.items()}
    return open_session(parse(session, given), prompt)


def open_session(connection: Connection, prompt: Prompt | None = None) -> Session:
    """Open the session that a connection describes, and let it know its description.

    :raises TransportError: it cannot be opened.
    """
    from .transport import connect

    session = connect(connection, prompt=prompt)
    session.connection = connection
    return session


def capture(session: Session, *, on_event: OnEvent = ignore) -> Catalogue:
    """Fetch everything that a host has, to build modules from later.

    :param session: an open session.
    :param on_event: is told what happens.
    :raises TransportError: the session broke, or did not answer in time.
    :raises RemoteError: the host refused, or lacks a command that is needed.
    """
    from .fetch import fetch

    return fetch(session, None, on_event)


def compare(reference: object, difference: object) -> NoReturn:
    """Say what differs between two sessions, catalogues or modules. Not yet.

    :raises PSExportError: always, with id ``ErrorNotYet``.
    """
    raise PSExportError(
        "comparing is not there yet",
        id="ErrorNotYet",
        target="compare",
        hint="Look for a newer psexport.",
    )


def sign(
    paths: Paths,
    certificate: str | os.PathLike[str],
    *,
    certificate_key: str | os.PathLike[str] | None = None,
    certificate_password_file: str | os.PathLike[str] | None = None,
    include_chain: str = "NotRoot",
    hash_algorithm: str = "SHA256",
    timestamp_server: str | Sequence[str] = (),
    code_page: str | None = None,
    prompt: Prompt | None = None,
) -> Signing:
    """Sign scripts and modules where they are; all of them, or none is touched.

    :param paths: files, and folders whose files are signed as far as PowerShell can
        check a signature in them.
    :param certificate: PFX, PEM or DER file, or the address of a key service.
    :param certificate_key: where the private key is, if it is elsewhere.
    :param certificate_password_file: file with the key's password; else
        ``PSEXPORT_CERTIFICATE_PASSWORD`` is taken, else ``prompt`` is asked.
    :param include_chain: ``Signer``, ``NotRoot`` or ``All``.
    :param hash_algorithm: ``SHA256``, ``SHA384`` or ``SHA512``.
    :param timestamp_server: addresses of RFC 3161 authorities, tried in order.
    :param code_page: ANSI code page of the machines that will read files that are
        neither ASCII nor marked: ``1252``, ``windows-1252``.
    :param prompt: asks a person for the key's password.
    :raises PSExportError: nothing was written; the id says why.
    """
    from .authenticode import sign_paths

    return sign_paths(
        _paths(paths),
        open_signer(certificate, certificate_key, certificate_password_file, prompt),
        hash_algorithm,
        include_chain,
        timestamp_client(timestamp_server),
        code_page=_codec(code_page),
    )


def verify(
    paths: Paths,
    *,
    ca_file: str | os.PathLike[str] | None = None,
    tsa_ca_file: str | os.PathLike[str] | None = None,
    crl_file: Paths = (),
    code_page: str | None = None,
) -> Verification:
    """Check the signatures of scripts and modules as Windows would.

    :param paths: files, and folders with what makes modules of their files.
    :param ca_file: PEM file of the roots for signers; the system's without it.
    :param tsa_ca_file: PEM file of the roots for time stamps.
    :param crl_file: revocation lists, PEM or DER.
    :param code_page: ANSI code page in which unmarked files are read; 1252 without it.
    :raises PSExportError: a file is not there or cannot be read. A signature that is
        not valid is a result, not an error.
    """
    from .authenticode import load_trust, verify_paths

    trust = load_trust(
        None if ca_file is None else Path(ca_file),
        None if tsa_ca_file is None else Path(tsa_ca_file),
        [Path(one) for one in _paths(crl_file)],
    )
    codec = _codec(code_page)
    if codec is None:
        return verify_paths(_paths(paths), trust)
    return verify_paths(_paths(paths), trust, code_page=codec)


def _paths(paths: Paths) -> list[str]:
    if isinstance(paths, str | os.PathLike):
        return [os.fspath(paths)]
    return [os.fspath(path) for path in paths]


def _codec(code_page: str | None) -> str | None:
    """Return Python's name of a code page that is a number or a name."""
    return None if code_page is None else encoder(code_page).codec
