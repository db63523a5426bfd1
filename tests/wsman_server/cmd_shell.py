"""A `cmd` shell as winrs and pywinrm use it: real processes, their text and end.

The host is no Windows, so a command line goes to /bin/sh; one that calls PowerShell
gets the engine of the tests with the same arguments. Text is sent in the code page
that the client asked for, lossy where that page lacks a character, as Windows does.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import re
import signal
import subprocess
import threading

from lxml import etree

from .shell import Channel, Shell, ShellState, command_not_found, split_bytes
from .soap import NAMESPACES, Request, element, find, new_id, text_of
from .wsman_fault import WsmanFaultError

_POWERSHELL = re.compile(r'\s*"?(?:powershell|pwsh)(?:\.exe)?"?(?=\s|$)', re.IGNORECASE)
_OUTPUTS = ("stdout", "stderr")
_DEFAULT_CODE_PAGE = 437
_ENDED_BY_CTRL_C = 0xC000013A - (1 << 32)


class _Command:
    """A running process and the channel it fills."""

    def __init__(
        self,
        arguments: list[str],
        environment: dict[str, str],
        folder: str | None,
        encoding: str,
    ) -> None:
        self.channel = Channel(split_bytes)
        self._encoding = encoding
        self._input = threading.Lock()
        self._signalled = False
        self.process = subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            cwd=folder,
            start_new_session=True,
        )
        readers = [
            threading.Thread(target=self._read, args=(name,), daemon=True)
            for name in _OUTPUTS
        ]
        for reader in readers:
            reader.start()
        self._waiter = threading.Thread(
            target=self._wait, args=(readers,), name="winrs-wait", daemon=True
        )
        self._waiter.start()

    def send(self, data: bytes, end: bool) -> None:
        assert self.process.stdin is not None
        with self._input, contextlib.suppress(OSError, ValueError):
            if data:
                text = data.decode(self._encoding, errors="replace")
                self.process.stdin.write(text.encode())
                self.process.stdin.flush()
            if end:
                self.process.stdin.close()

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        self._signalled = True
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def close(self) -> None:
        self.channel.fail(WsmanFaultError.known(995))
        self.kill()
        self._waiter.join()

    def _read(self, name: str) -> None:
        pipe = getattr(self.process, name)
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        while True:
            data = pipe.read1()
            text = decoder.decode(data, final=not data)
            if text:
                self.channel.put(name, text.encode(self._encoding, errors="replace"))
            if not data:
                return

    def _wait(self, readers: list[threading.Thread]) -> None:
        code = self.process.wait()
        for reader in readers:
            reader.join()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        ended_by_us = self._signalled and code < 0
        self.channel.finish(_ENDED_BY_CTRL_C if ended_by_us else code)


class CmdShell(Shell):
    """A folder, an environment, a code page, and the commands run in them."""

    def __init__(self, state: ShellState, pwsh: str, request: Request) -> None:
        super().__init__(state)
        self._pwsh = pwsh
        self._variables = {
            node.get("Name", ""): node.text or ""
            for node in request.body.iterfind(
                "rsp:Shell/rsp:Environment/rsp:Variable", NAMESPACES
            )
        }
        self._folder = text_of(request.body, "rsp:Shell/rsp:WorkingDirectory")
        self._encoding = _encoding(request.options.get("WINRS_CODEPAGE", ""))
        self._commands: dict[str, _Command] = {}

    @property
    def process_ids(self) -> tuple[int, ...]:
        return tuple(command.process.pid for command in tuple(self._commands.values()))

    @property
    def commands(self) -> dict[str, Channel]:
        return {name: each.channel for name, each in tuple(self._commands.items())}

    def command(self, request: Request) -> str:
        line = find(request.body, "rsp:CommandLine")
        words = [
            node.text or ""
            for node in request.body.iterfind("rsp:CommandLine/*", NAMESPACES)
        ]
        if line is None or not words:
            raise WsmanFaultError.known(87)
        direct = request.options.get("WINRS_SKIP_CMD_SHELL", "").upper() == "TRUE"
        try:
            command = _Command(
                self._arguments(words, direct),
                {**os.environ, **self._variables},
                self._folder,
                self._encoding,
            )
        except OSError as error:
            raise WsmanFaultError.known(
                2147942402, str(error), provider="Shell cmd plugin"
            ) from error
        command_id = line.get("CommandId") or new_id()
        self._commands[command_id] = command
        return command_id

    def send(self, stream: str, command_id: str | None, data: bytes, end: bool) -> None:
        self._find(command_id).send(data, end)

    def channel(self, command_id: str | None) -> Channel:
        return self._find(command_id).channel

    def signal(self, command_id: str | None, code: str) -> None:
        command = self._find(command_id)
        if code.lower().endswith("/terminate"):
            command.close()
            del self._commands[command_id or ""]
        else:
            command.kill(signal.SIGINT)

    def reattach(self, request: Request) -> list[etree._Element]:
        raise WsmanFaultError.known(2150859205, "A cmd shell cannot be disconnected.")

    def close(self) -> None:
        for command in tuple(self._commands.values()):
            command.close()

    def kill(self) -> None:
        for command in tuple(self._commands.values()):
            command.kill()

    def _find(self, command_id: str | None) -> _Command:
        if command_id is None:
            raise WsmanFaultError.known(87, provider="Shell cmd plugin")
        try:
            return self._commands[command_id]
        except KeyError:
            raise command_not_found() from None

    def _arguments(self, words: list[str], direct: bool) -> list[str]:
        line = " ".join(words)
        powershell = _POWERSHELL.match(line)
        if powershell:
            return [self._pwsh, *windows_arguments(line[powershell.end() :])]
        return words if direct else ["/bin/sh", "-c", line]

    def _own_facts_first(self) -> list[etree._Element]:
        facts = []
        if self._folder:
            facts.append(element("rsp:WorkingDirectory", text=self._folder))
        if self._variables:
            variables = (
                element("rsp:Variable", text=value, attributes={"Name": name})
                for name, value in self._variables.items()
            )
            facts.append(element("rsp:Environment", *variables))
        return facts


def windows_arguments(line: str) -> list[str]:
    """The arguments of a command line, quoted the way a Windows program reads it."""
    words = re.findall(r'(?:"(?:\\"|[^"])*"|\\"|[^\s"])+', line)
    return [
        re.sub(r'\\"|"', lambda quote: '"' * (len(quote[0]) - 1), word)
        for word in words
    ]


def _encoding(code_page: str) -> str:
    number = int(code_page) if code_page.isdigit() else _DEFAULT_CODE_PAGE
    name = "utf-8" if number == 65001 else f"cp{number}"
    try:
        codecs.lookup(name)
    except LookupError:
        raise WsmanFaultError.known(87, f"There is no code page {number}.") from None
    return name
