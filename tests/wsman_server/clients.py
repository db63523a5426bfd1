"""Clients of a `WsmanServer` for tests: pypsrp's, and requests made by hand."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from lxml import etree
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.wsman import WSMan

from . import soap
from .accounts import ADMIN
from .server import WsmanServer
from .soap import element

TIMED_OUT = 2150858793
NO_SUCH_SELECTORS = 2150858843


def basic_server(**settings: Any) -> WsmanServer:
    """A server with Basic over plain HTTP: the least that a shell needs."""
    return WsmanServer(auth=["basic"], allow_unencrypted=True, **settings)


def require_library(auth: str) -> None:
    """Skip the test when this machine lacks what clients need for `auth`."""
    if auth == "credssp":
        pytest.importorskip("requests_credssp", reason="pip install pypsrp[credssp]")


def connect(server: WsmanServer, auth: str = "basic", **options: Any) -> WSMan:
    """A pypsrp client of a server, as ADMIN unless said otherwise."""
    require_library(auth)
    defaults: dict[str, Any] = {
        "port": server.port,
        "ssl": server.tls is not None,
        "auth": auth,
        "username": ADMIN.name,
        "password": ADMIN.password,
        "no_proxy": True,
    }
    if auth == "basic" and not server.tls:
        defaults["encryption"] = "never"
    return WSMan("localhost", **{**defaults, **options})


def run_script(pool: RunspacePool, script: str, *given: object) -> list[Any]:
    shell = PowerShell(pool)
    shell.add_script(script)
    # pypsrp takes a list too, whatever its annotation says.
    return list(shell.invoke(list(given) or None))  # type: ignore[arg-type]


def take_over(shell: PowerShell) -> list[Any]:
    """Connect to a disconnected pipeline; what it has put out when it ends."""
    return list(shell.connect())  # type: ignore[no-untyped-call]


def post(
    url: str, session: requests.Session | None = None, **named: Any
) -> requests.Response:
    """A request that neither the machine's proxies nor its certificates touch."""
    if session is None:
        with requests.Session() as fresh:
            return post(url, fresh, **named)
    session.trust_env = False
    return session.post(url, timeout=10, allow_redirects=False, **named)


def raw_call(
    server: WsmanServer,
    action: str,
    uri: str,
    *body: etree._Element,
    shell_id: str | None = None,
    timeout: str = "PT20S",
    session: requests.Session | None = None,
) -> requests.Response:
    """One request with Basic, its envelope made by hand."""
    header = element(
        "s:Header",
        element("a:Action", text=action),
        element("a:MessageID", text=f"uuid:{soap.new_id()}"),
        element("a:To", text=server.url),
        element("w:ResourceURI", text=uri),
        element("w:MaxEnvelopeSize", text="153600"),
        element("w:OperationTimeout", text=timeout),
    )
    if shell_id:
        selector = element("w:Selector", text=shell_id, attributes={"Name": "ShellId"})
        header.append(element("w:SelectorSet", selector))
    envelope = element("s:Envelope", header, element("s:Body", *body))
    return post(
        server.url,
        session,
        data=etree.tostring(envelope),
        headers={"Content-Type": "application/soap+xml;charset=UTF-8"},
        auth=(ADMIN.name, ADMIN.password),
    )


def create_cmd(server: WsmanServer, session: requests.Session | None = None) -> str:
    """A cmd shell: it needs no engine. Its id."""
    answer = raw_call(
        server,
        soap.TRANSFER + "Create",
        soap.CMD,
        element("rsp:Shell"),
        session=session,
    )
    answer.raise_for_status()
    shell = etree.fromstring(answer.content)
    found = shell.find(".//rsp:ShellId", soap.NAMESPACES)
    assert found is not None
    assert found.text
    return found.text


def fault_code(answer: requests.Response) -> int | None:
    found = etree.fromstring(answer.content).find(".//f:WSManFault", soap.NAMESPACES)
    return None if found is None else int(found.get("Code", "0"))


def hurried(session: requests.Session, seconds: float) -> requests.Session:
    """The session, patient for so many seconds."""
    send = session.send

    def hurry(request: requests.PreparedRequest, **named: Any) -> requests.Response:
        return send(request, **{**named, "timeout": seconds})

    session.send = hurry  # type: ignore[method-assign]
    return session


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)
