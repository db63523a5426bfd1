"""The WSMan server for tests, judged by clients that know nothing of it.

pypsrp and pywinrm must work against it as against a Windows host, what it answers must
have the elements of what Windows answered, and nothing may be left of it.
"""

from __future__ import annotations

import base64
import contextlib
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from pypsrp.client import Client
from pypsrp.complex_objects import PSInvocationState
from pypsrp.exceptions import (
    AuthenticationError,
    WinRMTransportError,
    WSManFaultError,
)
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.shell import Process, SignalCode, WinRS
from pypsrp.wsman import WSMan
from winrm import Session
from winrm.exceptions import InvalidCredentialsError
from winrm.protocol import Protocol

from servers.certificates import Certificates, Pair
from servers.kdc import Realm
from wsman_server import (
    ADMIN,
    OPERATOR,
    UNICODE_USER,
    Drop,
    Effect,
    Endpoint,
    Fault,
    Half,
    HostDies,
    Http,
    Limits,
    Phase,
    Reboot,
    Redirect,
    Reset,
    ServerTls,
    Stall,
    Wsman,
    WsmanServer,
    soap,
)
from wsman_server.cmd_shell import windows_arguments
from wsman_server.fragments import Cutter, Fragment, parse
from wsman_server.soap import element

RECORDINGS = Path(__file__).parents[2] / "shared" / "recordings" / "windows-wsman"
TIMED_OUT = 2150858793
NO_SUCH_SELECTORS = 2150858843
engine = pytest.mark.engine


@pytest.fixture
def tls(certificates: Certificates) -> ServerTls:
    return server_tls(certificates.server, certificates)


def server_tls(pair: Pair, certificates: Certificates) -> ServerTls:
    return ServerTls(pair.certificate_file, pair.key_file, certificates.authority)


@pytest.fixture
def plain(pwsh: str) -> Iterator[WsmanServer]:
    """Basic over plain HTTP: the least that a shell needs."""
    with WsmanServer(pwsh=pwsh, auth=["basic"], allow_unencrypted=True) as server:
        yield server


def connect(server: WsmanServer, auth: str = "basic", **options: Any) -> WSMan:
    """A pypsrp client of a server, as ADMIN unless said otherwise."""
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
    caller = session or requests
    return caller.post(
        server.url,
        data=etree.tostring(envelope),
        headers={"Content-Type": "application/soap+xml;charset=UTF-8"},
        auth=(ADMIN.name, ADMIN.password),
        timeout=10,
        allow_redirects=False,
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


# Logging on

LOG_ONS = {
    # offered, asked for, TLS, always encrypt -> scheme, mechanism
    "basic over TLS": ("basic", "basic", True, False, "basic", "basic"),
    "NTLM": ("ntlm", "ntlm", False, False, "negotiate", "ntlm"),
    "NTLM over TLS": ("ntlm", "ntlm", True, False, "negotiate", "ntlm"),
    "NTLM, encrypted over TLS": ("ntlm", "ntlm", True, True, "negotiate", "ntlm"),
    "Negotiate": ("negotiate", "negotiate", False, False, "negotiate", "ntlm"),
    "CredSSP": ("credssp", "credssp", False, False, "credssp", "ntlm"),
    "CredSSP over TLS": ("credssp", "credssp", True, False, "credssp", "ntlm"),
}


@engine
@pytest.mark.parametrize("row", LOG_ONS.values(), ids=LOG_ONS)
def test_pypsrp_logs_on_and_runs(
    row: tuple[Any, str, bool, bool, str, str],
    pwsh: str,
    tls: ServerTls,
    certificates: Certificates,
) -> None:
    offered, asked, over_tls, always, scheme, mechanism = row
    with WsmanServer(
        pwsh=pwsh, auth=[offered], tls=tls if over_tls else None
    ) as server:
        options = {"encryption": "always"} if always else {}
        client = connect(
            server, asked, cert_validation=str(certificates.authority), **options
        )
        with client, RunspacePool(client) as pool:
            assert run_script(pool, "1..3; 'größer'") == [1, 2, 3, "größer"]
            assert len(server.open_shells) == 1
        assert not server.open_shells
        said = [each for each in server.exchanges if each.operation]
        assert {each.encrypted for each in said} == {always or not over_tls}
        for each in said:
            assert each.identity is not None
            assert each.identity.scheme == scheme
            assert each.identity.mechanism == mechanism
            assert each.identity.name == ADMIN.name


@engine
@pytest.mark.parametrize(
    ("offered", "asked", "over_tls", "scheme"),
    [
        (["kerberos"], "kerberos", False, "kerberos"),
        (["negotiate", "kerberos"], "negotiate", False, "negotiate"),
        (["negotiate"], "kerberos", True, "negotiate"),
    ],
)
def test_kerberos_with_a_ticket(
    offered: list[Any],
    asked: str,
    over_tls: bool,
    scheme: str,
    pwsh: str,
    tls: ServerTls,
    certificates: Certificates,
    realm: Realm,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{realm.ticket('cache')}")
    with WsmanServer(
        pwsh=pwsh,
        auth=offered,
        tls=tls if over_tls else None,
        channel_binding="strict",
    ) as server:
        client = connect(
            server,
            asked,
            username=None,
            password=None,
            cert_validation=str(certificates.authority),
        )
        with client, RunspacePool(client) as pool:
            assert run_script(pool, "2 + 2") == [4]
        last = server.exchanges[-1]
        assert last.operation == "Delete"
        assert last.encrypted != over_tls
        assert last.identity is not None
        assert (last.identity.scheme, last.identity.mechanism) == (scheme, "kerberos")
        assert last.identity.name == realm.principal


@engine
def test_client_certificate(
    pwsh: str, tls: ServerTls, certificates: Certificates
) -> None:
    with WsmanServer(pwsh=pwsh, auth=["certificate"], tls=tls) as server:

        def show(pair: Pair) -> list[Any]:
            client = connect(
                server,
                "certificate",
                username=None,
                password=None,
                cert_validation=str(certificates.authority),
                certificate_pem=str(pair.certificate_file),
                certificate_key_pem=str(pair.key_file),
            )
            with client, RunspacePool(client) as pool:
                return run_script(pool, "'hello'")

        assert show(certificates.client) == ["hello"]
        with pytest.raises(AuthenticationError):
            show(certificates.client_unknown)
        with pytest.raises(requests.exceptions.ConnectionError):
            show(certificates.client_foreign)
        assert not server.open_shells


@pytest.mark.parametrize("auth", ["basic", "ntlm", "negotiate", "credssp"])
@pytest.mark.parametrize(
    "wrong", [{"password": "no"}, {"username": "nobody"}], ids=["password", "user"]
)
def test_wrong_credentials(
    auth: Any, wrong: dict[str, str], tls: ServerTls, certificates: Certificates
) -> None:
    with WsmanServer(auth=[auth], tls=tls) as server:
        client = connect(
            server, auth, cert_validation=str(certificates.authority), **wrong
        )
        with client, pytest.raises(Exception, match=r"(?i)authenticate|0x8009030c"):
            RunspacePool(client).open()
        assert {each.status for each in server.exchanges} == {401}
        assert server.operations == []


def test_names_and_passwords_beyond_ascii(tls: ServerTls) -> None:
    with WsmanServer(auth=["basic"], tls=tls) as server:
        secret = f"{UNICODE_USER.name}:{UNICODE_USER.password}".encode()
        answer = requests.post(
            server.url,
            headers={"Authorization": "Basic " + base64.b64encode(secret).decode()},
            verify=False,
            timeout=10,
        )
        assert answer.status_code == 200


def test_what_a_host_offers(tls: ServerTls) -> None:
    methods: list[Any] = ["basic", "negotiate", "kerberos", "credssp", "certificate"]

    def offered(**settings: Any) -> str:
        with WsmanServer(auth=methods, **settings) as server:
            answer = requests.post(server.url, verify=False, timeout=10)
            assert answer.status_code == 401
            return answer.headers["WWW-Authenticate"]

    assert offered(tls=tls) == 'Negotiate, Kerberos, Basic realm="WSMAN", CredSSP'
    # A password in the clear is not even asked for.
    assert offered() == "Negotiate, Kerberos, CredSSP"


def test_unencrypted_messages_are_refused() -> None:
    with WsmanServer(auth=["ntlm"]) as server:
        client = connect(server, "ntlm", encryption="never")
        with client, pytest.raises(WinRMTransportError) as raised:
            RunspacePool(client).open()
        assert raised.value.code == 500
        assert raised.value.response_text == ""


@pytest.mark.parametrize(
    ("binding", "sent", "status"),
    [("strict", False, 401), ("strict", True, 200), ("relaxed", False, 200)],
)
def test_channel_binding(
    binding: Any,
    sent: bool,
    status: int,
    tls: ServerTls,
    certificates: Certificates,
) -> None:
    with WsmanServer(auth=["ntlm"], tls=tls, channel_binding=binding) as server:
        client = connect(
            server,
            "ntlm",
            cert_validation=str(certificates.authority),
            negotiate_send_cbt=sent,
        )
        with client, contextlib.suppress(AuthenticationError):
            client.get(soap.CONFIG)
        assert server.exchanges[-1].status == status


def test_a_mechanism_that_is_not_offered_is_refused(
    realm: Realm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{realm.ticket('cache')}")
    with WsmanServer(auth=["ntlm"]) as server:
        client = connect(server, "kerberos", username=None, password=None)
        with client, pytest.raises(AuthenticationError):
            client.get(soap.CONFIG)


# PowerShell shells


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
        WsmanServer(
            pwsh=pwsh,
            auth=["basic"],
            allow_unencrypted=True,
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


def test_requests_above_the_envelope_are_refused(plain: WsmanServer) -> None:
    answer = requests.post(plain.url, data=b"x" * 700_000, timeout=10)
    assert answer.status_code == 413


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
        WsmanServer(
            pwsh=pwsh, auth=["basic"], allow_unencrypted=True, endpoints=endpoints
        ) as server,
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
        WsmanServer(
            pwsh=pwsh, auth=["basic"], allow_unencrypted=True, limits=limits
        ) as server,
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
        WsmanServer(
            pwsh=pwsh,
            auth=["basic"],
            allow_unencrypted=True,
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


# Text shells


@engine
@pytest.mark.parametrize("transport", ["ntlm", "credssp", "ssl", "plaintext"])
def test_pywinrm_runs_scripts(
    transport: str, pwsh: str, tls: ServerTls, certificates: Certificates
) -> None:
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
    with WsmanServer(auth=["basic"], allow_unencrypted=True) as server:
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


def test_pypsrp_cmd_shell(plain: WsmanServer) -> None:
    with Client(
        "localhost",
        port=plain.port,
        ssl=False,
        auth="basic",
        encryption="never",
        username=ADMIN.name,
        password=ADMIN.password,
    ) as client:
        out, err, code = client.execute_cmd("echo out; echo err >&2; exit 4")
        assert (out, err, code) == ("out\n", "err\n", 4)
    with connect(plain) as wsman, WinRS(wsman) as shell:
        process = Process(shell, "no-such-program", no_shell=True)
        with pytest.raises(WSManFaultError) as raised:
            process.invoke()
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


# What Windows answers


@engine
def test_answers_have_the_elements_of_windows(pwsh: str) -> None:
    """Ours has what all of Windows's answers have, and nothing that none has."""
    if not RECORDINGS.is_dir():
        pytest.skip(f"no recordings at {RECORDINGS}")
    recorded = recorded_shapes()
    with WsmanServer(pwsh=pwsh, auth=["basic"], allow_unencrypted=True) as server:
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


def test_identify_tells_more_to_who_has_logged_on(plain: WsmanServer) -> None:
    ask = element("s:Envelope", element("s:Body", element("wsmid:Identify")))
    identify = {"Content-Type": "application/soap+xml;charset=UTF-8"}

    def asked(**named: Any) -> etree._Element:
        answer = requests.post(plain.url, data=etree.tostring(ask), timeout=10, **named)
        assert answer.status_code == 200
        return etree.fromstring(answer.content)

    path = ".//wsmid:ProductVersion"
    anyone = asked(headers={**identify, "WSMANIDENTIFY": "unauthenticated"})
    assert "OS: 0.0.0" in anyone.findtext(path, "", soap.NAMESPACES)
    known = asked(headers=identify, auth=(ADMIN.name, ADMIN.password))
    assert "OS: 10." in known.findtext(path, "", soap.NAMESPACES)
    assert plain.operations == ["Identify", "Identify"]


@pytest.mark.parametrize(
    ("action", "uri", "code"),
    [
        (soap.TRANSFER + "Create", soap.POWERSHELL + "Nowhere", 2150858811),
        (soap.TRANSFER + "Get", "http://schemas.psexport.test/other", 2150858752),
        (soap.TRANSFER + "Put", soap.CMD, 2150858771),
        (soap.SHELL + "Receive", soap.CMD, NO_SUCH_SELECTORS),
    ],
)
def test_faults_of_bad_requests(
    plain: WsmanServer, action: str, uri: str, code: int
) -> None:
    shell = str(uuid.uuid4())
    body = element("rsp:Receive", element("rsp:DesiredStream", text="stdout"))
    if action.endswith("Create"):
        body = element("rsp:Shell")
    answer = raw_call(plain, action, uri, body, shell_id=shell)
    assert answer.status_code == 500
    assert fault_code(answer) == code
    assert plain.exchanges[-1].fault_code == code


def test_nonsense_is_answered(plain: WsmanServer) -> None:
    who = (ADMIN.name, ADMIN.password)
    answer = requests.post(plain.url, data=b"<a", auth=who, timeout=10)
    assert fault_code(answer) == 2150858791
    elsewhere = plain.url.replace("/wsman", "/other")
    assert requests.post(elsewhere, timeout=10).status_code == 404
    assert requests.get(plain.url, timeout=10).status_code == 405


# Faults on cue

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
        WsmanServer(
            auth=["basic"],
            allow_unencrypted=True,
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
                session=_impatient(session),
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


def _impatient(session: requests.Session, seconds: float = 1) -> requests.Session:
    send = session.send

    def hurry(request: requests.PreparedRequest, **named: Any) -> requests.Response:
        return send(request, **{**named, "timeout": seconds})

    session.send = hurry  # type: ignore[method-assign]
    return session


def test_the_nth_time_and_no_other() -> None:
    faults = [
        Fault("create", Wsman(5), nth=2),
        Fault("create", Wsman(87), nth=4, times=2),
    ]
    with WsmanServer(auth=["basic"], allow_unencrypted=True, faults=faults) as server:
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
    with WsmanServer(auth=["basic"], allow_unencrypted=True) as server:
        shell_id = create_cmd(server)
        server.reboot()
        answer = raw_call(server, soap.TRANSFER + "Delete", soap.CMD, shell_id=shell_id)
        assert fault_code(answer) == NO_SUCH_SELECTORS


def test_idle_connections_are_closed() -> None:
    with (
        WsmanServer(
            auth=["basic"], allow_unencrypted=True, idle_connection=0.1
        ) as server,
        requests.Session() as session,
    ):
        create_cmd(server, session)
        wait_until(lambda: not server.connections)
        create_cmd(server, session)
        ports = {each.client[1] for each in server.exchanges}
        assert len(ports) == 2


def test_a_receive_that_lost_its_client_takes_nothing() -> None:
    with WsmanServer(auth=["basic"], allow_unencrypted=True) as server:
        shell_id = create_cmd(server)
        line = element(
            "rsp:CommandLine", element("rsp:Command", text="sleep 1; echo x")
        )
        raw_call(server, soap.SHELL + "Command", soap.CMD, line, shell_id=shell_id)
        (command_id,) = server.open_shells[0].commands
        wanted = element(
            "rsp:DesiredStream", text="stdout", attributes={"CommandId": command_id}
        )
        receive = element("rsp:Receive", wanted)

        def ask(session: requests.Session | None = None) -> requests.Response:
            return raw_call(
                server,
                soap.SHELL + "Receive",
                soap.CMD,
                receive,
                shell_id=shell_id,
                session=session,
            )

        with requests.Session() as session:
            hurried = _impatient(session, 0.2)
            with pytest.raises(requests.exceptions.ReadTimeout):
                ask(hurried)
        answer = etree.fromstring(ask().content)
        text = answer.findtext(".//rsp:Stream", "", soap.NAMESPACES)
        assert base64.b64decode(text) == b"x\n"


# Nothing is left


@engine
def test_nothing_is_left_after_stopping(pwsh: str) -> None:
    threads, descriptors = threading.active_count(), open_descriptors()
    with WsmanServer(pwsh=pwsh, auth=["ntlm"]) as server:
        client = connect(server, "ntlm")
        pool = RunspacePool(client)
        pool.open()
        running = PowerShell(pool)
        running.add_script("[Threading.Thread]::Sleep(60000)")
        running.begin_invoke()
        cmd = WinRS(client)
        cmd.open()
        Process(cmd, "sleep 60 & sleep 60").begin_invoke()
        processes = [pid for shell in server.open_shells for pid in shell.process_ids]
        assert len(processes) == 2
        assert all(alive(pid) for pid in processes)
    assert not any(alive(pid) for pid in processes)
    client.close()
    assert threading.active_count() == threads
    assert open_descriptors() <= descriptors


def test_errors_of_the_server_itself_come_out() -> None:
    with (
        pytest.raises(ExceptionGroup) as raised,
        WsmanServer(faults=[Fault("connect", Half())]) as server,
        contextlib.suppress(requests.exceptions.ConnectionError),
    ):
        requests.post(server.url, timeout=5)
    assert isinstance(raised.value.exceptions[0], TypeError)


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


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


# Laws


@given(
    blobs=st.lists(st.binary(max_size=400), max_size=5),
    size=st.integers(min_value=22, max_value=500),
)
def test_cutting_fragments_keeps_the_message(blobs: list[bytes], size: int) -> None:
    cutter = Cutter(size)
    last = len(blobs) - 1
    whole = [
        Fragment(7, index, index == 0, index == last, blob)
        for index, blob in enumerate(blobs)
    ]
    packed = b"".join(
        piece.pack() for fragment in whole for piece in cutter.cut(fragment)
    )
    pieces = list(parse(packed))
    assert b"".join(piece.blob for piece in pieces) == b"".join(blobs)
    assert all(len(piece.pack()) <= size for piece in pieces)
    assert [piece.fragment_id for piece in pieces] == list(range(len(pieces)))
    assert [piece.start for piece in pieces] == [n == 0 for n in range(len(pieces))]
    assert sum(piece.end for piece in pieces) == min(len(blobs), 1)


@given(st.integers(min_value=0, max_value=10_000_000))
def test_durations(value: int) -> None:
    assert soap.seconds(soap.duration(value)) == value
    assert soap.seconds(f"PT{value}S") == value
