"""A WS-Management server for tests, real from the wire to the engine.

    with WsmanServer(pwsh=find_pwsh(), auth=["ntlm"]) as server:
        client = pypsrp.wsman.WSMan("localhost", port=server.port, ssl=False, …)
        …
    assert not server.open_shells

It logs on with Basic, NTLM, Kerberos, CredSSP and client certificates, encrypts
messages, and hands PSRP to a real PowerShell process. `faults` make it fail on cue.

How a request travels, file by file: `server` listens, `connection` speaks HTTP with
`auth` and `encryption`, `soap` reads the envelope, `service` finds the operation and
the shell, `psrp_shell` (over `outofproc` and `fragments`) or `cmd_shell` does it, and
`faults` may step in between.
"""

from .accounts import (
    ACCOUNTS,
    ADMIN,
    DOMAIN_USER,
    OPERATOR,
    UNICODE_USER,
    Account,
    install_ntlm_accounts,
)
from .connection import Exchange
from .faults import (
    Drop,
    Effect,
    Fault,
    Half,
    HostDies,
    Http,
    Phase,
    Reboot,
    Redirect,
    Reset,
    Stall,
    Wsman,
)
from .psrp_shell import Endpoint
from .server import ServerTls, WsmanServer
from .service import Limits

__all__ = [
    "ACCOUNTS",
    "ADMIN",
    "DOMAIN_USER",
    "OPERATOR",
    "UNICODE_USER",
    "Account",
    "Drop",
    "Effect",
    "Endpoint",
    "Exchange",
    "Fault",
    "Half",
    "HostDies",
    "Http",
    "Limits",
    "Phase",
    "Reboot",
    "Redirect",
    "Reset",
    "ServerTls",
    "Stall",
    "Wsman",
    "WsmanServer",
    "install_ntlm_accounts",
]
