"""PowerShell shells, through pypsrp."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pypsrp.complex_objects import PSInvocationState
from pypsrp.exceptions import (
    WSManFaultError,
)
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.shell import SignalCode, WinRS

from wsman_server import (
    OPERATOR,
    Endpoint,
    Limits,
    WsmanServer,
)
from wsman_server.clients import (
    NO_SUCH_SELECTORS,
    TIMED_OUT,
    alive,
    basic_server,
    connect,
    run_script,
    take_over,
    wait_until,
)

engine = pytest.mark.engine


@pytest.fixture
def plain(pwsh: str) -> Iterator[WsmanServer]:
    """Basic over plain HTTP: the least that a shell needs."""
    with basic_server(pwsh=pwsh) as server:
        yield server


@engine
def test_big_output_and_input(plain: WsmanServer) -> None:
    with connect(plain) as client, RunspacePool(client) as pool:
        script = "begin { $n = 0 } process { $n += $_.Length } end { $n; 'ä' * 2MB }"
        total, text = run_script(pool, script, "x" * 700_000, "y" * 700_000)
        assert total == 1_400_000
        assert text == "ä" * 2 * 1024 * 1024


@engine
def test_small_envelopes(pwsh: str) -> None:
    with (
        basic_server(
            pwsh=pwsh,
            limits=Limits(max_envelope_kb=16),
        ) as server,
        connect(server, max_envelope_size=16384) as client,
    ):
        client.update_max_payload_size()
        answered: list[int] = []
        send = client.transport.send

        def measured(*arguments: Any, **named: Any) -> bytes:
            data = send(*arguments, **named)
            answered.append(len(data))
            return data

        client.transport.send = measured  # type: ignore[method-assign]
        with RunspacePool(client) as pool:
            assert run_script(pool, "$input; 'x' * 50000", "y" * 50_000) == [
                "y" * 50_000,
                "x" * 50_000,
            ]
        assert 12_000 < max(answered) <= 16_384


@engine
def test_errors_and_streams(plain: WsmanServer) -> None:
    with connect(plain) as client, RunspacePool(client) as pool:
        shell = PowerShell(pool)
        shell.add_script("Write-Error one; Write-Warning two; throw 'three'")
        shell.invoke()
        assert shell.state == PSInvocationState.FAILED
        assert [str(error) for error in shell.streams.error] == ["one", "three"]
        assert len(shell.streams.warning) == 1
        assert run_script(pool, "'after'") == ["after"]


@engine
def test_a_pipeline_is_stopped(plain: WsmanServer) -> None:
    with connect(plain) as client, RunspacePool(client) as pool:
        shell = PowerShell(pool)
        shell.add_script("'begun'; while ($true) { [Threading.Thread]::Sleep(50) }")
        shell.begin_invoke()
        shell.poll_invoke(timeout=1)
        shell.stop()
        assert shell.state == PSInvocationState.STOPPED
        assert run_script(pool, "'after'") == ["after"]


@engine
def test_a_terminated_command_is_gone(plain: WsmanServer) -> None:
    with connect(plain) as client, RunspacePool(client) as pool:
        shell = PowerShell(pool)
        shell.add_script("[Threading.Thread]::Sleep(60000)")
        shell.begin_invoke()
        pool.shell.signal(SignalCode.TERMINATE, shell.id)
        with pytest.raises(WSManFaultError) as raised:
            pool.shell.receive("stdout", shell.id)
        assert raised.value.code == NO_SUCH_SELECTORS


@engine
def test_disconnect_and_reconnect(plain: WsmanServer) -> None:
    with connect(plain) as client, RunspacePool(client) as pool:
        shell = PowerShell(pool)
        shell.add_script("'a'; [Threading.Thread]::Sleep(300); 'b'")
        shell.begin_invoke()
        pool.disconnect()
        with pytest.raises(WSManFaultError) as raised:
            pool.shell.receive("stdout")
        assert raised.value.code == 2150859204
        pool.connect()
        assert take_over(shell) == ["a", "b"]


@engine
def test_another_client_takes_over(plain: WsmanServer) -> None:
    with connect(plain) as first:
        pool = RunspacePool(first)
        pool.open()
        shell = PowerShell(pool)
        shell.add_script("$kept = 5; 'a'; [Threading.Thread]::Sleep(300); 'b'")
        shell.begin_invoke()
        pool.disconnect()
    with connect(plain) as second:
        (found,) = RunspacePool.get_runspace_pools(second)
        assert found.id == pool.id
        found.connect()
        (running,) = found.create_disconnected_power_shells()
        assert take_over(running) == ["a", "b"]
        assert run_script(found, "$kept") == [5]
        private = found.application_private_data
        assert private is not None
        found.close()
    assert not plain.open_shells


@engine
def test_endpoints(pwsh: str, tmp_path: Path) -> None:
    restricted = tmp_path / "jea.pssc"
    restricted.write_text(
        "@{ SchemaVersion = '2.0.0.0'; GUID = '5e0a1f3e-0f3d-4a8e-9d43-3c0b6b4c7d10'\n"
        "SessionType = 'RestrictedRemoteServer'; LanguageMode = 'NoLanguage'\n"
        "VisibleCmdlets = 'Get-Process' }\n"
    )
    broken = Endpoint(configuration_file=tmp_path / "missing.pssc")
    endpoints = {
        "Microsoft.PowerShell": Endpoint(),
        "JEA": Endpoint(configuration_file=restricted),
        "Broken": broken,
        "Private": Endpoint(allowed=frozenset({OPERATOR.name})),
        "Old": Endpoint(protocol="2.1"),
    }
    with (
        basic_server(pwsh=pwsh, endpoints=endpoints) as server,
        connect(server) as client,
    ):
        with RunspacePool(client, configuration_name="JEA") as pool:
            names = {each.name for each in pool.get_command_metadata("*")}
            assert "Get-Process" in names
            assert len(names) < 20
            refused = PowerShell(pool)
            refused.add_script("1 + 1")
            refused.invoke()
            assert "no-language" in str(refused.streams.error[0])
        assert server.exchanges[-1].configuration == "JEA"
        for name, code in {
            "Nowhere": 2150858811,
            "Private": 5,
            "Old": 2152992672,
            "Broken": 1726,
        }.items():
            with pytest.raises(WSManFaultError) as raised:
                RunspacePool(client, configuration_name=name).open()
            assert raised.value.code == code, name
        assert "missing.pssc" in str(raised.value)
        assert not server.open_shells


@engine
def test_quotas(pwsh: str) -> None:
    limits = Limits(max_shells_per_user=1, max_commands_per_shell=2)
    with (
        basic_server(pwsh=pwsh, limits=limits) as server,
        connect(server) as client,
        RunspacePool(client) as pool,
    ):
        with pytest.raises(WSManFaultError) as raised:
            RunspacePool(client).open()
        assert raised.value.code == 2150859173
        assert run_script(pool, "1") == run_script(pool, "1")
        with pytest.raises(WSManFaultError, match="too many concurrent commands"):
            run_script(pool, "1")


@engine
def test_shells_of_others_and_idle_ones(pwsh: str) -> None:
    with (
        basic_server(
            pwsh=pwsh,
            limits=Limits(idle_timeout=0.5),
        ) as server,
        connect(server) as client,
    ):
        pool = RunspacePool(client)
        pool.open()
        (shell,) = server.open_shells
        (process,) = shell.process_ids
        other = connect(server, username=OPERATOR.name, password=OPERATOR.password)
        thief = WinRS(other, id=shell.shell_id)
        thief._selector_set = pool.shell._selector_set
        with other, pytest.raises(WSManFaultError) as raised:
            thief.receive("stdout")
        assert raised.value.code == 5
        wait_until(lambda: not server.open_shells)
        wait_until(lambda: not alive(process))
        with pytest.raises(WSManFaultError) as raised:
            pool.shell.receive("stdout")
        assert raised.value.code == NO_SUCH_SELECTORS


@engine
def test_a_receive_waits_for_operation_timeout(plain: WsmanServer) -> None:
    with connect(plain, operation_timeout=1) as client, RunspacePool(client) as pool:
        with contextlib.suppress(WSManFaultError):
            pool.shell.receive("stdout")  # what is left of opening
        with pytest.raises(WSManFaultError) as raised:
            pool.shell.receive("stdout")
        assert raised.value.code == TIMED_OUT
