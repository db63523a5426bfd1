"""The WSMan server for tests, judged by clients that know nothing of it: logging on.

Its shells, faults and answers are tested beside it in `wsman_server/`.
"""

from __future__ import annotations

import base64
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from lxml import etree
from pypsrp.exceptions import (
    AuthenticationError,
    WinRMTransportError,
)
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.shell import Process, WinRS

from servers.certificates import Certificates, Pair
from servers.kdc import USER, Realm
from wsman_server import (
    ADMIN,
    UNICODE_USER,
    ServerTls,
    WsmanServer,
    soap,
)
from wsman_server.clients import (
    alive,
    basic_server,
    connect,
    create_cmd,
    fault_code,
    post,
    run_script,
)
from wsman_server.soap import element

engine = pytest.mark.engine


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
        # A ticket says who it is for to the host alone.
        assert all(USER.encode() not in token for token in tokens(server))


def tokens(server: WsmanServer) -> Iterator[bytes]:
    """What clients said in their Authorization headers, decoded."""
    for each in server.exchanges:
        _, _, token = (each.header("Authorization") or "").partition(" ")
        yield base64.b64decode(token)


def test_delegation(realm: Realm, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = realm.ticket("delegable", "-f")
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{cache}")
    for wanted in (False, True):
        with WsmanServer(auth=["kerberos"]) as server:
            client = connect(
                server,
                "kerberos",
                username=None,
                password=None,
                negotiate_delegate=wanted,
            )
            with client:
                client.get(soap.CONFIG)
            identity = server.exchanges[-1].identity
            assert identity is not None
            assert identity.delegated == wanted


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


def test_names_and_passwords_beyond_ascii() -> None:
    with basic_server() as server:
        secret = f"{UNICODE_USER.name}:{UNICODE_USER.password}".encode()
        basic = "Basic " + base64.b64encode(secret).decode()
        answer = post(server.url, headers={"Authorization": basic})
        assert answer.status_code == 200


def test_what_a_host_offers(tls: ServerTls, certificates: Certificates) -> None:
    methods: list[Any] = ["basic", "negotiate", "kerberos", "credssp", "certificate"]

    def offered(**settings: Any) -> str:
        with WsmanServer(auth=methods, **settings) as server:
            answer = post(server.url, verify=str(certificates.authority))
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


def test_identify_tells_more_to_who_has_logged_on() -> None:
    ask = element("s:Envelope", element("s:Body", element("wsmid:Identify")))
    identify = {"Content-Type": "application/soap+xml;charset=UTF-8"}
    with basic_server() as server:

        def version(**named: Any) -> str:
            answer = post(server.url, data=etree.tostring(ask), **named)
            assert answer.status_code == 200
            told = etree.fromstring(answer.content)
            return told.findtext(".//wsmid:ProductVersion", "", soap.NAMESPACES)

        anyone = version(headers={**identify, "WSMANIDENTIFY": "unauthenticated"})
        assert anyone.startswith("OS: 0.0.0")
        known = version(headers=identify, auth=(ADMIN.name, ADMIN.password))
        assert known.startswith("OS: 10.")
        assert server.operations == ["Identify", "Identify"]


def test_nonsense_is_answered() -> None:
    with basic_server() as server, requests.Session() as session:
        session.trust_env = False
        session.auth = (ADMIN.name, ADMIN.password)
        assert fault_code(post(server.url, session, data=b"<a")) == 2150858791
        assert post(server.url, session, data=b"x" * 700_000).status_code == 413
        elsewhere = server.url.replace("/wsman", "/other")
        assert post(elsewhere, session).status_code == 404
        assert session.get(server.url, timeout=10).status_code == 405


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


def test_errors_of_the_server_itself_come_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = basic_server()
    monkeypatch.setattr(server.service, "handle", None)

    def use() -> None:
        with server, contextlib.suppress(requests.exceptions.ConnectionError):
            create_cmd(server)

    with pytest.raises(ExceptionGroup) as raised:
        use()
    assert isinstance(raised.value.exceptions[0], TypeError)


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
