"""A real OpenSSH server with PowerShell as its subsystem, on loopback.

Own configuration, own keys, one log on: the user who runs the tests, by key. What a
client needs stands in `client_options` and `known_hosts`; no file of the user's is
read or written by either side.
"""

from __future__ import annotations

import getpass
import os
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from .processes import Daemon, NotInstalledError, find_program, free_port

_PACKAGE = "openssh-server"
# sshd drops its privileges into this empty folder, which it wants to exist.
_PRIVILEGE_SEPARATION = Path("/run/sshd")


def unavailable() -> str | None:
    """Why there can be no SSH server here, or None."""
    try:
        find_program("sshd", _PACKAGE)
        find_program("ssh", "openssh-client")
        find_program("ssh-keygen", "openssh-client")
    except NotInstalledError as error:
        return str(error)
    return None


class SshServer:
    """An sshd for the user who runs the tests.

    `subsystems` are command lines by name; `powershell(pwsh)` makes the usual one.
    `banner` is shown before logging on; `noise` comes on standard output before the
    first packet, as from a host whose profile talks too much.
    """

    def __init__(
        self,
        folder: Path,
        subsystems: dict[str, str] | None = None,
        *,
        banner: str = "",
        noise: str = "",
        options: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self.port = free_port()
        self.user = getpass.getuser()
        self.key_file = folder / "user_key"
        self.other_key_file = folder / "other_key"
        self.known_hosts = folder / "known_hosts"
        self._subsystems = subsystems or {}
        self._banner = banner
        self._noise = noise
        self._options = tuple(options)
        self._daemon: Daemon | None = None

    @property
    def url(self) -> str:
        return f"ssh://{self.user}@127.0.0.1:{self.port}"

    @property
    def client_options(self) -> dict[str, str]:
        """Options of ssh(1) that keep it to this server's own files."""
        return {
            "UserKnownHostsFile": str(self.known_hosts),
            "GlobalKnownHostsFile": "/dev/null",
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "BatchMode": "yes",
        }

    @property
    def log(self) -> str:
        return (self.folder / "sshd.log").read_text(errors="replace")

    def start(self) -> Self:
        for name in ("host_key", "user_key", "other_key"):
            self._make_key(name)
        allowed = (self.folder / "user_key.pub").read_text(encoding="utf-8")
        _write(self.folder / "authorized_keys", allowed)
        host_key = (self.folder / "host_key.pub").read_text(encoding="utf-8")
        _write(self.known_hosts, f"[127.0.0.1]:{self.port} {host_key}")
        _write(self.folder / "sshd_config", self._configuration())
        if os.geteuid() == 0:
            _PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)
        sshd = find_program("sshd", _PACKAGE)
        command = [sshd, "-D", "-e", "-f", str(self.folder / "sshd_config")]
        self._daemon = Daemon(command, self.folder / "sshd.log")
        self._daemon.wait_for_port(self.port)
        return self

    def stop(self) -> None:
        if self._daemon is not None:
            self._daemon.stop()
            self._daemon = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _configuration(self) -> str:
        lines = [
            "ListenAddress 127.0.0.1",
            f"Port {self.port}",
            f"HostKey {self.folder / 'host_key'}",
            f"AuthorizedKeysFile {self.folder / 'authorized_keys'}",
            "PidFile none",
            "UsePAM no",
            "StrictModes no",
            "PermitRootLogin prohibit-password",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "LogLevel VERBOSE",
            *self._options,
        ]
        if self._banner:
            _write(self.folder / "banner", self._banner)
            lines.append(f"Banner {self.folder / 'banner'}")
        for name, command in self._subsystems.items():
            if self._noise:
                command = self._noisy(name, command)
            lines.append(f"Subsystem {name} {command}")
        return "\n".join(lines) + "\n"

    def _noisy(self, name: str, command: str) -> str:
        script = self.folder / f"noisy-{name}"
        noise = shlex.quote(self._noise)
        _write(script, f"#!/bin/sh\nprintf '%s\\n' {noise}\nexec {command}\n")
        script.chmod(0o755)
        return str(script)

    def _make_key(self, name: str) -> None:
        keygen = find_program("ssh-keygen", "openssh-client")
        key = str(self.folder / name)
        command = [keygen, "-q", "-t", "ed25519", "-N", "", "-f", key]
        subprocess.run(command, check=True, capture_output=True)


def powershell(pwsh: str, *arguments: str) -> str:
    """The subsystem command line of a PowerShell engine."""
    return shlex.join([pwsh, "-sshs", "-NoLogo", "-NoProfile", *arguments])


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
