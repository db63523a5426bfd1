"""Many sessions: at once, and one after another, without anything growing."""

from __future__ import annotations

import gc
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import psexport
from psexport.connection import Connection
from psexport.transport.base import Script
from windows_host import PATIENT, ask, connect, output, spec
from wsman_server import ADMIN, WsmanServer
from wsman_server.clients import wait_until

AT_ONCE = 20
#: With a PowerShell process each, and without one.
IN_A_ROW, LIGHT_IN_A_ROW = 6, 200


@pytest.mark.engine
def test_twenty_exports_at_once(
    pwsh: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PSEXPORT_PASSWORD", ADMIN.password)
    with WsmanServer(pwsh=pwsh, auth=["ntlm"]) as server:

        def export(number: int) -> tuple[str, ...]:
            kind = ("winrm", "winrs")[number % 2]
            with psexport.connect(
                f"{kind}://{ADMIN.name}@localhost:{server.port}",
                authentication="NTLM",
                open_timeout=120_000,
            ) as session:
                return psexport.export(
                    session,
                    str(tmp_path / f"M{number}"),
                    command_name=["*-Job"],
                    allow_clobber=True,
                ).commands

        with ThreadPoolExecutor(AT_ONCE) as crew:
            commands = list(crew.map(export, range(AT_ONCE)))
        assert len(set(commands)) == 1
        assert "Get-Job" in commands[0]
        assert not server.open_shells
    assert len(list(tmp_path.iterdir())) == AT_ONCE


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


class Growth:
    """What one process has: threads, files, memory."""

    def __init__(self) -> None:
        gc.collect()
        self.threads = threading.active_count()
        self.files = descriptors()
        self.bytes = tracemalloc.get_traced_memory()[0]


def through(where: Connection, *, asking: bool) -> None:
    with connect(where, limits=PATIENT) as session:
        if asking:
            assert output(ask(session, Script("1"))) == [b"<I32>1</I32>"]


@pytest.mark.engine
@pytest.mark.parametrize(
    ("kind", "asking", "count"),
    [
        ("winrm", True, IN_A_ROW),
        ("winrs", True, IN_A_ROW),
        ("winrs", False, LIGHT_IN_A_ROW),
    ],
)
def test_one_after_another_nothing_grows(
    kind: str, asking: bool, count: int, pwsh: str
) -> None:
    with WsmanServer(pwsh=pwsh, auth=["ntlm"]) as server:
        where = spec(server, kind=kind, Authentication="NTLM")

        def run(times: int) -> Growth:
            for _ in range(times):
                through(where, asking=asking)
                server.exchanges.clear()  # what the test itself keeps
            assert not server.open_shells
            wait_until(lambda: not server.connections)
            names = {"psexport-http"}
            wait_until(lambda: not names & {t.name for t in threading.enumerate()})
            return Growth()

        run(3)  # whatever is loaded and cached at first
        tracemalloc.start()
        try:
            before = run(2)
            after = run(count)
        finally:
            tracemalloc.stop()
        assert after.threads <= before.threads
        assert after.files <= before.files
        # Not even a kilobyte a session.
        assert after.bytes - before.bytes < max(count * 1024, 64 * 1024)
