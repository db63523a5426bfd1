"""What can go wrong between here and a WSMan host: each its own error, nothing left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from psexport.errors import PSExportError, TransportError, UsageError
from psexport.transport import recovery
from psexport.transport.base import Limits, PipelineState, Script
from servers.certificates import Certificates, Pair
from servers.kdc import USER_PASSWORD, Realm
from servers.processes import free_port
from servers.proxy import Proxy
from windows_host import BRIEF, PATIENT, ask, connect, output, spec
from wsman_server import (
    ADMIN,
    Drop,
    Effect,
    Endpoint,
    Fault,
    Half,
    HostDies,
    Http,
    Reboot,
    Redirect,
    Reset,
    ServerTls,
    Stall,
    Wsman,
    WsmanServer,
)
from wsman_server import Limits as HostLimits
from wsman_server.clients import wait_until

NTLM = {"auth": ["ntlm"]}
BASIC = {"auth": ["basic"], "allow_unencrypted": True}
PLAIN = {"Authentication": "Basic", "NoEncryption": True}


@dataclass(frozen=True)
class Row:
    """A host, who comes to it, and what that must come to.

    `server` are settings of a `WsmanServer`, `given` session parameters, `tls` the
    name of its certificate. `words` is in the message. Where it is a matter of chance
    how far one comes, `phase` has both.
    """

    id: str
    phase: str
    words: str
    server: dict[str, Any] = field(default_factory=lambda: NTLM)
    given: dict[str, Any] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    tls: str = ""
    password: str = ADMIN.password
    limits: Limits = PATIENT


def always(phase: Any, effect: Any) -> tuple[Fault, ...]:
    return (Fault(phase, effect, times=None),)


OPENING = {
    # Reaching it
    "unknown name": Row(
        *("ErrorHostNotFound", "resolve", "name of the host"),
        given={"host": "x.invalid"},
    ),
    "refused": Row(
        *("ErrorHostUnreachable", "connect", "refuses connections"),
        given={"port": free_port()},
    ),
    "reset on connecting": Row(
        *("ErrorSessionOpen", "connect/logon", "closed the connection"),
        faults=always("connect", Reset()),
    ),
    "dropped on connecting": Row(
        *("ErrorSessionOpen", "connect/logon", "closed the connection"),
        faults=always("connect", Drop()),
    ),
    "rebooting": Row(
        *("ErrorSessionOpen", "connect/logon", "closed the connection"),
        faults=always("connect", Reboot(30)),
    ),
    "says nothing": Row(
        *("ErrorSessionTimeout", "logon", "in time"),
        faults=always("connect", Stall()),
        limits=BRIEF,
    ),
    "proxy is not there": Row(
        *("ErrorProxy", "connect", "the proxy 127.0.0.1:"),
        given={"ProxyUri": f"http://127.0.0.1:{free_port()}"},
    ),
    "proxy is not known": Row(
        *("ErrorProxy", "resolve", "the proxy x.invalid:3128 cannot be reached"),
        given={"ProxyUri": "http://x.invalid:3128"},
    ),
    # TLS
    "reset in the handshake": Row(
        *("ErrorSessionOpen", "connect/tls", "closed the connection"),
        faults=always("connect", Reset()),
        tls="server",
    ),
    "says nothing in the handshake": Row(
        *("ErrorSessionTimeout", "tls", "in time"),
        faults=always("connect", Stall()),
        tls="server",
        limits=BRIEF,
    ),
    "certificate expired": Row(
        *("ErrorCertificate", "tls", "has expired"), tls="expired"
    ),
    "certificate not yet valid": Row(
        *("ErrorCertificate", "tls", "not valid yet"), tls="not_yet_valid"
    ),
    "certificate for another name": Row(
        *("ErrorCertificate", "tls", "another name"), tls="wrong_name"
    ),
    "certificate self-signed": Row(
        *("ErrorCertificate", "tls", "nobody but itself"), tls="self_signed"
    ),
    "authority unknown": Row(
        *("ErrorCertificate", "tls", "not trusted here"),
        tls="server",
        given={"CAFile": None},
    ),
    "issuer not checked, but expired": Row(
        *("ErrorCertificate", "tls", "has expired"),
        tls="expired",
        given={"CAFile": None, "SkipCACheck": True},
    ),
    "issuer not checked, but another name": Row(
        *("ErrorCertificate", "tls", "another name"),
        tls="wrong_name",
        given={"CAFile": None, "SkipCACheck": True},
    ),
    "name not checked, but self-signed": Row(
        *("ErrorCertificate", "tls", "nobody but itself"),
        tls="self_signed",
        given={"SkipCNCheck": True},
    ),
    "no TLS there": Row("ErrorTls", "tls", "no TLS", given={"scheme": "winrms"}),
    "TLS there": Row(
        *("ErrorSessionOpen", "logon", "closed the connection"),
        tls="server",
        given={"scheme": "winrm"},
    ),
    # Logging on
    "wrong password, NTLM": Row(
        *("ErrorLogonFailed", "logon", "password"), password="no"
    ),
    "unknown user, NTLM": Row(
        *("ErrorLogonFailed", "logon", "password"), given={"user": "nobody"}
    ),
    "wrong password, Basic": Row(
        *("ErrorLogonFailed", "logon", "password"),
        server=BASIC,
        given=PLAIN,
        password="no",
    ),
    "wrong password, not ASCII": Row(
        *("ErrorLogonFailed", "logon", "password"),
        server=BASIC,
        given=PLAIN,
        password="grün",
    ),
    "wrong password, CredSSP": Row(
        *("ErrorLogonFailed", "logon", "password"),
        server={"auth": ["credssp"]},
        given={"Authentication": "Credssp"},
        password="no",
    ),
    "certificate of nobody": Row(
        *("ErrorLogonFailed", "logon", "client certificate"),
        server={"auth": ["certificate"]},
        given={"certificate": "client_unknown"},
        tls="server",
    ),
    "certificate of strangers": Row(
        *("ErrorLogonFailed", "logon", "client certificate"),
        server={"auth": ["certificate"]},
        given={"certificate": "client_foreign"},
        tls="server",
    ),
    "Basic not offered": Row(
        *("ErrorAuthenticationNotOffered", "logon", "does not offer Basic"), given=PLAIN
    ),
    "NTLM not offered": Row(
        *("ErrorAuthenticationNotOffered", "logon", "it offers Basic"), server=BASIC
    ),
    "CredSSP not offered": Row(
        *("ErrorAuthenticationNotOffered", "logon", "it offers Negotiate"),
        given={"Authentication": "Credssp"},
    ),
    "401 without end": Row(
        *("ErrorAuthenticationNotOffered", "logon", "offers nothing"),
        faults=always("auth", Http(401)),
    ),
    "401 that never agrees": Row(
        *("ErrorLogonFailed", "logon", "password"),
        faults=always("auth", Http(401, headers=(("WWW-Authenticate", "Negotiate"),))),
    ),
    "401 with nonsense": Row(
        *("ErrorLogonFailed", "logon", "failed"),
        faults=always(
            "auth", Http(401, headers=(("WWW-Authenticate", "Negotiate AAAA"),))
        ),
    ),
    "encryption wanted": Row(
        *("ErrorSessionOpen", "open", "does not say which"),
        given={"NoEncryption": True},
    ),
    "reset while logging on": Row(
        *("ErrorSessionOpen", "logon", "closed the connection"),
        faults=always("auth", Reset()),
    ),
    "says nothing while logging on": Row(
        *("ErrorSessionTimeout", "logon", "in time"),
        faults=always("auth", Stall()),
        limits=BRIEF,
    ),
    # HTTP
    "no such path": Row(
        *("ErrorNotWsman", "logon", "no WSMan service at /elsewhere"),
        given={"ApplicationName": "elsewhere"},
    ),
    "service stopped": Row(
        *("ErrorHostBusy", "logon", "503"), faults=always("auth", Http(503))
    ),
    "bad gateway": Row(
        *("ErrorProxy", "logon", "502"),
        faults=always("auth", Http(502, b"<html>no</html>")),
    ),
    "forbidden": Row(
        *("ErrorAccessDenied", "logon", "403"), faults=always("auth", Http(403))
    ),
    "elsewhere": Row(
        *("ErrorRedirected", "open", "https://other.test/x"),
        faults=always("auth", Redirect("https://other.test/x")),
    ),
    "elsewhere, in the clear": Row(
        *("ErrorRedirected", "open", "not an https address"),
        given={"AllowRedirection": True},
        faults=always("auth", Redirect("http://other.test/x")),
    ),
    "elsewhere without end": Row(
        *("ErrorRedirected", "open", "on and on"),
        given={"AllowRedirection": True},
        faults=always("auth", Redirect("/wsman", 307)),
        tls="server",
    ),
    # WSMan
    "500 without a body": Row(
        *("ErrorSessionOpen", "open", "500"), faults=always("create", Http(500))
    ),
    "500 in the clear": Row(
        *("ErrorSessionOpen", "open", "500"),
        faults=always("create", Http(500, b"<html>oops</html>")),
    ),
    "envelope too large": Row(
        *("ErrorMessageTooLarge", "open", "413"), faults=always("create", Http(413))
    ),
    "throttled": Row(
        *("ErrorHostQuota", "open", "429"), faults=always("create", Http(429))
    ),
    "too many shells": Row(
        *("ErrorHostQuota", "open", "2150859173"),
        faults=always("create", Wsman(2150859173)),
    ),
    "too many operations": Row(
        *("ErrorHostQuota", "open", "2150859174"),
        faults=always("create", Wsman(2150859174)),
    ),
    "access denied": Row(
        *("ErrorAccessDenied", "open", "does not let you use Private"),
        server={**NTLM, "endpoints": {"Private": Endpoint(allowed=frozenset())}},
        given={"ConfigurationName": "Private"},
    ),
    "no such configuration": Row(
        *("ErrorConfigurationNotFound", "open", "no session configuration Nowhere"),
        given={"ConfigurationName": "Nowhere"},
    ),
    "host too old": Row(
        *("ErrorHostTooOld", "open", "too old"),
        server={
            **NTLM,
            "pwsh": "/bin/false",
            "endpoints": {"Microsoft.PowerShell": Endpoint(protocol="2.1")},
        },
    ),
    "no PowerShell": Row("ErrorSessionBroken", "open", "ended unexpectedly"),
    "a fault that nobody knows": Row(
        *("ErrorSessionOpen", "open", "12345: odd"),
        faults=always("create", Wsman(12345, "odd")),
    ),
    "operation timed out": Row(
        *("ErrorSessionTimeout", "open", "in time"),
        faults=always("create", Wsman(2150858793)),
    ),
    "reset on create": Row(
        *("ErrorSessionOpen", "open", "closed the connection"),
        faults=always("create", Reset()),
    ),
    "no answer to create": Row(
        *("ErrorSessionTimeout", "open", "in time"),
        faults=always("create", Stall()),
        limits=BRIEF,
    ),
    "half an answer": Row(
        *("ErrorSessionOpen", "open", "middle of an answer"),
        faults=always("create", Half()),
    ),
    "answer in the clear": Row(
        *("ErrorSessionProtocol", "open", "not encrypted"),
        faults=always("create", Http(200, b"<s/>")),
    ),
    "answer is a page": Row(
        *("ErrorSessionProtocol", "open", "not XML"),
        server=BASIC,
        given=PLAIN,
        faults=always("create", Http(200, b"<html><p>Hello!</html>")),
    ),
    "answer to another question": Row(
        *("ErrorSessionProtocol", "open", "another question"),
        server=BASIC,
        given=PLAIN,
        faults=always("create", Http(200, b"<html/>")),
    ),
    "empty answer": Row(
        *("ErrorSessionProtocol", "open", "empty"),
        server=BASIC,
        given=PLAIN,
        faults=always("create", Http(200)),
    ),
    # Remote shells
    "no remote shells": Row(
        *("ErrorConfigurationNotFound", "open", "2150858811"),
        server={**NTLM, "cmd_enabled": False},
        given={"scheme": "winrs"},
    ),
    "no remote shell for a stranger": Row(
        *("ErrorLogonFailed", "logon", "password"),
        given={"scheme": "winrs"},
        password="no",
    ),
    "remote shell, reset on create": Row(
        *("ErrorSessionOpen", "open", "closed the connection"),
        given={"scheme": "winrs"},
        faults=always("create", Reset()),
    ),
    "remote shell, a page": Row(
        *("ErrorSessionProtocol", "open", "not one"),
        server=BASIC,
        given={**PLAIN, "scheme": "winrs"},
        faults=always("create", Http(200, b"<html/>")),
    ),
}


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """No thread of ours outlives what it was started for."""
    before = set(threading.enumerate())
    yield
    wait_until(
        lambda: (
            not [
                each
                for each in threading.enumerate()
                if each.name == "psexport-http" and each not in before
            ]
        )
    )


def reach(row: Row, server: WsmanServer, certificates: Certificates) -> Any:
    given: dict[str, Any] = {"Authentication": "NTLM", **row.given}
    if row.tls and given.get("scheme") != "winrm":
        given.setdefault("CAFile", str(certificates.authority))
    if "certificate" in given:
        pair: Pair = getattr(certificates, given.pop("certificate"))
        given |= {"Authentication": "Certificate", "user": None}
        given["CertificatePem"] = str(pair.certificate_file)
        given["CertificateKeyPem"] = str(pair.key_file)
    given = {name: value for name, value in given.items() if value is not None}
    if row.given.get("certificate"):
        given["user"] = None
    return spec(server, **given)


def carry(row: Row, certificates: Certificates, **more: Any) -> WsmanServer:
    tls = None
    if row.tls:
        pair: Pair = getattr(certificates, row.tls)
        tls = ServerTls(pair.certificate_file, pair.key_file, certificates.authority)
    return WsmanServer(**{**row.server, **more}, tls=tls, faults=row.faults)


def check(error: PSExportError, row: Row) -> None:
    assert error.id == row.id, error
    assert getattr(error, "phase", "") in row.phase.split("/"), error
    assert row.words in error.message
    assert error.target
    assert error.hint
    assert "\n" not in error.message
    assert "  " not in error.message


@pytest.mark.parametrize("row", OPENING.values(), ids=OPENING)
@pytest.mark.usefixtures("nothing_left")
def test_opening(row: Row, certificates: Certificates) -> None:
    with carry(row, certificates) as server:
        begun = time.monotonic()
        with pytest.raises(TransportError) as caught:
            connect(reach(row, server, certificates), row.password, row.limits)
        assert time.monotonic() - begun < row.limits.open + row.limits.close + 2
        check(caught.value, row)
        assert not server.open_shells
        if row.id == "ErrorLogonFailed":
            # Each wrong password counts, and too many lock an account.
            tried = [each for each in server.exchanges if each.header("Authorization")]
            assert len(tried) <= 4


def test_the_table_is_long_enough() -> None:
    assert len(OPENING) + len(RUNNING) >= 40


REFUSED_HERE: dict[str, tuple[dict[str, Any], str]] = {
    "Basic in the clear": ({"Authentication": "Basic"}, "ErrorEncryptionRequired"),
    "nobody": ({"Authentication": "NTLM", "user": None}, "ErrorCredentialMissing"),
    "no password": ({"Authentication": "NTLM"}, "ErrorPasswordMissing"),
}


def test_an_empty_password_is_none() -> None:
    with WsmanServer(**NTLM) as server:
        with pytest.raises(UsageError) as caught:
            connect(spec(server, Authentication="NTLM"), "")
        assert caught.value.id == "ErrorPasswordMissing"


@pytest.mark.parametrize("kind", ["winrm", "winrs"])
@pytest.mark.parametrize("row", REFUSED_HERE.values(), ids=REFUSED_HERE)
def test_what_is_not_even_tried(kind: str, row: tuple[dict[str, Any], str]) -> None:
    given, id = row
    with WsmanServer(auth=["basic", "ntlm"], allow_unencrypted=True) as server:
        with pytest.raises(UsageError) as caught:
            connect(spec(server, kind=kind, **given), None)
        assert caught.value.id == id
        assert not [each for each in server.exchanges if each.header("Authorization")]


@pytest.mark.parametrize(
    ("settings", "id", "words"),
    [
        ({"refuse": 403}, "ErrorProxy", "403"),
        ({"refuse": 502}, "ErrorProxy", "502"),
        ({"user": "me", "password": "mine"}, "ErrorProxy", "password"),
        ({"cut_after": 100}, "ErrorSessionOpen", "closed the connection"),
    ],
    ids=str,
)
def test_proxies_that_say_no(
    settings: dict[str, Any], id: str, words: str, certificates: Certificates
) -> None:
    row = Row(id, "", words, tls="server")
    with carry(row, certificates) as server, Proxy(**settings) as proxy:
        where = reach(
            Row(id, "", words, tls="server", given={"ProxyUri": proxy.url}),
            server,
            certificates,
        )
        with pytest.raises(TransportError) as caught:
            connect(where)
        assert caught.value.id == id
        assert words in caught.value.message


# Kerberos


@pytest.mark.parametrize(
    ("have", "words"),
    [
        ("nothing", "no Kerberos ticket"),
        ("wrong password", "password is wrong"),
        ("unknown user", "no such user"),
        ("expired", "expired"),
        ("unknown service", "no such host"),
        ("no such keytab", "keytab"),
    ],
)
def test_kerberos_that_fails(
    have: str, words: str, realm: Realm, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {"Authentication": "Kerberos", "user": None}
    password, cache = "", "no-such-cache"
    match have:
        case "wrong password":
            given["user"], password = realm.principal, "no"
        case "unknown user":
            given["user"], password = "nobody@PSEXPORT.TEST", USER_PASSWORD
        case "expired":
            realm.ticket("expired", "-l", "1s")
            cache = "expired"
            time.sleep(1.1)
        case "unknown service":
            realm.ticket("cache")
            cache, given["ServicePrincipalName"] = "cache", "HTTP/nowhere.psexport.test"
        case "no such keytab":
            given["user"] = realm.principal
            given["KeytabFile"] = str(realm.folder / "none")
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{realm.folder / cache}")
    with WsmanServer(auth=["kerberos"]) as server:
        with pytest.raises(TransportError) as caught:
            connect(spec(server, **given), password)
        assert caught.value.phase == "logon"
        assert words in caught.value.message
        assert caught.value.hint


# Later


RUNNING = {
    "command reset": Row(
        *("ErrorSessionBroken", "run", "closed the connection"),
        faults=(Fault("command", Reset()),),
    ),
    "command reset, done": Row(
        *("ErrorSessionBroken", "run", "closed the connection"),
        faults=(Fault("command", Reset(after=True)),),
    ),
    "no room for commands": Row(
        *("ErrorHostQuota", "run", "2150859174"),
        faults=always("command", Wsman(2150859174)),
    ),
    "logon forgotten": Row(
        *("ErrorSessionBroken", "run", "forgotten the logon"),
        faults=(Fault("command", Http(401)),),
    ),
    "host process dies": Row(
        *("ErrorSessionBroken", "run", "ended unexpectedly"),
        faults=(Fault("command", HostDies()),),
    ),
    "reboot": Row(
        *("ErrorSessionBroken", "run", "restarted"),
        faults=(Fault("receive", Reboot(), nth=3),),
    ),
    "shell gone": Row(
        *("ErrorSessionBroken", "run", "no more"),
        faults=(Fault("receive", Wsman(2150858843), nth=3, times=None),),
    ),
    "disconnected": Row(
        *("ErrorSessionBroken", "run", "disconnected"),
        faults=(Fault("receive", Wsman(2150859204), nth=3, times=None),),
    ),
    "answer too large": Row(
        *("ErrorMessageTooLarge", "run", "larger"),
        faults=(Fault("receive", Wsman(2150858790), nth=3, times=None),),
    ),
    "answer lost": Row(
        *("ErrorSessionBroken", "run", "may be lost"),
        faults=(Fault("receive", Reset(after=True), nth=3),),
    ),
    "half an answer lost": Row(
        *("ErrorSessionBroken", "run", "may be lost"),
        faults=(Fault("receive", Half(), nth=3),),
    ),
    "silence": Row(
        *("ErrorSessionTimeout", "run", "nothing was heard"),
        faults=(Fault("receive", Stall(), nth=3, times=None),),
        limits=Limits(open=30, silence=1, close=2),
    ),
    "remote shell, silence": Row(
        *("ErrorSessionTimeout", "run", "nothing was heard"),
        given={"scheme": "winrs"},
        faults=(Fault("receive", Stall(), times=None),),
        limits=Limits(open=30, silence=2, close=2),
    ),
    "remote shell gone": Row(
        *("ErrorSessionBroken", "run", "no more"),
        given={"scheme": "winrs"},
        faults=always("receive", Wsman(2150858843)),
    ),
    "remote shell, process dies": Row(
        *("ErrorSessionBroken", "run", "did not run the script"),
        given={"scheme": "winrs"},
        faults=(Fault("receive", HostDies()),),
    ),
    "remote shell, reset": Row(
        *("ErrorSessionBroken", "run", "closed the connection"),
        given={"scheme": "winrs"},
        faults=always("receive", Reset()),
    ),
}

#: Says something, then more: a lost answer is seen by what comes after it.
TALK = "1..5 | ForEach-Object { $_; [Threading.Thread]::Sleep(100) }"


@pytest.mark.engine
@pytest.mark.parametrize("row", RUNNING.values(), ids=RUNNING)
@pytest.mark.usefixtures("nothing_left")
def test_running(
    row: Row, certificates: Certificates, pwsh: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "RECOVERY", 1.0)
    with carry(row, certificates, pwsh=pwsh) as server:
        where = reach(row, server, certificates)
        with connect(where, row.password, row.limits) as session:
            with pytest.raises(TransportError) as caught:
                ask(session, Script(TALK))
            check(caught.value, row)
        assert not server.open_shells
        if row.id != "ErrorHostQuota":
            assert server.operations.count("Command") == 1


SURVIVED: dict[str, tuple[Fault, ...]] = {
    "create answered, then dropped": (Fault("create", Drop()),),
    "slow": (Fault("create", Stall(0.3)), Fault("receive", Stall(0.3), nth=3)),
    "command answered, then dropped": (Fault("command", Drop()),),
    "receive reset": (Fault("receive", Reset(), nth=3),),
    "receive reset twice": (Fault("receive", Reset(), nth=3, times=2),),
    "receive gave up": (Fault("receive", Wsman(2150858793), nth=2, times=3),),
    "signal reset": (Fault("signal", Reset(), times=None),),
    "signal refused": (Fault("signal", Wsman(5), times=None),),
    "delete reset": (Fault("delete", Reset()),),
}


@pytest.mark.engine
@pytest.mark.parametrize(
    ("kind", "faults"),
    [
        *((kind, faults) for faults in SURVIVED.values() for kind in ("ntlm", "basic")),
        ("ntlm", (Fault("receive", Http(401), nth=3),)),  # the logon is forgotten
    ],
    ids=str,
)
@pytest.mark.usefixtures("nothing_left")
def test_survived(kind: str, faults: tuple[Fault, ...], pwsh: str) -> None:
    sealed = kind == "ntlm"
    row = Row("", "", "", server=NTLM if sealed else BASIC, faults=faults)
    with WsmanServer(pwsh=pwsh, **row.server, faults=faults) as server:
        given = {"Authentication": "NTLM"} if sealed else PLAIN
        with connect(spec(server, **given)) as session:
            records = ask(session, Script(TALK))
            assert output(records) == [b"<I32>%d</I32>" % n for n in range(1, 6)]
            assert records[-1].state is PipelineState.COMPLETED
        assert not server.open_shells
        assert server.operations.count("Create") == 1
        assert server.operations.count("Command") == 1


@pytest.mark.engine
@pytest.mark.parametrize("kind", ["winrm", "winrs"])
def test_idle_connections_that_the_host_closes(kind: str, pwsh: str) -> None:
    with WsmanServer(pwsh=pwsh, auth=["ntlm"], idle_connection=0.2) as server:
        with connect(spec(server, kind=kind, Authentication="NTLM")) as session:
            for _ in range(2):
                wait_until(lambda: not server.connections)
                assert output(ask(session, Script("1"))) == [b"<I32>1</I32>"]
        assert not server.open_shells


@pytest.mark.engine
@pytest.mark.parametrize("kind", ["winrm", "winrs"])
@pytest.mark.parametrize(
    ("effect", "seconds"),
    [(Reset(after=True), 30), (Half(), 30), (Stall(1.5, stubborn=True), 1)],
)
def test_a_shell_whose_birth_went_unheard_is_removed(
    kind: str, effect: Effect, seconds: float, pwsh: str
) -> None:
    """Also if it is born only after nobody waited for it any more."""
    faults = (Fault("create", effect),)
    with WsmanServer(pwsh=pwsh, auth=["ntlm"], faults=faults) as server:
        where = spec(server, kind=kind, Authentication="NTLM")
        with pytest.raises(TransportError):
            connect(where, limits=Limits(open=seconds, silence=30, close=10))
        last = next(e for e in reversed(server.exchanges) if e.operation == "Delete")
        assert last.status == 200  # there was something to delete
        assert not server.open_shells


@pytest.mark.engine
def test_opening_that_fails_halfway_leaves_no_shell(pwsh: str) -> None:
    for effect in (Wsman(1726), Stall(), Http(200, b"x")):
        faults = always("receive", effect)
        with WsmanServer(pwsh=pwsh, auth=["ntlm"], faults=faults) as server:
            limits = Limits(open=2, silence=2, close=2)
            with pytest.raises(TransportError):
                connect(spec(server, Authentication="NTLM"), limits=limits)
            assert not server.open_shells


@pytest.mark.engine
def test_envelopes_are_as_small_as_the_host_wants_them(pwsh: str) -> None:
    limits = HostLimits(max_envelope_kb=20)
    with WsmanServer(pwsh=pwsh, auth=["ntlm"], limits=limits) as server:
        with connect(spec(server, Authentication="NTLM")) as session:
            script = Script("param($T) $T.Length", (("T", "x" * 200_000),))
            assert output(ask(session, script)) == [b"<I32>200000</I32>"]
        assert "Get" in server.operations
        assert not server.open_shells


@pytest.mark.engine
def test_commands_wait_for_room(pwsh: str) -> None:
    limits = HostLimits(max_commands_per_shell=1)
    with WsmanServer(pwsh=pwsh, auth=["ntlm"], limits=limits) as server:
        with connect(spec(server, Authentication="NTLM")) as session:
            said: list[bytes] = []

            def run() -> None:
                said.extend(output(ask(session, Script(TALK))))

            threads = [threading.Thread(target=run) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert len(said) == 10
        assert not server.open_shells


@pytest.mark.engine
@pytest.mark.parametrize("kind", ["winrm", "winrms", "winrs"])
def test_redirections_that_are_allowed(
    kind: str, pwsh: str, tls: ServerTls, certificates: Certificates
) -> None:
    """Also from http, which is where Exchange sends them from."""
    with WsmanServer(pwsh=pwsh, auth=["ntlm"], tls=tls) as there:
        faults = always("auth", Redirect(there.url))
        first = tls if kind == "winrms" else None
        with WsmanServer(auth=["ntlm"], tls=first, faults=faults) as here:
            where = spec(
                here,
                scheme=kind,
                Authentication="NTLM",
                AllowRedirection=True,
                CAFile=str(certificates.authority),
            )
            with connect(where) as session:
                assert output(ask(session, Script("1"))) == [b"<I32>1</I32>"]
            assert here.operations == []
            assert not there.open_shells


def test_a_host_that_trickles_is_given_up(free_socket: Callable[[], Any]) -> None:
    with ExitStack() as stack:
        listener = stack.enter_context(free_socket())
        port = listener.getsockname()[1]
        stop = threading.Event()

        def trickle() -> None:
            made, _ = listener.accept()
            with made:
                made.recv(65536)
                made.sendall(b"HTTP/1.1 200 OK\r\n")
                for n in range(1000):
                    if stop.wait(0.05):
                        return
                    try:
                        made.sendall(b"X-%d: y\r\n" % n if n < 90 else b"x")
                    except OSError:
                        return

        thread = threading.Thread(target=trickle)
        thread.start()
        stack.callback(thread.join)
        stack.callback(stop.set)
        from psexport.connection import parse

        where = parse(f"winrm://me@127.0.0.1:{port}", {"Authentication": "NTLM"})
        begun = time.monotonic()
        with pytest.raises(TransportError) as caught:
            connect(where, "x", Limits(open=1, silence=1, close=1))
        assert caught.value.id == "ErrorSessionTimeout"
        assert time.monotonic() - begun < 4


@pytest.fixture
def free_socket() -> Callable[[], Any]:
    import socket

    return lambda: socket.create_server(("127.0.0.1", 0))
