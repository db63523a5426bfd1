"""Where ssh goes, and what it says on its way when it is asked to tell.

One run of ``ssh -v`` to the subsystem, with nothing to send, answers three questions:
is the host's key known, which ways to log on does it take, is the subsystem there.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import TransportError
from ..secret import without_passwords
from ..transport import ssh
from . import network
from .findings import Fact, Finding, fault, ok, skipped, warning
from .http import Route
from .session import found_in
from .visit import Visit

_ASKING = 10.0
#: Longer than ssh needs to log on past a slow name server, shorter than patience.
_RUNNING = 25.0
_MAX_OUTPUT = 256 * 1024
_MAX_BANNER = 8 * 1024
_PORT = 22


def program(visit: Visit) -> Iterator[Finding]:
    """Find ssh, and ask it where it would go, as its configuration says."""
    try:
        command = ssh.command(visit.connection, interactive=False)
    except TransportError as error:
        yield found_in(error)
        return
    version = _run([command[0], "-V"], _ASKING)[1].strip()
    code, said = _run([command[0], "-G", *command[1:]], _ASKING)
    if code != 0:
        last = said.strip().splitlines()[-1:] or ["it says nothing"]
        text = f"ssh does not understand its options ({last[0]})"
        yield fault("SshConfiguration", text)
        return
    told = _configuration(said)
    visit.route = Route(
        host=told.get("hostname") or visit.connection.host,
        port=int(told.get("port", "")) if told.get("port", "").isdigit() else _PORT,
        use_ssl=False,
        path="",
    )
    visit.detour = told.get("proxyjump") or told.get("proxycommand") or ""
    if visit.detour == "none":
        visit.detour = ""
    yield ok(
        f"{version or 'ssh'} goes to {visit.route.authority}"
        + (f" past {visit.detour}" if visit.detour else ""),
        version=version or None,
        host=visit.route.host,
        port=visit.route.port,
        user=told.get("user"),
        detour=visit.detour or None,
    )


def resolve(visit: Visit) -> Iterator[Finding]:
    """Look the name up, unless another machine will."""
    if visit.detour:
        yield skipped(f"that is for {visit.detour} to know")
        return
    yield from network.resolve(visit)


def reach(visit: Visit) -> Iterator[Finding]:
    """Connect, unless another machine will."""
    if visit.detour:
        yield skipped(f"that is for {visit.detour} to reach")
        return
    yield from network.reach(visit)


def banner(visit: Visit) -> Iterator[Finding]:
    """Read the line that an ssh server begins with."""
    route = visit.route
    assert route is not None
    if visit.detour:
        yield skipped(f"only {visit.detour} reaches it")
        return
    try:
        with socket.create_connection(route.next_hop, timeout=_ASKING) as plain:
            plain.settimeout(_ASKING / 2)
            said = b""
            while b"SSH-" not in said or not said.endswith(b"\n"):
                piece = plain.recv(1024)
                said += piece
                if not piece or len(said) > _MAX_BANNER:
                    break
    except TimeoutError:
        yield fault("SshSilent", "the port is open, and what is there says nothing")
        return
    except OSError as error:
        why = error.strerror or type(error).__name__
        yield fault("NotSsh", f"what is there cuts the connection ({why})")
        return
    line = re.search(rb"(?m)^(SSH-\d[^\r\n]{0,200})", said)
    if line is None:
        begin = said[:60].decode("utf-8", "replace").strip()
        yield fault("NotSsh", f"what is there is no ssh server ({begin or 'silence'})")
        return
    version = line[1].decode("utf-8", "replace")
    yield ok(f"an ssh server: {version}", version=version)


@dataclass(frozen=True)
class Transcript:
    """What ``ssh -v`` said.

    :ivar key: the host's key, type and fingerprint; "" if it did not get that far.
    :ivar key_known: whether it is the known one.
    :ivar key_changed: whether another one is known.
    :ivar methods: ways to log on that the host takes.
    :ivar tried: keys that were offered.
    :ivar method: the way that worked; "" if none did.
    :ivar subsystem_refused: whether the host has no such subsystem.
    :ivar complaint: the last thing that it said to people.
    """

    key: str = ""
    key_known: bool = False
    key_changed: bool = False
    methods: tuple[str, ...] = ()
    tried: tuple[str, ...] = ()
    method: str = ""
    subsystem_refused: bool = False
    complaint: str = ""


def read(text: str) -> Transcript:
    """Understand what ``ssh -v`` says; it is not translated.

    What a host sends is in it too, a banner for one. It may mislead here, but not
    about whether an export works: that is seen from the session itself.
    """
    key = re.search(r"(?m)^debug1: Server host key: (\S{1,60} \S{1,100})", text)
    methods = re.findall(r"(?m)^debug1: Authentications that can continue: (\S+)", text)
    tried = re.findall(r"(?m)^debug1: Offering public key: (.{1,300}?)\s*$", text)
    method = re.search(r'(?m)^Authenticated to .{1,300} using "([\w-]+)"', text)
    said = [
        line.strip()
        for line in text.splitlines()
        if line.strip()
        and not re.match(r"debug\d: |OpenSSH_|Transferred: |Bytes per", line)
    ]
    return Transcript(
        key=key[1] if key else "",
        key_known=re.search(r"(?m)^debug1: Host .{1,300} is known and match", text)
        is not None,
        key_changed="REMOTE HOST IDENTIFICATION HAS CHANGED" in text,
        methods=tuple(methods[-1].split(",")[:20]) if methods else (),
        tried=tuple(tried[:20]),
        method=method[1] if method else "",
        subsystem_refused="subsystem request failed" in text,
        complaint=said[-1] if said else "",
    )


def host_key(visit: Visit) -> Iterator[Finding]:
    """Let ssh tell what it does, and look at the host's key first."""
    command = ssh.command(visit.connection, interactive=False)
    # A connection of its own, for one that is shared tells nothing.
    command[1:1] = ["-v", "-o", "ControlPath=none"]
    _, visit.transcript = _run(command, _RUNNING, errors_only=True)
    told = read(visit.transcript)
    facts: dict[str, Fact] = {"key": told.key or None}
    refused = "Host key verification failed" in visit.transcript
    if told.key_changed:
        text = "the host's key is not the one that is known"
        yield fault("HostKeyChanged", f"{text} ({told.key})", **facts)
    elif refused or (
        told.key and not told.key_known and not told.methods and not told.method
    ):
        text = f"the host's key is not known ({told.key or told.complaint})"
        yield fault("HostKeyUnknown", text, **facts)
    elif not told.key:
        yield fault("SshFailed", f"ssh got nowhere ({told.complaint or 'silence'})")
    elif told.key_known:
        yield ok(f"the host's key is known ({told.key})", **facts)
    else:
        text = f"the host's key was taken without being known ({told.key})"
        yield warning("HostKeyNotChecked", text, **facts)


def logon(visit: Visit) -> Iterator[Finding]:
    """Who may log on, and how."""
    told = read(visit.transcript)
    facts: dict[str, Fact] = {"methods": list(told.methods), "tried": list(told.tried)}
    ways = ", ".join(told.methods) or "no way that ssh names"
    if told.method:
        yield ok(f"logged on by {told.method}", method=told.method, **facts)
    elif {"password", "keyboard-interactive"} & set(
        told.methods
    ) and ssh.has_terminal():
        text = f"no key was taken, so that ssh will ask for a password ({ways})"
        yield warning("SshAsks", text, **facts)
    elif re.search(r"(?i)bad permissions|unprotected private key", visit.transcript):
        yield fault(
            "KeyFileOpen", f"ssh does not use the key ({told.complaint})", **facts
        )
    elif ssh.lacks_key(visit.connection):
        file = visit.connection.key_file
        yield fault("KeyFileMissing", f"there is no file {file}", file=file, **facts)
    elif not told.tried:
        text = f"there was no key to log on with; the host takes {ways}"
        yield fault("SshNoKey", text, **facts)
    else:
        text = f"the host takes none of {len(told.tried)} keys; it takes {ways}"
        yield fault("SshRefused", text, **facts)


def subsystem(visit: Visit) -> Iterator[Finding]:
    """Whether the host has the subsystem."""
    told = read(visit.transcript)
    name = visit.connection.subsystem
    if told.subsystem_refused:
        text = f"the host has no ssh subsystem called {name}"
        yield fault("SubsystemMissing", text, subsystem=name)
    elif not told.method:
        yield skipped("ssh will ask at the terminal first")
    else:
        yield ok(f"the host has a subsystem called {name}", subsystem=name)


def _configuration(said: str) -> dict[str, str]:
    told: dict[str, str] = {}
    for line in said.splitlines():
        name, _, value = line.partition(" ")
        told.setdefault(name, value)
    return told


def _run(
    command: list[str], seconds: float, *, errors_only: bool = False
) -> tuple[int | None, str]:
    """Run ssh with nothing to say to it: exit code, ``None`` if it had to be ended,
    and what it said.
    """
    with tempfile.TemporaryFile() as said:
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if errors_only else said,
            stderr=said,
            env=without_passwords(os.environ),
            start_new_session=True,
        ) as process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
            code = process.returncode
            if code is None:
                process.kill()
        said.seek(0)
        return code, said.read(_MAX_OUTPUT).decode("utf-8", "replace")


__all__ = [
    "Transcript",
    "banner",
    "host_key",
    "logon",
    "program",
    "reach",
    "read",
    "resolve",
    "subsystem",
]
