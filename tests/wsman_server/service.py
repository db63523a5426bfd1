"""The operations of WS-Management on shells, independent of HTTP and of logging on."""

from __future__ import annotations

import base64
import binascii
import contextlib
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from lxml import etree

from . import soap
from .auth import AuthMethod
from .cmd_shell import CmdShell
from .psrp_shell import ENVELOPE_OVERHEAD, Endpoint, PsrpShell
from .shell import Output, Shell, ShellState, receive_answer
from .soap import Request, element, find, text_of
from .wsman_fault import WsmanFaultError

_REAPING_SECONDS = 0.2
_SECURITY_PROFILES = {
    "basic": ("http/basic", "https/basic"),
    "negotiate": ("http/spnego-kerberos", "https/spnego-kerberos"),
    "certificate": ("https/mutual",),
}
_SECURITY_PROFILE = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/"


@dataclass(frozen=True)
class Limits:
    """Quotas of the host. Sizes in kB of 1024 bytes, times in seconds."""

    max_envelope_kb: int = 500
    max_timeout: float = 60.0
    max_shells_per_user: int = 2147483647
    max_commands_per_shell: int = 2147483647
    idle_timeout: float = 7200.0


@dataclass(frozen=True)
class Settings:
    """What a Service needs to know of the server around it."""

    endpoints: Mapping[str, Endpoint]
    limits: Limits
    pwsh: str | None
    methods: Collection[AuthMethod]
    allow_unencrypted: bool
    cmd_enabled: bool


@dataclass(frozen=True)
class Caller:
    """Who asks: `gone` tells whether the connection was closed meanwhile."""

    user: str
    address: str
    gone: Callable[[], bool]


class Service:
    """All shells of one host, and what may be done with them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._shells: dict[str, Shell] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._reaper = threading.Thread(
            target=self._reap, name="wsman-reaper", daemon=True
        )
        self._operations: dict[str, Callable[[Request, Caller], bytes]] = {
            soap.TRANSFER + "Get": self._get,
            soap.TRANSFER + "Create": self._create,
            soap.TRANSFER + "Delete": self._delete,
            soap.ENUMERATION + "Enumerate": self._enumerate,
            soap.SHELL + "Command": self._command,
            soap.SHELL + "Send": self._send,
            soap.SHELL + "Receive": self._receive,
            soap.SHELL + "Signal": self._signal,
            soap.SHELL + "Disconnect": self._disconnect,
            soap.SHELL + "Reconnect": self._reconnect,
            soap.SHELL + "Connect": self._reattach,
        }

    @property
    def shells(self) -> tuple[Shell, ...]:
        with self._lock:
            return tuple(self._shells.values())

    def find_shell(self, request: Request) -> Shell | None:
        with self._lock:
            return self._shells.get(request.selectors.get("ShellId", "").upper())

    def identify(self, *, authenticated: bool) -> bytes:
        """The Identify answer; versions and profiles only for who has logged on."""
        version = "OS: 10.0.20348 SP: 0.0 Stack: 3.0"
        answer = element(
            "wsmid:IdentifyResponse",
            element("wsmid:ProtocolVersion", text=soap.NAMESPACES["w"]),
            element("wsmid:ProductVendor", text="Microsoft Corporation"),
            element(
                "wsmid:ProductVersion",
                text=version if authenticated else "OS: 0.0.0 SP: 0.0 Stack: 3.0",
            ),
        )
        if authenticated:
            names = [
                element("wsmid:SecurityProfileName", text=_SECURITY_PROFILE + name)
                for method, profiles in _SECURITY_PROFILES.items()
                if method in self._settings.methods
                for name in profiles
            ]
            answer.append(element("wsmid:SecurityProfiles", *names))
        return soap.identify_answer(answer)

    def handle(self, request: Request, caller: Caller) -> bytes:
        """The answer to a request. Raises: WsmanFaultError, ClientGoneError."""
        try:
            operation = self._operations[request.action]
        except KeyError:
            raise WsmanFaultError.known(2150858771) from None
        return operation(request, caller)

    def lose_shells(self) -> None:
        """Close all shells, as a reboot does."""
        with self._lock:
            shells = list(self._shells.values())
            self._shells.clear()
        for shell in shells:
            shell.close()

    def start(self) -> None:
        self._reaper.start()

    def stop(self) -> None:
        self._stopped.set()
        self._reaper.join()
        self.lose_shells()

    # Shells come and go

    def _create(self, request: Request, caller: Caller) -> bytes:
        limits = self._settings.limits
        owned = [shell for shell in self.shells if shell.state.owner == caller.user]
        if len(owned) >= limits.max_shells_per_user:
            raise WsmanFaultError.known(2150859173)
        node = find(request.body, "rsp:Shell")
        if node is None:
            raise WsmanFaultError.known(2150858791)
        shell_id = (node.get("ShellId") or soap.new_id()).upper()
        state = ShellState.of(
            request, shell_id, caller.user, caller.address, limits.idle_timeout
        )
        shell = self._new_shell(state, request)
        with self._lock:
            self._shells[shell_id] = shell
        selectors = element(
            "w:SelectorSet",
            element("w:Selector", text=shell_id, attributes={"Name": "ShellId"}),
        )
        created = element(
            "x:ResourceCreated",
            element("a:Address", text=request.to),
            element(
                "a:ReferenceParameters",
                element("w:ResourceURI", text=request.resource_uri),
                selectors,
            ),
        )
        return _answer(request, created, shell.describe())

    def _new_shell(self, state: ShellState, request: Request) -> Shell:
        settings = self._settings
        pwsh = settings.pwsh
        if request.resource_uri == soap.CMD and settings.cmd_enabled:
            return CmdShell(state, pwsh or "powershell", request)
        name = request.resource_uri.removeprefix(soap.POWERSHELL)
        known = {known.lower(): known for known in settings.endpoints}
        if name == request.resource_uri or name.lower() not in known:
            raise WsmanFaultError.known(2150858811)
        endpoint = settings.endpoints[known[name.lower()]]
        if endpoint.allowed is not None and state.owner not in endpoint.allowed:
            raise WsmanFaultError.known(5)
        if pwsh is None:
            raise WsmanFaultError.known(1726, "There is no PowerShell on this host.")
        return PsrpShell(state, endpoint, pwsh, request)

    def _delete(self, request: Request, caller: Caller) -> bytes:
        shell = self._shell(request, caller)
        with self._lock:
            self._shells.pop(shell.shell_id, None)
        shell.close()
        return _answer(request)

    def _disconnect(self, request: Request, caller: Caller) -> bytes:
        shell = self._shell(request, caller)
        if not isinstance(shell, PsrpShell):
            raise WsmanFaultError.known(
                2150859205, "A cmd shell cannot be disconnected."
            )
        if not shell.state.connected:
            raise WsmanFaultError.known(2150859215)
        asked = text_of(request.body, "rsp:Disconnect/rsp:IdleTimeOut")
        if asked:
            shell.state.idle_timeout = soap.seconds(asked)
        shell.state.connected = False
        return _answer(request)

    def _reconnect(self, request: Request, caller: Caller) -> bytes:
        shell = self._shell(request, caller)
        if shell.state.session_id != request.session_id and not shell.state.connected:
            raise WsmanFaultError.known(2150859206, "Another client created the shell.")
        # Windows answers a Reconnect of a connected shell of the same client too.
        shell.state.connected = True
        return _answer(request)

    def _reattach(self, request: Request, caller: Caller) -> bytes:
        shell = self._shell(request, caller)
        node = find(request.body, "rsp:Connect")
        if node is not None and node.get("CommandId") is None:
            if shell.state.connected:
                raise WsmanFaultError.known(2150859216)
            shell.state.connected = True
            shell.state.session_id = request.session_id
        return _answer(request, *shell.reattach(request))

    def _reap(self) -> None:
        while not self._stopped.wait(_REAPING_SECONDS):
            now = time.monotonic()
            for shell in self.shells:
                if shell.state.idle_since(now) > shell.state.idle_timeout:
                    with self._lock:
                        self._shells.pop(shell.shell_id, None)
                    shell.close()

    # Commands in a shell

    def _command(self, request: Request, caller: Caller) -> bytes:
        with self._connected_shell(request, caller) as shell:
            if len(shell.commands) >= self._settings.limits.max_commands_per_shell:
                raise WsmanFaultError.known(2150859241)
            command_id = shell.command(request)
        return _answer(
            request,
            element("rsp:CommandResponse", element("rsp:CommandId", text=command_id)),
        )

    def _send(self, request: Request, caller: Caller) -> bytes:
        with self._connected_shell(request, caller) as shell:
            for stream in request.body.iterfind("rsp:Send/rsp:Stream", soap.NAMESPACES):
                try:
                    data = base64.b64decode(stream.text or "")
                except binascii.Error as error:
                    raise WsmanFaultError.known(
                        87, "A stream is not base64."
                    ) from error
                end = stream.get("End", "").lower() == "true"
                name = stream.get("Name", "")
                shell.send(name, stream.get("CommandId"), data, end)
        return _answer(request, element("rsp:SendResponse"))

    def _receive(self, request: Request, caller: Caller) -> bytes:
        desired = find(request.body, "rsp:Receive/rsp:DesiredStream")
        if desired is None:
            raise WsmanFaultError.known(2150858791)
        command_id = desired.get("CommandId")
        limits = self._settings.limits
        largest = limits.max_envelope_kb * 1024
        size = min(request.max_envelope or largest, largest) - ENVELOPE_OVERHEAD
        seconds = min(request.timeout or limits.max_timeout, limits.max_timeout)
        with self._connected_shell(request, caller) as shell:

            def gone() -> bool:
                if not shell.state.connected:
                    raise WsmanFaultError.known(2150859204)
                return caller.gone()

            output = shell.channel(command_id).take(size, seconds, gone)
        ended = _ended_streams(shell, output, desired.text or "")
        return _answer(request, receive_answer(output, command_id, ended))

    def _signal(self, request: Request, caller: Caller) -> bytes:
        node = find(request.body, "rsp:Signal")
        if node is None:
            raise WsmanFaultError.known(2150858791)
        code = text_of(request.body, "rsp:Signal/rsp:Code") or ""
        with self._connected_shell(request, caller) as shell:
            shell.signal(node.get("CommandId"), code)
        return _answer(request, element("rsp:SignalResponse"))

    # What there is

    def _get(self, request: Request, caller: Caller) -> bytes:
        if request.resource_uri == soap.CONFIG:
            return _answer(request, self._configuration())
        if not request.resource_uri.startswith(soap.SHELL.rstrip("/")):
            raise WsmanFaultError.known(2150858752)
        shell = self._shell(request, caller)
        return _answer(request, shell.describe(with_usage=True))

    def _enumerate(self, request: Request, caller: Caller) -> bytes:
        own = [shell for shell in self.shells if shell.state.owner == caller.user]
        if request.resource_uri == soap.SHELL.rstrip("/"):
            items = [shell.describe(with_usage=True) for shell in own]
        elif request.resource_uri == soap.COMMAND:
            items = _describe_commands(own, request)
        else:
            raise WsmanFaultError.known(2150858752)
        response = element("n:EnumerateResponse", element("n:EnumerationContext"))
        if items:
            response.append(element("w:Items", *items))
        response.append(element("w:EndOfSequence"))
        return _answer(request, response)

    def _configuration(self) -> etree._Element:
        """The parts of winrm/config that clients read."""
        limits, settings = self._settings.limits, self._settings
        auth = {
            name: str(name.lower() in settings.methods).lower()
            for name in ("Basic", "Kerberos", "Negotiate", "Certificate", "CredSSP")
        }
        service = {
            "AllowUnencrypted": str(settings.allow_unencrypted).lower(),
            "Auth": auth,
        }
        winrs = {
            "AllowRemoteShellAccess": "true",
            "IdleTimeout": str(int(limits.idle_timeout * 1000)),
            "MaxShellsPerUser": str(limits.max_shells_per_user),
        }
        return _configuration_tree(
            "Config",
            {
                "MaxEnvelopeSizekb": str(limits.max_envelope_kb),
                "MaxTimeoutms": str(int(limits.max_timeout * 1000)),
                "MaxBatchItems": "32000",
                "Service": service,
                "Winrs": winrs,
            },
        )

    def _shell(self, request: Request, caller: Caller) -> Shell:
        shell = self.find_shell(request)
        if shell is None:
            raise WsmanFaultError.known(2150858843, provider="Shell provider")
        if shell.state.owner != caller.user:
            raise WsmanFaultError.known(5)
        shell.state.last_used = time.monotonic()
        return shell

    @contextlib.contextmanager
    def _connected_shell(self, request: Request, caller: Caller) -> Iterator[Shell]:
        """The shell of a request, not idle while the request is under way."""
        shell = self._shell(request, caller)
        if not shell.state.connected:
            raise WsmanFaultError.known(2150859204)
        with self._lock:
            shell.state.in_flight += 1
        try:
            yield shell
        finally:
            with self._lock:
                shell.state.in_flight -= 1
            shell.state.last_used = time.monotonic()


def _answer(request: Request, *body: etree._Element) -> bytes:
    return soap.answer(request.action + "Response", request.message_id, body)


def _ended_streams(shell: Shell, output: Output, desired: str) -> list[str]:
    """Text streams are marked when they end, PSRP's stream never is."""
    if isinstance(shell, CmdShell) and output.state == "Done":
        return desired.split()
    return []


def _describe_commands(shells: list[Shell], request: Request) -> list[etree._Element]:
    wanted = text_of(request.body, ".//w:Filter/w:SelectorSet/w:Selector") or ""
    return [
        element(
            "rsp:Command",
            element("rsp:CommandId", text=command_id),
            element("rsp:CommandLine", text=""),
            element("rsp:CommandState", text="Running"),
        )
        for shell in shells
        if shell.shell_id == wanted.upper()
        for command_id, channel in shell.commands.items()
        if not channel.told
    ]


def _configuration_tree(name: str, value: object) -> etree._Element:
    if isinstance(value, Mapping):
        children = (_configuration_tree(key, child) for key, child in value.items())
        return element(f"cfg:{name}", *children)
    return element(f"cfg:{name}", text=str(value))
