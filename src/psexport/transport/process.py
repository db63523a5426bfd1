"""A child process that never outlives its session.

It has a group of its own, so that whatever it started goes with it, and so that a
Ctrl-C at the terminal reaches psexport alone, which then ends it in order. A program
that must talk to the terminal (ssh, asking for a password) stays in the foreground
group instead, because a terminal gives nothing to the others.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import IO

from ..errors import TransportError
from ..secret import without_passwords

#: How much of what a process said on standard error is kept for messages, in bytes.
_KEPT = 8 * 1024

#: Seconds between looks whether a process has ended.
_LOOK = 0.002
#: Seconds between asking a process to end and ending it.
_GRACE = 1.0


class Process:
    """A running program with its three pipes.

    :param command: program and arguments; no shell is involved.
    :param terminal: whether it needs the terminal of this process.
    :param environment: variables that it gets unless they are set here.
    :param said: called, from a thread of its own, with each line that comes on
        standard error, as text.
    :raises TransportError: it cannot be started (id ``ErrorSessionOpen``).
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        said: Callable[[str], None],
        terminal: bool = False,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.command = tuple(command)
        posix = os.name == "posix"
        self._group = posix and not terminal
        flags = 0
        if not posix and not terminal:
            flags = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
        try:
            self._popen = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=256 * 1024,
                env={**environment, **without_passwords(os.environ)},
                start_new_session=self._group,
                creationflags=flags,
            )
        except (OSError, ValueError) as error:
            raise TransportError(
                f"{command[0]} cannot be started: {_why(error)}",
                id="ErrorSessionOpen",
                phase="connect",
                target=command[0],
                hint="check the path, and that the program may be run by you",
            ) from error
        # Also where the session is forgotten, or the interpreter just ends.
        self._finalizer = weakref.finalize(self, _kill, self._popen, self._group)
        assert self._popen.stdout is not None
        self.stdout: IO[bytes] = self._popen.stdout
        self._stderr: deque[str] = deque()
        self._outgoing: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._threads = [
            _start(_write, self._popen, self._outgoing),
            _start(_listen, self._popen, self._stderr, said),
        ]

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._popen.pid

    def write(self, data: bytes) -> None:
        """Send to standard input; returns at once, a process that does not read
        cannot hold up its session.
        """
        self._outgoing.put(data)

    def exit_code(self, timeout: float) -> int | None:
        """The exit code, once the process has ended within ``timeout`` seconds."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(timeout)
        return self._popen.returncode

    def last_words(self) -> str:
        """What it said last on standard error, for messages; "" if nothing."""
        if self._popen.poll() is not None:
            self._threads[1].join(_GRACE)
        return "\n".join(self._stderr).strip()

    def end(self, patience: float) -> None:
        """Close its input, wait, then end it and all it started.

        :param patience: seconds to wait.
        """
        self._outgoing.put(None)
        # Popen.wait would look ever more seldom, and notice the end late.
        deadline = time.monotonic() + patience
        while self._popen.poll() is None and time.monotonic() < deadline:
            time.sleep(_LOOK)
        if self._popen.returncode is None:
            _signal(self._popen, self._group, force=False)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(_GRACE)
        self._finalizer()
        for thread in self._threads:
            thread.join(_GRACE)


def _start(work: Callable[..., None], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=work, args=arguments, daemon=True)
    thread.start()
    return thread


def _write(
    popen: subprocess.Popen[bytes], outgoing: queue.SimpleQueue[bytes | None]
) -> None:
    assert popen.stdin is not None
    # A closed pipe is noticed by whoever reads from the process.
    with contextlib.suppress(OSError, ValueError), popen.stdin as pipe:
        while (data := outgoing.get()) is not None:
            pipe.write(data)
            if outgoing.empty():
                pipe.flush()


def _listen(
    popen: subprocess.Popen[bytes], kept: deque[str], said: Callable[[str], None]
) -> None:
    assert popen.stderr is not None
    size = 0
    with contextlib.suppress(OSError, ValueError), popen.stderr as pipe:
        while line := pipe.readline(_KEPT):
            text = printable(line)
            if not text:
                continue
            kept.append(text)
            size += len(text)
            while size > _KEPT and len(kept) > 1:
                size -= len(kept.popleft())
            said(text)


def _signal(popen: subprocess.Popen[bytes], group: bool, *, force: bool) -> None:
    with contextlib.suppress(OSError):
        if group:
            os.killpg(popen.pid, signal.SIGKILL if force else signal.SIGTERM)
        elif force:
            popen.kill()
        else:
            popen.terminate()


def _kill(popen: subprocess.Popen[bytes], group: bool) -> None:
    """End the process, and what is left of its group even if it ended itself."""
    _signal(popen, group, force=True)
    with contextlib.suppress(subprocess.TimeoutExpired):
        popen.wait(_GRACE)


def printable(line: bytes) -> str:
    """A foreign program's words for a message: one line, no control characters."""
    text = line.decode("utf-8", "replace")
    return "".join(c if c.isprintable() else " " for c in text).strip()


def _why(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error)


__all__ = ["Process", "printable"]
