"""Faults: those of bad requests, and those that a test asks for."""

from __future__ import annotations

import base64
import uuid
from typing import Any

import pytest
import requests
from lxml import etree
from pypsrp.exceptions import (
    WSManFaultError,
)
from pypsrp.powershell import RunspacePool

from wsman_server import (
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
    WsmanServer,
    soap,
)
from wsman_server.clients import (
    NO_SUCH_SELECTORS,
    basic_server,
    connect,
    create_cmd,
    fault_code,
    hurried,
    raw_call,
    run_script,
    wait_until,
)
from wsman_server.soap import element

engine = pytest.mark.engine


@pytest.mark.parametrize(
    ("action", "uri", "code"),
    [
        (soap.TRANSFER + "Create", soap.POWERSHELL + "Nowhere", 2150858811),
        (soap.TRANSFER + "Get", "http://schemas.psexport.test/other", 2150858752),
        (soap.TRANSFER + "Put", soap.CMD, 2150858771),
        (soap.SHELL + "Receive", soap.CMD, NO_SUCH_SELECTORS),
    ],
)
def test_faults_of_bad_requests(action: str, uri: str, code: int) -> None:
    body = element("rsp:Receive", element("rsp:DesiredStream", text="stdout"))
    if action.endswith("Create"):
        body = element("rsp:Shell")
    with basic_server() as server:
        answer = raw_call(server, action, uri, body, shell_id=str(uuid.uuid4()))
        assert answer.status_code == 500
        assert fault_code(answer) == code
        assert server.exchanges[-1].fault_code == code


DIES = (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError)


FAULTS: dict[str, tuple[Phase, Effect, Any]] = {
    # phase, effect -> an exception, or (status, code)
    "reset on connecting": ("connect", Reset(), DIES),
    "dropped on connecting": ("connect", Drop(), DIES),
    "rebooting": ("connect", Reboot(30), DIES),
    "reset while logging on": ("auth", Reset(), DIES),
    "401 however often": ("auth", Http(401), (401, None)),
    "proxy page": ("auth", Http(502, b"<html>bad gateway</html>"), (502, None)),
    "redirect": ("auth", Redirect("http://127.0.0.1:9/x"), (302, None)),
    "reset on create": ("create", Reset(), DIES),
    "reset after create": ("create", Reset(after=True), DIES),
    "half an answer": ("create", Half(), DIES),
    "never an answer": ("create", Stall(), requests.exceptions.ReadTimeout),
    "500 without a body": ("create", Http(500), (500, None)),
    "quota": ("create", Wsman(2150859173), (500, 2150859173)),
    "a code nobody knows": ("create", Wsman(12345, "odd"), (500, 12345)),
    "no fault element": ("create", Wsman(2150859174), (500, None)),
    "answered, then dropped": ("create", Drop(), (200, None)),
    "slow": ("create", Stall(0.2), (200, None)),
}


@pytest.mark.parametrize("row", FAULTS.values(), ids=FAULTS)
def test_faults_happen_as_planned(row: tuple[Phase, Effect, Any]) -> None:
    phase, effect, expected = row
    with (
        basic_server(
            faults=[Fault(phase, effect, times=None)],
        ) as server,
        requests.Session() as session,
    ):
        session.trust_env = False

        def create() -> requests.Response:
            return raw_call(
                server,
                soap.TRANSFER + "Create",
                soap.CMD,
                element("rsp:Shell"),
                session=hurried(session, 1),
            )

        if isinstance(expected, tuple) and isinstance(expected[0], int):
            answer = create()
            assert answer.status_code == expected[0]
            if answer.content.startswith(b"<s:"):
                assert fault_code(answer) == expected[1]
        else:
            with pytest.raises(expected):
                create()
        carried_out = effect in (Reset(after=True), Half(), Drop(), Stall(0.2))
        assert len(server.open_shells) == (phase == "create" and carried_out)


def test_the_nth_time_and_no_other() -> None:
    faults = [
        Fault("create", Wsman(5), nth=2),
        Fault("create", Wsman(87), nth=4, times=2),
    ]
    with basic_server(faults=faults) as server:
        statuses = [
            raw_call(
                server, soap.TRANSFER + "Create", soap.CMD, element("rsp:Shell")
            ).status_code
            for _ in range(6)
        ]
        assert statuses == [200, 500, 200, 500, 500, 200]


@engine
def test_a_host_process_that_dies(pwsh: str) -> None:
    with (
        WsmanServer(
            pwsh=pwsh,
            auth=["ntlm"],
            faults=[Fault("command", HostDies())],
        ) as server,
        connect(server, "ntlm") as client,
    ):
        pool = RunspacePool(client)
        pool.open()
        with pytest.raises(WSManFaultError) as raised:
            run_script(pool, "1")
        assert raised.value.code == 1726
        assert server.exchanges[-1].encrypted


def test_a_reboot_loses_shells() -> None:
    with basic_server() as server:
        shell_id = create_cmd(server)
        server.reboot()
        answer = raw_call(server, soap.TRANSFER + "Delete", soap.CMD, shell_id=shell_id)
        assert fault_code(answer) == NO_SUCH_SELECTORS


def test_idle_connections_are_closed() -> None:
    with (
        basic_server(idle_connection=0.1) as server,
        requests.Session() as session,
    ):
        create_cmd(server, session)
        wait_until(lambda: not server.connections)
        create_cmd(server, session)
        ports = {each.client[1] for each in server.exchanges}
        assert len(ports) == 2


def test_a_receive_that_lost_its_client_takes_nothing() -> None:
    with basic_server() as server:
        shell_id = create_cmd(server)
        (shell,) = server.open_shells

        def call(
            operation: str,
            body: etree._Element,
            session: requests.Session | None = None,
        ) -> requests.Response:
            return raw_call(
                server,
                soap.SHELL + operation,
                soap.CMD,
                body,
                shell_id=shell_id,
                session=session,
            )

        command = element("rsp:Command", text="read line; echo got $line")
        call("Command", element("rsp:CommandLine", command))
        (command_id,) = shell.commands
        owner = {"CommandId": command_id}
        wanted = element("rsp:DesiredStream", text="stdout", attributes=owner)
        with requests.Session() as session:
            short = hurried(session, 0.2)
            with pytest.raises(requests.exceptions.ReadTimeout):
                call("Receive", element("rsp:Receive", wanted), session=short)
        wait_until(lambda: not shell.state.in_flight)
        given = base64.b64encode(b"it\n").decode()
        stdin = element("rsp:Stream", text=given, attributes={"Name": "stdin", **owner})
        call("Send", element("rsp:Send", stdin))
        wanted = element("rsp:DesiredStream", text="stdout", attributes=owner)
        answer = etree.fromstring(
            call("Receive", element("rsp:Receive", wanted)).content
        )
        text = answer.findtext(".//rsp:Stream", "", soap.NAMESPACES)
        assert base64.b64decode(text) == b"got it\n"


def test_what_cannot_happen_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="before there is a request"):
        Fault("connect", Half())
