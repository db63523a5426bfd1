"""What the server answers, held against what Windows hosts answered."""

from __future__ import annotations

import uuid
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from pypsrp.exceptions import (
    WinRMTransportError,
    WSManFaultError,
)
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.shell import Process, SignalCode, WinRS
from pypsrp.wsman import WSMan

from wsman_server import (
    WsmanServer,
    soap,
)
from wsman_server.clients import (
    basic_server,
    connect,
    run_script,
    take_over,
)

engine = pytest.mark.engine


RECORDINGS = Path(__file__).parents[3] / "shared" / "recordings" / "windows-wsman"


@engine
def test_answers_have_the_elements_of_windows(pwsh: str) -> None:
    """Ours has what all of Windows's answers have, and nothing that none has."""
    if not RECORDINGS.is_dir():
        pytest.skip(f"no recordings at {RECORDINGS}")
    recorded = recorded_shapes()
    with basic_server(pwsh=pwsh) as server:
        ours = shapes_of_ours(server)
    missing = {kind: shapes for kind, shapes in ours.items() if kind not in recorded}
    assert not missing, f"no Windows recording of {sorted(missing)}"
    for kind, shapes in ours.items():
        always = frozenset.intersection(*recorded[kind])
        ever = frozenset.union(*recorded[kind])
        for shape in shapes:
            if kind != "GetResponse Config":  # of which we tell what clients read
                assert not always - shape, f"{kind} lacks {sorted(always - shape)}"
            assert not shape - ever, f"{kind} has {sorted(shape - ever)}"
    compared = set(ours)
    assert {
        "CreateResponse Microsoft.PowerShell",
        "CreateResponse cmd",
        "CommandResponse",
        "SendResponse",
        "ReceiveResponse pool",
        "ReceiveResponse command Running",
        "ReceiveResponse command Done",
        "SignalResponse",
        "DeleteResponse",
        "DisconnectResponse",
        "ReconnectResponse",
        "ConnectResponse pool",
        "ConnectResponse command",
        "EnumerateResponse Shell",
        "EnumerateResponse Command",
        "GetResponse Shell",
        "GetResponse Config",
        "fault 2150858793",
        "fault 2150858843",
        "fault 2150858767",
        "fault 2147942402",
        "fault 87",
    } <= compared


def shape(xml: bytes | str) -> tuple[str, frozenset[str]]:
    """What kind of answer it is, and the paths of its elements and attributes."""
    root = etree.fromstring(xml)
    body = root.find("s:Body", soap.NAMESPACES)
    assert body is not None
    action = root.findtext("s:Header/a:Action", "", soap.NAMESPACES)
    paths: set[str] = set()

    def walk(node: etree._Element, above: str) -> None:
        # Some versions of Windows send an ActivityId, some don't.
        if node.tag == soap.tag("p:ActivityId"):
            return
        path = f"{above}/{node.tag}"
        paths.add(path)
        paths.update(f"{path}@{name}" for name in map(str, node.attrib))
        for child in node:
            walk(child, path)

    walk(root, "")
    return kind_of(action.rsplit("/", 1)[-1], body), frozenset(paths)


def kind_of(name: str, body: etree._Element) -> str:
    def has(path: str) -> bool:
        return body.find(path, soap.NAMESPACES) is not None

    fault = body.find(".//f:WSManFault", soap.NAMESPACES)
    if fault is not None:
        return f"fault {fault.get('Code')}"
    state = body.find(".//rsp:CommandState[@State]", soap.NAMESPACES)
    match name:
        case "CreateResponse":
            uri = body.findtext(".//w:ResourceURI", "", soap.NAMESPACES)
            return f"{name} {uri.rsplit('/', 1)[-1]}"
        case "ReceiveResponse" if state is not None:
            return f"{name} command {state.get('State', '').rsplit('/', 1)[-1]}"
        case "ReceiveResponse":
            of_command = has(".//rsp:Stream[@CommandId]")
            return f"{name} {'command Running' if of_command else 'pool'}"
        case "ConnectResponse":
            pool = has(".//pwsh:connectResponseXml")
            return f"{name} {'pool' if pool else 'command'}"
        case "EnumerateResponse":
            return f"{name} {'Command' if has('.//rsp:Command') else 'Shell'}"
        case "GetResponse":
            return f"{name} {'Config' if has('cfg:Config') else 'Shell'}"
    return name


def recorded_shapes() -> dict[str, list[frozenset[str]]]:
    yaml = pytest.importorskip("yaml", reason="the recordings are YAML")
    shapes: dict[str, list[frozenset[str]]] = defaultdict(list)
    for path in sorted(RECORDINGS.glob("test_*.yml")):
        recording = yaml.load(path.read_text("utf-8"), Loader=yaml.CSafeLoader)
        for message in recording["messages"]:
            if message.get("response"):
                kind, found = shape(message["response"])
                # Windows 2008 R2 and earlier tell nothing of the shell they made.
                if kind.startswith("Create") and not any(
                    path.endswith("}ShellId") for path in found
                ):
                    continue
                shapes[kind].append(found)
    return shapes


def shapes_of_ours(server: WsmanServer) -> dict[str, list[frozenset[str]]]:
    """A tour of everything that a client may ask, and the shapes of the answers."""
    shapes: dict[str, list[frozenset[str]]] = defaultdict(list)

    def listen(client: WSMan) -> WSMan:
        send = client.transport.send

        def heard(*arguments: Any, **named: Any) -> bytes:
            def note(data: bytes) -> bytes:
                kind, found = shape(data)
                shapes[kind].append(found)
                return data

            try:
                return note(send(*arguments, **named))
            except WinRMTransportError as error:
                note(error.args[2].encode())
                raise

        client.transport.send = heard  # type: ignore[method-assign]
        return client

    with listen(connect(server)) as client, listen(connect(server)) as other:
        client.get(soap.CONFIG)
        pool = RunspacePool(client)
        pool.open()
        pool.shell._get_shell()
        run_script(pool, "$input", "given")
        stopped = PowerShell(pool)
        stopped.add_script("'a'; while ($true) { [Threading.Thread]::Sleep(50) }")
        stopped.begin_invoke()
        stopped.poll_invoke(timeout=1)
        stopped.poll_invoke(timeout=1)
        stopped.stop()
        waiting = PowerShell(pool)
        waiting.add_script("'a'; [Threading.Thread]::Sleep(200); 'b'")
        waiting.begin_invoke()
        pool.disconnect()
        (taken,) = RunspacePool.get_runspace_pools(other)
        taken.connect()
        for each in taken.create_disconnected_power_shells():
            take_over(each)
        taken.disconnect()
        taken._new_client = False
        taken.connect()
        with pytest.raises(WSManFaultError):
            taken.shell.receive("stdout", str(uuid.uuid4()))
        taken.close()
        with pytest.raises(WSManFaultError):
            taken.shell.receive("stdout")
        with pytest.raises(WSManFaultError):
            other.get(soap.CONFIG, timeout=-1)
        with WinRS(client) as cmd:
            with pytest.raises(WSManFaultError):
                cmd.receive()
            with pytest.raises(WSManFaultError):
                Process(cmd, "no-such-program", no_shell=True).invoke()
            process = Process(cmd, "echo one; sleep 0.3; echo two")
            process.invoke()
            process.signal(SignalCode.CTRL_C)
        with WinRS(client, environment={"A": "b"}, working_directory="/") as cmd:
            cmd.command("true", [])
    return shapes
