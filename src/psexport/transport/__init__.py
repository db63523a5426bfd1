"""Sessions of every kind, behind one seam.

:mod:`~psexport.transport.base` is the seam; this is the door: :func:`connect` turns a
:class:`~psexport.connection.Connection` into a :class:`~.base.Session`.
"""

from __future__ import annotations

from ..connection import Connection, Kind
from ..errors import UsageError
from ..secret import Prompt, password_of
from .base import Limits, Session


def connect(
    connection: Connection,
    *,
    limits: Limits | None = None,
    prompt: Prompt | None = None,
) -> Session:
    """Open a session.

    :param connection: where to and how.
    :param limits: how long to wait; by default as long as the connection says.
    :param prompt: asks a person for a password, where one is needed and is nowhere.
    :raises TransportError: the session cannot be opened; nothing stays open.
    :raises UsageError: the connection cannot have a session: a catalogue, or a
        password that is missing.
    """
    limits = limits or _limits(connection)
    match connection.kind:
        case Kind.LOCAL:
            from . import local

            return local.connect(connection, limits=limits)
        case Kind.SSH:
            from . import ssh

            return ssh.connect(connection, limits=limits)
        case Kind.WSMAN | Kind.WINRS:
            return _over_http(connection, limits, prompt)
        case Kind.REPLAY | Kind.DEMO:
            from . import replay

            return replay.connect(connection)
        case Kind.CATALOG:
            raise UsageError(
                f"{connection.path} is a catalogue, not a host that could be asked",
                id="ErrorSessionOffline",
                target=connection.path,
                hint="build from it instead, or give the session that it came from",
            )


def _over_http(
    connection: Connection, limits: Limits, prompt: Prompt | None
) -> Session:
    from . import logon

    logon.check(connection)
    secret = password_of(
        connection.user_name,
        connection.host,
        file=connection.password_file,
        prompt=prompt,
    )
    logon.ask_now(connection, secret)
    if connection.kind is Kind.WSMAN:
        from . import wsman

        return wsman.connect(connection, limits=limits, secret=secret)
    from . import winrs

    return winrs.connect(connection, limits=limits, secret=secret)


def _limits(connection: Connection) -> Limits:
    usual = Limits()
    return Limits(
        open=connection.open_timeout or usual.open,
        silence=connection.operation_timeout or usual.silence,
        close=usual.close,
    )


__all__ = ["connect"]
