"""Text shells, through pywinrm and pypsrp."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pypsrp.exceptions import (
    WSManFaultError,
)
from pypsrp.shell import Process, WinRS
from winrm import Session
from winrm.exceptions import InvalidCredentialsError
from winrm.protocol import Protocol

from servers.certificates import Certificates
from servers.kdc import Realm
from wsman_server import (
    ADMIN,
    ServerTls,
    WsmanServer,
)
from wsman_server.clients import (
    alive,
    basic_server,
    connect,
    require_library,
    wait_until,
)
from wsman_server.cmd_shell import windows_arguments

engine = pytest.mark.engine


@engine
@pytest.mark.parametrize("transport", ["ntlm", "credssp", "ssl", "plaintext"])
def test_pywinrm_runs_scripts(
    transport: str, pwsh: str, tls: ServerTls, certificates: Certificates
) -> None:
    require_library(transport)
    over_tls = transport == "ssl"
    with WsmanServer(
        pwsh=pwsh,
        auth=["ntlm", "credssp", "basic"],
        tls=tls if over_tls else None,
        allow_unencrypted=transport == "plaintext",
    ) as server:
        session = Session(
            server.url,
            auth=(ADMIN.name, ADMIN.password),
            transport=transport,
            ca_trust_path=str(certificates.authority),
            proxy=None,
        )
        answer = session.run_ps("'out'; exit 3")
        assert (answer.status_code, answer.std_out.strip()) == (3, b"out")
        answer = session.run_cmd("printf", ["'%s'", "ab", ";", "echo", "bad", ">&2"])
        assert (answer.status_code, answer.std_out) == (0, b"ab")
        assert answer.std_err == b"bad\n"
        assert not server.open_shells
        encrypted = {each.encrypted for each in server.exchanges if each.operation}
        assert encrypted == {transport in ("ntlm", "credssp")}


@engine
def test_pywinrm_with_kerberos(
    pwsh: str, realm: Realm, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("kerberos", reason="pywinrm's Kerberos needs pykerberos")
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{realm.ticket('cache')}")
    with WsmanServer(pwsh=pwsh, auth=["kerberos", "negotiate"]) as server:
        session = Session(server.url, auth=("", ""), transport="kerberos", proxy=None)
        answer = session.run_ps("'out'")
        assert answer.std_out.strip() == b"out"
        assert server.exchanges[-1].encrypted


def test_pywinrm_wrong_password() -> None:
    with WsmanServer(auth=["ntlm"]) as server:
        session = Session(
            server.url, auth=(ADMIN.name, "no"), transport="ntlm", proxy=None
        )
        with pytest.raises(InvalidCredentialsError):
            session.run_cmd("true")


@pytest.fixture
def winrs() -> Iterator[Protocol]:
    with basic_server() as server:
        yield Protocol(
            server.url,
            "plaintext",
            ADMIN.name,
            ADMIN.password,
            read_timeout_sec=5,
            operation_timeout_sec=1,
            proxy=None,
        )


@pytest.mark.parametrize(
    ("code_page", "expected"),
    [(437, "é?".encode("cp437")), (850, "é?".encode("cp850")), (65001, "é€".encode())],
)
def test_code_pages(winrs: Protocol, code_page: int, expected: bytes) -> None:
    shell = winrs.open_shell(codepage=code_page)
    command = winrs.run_command(shell, "printf", ["é€"])
    out, _, code = winrs.get_command_output(shell, command)
    assert (out, code) == (expected, 0)
    winrs.close_shell(shell)


def test_environment_folder_and_input(winrs: Protocol, tmp_path: Path) -> None:
    shell = winrs.open_shell(
        working_directory=str(tmp_path), env_vars={"GREETING": "good day"}
    )
    command = winrs.run_command(shell, "pwd; echo $GREETING; cat")
    winrs.send_command_input(shell, command, "line\n", end=True)
    out, _, code = winrs.get_command_output(shell, command)
    assert out.decode().split("\n") == [str(tmp_path), "good day", "line", ""]
    assert code == 0
    winrs.cleanup_command(shell, command)
    winrs.close_shell(shell)


def test_a_command_is_interrupted_and_its_children_too(winrs: Protocol) -> None:
    shell = winrs.open_shell()
    command = winrs.run_command(shell, "sleep 60 & echo $!; wait")
    out, _, _, done = winrs.get_command_output_raw(shell, command)
    assert not done
    assert alive(int(out))
    winrs.cleanup_command(shell, command)
    wait_until(lambda: not alive(int(out)))
    winrs.close_shell(shell)


def test_pypsrp_cmd_shell() -> None:
    with basic_server() as server, connect(server) as client:
        with WinRS(client) as shell:
            process = Process(shell, "echo out; echo err >&2; exit 4")
            process.invoke()
            assert (process.stdout, process.stderr) == (b"out\n", b"err\n")
            assert process.rc == 4
        with WinRS(client) as shell:
            missing = Process(shell, "no-such-program", no_shell=True)
            with pytest.raises(WSManFaultError) as raised:
                missing.invoke()
            assert raised.value.code == 2147942402


def test_powershell_lines_are_read_as_windows_does() -> None:
    line = r' -NoProfile -Command "$x = \"a b\"; $x" plain "two words"'
    assert windows_arguments(line) == [
        "-NoProfile",
        "-Command",
        '$x = "a b"; $x',
        "plain",
        "two words",
    ]
