"""The fault table: one thing wrong with a host over HTTP, and what doctor names."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from patients import cause, examine, outcome

from servers.certificates import KEY_PASSWORD, Certificates, Pair
from servers.processes import free_port
from servers.proxy import Proxy
from wsman_server import (
    ADMIN,
    Endpoint,
    Fault,
    Half,
    Http,
    Limits,
    Redirect,
    Reset,
    ServerTls,
    Stall,
    Wsman,
    WsmanServer,
)

pytestmark = pytest.mark.usefixtures("hurry")

RIGHT = ADMIN.password
IDENTITY = (
    b"<i:IdentifyResponse><i:ProductVendor>Somebody</i:ProductVendor>"
    b"<i:ProductVersion>1</i:ProductVersion></i:IdentifyResponse>"
)


@dataclass(frozen=True)
class Row:
    """What is wrong with the host, or with what is said about it."""

    cause: str
    settings: dict[str, Any] = field(default_factory=dict)
    given: dict[str, Any] = field(default_factory=dict)
    password: str | None = RIGHT


def at(phase: Any, effect: Any, nth: int = 1) -> dict[str, Any]:
    return {"faults": [Fault(phase, effect, nth=nth, times=None)]}


def dated(seconds: float) -> dict[str, Any]:
    """A host whose clock is so far ahead."""
    date = ("Date", formatdate(time.time() + seconds, usegmt=True))
    return {"faults": [Fault("identify", Http(200, IDENTITY, (date,)))]}


NTLM = {"Authentication": "NTLM"}
KERBEROS = {"Authentication": "Kerberos"}

OVER_HTTP = [
    # what answers is not what was meant
    Row("NotWinRm", given=NTLM | {"ApplicationName": "elsewhere"}),
    Row("NotWinRm", at("identify", Http(200, b"<html>hi</html>"))),
    Row("NotWinRm", at("identify", Http(403))),
    Row("NotWinRm", at("identify", Http(200, b"\x1b[2J" * 100_000))),
    Row("ServiceUnavailable", at("identify", Http(503))),
    Row("Redirected", at("auth", Redirect("https://x.invalid/\x1b[2J"))),
    # it answers late, or not at all
    Row("HostSilent", at("identify", Stall())),
    Row("HostSilent", at("connect", Stall(), nth=2)),
    Row("HostSilent", at("auth", Stall(), nth=2)),
    Row("HostCuts", at("identify", Reset())),
    Row("HostCuts", at("connect", Reset(), nth=2)),
    Row("ErrorSessionTimeout", at("auth", Stall(), nth=3), NTLM),
    # clocks
    Row("ClockSkew", dated(3600), KERBEROS),
    Row("ClockSkew", dated(-400), KERBEROS),
    # logging on
    Row("LogonRefused", given=NTLM, password="wrong-password"),
    Row("LogonRefused", password="wrong-password"),
    Row("LogonRefused", given=NTLM | {"UserName": "nobody"}),
    Row("PasswordMissing", given=NTLM, password=None),
    Row("PasswordMissing", given=NTLM, password=""),
    Row("UserMissing", given=NTLM | {"UserName": None}),
    Row("MethodOff", {"auth": ["kerberos"]}, {"Authentication": "Negotiate"}),
    Row("MethodOff", given={"Authentication": "Credssp"}),
    Row("BasicUnencrypted", given={"Authentication": "Basic"}),
    Row(
        "ErrorEncryptionRequired",
        {"allow_unencrypted": True},
        {"Authentication": "Basic"},
    ),
    # the endpoint
    Row("ErrorConfigurationNotFound", {}, NTLM | {"ConfigurationName": "Nope"}),
    Row("ErrorHostQuota", {"limits": Limits(max_shells_per_user=0)}, NTLM),
    Row("ErrorHostQuota", at("create", Wsman(2150859174)), NTLM),
    Row(
        "ErrorAccessDenied",
        {"endpoints": {"Microsoft.PowerShell": Endpoint(allowed=frozenset())}},
        NTLM,
    ),
    Row("ErrorHostTooOld", at("create", Wsman(2152992672)), NTLM),
    Row("ErrorSessionOpen", at("create", Half()), NTLM),
    Row("ErrorSessionTimeout", at("create", Stall()), NTLM | {"OpenTimeout": 1000}),
]


@pytest.mark.parametrize("row", OVER_HTTP, ids=lambda row: row.cause)
def test_a_host_over_http(row: Row) -> None:
    settings = {"auth": ["negotiate", "basic"], **row.settings}
    given = {"UserName": ADMIN.name, **row.given}
    with WsmanServer(**settings) as host:
        diagnosis = examine(f"winrm://localhost:{host.port}", row.password, **given)
        assert host.open_shells == []
    assert cause(diagnosis) == row.cause, diagnosis.to_json()


@dataclass(frozen=True)
class TlsRow:
    cause: str
    shown: str = "server"
    given: dict[str, Any] = field(default_factory=dict)
    #: Parameters that are files of the certificates.
    files: dict[str, str] = field(default_factory=lambda: {"CAFile": "authority"})
    password: str = RIGHT


OVER_TLS = [
    TlsRow("CertificateExpired", "expired"),
    TlsRow("CertificateNotYetValid", "not_yet_valid"),
    TlsRow("CertificateName", "wrong_name"),
    TlsRow("CertificateSelfSigned", "self_signed"),
    TlsRow("CertificateIssuer", files={}),
    TlsRow("CertificateExpired", "expired", {"SkipCACheck": True}, {}),
    TlsRow("OwnFileUnusable", given={"CAFile": "/nowhere/ca.pem"}, files={}),
    TlsRow(
        "OwnFileUnusable",
        files={"CAFile": "authority", "CertificatePem": "authority"},
    ),
    TlsRow(
        "ClientCertificateRefused",
        files={"CAFile": "authority", "CertificatePem": "client_unknown"},
    ),
    TlsRow(
        "OwnFileUnusable",
        files={"CAFile": "authority", "CertificatePem": "client_locked"},
        password="wrong",
    ),
    TlsRow("LogonRefused", given=NTLM, password="wrong-password"),
    # All well, but for the engine that this host lacks.
    TlsRow("", given=NTLM),
    TlsRow("", "self_signed", NTLM | {"SkipCACheck": True}, {}),
    TlsRow("", "wrong_name", NTLM | {"SkipCNCheck": True}),
    TlsRow("", files={"CAFile": "authority", "CertificatePem": "client"}),
    TlsRow(
        "",
        files={"CAFile": "authority", "CertificatePem": "client_locked"},
        password=KEY_PASSWORD,
    ),
    TlsRow("", given={"Authentication": "Basic"}),
]


@pytest.mark.parametrize("row", OVER_TLS, ids=lambda row: row.cause or "fine")
def test_a_host_over_tls(row: TlsRow, certificates: Certificates) -> None:
    shown = getattr(certificates, row.shown)
    given: dict[str, Any] = {"UserName": ADMIN.name, **row.given}
    for parameter, name in row.files.items():
        file = getattr(certificates, name)
        if isinstance(file, Pair):
            given["CertificateKeyPem"] = str(file.key_file)
            file = file.certificate_file
        given[parameter] = str(file)
    with WsmanServer(
        auth=["negotiate", "basic", "certificate"],
        tls=ServerTls(shown.certificate_file, shown.key_file, certificates.authority),
    ) as host:
        diagnosis = examine(f"winrms://localhost:{host.port}", row.password, **given)
    if row.cause:
        assert cause(diagnosis) == row.cause, diagnosis.to_json()
    else:
        assert outcome(diagnosis, "logon") == "ok", diagnosis.to_json()


def test_what_was_overlooked_is_remarked(certificates: Certificates) -> None:
    pair = certificates.wrong_name
    given = {"UserName": ADMIN.name, "SkipCACheck": True, "SkipCNCheck": True}
    with WsmanServer(
        auth=["negotiate"], tls=ServerTls(pair.certificate_file, pair.key_file)
    ) as host:
        diagnosis = examine(f"winrms://localhost:{host.port}", **given)
    assert "NotChecked" in [one.cause for one in diagnosis.verdict.remarks]


def test_the_other_scheme(certificates: Certificates) -> None:
    pair = certificates.server
    with WsmanServer(
        auth=["negotiate"], tls=ServerTls(pair.certificate_file, pair.key_file)
    ) as host:
        diagnosis = examine(f"winrm://localhost:{host.port}", UserName="admin")
        assert cause(diagnosis) == "TlsExpected"
    with WsmanServer(auth=["negotiate"]) as host:
        diagnosis = examine(f"winrms://localhost:{host.port}", UserName="admin")
        assert cause(diagnosis) in ("NotTls", "TlsCut")


PROXIES = [
    ("winrms", {"refuse": 403}, "ProxyRefuses"),
    ("winrms", {"refuse": 407}, "ProxyAuthentication"),
    ("winrms", {"refuse": 502}, "ProxyCannotReach"),
    ("winrms", {"user": "u", "password": "p"}, "ProxyAuthentication"),
    ("winrm", {"refuse": 403}, "ProxyRefuses"),
    ("winrm", {"refuse": 407}, "ProxyAuthentication"),
    ("winrm", {"refuse": 504}, "ProxyCannotReach"),
]


@pytest.mark.parametrize(("scheme", "settings", "expected"), PROXIES)
def test_a_proxy(scheme: str, settings: dict[str, Any], expected: str) -> None:
    with Proxy(**settings) as proxy:
        diagnosis = examine(
            f"{scheme}://localhost:5986", UserName="admin", ProxyUri=proxy.url
        )
    assert cause(diagnosis) == expected, diagnosis.to_json()


def test_through_a_proxy(certificates: Certificates) -> None:
    pair = certificates.server
    with (
        Proxy() as proxy,
        WsmanServer(
            auth=["negotiate"], tls=ServerTls(pair.certificate_file, pair.key_file)
        ) as host,
    ):
        diagnosis = examine(
            f"winrms://localhost:{host.port}",
            **NTLM,
            UserName=ADMIN.name,
            ProxyUri=proxy.url,
            CAFile=str(certificates.authority),
        )
        assert outcome(diagnosis, "logon") == "ok"
        assert set(proxy.requests) == {f"CONNECT localhost:{host.port}"}


def test_no_proxy_there() -> None:
    for scheme in ("winrm", "winrms"):
        for uri in (f"http://127.0.0.1:{free_port()}", "http://nobody.invalid:3128"):
            diagnosis = examine(f"{scheme}://localhost", UserName="a", ProxyUri=uri)
            assert cause(diagnosis) == "ProxyUnreachable"


@contextlib.contextmanager
def speaker(pieces: Sequence[bytes], pause: float = 0.0) -> Iterator[int]:
    """Something that says what it says to everybody, and its port."""
    stopped = threading.Event()

    def speak(channel: socket.socket) -> None:
        with contextlib.suppress(OSError), channel:
            for piece in pieces:
                channel.sendall(piece)
                if stopped.wait(pause):
                    return
            channel.settimeout(5)
            while channel.recv(65536):
                pass

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                channel, _ = listener.accept()
                threading.Thread(target=speak, args=(channel,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        try:
            yield listener.getsockname()[1]
        finally:
            stopped.set()
            listener.shutdown(socket.SHUT_RDWR)


STRANGERS = [
    ("winrm", [b"SSH-2.0-OpenSSH_9\r\n"], 0.0, "NotHttp"),
    ("winrm", [b"\0" * 100_000], 0.0, "NotHttp"),
    ("winrm", [b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 1000], 0.0, "NotHttp"),
    ("winrm", [b"HTTP/1.1 200 OK\r\n", *([b"X: y\r\n"] * 50)], 0.1, "HostSilent"),
    ("winrm", [b"HTTP/1.1 200 \x1b[2J\r\n\r\n<html>"], 0.0, "HostSilent"),
    ("winrm", [], 0.0, "HostSilent"),
    ("winrms", [b"SSH-2.0-OpenSSH_9\r\n"], 0.0, "NotTls"),
    ("winrms", [], 0.0, "TlsSilent"),
]


@pytest.mark.parametrize(("scheme", "pieces", "pause", "expected"), STRANGERS)
def test_something_else_listens(
    scheme: str, pieces: list[bytes], pause: float, expected: str
) -> None:
    with speaker(pieces, pause) as port:
        diagnosis = examine(f"{scheme}://localhost:{port}", UserName="admin")
    assert cause(diagnosis) == expected, diagnosis.to_json()


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    assert cause(examine(f"winrm://localhost:{port}", UserName="a")) == "PortRefused"
    with socket.create_server(("127.0.0.1", 0)) as other:
        sibling = (other.getsockname()[1], "winrms://")
        monkeypatch.setattr("psexport.doctor.network._SIBLINGS", {port: sibling})
        diagnosis = examine(f"winrm://localhost:{port}", UserName="a")
    assert cause(diagnosis) == "OtherPort"
    advice = diagnosis.verdict.cause
    assert advice is not None
    assert advice.here == ("Use winrms://localhost instead.",)


def test_nobody_knows_the_name() -> None:
    diagnosis = examine("winrm://no-such-host.invalid", UserName="admin")
    assert cause(diagnosis) in ("NameUnknown", "NameServerSilent")
    assert [outcome(diagnosis, name) for name in ("port", "logon", "session")] == [
        "skipped",
        "skipped",
        "skipped",
    ]


def test_a_dead_address_before_a_good_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "psexport.doctor.network._addresses", lambda host, port: ["::1", "127.0.0.1"]
    )
    with WsmanServer(auth=["negotiate"]) as host:
        diagnosis = examine(f"winrm://localhost:{host.port}", **NTLM, UserName="admin")
    assert "AddressDead" in [one.cause for one in diagnosis.verdict.remarks]


def test_clocks_that_do_not_matter_are_a_remark() -> None:
    with WsmanServer(auth=["negotiate"], **dated(1000)) as host:
        diagnosis = examine(f"winrm://localhost:{host.port}", **NTLM, UserName="admin")
    assert outcome(diagnosis, "clock") == "warning"
    assert outcome(diagnosis, "logon") == "ok"


def test_a_password_is_not_tried_twice() -> None:
    """Each try counts, and the host may lock the user out."""
    with WsmanServer(auth=["negotiate", "basic", "kerberos"]) as host:
        examine(f"winrm://localhost:{host.port}", "wrong-password", UserName="admin")
        said = [one.header("Authorization") for one in host.exchanges]
    assert len([one for one in said if one]) == 2  # the two steps of one NTLM logon


def test_an_echo_of_the_password_is_not_repeated(certificates: Certificates) -> None:
    """A host is told the password by Basic, and may say it to whoever reads."""
    words = f"your password is {RIGHT} \u202e"
    pair = certificates.server
    with WsmanServer(
        auth=["basic"],
        tls=ServerTls(pair.certificate_file, pair.key_file),
        faults=[Fault("create", Wsman(5, words))],
    ) as host:
        diagnosis = examine(
            f"winrms://localhost:{host.port}",
            Authentication="Basic",
            UserName=ADMIN.name,
            CAFile=str(certificates.authority),
        )
    told = str(diagnosis.to_json()) + repr(diagnosis)
    assert cause(diagnosis) == "ErrorAccessDenied"
    assert "your password is <secret>" in told
    assert RIGHT not in told
    assert "\u202e" not in told


def test_a_password_file_that_cannot_be_read(tmp_path: Path) -> None:
    with WsmanServer(auth=["negotiate"]) as host:
        diagnosis = examine(
            f"winrm://localhost:{host.port}",
            UserName="admin",
            PasswordFile=str(tmp_path / "nowhere"),
        )
    assert cause(diagnosis) == "ErrorPasswordUnreadable"
