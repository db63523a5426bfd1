"""The steps for each kind of session, in their order."""

from __future__ import annotations

from ..connection import Kind
from . import local, logons, network, session, ssh, tls, winrm
from .walk import Probe

_SESSION = (
    Probe("endpoint", "Endpoint", session.endpoint, ("session",), 60.0),
    Probe("commands", "Required commands", session.commands, ("endpoint",), 60.0),
    Probe("hostClock", "Clock", session.clock, ("endpoint",), 60.0),
    Probe("rehearsal", "A small export", session.rehearsal, ("commands",), 120.0),
)


def _open(*needs: str) -> Probe:
    look = session.open_session
    return Probe("session", "Opening a session", look, needs, in_person=True)


_HTTP = (
    Probe("name", "Name", network.resolve),
    Probe("port", "Port", network.reach, ("name",)),
    Probe("proxy", "Proxy", network.proxy, ("port",)),
    Probe("credentials", "Credentials", logons.credentials, ("proxy",), in_person=True),
)
_TLS = (
    Probe("tls", "TLS", tls.handshake, ("proxy",)),
    Probe("certificate", "Certificate", tls.certificate, ("tls",)),
)


def _winrm(ground: str, *certificate: str) -> tuple[Probe, ...]:
    return (
        Probe("identify", "WinRM", winrm.identify, (ground,)),
        Probe("clock", "Clock", winrm.clock, ("identify",)),
        Probe("methods", "Ways to log on", winrm.methods, ("identify",)),
        Probe(
            "logon",
            "Log on",
            logons.try_each,
            ("methods", "credentials", *certificate),
            90.0,
        ),
        Probe("quotas", "Quotas", logons.quotas, ("logon",)),
        _open("logon"),
        *_SESSION,
    )


_SSH = (
    Probe("program", "ssh", ssh.program),
    Probe("name", "Name", ssh.resolve, ("program",)),
    Probe("port", "Port", ssh.reach, ("name",)),
    Probe("banner", "ssh server", ssh.banner, ("port",)),
    Probe("hostKey", "Host key", ssh.host_key, ("banner",)),
    Probe("logon", "Log on", ssh.logon, ("hostKey",)),
    Probe("subsystem", "Subsystem", ssh.subsystem, ("logon",)),
    _open("subsystem"),
    *_SESSION,
)
_LOCAL = (
    Probe("program", "Program", local.program),
    Probe("configuration", "Configuration", local.configuration, ("program",)),
    _open("configuration"),
    *_SESSION,
)
_FILE = (
    Probe("file", "File", local.recording),
    _open("file"),
    *_SESSION,
)


def plan(kind: Kind, *, use_ssl: bool) -> tuple[Probe, ...]:
    """The steps for a kind of session."""
    match kind:
        case Kind.WSMAN | Kind.WINRS if use_ssl:
            return (*_HTTP, *_TLS, *_winrm("tls", "certificate"))
        case Kind.WSMAN | Kind.WINRS:
            return (*_HTTP, *_winrm("proxy"))
        case Kind.SSH:
            return _SSH
        case Kind.LOCAL:
            return _LOCAL
        case Kind.REPLAY | Kind.DEMO | Kind.CATALOG:
            return _FILE


__all__ = ["plan"]
