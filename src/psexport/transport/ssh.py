"""PowerShell over SSH, through the system's own ``ssh`` and its configuration.

Who may log on, with which key, past which jump hosts: all that is ssh's business, and
so is asking for a password. Where there is no terminal to ask at, it must not try.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

from ..connection import Connection
from ..errors import TransportError
from .base import Limits, Session
from .local import RUNSPACES
from .outofproc import OutOfProcessSession

#: ssh's exit code for its own failures; any other one is the subsystem's.
_OWN_FAILURE = 255

#: What ssh says (it is not translated), its id, where it is, what it means, what helps.
_FAILURES = tuple(
    (re.compile(pattern, re.IGNORECASE), id, phase, message, hint)
    for pattern, id, phase, message, hint in (
        (
            r"could not resolve hostname|name or service not known",
            "ErrorHostNotFound",
            "resolve",
            "the name of the host is not known",
            "check the name, or your ssh configuration",
        ),
        (
            r"connection refused",
            "ErrorHostUnreachable",
            "connect",
            "the host refuses connections",
            "check that sshd runs there, and the port",
        ),
        (
            r"connection timed out|no route to host|network is unreachable",
            "ErrorHostUnreachable",
            "connect",
            "the host cannot be reached",
            "check the network, the address and the port",
        ),
        (
            r"kex_exchange_identification|banner exchange",
            "ErrorSessionOpen",
            "connect",
            "no ssh server answers there, or it hangs up at once",
            "check the port, and the log of sshd there",
        ),
        (
            r"remote host identification has changed",
            "ErrorSessionOpen",
            "connect",
            "the host's key is not the one that is known: another host may be "
            "answering in its place",
            "ask the host's administrator; if its key is new, run 'ssh-keygen -R' with "
            "the host's name, and log on once with ssh",
        ),
        (
            r"host key verification failed|no .* host key is known",
            "ErrorSessionOpen",
            "connect",
            "the host's key is unknown",
            "log on once with ssh to accept the key, if you trust it",
        ),
        (
            r"bad permissions|unprotected private key|invalid format|load key",
            "ErrorSessionOpen",
            "logon",
            "the private key cannot be used",
            "check the file of -KeyFilePath, and that only you may read it",
        ),
        (
            r"permission denied|too many authentication failures"
            r"|no more authentication methods",
            "ErrorLogonFailed",
            "logon",
            "the host does not let you log on",
            "check the user name and the key (-KeyFilePath), or load it into ssh-agent",
        ),
        (
            r"subsystem request failed",
            "ErrorSessionOpen",
            "open",
            "the host has no such ssh subsystem",
            "add 'Subsystem powershell /path/to/pwsh -sshs -NoLogo' to its "
            "sshd_config, or give the name with -Subsystem",
        ),
        (
            r"bad configuration option|command-line line|unknown option",
            "ErrorSessionOpen",
            "connect",
            "ssh does not know an option",
            "check -Options, and your ssh configuration",
        ),
    )
)


def connect(connection: Connection, *, limits: Limits) -> Session:
    """Log on over ssh and open a session.

    ssh itself asks for passwords and the like, at the terminal, if there is one.

    :raises TransportError: ssh is missing or fails, or no session opens.
    """
    interactive = has_terminal()

    def explain(code: int | None, words: str) -> TransportError | None:
        return _explained(connection, code, words)

    return OutOfProcessSession(
        command(connection, interactive=interactive),
        name=connection.name,
        limits=limits,
        runspaces=RUNSPACES,
        terminal=interactive,
        explain=explain,
    )


def command(connection: Connection, *, interactive: bool) -> list[str]:
    """The command line of ssh.

    :param interactive: whether it may ask.
    :raises TransportError: there is no ssh.
    """
    program = shutil.which("ssh")
    if program is None:
        raise TransportError(
            "there is no ssh here",
            id="ErrorSshNotFound",
            phase="resolve",
            target="ssh",
            hint="install the OpenSSH client",
        )
    words = [program, "-T"]
    if not interactive:
        words += ["-o", "BatchMode=yes"]
    # Of an option that comes twice, ssh takes the first. Errors only, since what is
    # said on standard error is taken for the reason of a failure.
    for option in (*connection.options, "LogLevel=ERROR"):
        words += ["-o", option]
    if connection.port is not None:
        words += ["-p", str(connection.port)]
    if connection.key_file:
        words += ["-i", connection.key_file]
    if connection.user_name:
        words += ["-l", connection.user_name]
    return [*words, "-s", "--", connection.host, connection.subsystem]


def has_terminal() -> bool:
    """Whether ssh could ask: it opens the terminal itself, whatever stdin is."""
    if not sys.stderr or not sys.stderr.isatty():
        return False
    if os.name != "posix":
        return True
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _explained(
    connection: Connection, code: int | None, words: str
) -> TransportError | None:
    """What ssh's exit code and last words mean; ``None`` if they are not ssh's own."""
    for pattern, id, phase, message, hint in _FAILURES:
        # sshd's refusal of a subsystem may end in another code than ssh's own.
        if pattern.search(words) and (code in (_OWN_FAILURE, 1) or code is None):
            # The line that says it; what was found may also stand across lines.
            lines = words.splitlines()
            said = next(filter(pattern.search, lines), lines[-1])
            if phase == "logon" and lacks_key(connection):
                message = f"there is no private key {connection.key_file}"
            return TransportError(
                f"{message} ({said.strip(' @')})",
                id=id,
                phase=phase,
                target=connection.host,
                hint=hint,
            )
    if code == _OWN_FAILURE:
        why = f" ({words.splitlines()[-1]})" if words else ", and does not say why"
        return TransportError(
            f"ssh gave up{why}",
            id="ErrorSessionOpen",
            phase="connect",
            target=connection.host,
            hint=f"run 'ssh -v {connection.host}' to see what it does",
        )
    return None


def lacks_key(connection: Connection) -> bool:
    """Whether the key that was named is not there: ssh then goes on without a word."""
    return bool(connection.key_file) and not (
        Path(connection.key_file).expanduser().is_file()
    )


__all__ = ["command", "connect", "has_terminal", "lacks_key"]
