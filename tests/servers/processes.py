"""Starting a daemon in the foreground, waiting for its port, ending it for sure."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_STARTING_SECONDS = 10.0
_ENDING_SECONDS = 5.0
# Daemons live there, and root's PATH does not always say so.
_SYSTEM_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/sbin")


class NotInstalledError(Exception):
    """A program that a server needs is not on this machine."""


def find_program(name: str, package: str) -> str:
    """The path of a program. Raises: NotInstalledError naming its Debian package."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *_SYSTEM_FOLDERS])
    found = shutil.which(name, path=path)
    if found is None:
        raise NotInstalledError(f"{name} is not installed (Debian package {package})")
    return found


def free_port() -> int:
    """A TCP port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Daemon:
    """A program in the foreground of a process group of its own."""

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._log = log
        # A run of the tests that is killed must not leave daemons behind.
        watched = [find_program("setpriv", "util-linux"), "--pdeathsig", "TERM"]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [*watched, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def wait_for_port(self, port: int) -> None:
        """Until it accepts on `port`. Raises: RuntimeError with its log if it ends."""
        deadline = time.monotonic() + _STARTING_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"it ended while starting:\n{self.log}")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.02)
        self.stop()
        raise RuntimeError(f"nothing listens on port {port}:\n{self.log}")

    def stop(self) -> None:
        """End it and what it started."""
        self._signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_ENDING_SECONDS)
        self._signal(signal.SIGKILL)
        self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)
