"""How tests connect to a `WsmanServer`: as users do, with a spec and a password."""

from __future__ import annotations

from typing import Any

from psexport.connection import Connection, Kind, parse
from psexport.secret import Secret
from psexport.transport import winrs, wsman
from psexport.transport.base import Limits, Question, Record, Session, Stream
from wsman_server import ADMIN, WsmanServer

#: Patient enough for a busy machine.
PATIENT = Limits(open=30, silence=30, close=5)
#: For hosts that will not answer.
BRIEF = Limits(open=1, silence=1, close=1)


def spec(server: WsmanServer, **parameters: Any) -> Connection:
    """A connection to a server, as ADMIN over WSMan unless said otherwise.

    `kind` is winrm or winrs, `scheme` the whole of it, `user` a name or None.
    """
    kind = parameters.pop("kind", "winrm")
    scheme = parameters.pop("scheme", f"{kind}s" if server.tls else kind)
    host = parameters.pop("host", server.name)
    port = parameters.pop("port", server.port)
    user = parameters.pop("user", ADMIN.name)
    if user:
        parameters["UserName"] = user
    return parse(f"{scheme}://{host}:{port}", parameters, folders=[])


def connect(
    connection: Connection,
    password: str | None = ADMIN.password,
    limits: Limits = PATIENT,
) -> Session:
    secret = Secret(lambda: password)
    if connection.kind is Kind.WINRS:
        return winrs.connect(connection, limits=limits, secret=secret)
    return wsman.connect(connection, limits=limits, secret=secret)


def ask(session: Session, question: Question) -> list[Record]:
    with session.ask(question) as answer:
        return list(answer)


def output(records: list[Record]) -> list[bytes]:
    return [each.data for each in records if each.stream is Stream.OUTPUT]
