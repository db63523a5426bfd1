"""The map of foreign exceptions and HTTP answers at the edge of the network.

Whatever socket, TLS and http.client raise, and whatever a server answers that is not
WSMan, becomes one :class:`~psexport.errors.TransportError` here: where it happened,
what that means, what to do.
"""

from __future__ import annotations

import errno
import http.client
import socket
import ssl
from urllib.parse import urlsplit

from ..connection import Connection
from ..errors import PSExportError, TransportError
from . import tls

_UNREACHABLE = frozenset(
    {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN}
)
_LISTENER = "'winrm quickconfig' (or 'Enable-PSRemoting -Force') there"


class DroppedError(TransportError):
    """The connection ended before the answer was there.

    Whether the host did what it was asked is not known.
    """


def failure(
    error: Exception, connection: Connection, phase: str, *, opened: bool
) -> PSExportError:
    """What an exception of the network means.

    :param phase: what was being done.
    :param opened: whether there is a session already.
    """
    if isinstance(error, PSExportError):
        return error
    if isinstance(error, socket.gaierror | UnicodeError):
        return _error(
            connection,
            "the name of the host is not known",
            "ErrorHostNotFound",
            "resolve",
            "check the name and the DNS; an address does as well, with NTLM or Basic",
        )
    if isinstance(error, ssl.SSLError) and not isinstance(
        error, ssl.SSLEOFError | ssl.SSLZeroReturnError
    ):
        return tls.explain(error, connection, phase)
    if isinstance(error, TimeoutError):
        return silence(connection, phase)
    if isinstance(error, ConnectionRefusedError):
        return _error(
            connection,
            f"the host refuses connections to port {connection.port}",
            "ErrorHostUnreachable",
            "connect",
            f"check the port (5985, with TLS 5986), and run {_LISTENER}",
        )
    hung_up = isinstance(error, ConnectionError | ssl.SSLError)
    if isinstance(error, OSError) and (
        error.errno in _UNREACHABLE or (phase == "connect" and not hung_up)
    ):
        return _error(
            connection,
            f"the host cannot be reached ({error.strerror or error})",
            "ErrorHostUnreachable",
            "connect",
            "check the network, the address and the port",
        )
    if isinstance(error, http.client.BadStatusLine | http.client.HTTPException) and (
        not isinstance(
            error, http.client.RemoteDisconnected | http.client.IncompleteRead
        )
    ):
        return _error(
            connection,
            "what the host says is not HTTP",
            "ErrorNotWsman",
            phase,
            "check the port (5985, with TLS 5986); for TLS use winrms://",
        )
    return DroppedError(
        f"the host closed the connection ({_words(error)})",
        id="ErrorSessionBroken" if opened else "ErrorSessionOpen",
        phase=phase,
        target=connection.name,
        hint="try again; if it stays, look at the host's event log (Windows Remote "
        "Management) and at what is between"
        if opened
        else "check that this is the port of WSMan (5985, or 5986 for winrms://); look "
        "at the host's event log and at what is between",
    )


def forgotten(connection: Connection, phase: str) -> DroppedError:
    """The error for a host that does not know any more who has logged on."""
    return DroppedError(
        "the host has forgotten the logon of this connection (HTTP 401)",
        id="ErrorSessionOpen" if phase == "open" else "ErrorSessionBroken",
        phase=phase,
        target=connection.name,
        hint="try again; if it stays, check what is between: a logon belongs to one "
        "connection, which a gateway must not share",
    )


def silence(connection: Connection, phase: str) -> TransportError:
    """The error for a host that does not answer in time."""
    if phase in ("resolve", "connect"):
        return _error(
            connection,
            f"the host does not answer at port {connection.port}",
            "ErrorHostUnreachable",
            "connect",
            "check the network, the address, the port and the host's firewall "
            "('Enable-NetFirewallRule -DisplayGroup \"Windows Remote Management\"' "
            "there), or allow more with -OpenTimeout",
        )
    limit = "-OperationTimeout" if phase == "run" else "-OpenTimeout"
    return _error(
        connection,
        "the host did not answer in time",
        "ErrorSessionTimeout",
        phase,
        f"see whether the host is busy, or allow more with {limit}",
    )


def status(
    connection: Connection, code: int, phase: str, *, opened: bool
) -> TransportError:
    """The error for an HTTP status that brought no WSMan answer."""
    path = f"/{connection.application_name}"
    # A proxy that only passes messages on answers in the host's place.
    proxied = connection.proxy_uri and not connection.use_ssl
    id, message, hint = {
        403: (
            "ErrorAccessDenied",
            f"the host{', or the proxy before it,' if proxied else ''} forbids it",
            "check the user's rights there, and what is between",
        ),
        404: (
            "ErrorNotWsman",
            f"there is no WSMan service at {path}",
            "check -ApplicationName (wsman; PowerShell/ for Exchange) and the port",
        ),
        405: (
            "ErrorNotWsman",
            f"what is at {path} is no WSMan service",
            "check -ApplicationName and the port",
        ),
        407: (
            "ErrorProxy",
            "a proxy wants a password",
            "go around it, or through one that wants none (-ProxyUri)",
        ),
        413: (
            "ErrorMessageTooLarge",
            "the message is larger than the host takes",
            "run 'Set-Item WSMan:\\localhost\\MaxEnvelopeSizekb 500' there",
        ),
        429: (
            "ErrorHostQuota",
            "the host has no time for more requests",
            "wait, then try again",
        ),
        500: (
            "ErrorSessionBroken" if opened else "ErrorSessionOpen",
            "the host met an error of its own and does not say which",
            "look at the host's event log; if it wants encrypted messages, use "
            "winrms:// or leave out -NoEncryption",
        ),
        502: (
            "ErrorProxy",
            "what is between cannot reach the host",
            "check the proxy or gateway, or go around it",
        ),
        503: (
            "ErrorHostBusy",
            "the host's WSMan service is not available",
            "run 'Restart-Service WinRM' there, or try again later",
        ),
        504: (
            "ErrorProxy",
            "what is between got no answer from the host in time",
            "check the proxy or gateway, or go around it",
        ),
    }.get(
        code,
        (
            "ErrorNotWsman",
            "the answer is not one of a WSMan service",
            "check the address, -ApplicationName and what is between",
        ),
    )
    return _error(connection, f"{message} (HTTP {code})", id, phase, hint)


def proxy(connection: Connection, code: int | None) -> TransportError:
    """The error for a proxy that does not let one through."""
    if code == 407:
        return status(connection, code, "connect", opened=False)
    said = "is no HTTP proxy" if code is None else f"says no (HTTP {code})"
    return _error(
        connection,
        f"the proxy {said}",
        "ErrorProxy",
        "connect",
        "check -ProxyUri, and that the proxy allows CONNECT to that port",
    )


def proxy_unreachable(
    connection: Connection, phase: str, error: OSError
) -> TransportError:
    """The error for a proxy that is not there."""
    where = urlsplit(connection.proxy_uri)
    at = f"{where.hostname}:{where.port or 80}"
    why = "no answer" if isinstance(error, TimeoutError) else _words(error)
    return _error(
        connection,
        f"the proxy {at} cannot be reached ({why})",
        "ErrorProxy",
        phase,
        "check -ProxyUri, or leave it out to go without a proxy",
    )


def redirected(connection: Connection, to: str, why: str) -> TransportError:
    """The error for a host that sends one elsewhere."""
    return _error(
        connection,
        f"the host sends this session on to {to or 'an unknown place'}, {why}",
        "ErrorRedirected",
        "open",
        "check that address; if you trust it, use it as -ConnectionUri, or add "
        "-AllowRedirection",
    )


def nonsense(connection: Connection, what: str, phase: str) -> TransportError:
    """The error for an answer that is none."""
    return _error(
        connection,
        f"what the host sent is not WSMan: {what}",
        "ErrorSessionProtocol",
        phase,
        "check that the address leads to a WSMan service, and what is between",
    )


def too_large(connection: Connection, limit: int, phase: str) -> TransportError:
    """The error for an answer beyond all measure."""
    return _error(
        connection,
        f"the host sent an answer of more than {limit:,} bytes",
        "ErrorMessageTooLarge",
        phase,
        "check that the address leads to a WSMan service",
    )


def _words(error: Exception) -> str:
    if isinstance(error, http.client.IncompleteRead):
        return "in the middle of an answer"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _error(
    connection: Connection, message: str, id: str, phase: str, hint: str
) -> TransportError:
    return TransportError(
        message, id=id, phase=phase, target=connection.name, hint=hint
    )


__all__ = [
    "DroppedError",
    "failure",
    "forgotten",
    "nonsense",
    "proxy",
    "proxy_unreachable",
    "redirected",
    "silence",
    "status",
    "too_large",
]
