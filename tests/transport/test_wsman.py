"""Sessions over WSMan: answers, ends, secrets; and what is read without a host."""

from __future__ import annotations

import base64
import itertools
import logging
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
import traceback
from pathlib import Path
from typing import Any

import pytest

import psexport
from psexport.connection import Connection, parse
from psexport.errors import PSExportError, TransportError, UsageError
from psexport.secret import Secret
from psexport.transport import logon, tls, wsman, wsman_faults
from psexport.transport.base import Call, Commands, PipelineState, Script, Stream
from psexport.transport.continuity import Continuity
from psexport.transport.wire import Wire
from servers.certificates import KEY_PASSWORD, Certificates
from windows_host import PATIENT, ask, connect, output, spec
from wsman_server import ADMIN, UNICODE_USER, ServerTls, WsmanServer
from wsman_server.clients import alive, basic_server, wait_until

engine = pytest.mark.engine
NTLM = {"Authentication": "NTLM"}
FOREVER = "1; while ($true) { [Threading.Thread]::Sleep(50) }"
TESTS = Path(__file__).parents[1]


# Answers


@engine
def test_records_come_as_they_are_said(pwsh: str) -> None:
    with WsmanServer(pwsh=pwsh, auth=["ntlm"]) as server:
        with connect(spec(server, **NTLM)) as session:
            records = ask(
                session,
                Script(
                    "param($A) $A; Write-Error e; Write-Warning w; 'x' * 300kb;"
                    "throw 'no'",
                    (("A", "‘ü’ $(1)"),),
                ),
            )
            assert [each.stream for each in records] == [
                *(Stream.OUTPUT, Stream.ERROR, Stream.WARNING),
                *(Stream.OUTPUT, Stream.STATE),
            ]
            assert records[0].data == "<S>‘ü’ $(1)</S>".encode()
            assert len(records[3].data) == 300 * 1024 + 7
            assert records[-1].state is PipelineState.FAILED
            assert b">no<" in records[-1].data
            told = session.greeting
            assert b"PSVersionTable" in told.private_data
            said = ask(session, Script("$PSSenderInfo.ApplicationArguments.ClientName"))
            assert output(said) == [b"<S>psexport</S>"]
        with pytest.raises(TransportError) as caught:
            session.ask(Commands((Call("Get-Date"),)))
        assert caught.value.id == "ErrorSessionBroken"
        session.close()


@engine
def test_answers_at_the_same_time(pwsh: str) -> None:
    with WsmanServer(pwsh=pwsh, auth=["ntlm"]) as server:
        with connect(spec(server, **NTLM)) as session:
            assert session.greeting.runspaces == 3
            answers = [
                session.ask(Script(f"{n}; [Threading.Thread]::Sleep(300); {n}"))
                for n in range(3)
            ]
            begun = time.monotonic()
            for n, answer in enumerate(answers):
                assert output(list(answer)) == [b"<I32>%d</I32>" % n] * 2
            assert time.monotonic() - begun < 0.9 * 3
        assert not server.open_shells


@engine
def test_an_answer_that_is_left_is_stopped(pwsh: str) -> None:
    with (
        WsmanServer(pwsh=pwsh, auth=["ntlm"]) as server,
        connect(spec(server, **NTLM)) as session,
    ):
        with session.ask(Script(FOREVER)) as answer:
            for record in answer:
                assert record.data == b"<I32>1</I32>"
                break
        assert list(answer) == []
        (shell,) = server.open_shells
        assert not shell.commands
        assert output(ask(session, Script("2"))) == [b"<I32>2</I32>"]


@engine
def test_another_thread_stops_an_answer(pwsh: str) -> None:
    with WsmanServer(pwsh=pwsh, auth=["ntlm"]) as server:
        with connect(spec(server, **NTLM)) as session:
            answer = session.ask(Script(FOREVER))
            threading.Timer(0.2, answer.stop).start()
            records = list(answer)
            assert records[-1].state is PipelineState.STOPPED
        assert not server.open_shells


@engine
def test_a_session_that_is_closed_ends_its_answers(pwsh: str) -> None:
    with WsmanServer(pwsh=pwsh, auth=["ntlm"]) as server:
        session = connect(spec(server, **NTLM))
        answer = session.ask(Script(FOREVER))
        threading.Timer(0.2, session.close).start()
        with pytest.raises(TransportError) as caught:
            list(answer)
        assert caught.value.id == "ErrorSessionBroken"
        wait_until(lambda: not server.open_shells)


@engine
@pytest.mark.parametrize("kind", ["winrm", "winrs"])
def test_ctrl_c_leaves_nothing_on_the_host(kind: str, pwsh: str) -> None:
    script = """
        import sys
        from psexport.transport.base import Script
        from psexport.connection import parse
        from psexport.transport import connect
        with connect(parse(sys.argv[1], {"Authentication": "NTLM"})) as session:
            with session.ask(Script(sys.argv[2])) as answer:
                for record in answer:
                    print("begun", flush=True)
    """
    with WsmanServer(pwsh=pwsh, auth=["ntlm"]) as server:
        process = subprocess.Popen(
            [
                *(sys.executable, "-c", textwrap.dedent(script)),
                *(f"{kind}://{ADMIN.name}@localhost:{server.port}", FOREVER),
            ],
            env={**os.environ, "PSEXPORT_PASSWORD": ADMIN.password},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        with process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"begun\n"
            pids = [pid for shell in server.open_shells for pid in shell.process_ids]
            # Nor does it see the password in the list of processes.
            listed = Path(f"/proc/{process.pid}/cmdline").read_bytes()
            assert ADMIN.password.encode() not in listed
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=20)
        assert b"KeyboardInterrupt" in errors
        assert not server.open_shells
        wait_until(lambda: not any(map(alive, pids)))


# Secrets


def spelled(secret: str) -> list[bytes]:
    """A secret in whichever form it could be found somewhere."""
    raw = [secret.encode(encoding) for encoding in ("utf-8", "utf-16-le")]
    both = [f"{ADMIN.name}:{secret}".encode(), *raw]
    coded = [base64.b64encode(each) for each in both]
    return [*raw, *coded, secret.encode().hex().encode()]


@engine
@pytest.mark.parametrize("auth", ["basic", "ntlm", "credssp"])
@pytest.mark.parametrize("right", [True, False], ids=["right", "wrong"])
def test_the_password_is_nowhere(
    auth: Any,
    right: bool,
    pwsh: str,
    caplog: pytest.LogCaptureFixture,
    tls: ServerTls,
    certificates: Certificates,
) -> None:
    caplog.set_level(logging.DEBUG)
    password = ADMIN.password if right else "Wr0ng-Passphrase-9"
    found = [ADMIN.name]
    with WsmanServer(pwsh=pwsh, auth=[auth], tls=tls) as server:
        where = spec(server, Authentication=auth, CAFile=str(certificates.authority))
        try:
            with connect(where, password) as session:
                found += [repr(vars(session)), repr(session)]
                answer = session.ask(Script("[bad"))
                found += [repr(each) for each in answer]
                found.append(repr(answer))
        except PSExportError as error:
            trace = traceback.TracebackException.from_exception(
                error, capture_locals=True
            )
            home = str(Path(psexport.__file__).parent)
            ours = [each for each in trace.stack if each.filename.startswith(home)]
            found += [str(each.locals) for each in ours]
            found += [str(trace), repr(error), repr(vars(error))]
        assert right == any("Stream.STATE" in each for each in found)
    found += [each.getMessage() for each in caplog.records]
    found += [str(vars(each)) for each in caplog.records if auth != "credssp"]
    everything = "\n".join(found).encode()
    for form in spelled(password):
        assert form not in everything


def test_a_wire_shows_no_secret() -> None:
    connection = parse("winrms://me@server01")
    wire = Wire(connection, Secret(lambda: "hush-hush"))
    assert "hush" not in repr(vars(wire))
    assert "hush" not in repr(connection)


# Logging on


def test_what_challenges_say() -> None:
    assert logon.offers(
        ["Negotiate, Kerberos", 'Basic realm="WSMAN, of course"', "CredSSP AAE="]
    ) == {"negotiate": b"", "kerberos": b"", "basic": b"", "credssp": b"\0\1"}
    assert logon.offers(["Negotiate", "negotiate AA=="]) == {"negotiate": b"\0"}
    assert logon.offers(["", ",,,", "=?", "Negotiate !!"]) == {"negotiate": b""}


@engine
def test_names_and_passwords_beyond_ascii(pwsh: str) -> None:
    logons: list[tuple[Any, dict[str, Any]]] = [
        ("basic", {"Authentication": "Basic", "NoEncryption": True}),
        ("ntlm", NTLM),
    ]
    for auth, given in logons:
        with WsmanServer(pwsh=pwsh, auth=[auth], allow_unencrypted=True) as server:
            where = spec(server, user=UNICODE_USER.name, **given)
            with connect(where, UNICODE_USER.password) as session:
                assert output(ask(session, Script("1"))) == [b"<I32>1</I32>"]


def test_old_hosts_read_passwords_in_latin_1() -> None:
    connection = parse("winrms://jürgen@h", {"Authentication": "Basic"})
    secret = Secret(lambda: "Grüße")
    assert logon.has_other_spelling(connection, secret)
    assert not logon.has_other_spelling(
        parse("winrms://me@h", {"Authentication": "Basic"}), Secret(lambda: "x")
    )
    header = logon.header(connection, secret, "latin-1")
    assert base64.b64decode(header.split()[1]) == "jürgen:Grüße".encode("latin-1")


def test_without_kerberos_it_is_said_what_to_install() -> None:
    connection = parse("winrm://h", {"Authentication": "Kerberos"})
    error = logon.failed(
        connection,
        ImportError("GSSAPIProxy requires the Python gssapi library: No module"),
    )
    assert error.id == "ErrorAuthenticationUnavailable"
    assert "psexport[kerberos]" in (error.hint or "")


def test_what_is_not_safe_is_told() -> None:
    def told(**given: Any) -> str:
        scheme = "winrm" if "NoEncryption" in given else "winrms"
        return " ".join(logon.warnings(parse(f"{scheme}://h", given)))

    assert told() == ""
    assert "issued" in told(SkipCACheck=True)
    assert "is for that name" in told(SkipCNCheck=True)
    assert "not encrypted" in told(NoEncryption=True)
    # Where http only sends one on, nothing of TLS was left out yet.
    plain = {"AllowRedirection": True, "SkipCACheck": True, "SkipCNCheck": True}
    assert logon.warnings(parse("winrm://h", plain)) == ()


@pytest.mark.skipif(os.name != "posix", reason="needs permissions of POSIX")
def test_a_password_that_others_can_read_is_told(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("x")
    where = parse("winrm://me@h", {"PasswordFile": file})
    file.chmod(0o644)
    assert "chmod 600" in " ".join(logon.warnings(where))
    file.chmod(0o600)
    assert logon.warnings(where) == ()


def test_of_what_gssapi_says_what_matters_is_shown() -> None:
    error = logon.failed(
        parse("winrm://h"),
        Exception(
            "SpnegoError (1): Major (851968): Unspecified GSS failure. Minor code may "
            "provide more information, Minor (2529638944): Ticket expired, Context: x"
        ),
    )
    assert error.message.endswith("has expired (Ticket expired)")


@engine
@pytest.mark.parametrize(
    ("certificate", "given"),
    [
        ("self_signed", {"SkipCACheck": True}),
        ("expired", {"SkipCACheck": True, "SkipCNCheck": True}),
        ("wrong_name", {"SkipCNCheck": True, "CAFile": True}),
    ],
)
def test_checks_that_are_skipped(
    certificate: str, given: dict[str, Any], pwsh: str, certificates: Certificates
) -> None:
    pair = getattr(certificates, certificate)
    if "CAFile" in given:
        given = {**given, "CAFile": str(certificates.authority)}
    serving = ServerTls(pair.certificate_file, pair.key_file)
    with (
        WsmanServer(pwsh=pwsh, auth=["ntlm"], tls=serving) as server,
        connect(spec(server, **NTLM, **given)) as session,
    ):
        assert session.greeting.warnings


# TLS


@pytest.mark.parametrize(
    ("pattern", "host", "matches"),
    [
        ("a.example", "a.example", True),
        ("*.example", "a.example", True),
        ("*.example", "b.a.example", False),
        ("*.example", "example", False),
        ("*", "example", False),
        ("a*.example", "ab.example", False),
        ("*.", "a", False),
    ],
)
def test_names_of_certificates(pattern: str, host: str, matches: bool) -> None:
    assert tls._covers(pattern, host) == matches


def test_client_certificates(certificates: Certificates) -> None:
    def load(key: Path, password: str | None) -> None:
        connection = parse(
            "winrms://h",
            {
                "CertificatePem": str(certificates.client_locked.certificate_file),
                "CertificateKeyPem": str(key),
            },
        )
        tls.context(connection, Secret(lambda: password))

    load(certificates.client.key_file, None)
    load(certificates.client_locked.key_file, KEY_PASSWORD)
    for key, password, id in (
        (certificates.client_locked.key_file, "wrong", "ErrorCertificateUnreadable"),
        (certificates.client_locked.key_file, None, "ErrorPasswordMissing"),
        (certificates.server.key_file, None, "ErrorCertificateUnreadable"),
        (Path("nowhere"), None, "ErrorCertificateUnreadable"),
    ):
        with pytest.raises(UsageError) as caught:
            load(key, password)
        assert caught.value.id == id


def test_the_key_for_authorities_is_a_file_of_them(tmp_path: Path) -> None:
    file = tmp_path / "none.pem"
    for content in (None, "", "nonsense"):
        if content is not None:
            file.write_text(content)
        connection = parse("winrms://h", {"CAFile": str(file)})
        with pytest.raises(UsageError) as caught:
            tls.context(connection, Secret())
        assert caught.value.id == "ErrorCertificateUnreadable"


# Faults

FAULT = (
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><s:Fault>'
    "<s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>w:{0}</s:Value>"
    "</s:Subcode></s:Code><s:Reason><s:Text>said</s:Text></s:Reason>"
    "<s:Detail>{1}</s:Detail></s:Fault></s:Body></s:Envelope>"
)
WSMAN = (
    '<f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" '
    'Code="{}"><f:Message>no &#10;  luck</f:Message></f:WSManFault>'
)


@pytest.mark.parametrize(
    ("subcode", "detail", "code", "text", "id"),
    [
        ("AccessDenied", WSMAN.format(5), 5, "no luck", "ErrorAccessDenied"),
        ("AccessDenied", "", None, "said", "ErrorAccessDenied"),
        ("QuotaLimit", "", None, "said", "ErrorHostQuota"),
        ("Odd", WSMAN.format("x"), None, "no luck", "ErrorSessionBroken"),
        ("Odd", WSMAN.format("9" * 30), None, "no luck", "ErrorSessionBroken"),
        ("Odd", "", None, "said", "ErrorSessionBroken"),
    ],
)
def test_faults(subcode: str, detail: str, code: Any, text: str, id: str) -> None:
    fault = wsman_faults.read(FAULT.format(subcode, detail).encode())
    assert fault is not None
    assert (fault.code, fault.text) == (code, text)
    error = wsman_faults.explain(fault, parse("winrm://h"), "run")
    assert (error.id, error.target) == (id, "h")
    assert error.hint


def test_what_is_no_fault() -> None:
    for body in (b"", b"x", b"<a", b"<a/>", FAULT.replace("Fault", "F").encode()):
        assert wsman_faults.read(body) is None
    bomb = b'<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]>' + FAULT.encode()
    fault = wsman_faults.read(bomb.replace(b"said", b"&c;"))
    assert fault is None or fault.text == ""


RECORDINGS = Path(__file__).parents[3] / "shared" / "recordings" / "windows-wsman"


def test_the_faults_of_windows() -> None:
    if not RECORDINGS.is_dir():
        pytest.skip("the recordings of Windows hosts are not beside the repository")
    seen = {}
    for file in RECORDINGS.glob("*.yml"):
        for body in re.findall(r"<s:Envelope.*?</s:Envelope>", file.read_text("utf-8")):
            fault = wsman_faults.read(body.encode())
            if fault is not None:
                seen[fault.code] = fault
                assert fault.text
    assert {2150858793, 2150858843, 5} & set(seen)


@pytest.mark.parametrize("fault", sorted(wsman_faults._MEANINGS))
def test_each_known_fault_says_what_to_do(fault: int) -> None:
    error = wsman_faults.explain(
        wsman_faults.Fault(fault, "", "x"), parse("winrm://server01"), "open"
    )
    assert str(fault) in error.message
    assert error.hint
    assert "{" not in error.message + error.hint


# Numbers


def fragment(object: int, number: int = 0, data: bytes = b"x") -> bytes:
    head = object.to_bytes(8, "big") + number.to_bytes(8, "big") + b"\3"
    return head + len(data).to_bytes(4, "big") + data


def test_a_gap_is_seen() -> None:
    heard = Continuity()
    heard.heard(fragment(1) + fragment(2, 0, b"long") + fragment(3))
    assert heard.follows(fragment(4))
    assert heard.follows(fragment(3, 1))
    assert not heard.follows(fragment(5))
    assert not heard.follows(fragment(4, 1))
    assert not heard.follows(b"")
    heard.heard(fragment(4)[:-1])
    assert not heard.follows(fragment(5))


# Addresses


@pytest.mark.parametrize(
    ("session", "given", "endpoint"),
    [
        ("winrm://server01", {}, "http://server01:5985/wsman"),
        ("winrms://[::1]", {}, "https://[::1]:5986/wsman"),
        ("winrms://[fe80::1%25eth0]", {}, "https://[fe80::1]:5986/wsman"),
        ("winrm://h/PowerShell/", {}, "http://h:5985/PowerShell/"),
        ("winrm://h/a%20b", {}, "http://h:5985/a%20b"),
        ("winrm://bücher.example", {}, "http://xn--bcher-kva.example:5985/wsman"),
        (None, {"ConnectionUri": "https://h/p/?a=b&c"}, "https://h/p/?a=b&c"),
    ],
)
def test_endpoints(session: str | None, given: dict[str, Any], endpoint: str) -> None:
    assert Wire(parse(session, given), Secret()).endpoint == endpoint


def test_a_query_of_the_host_stays_in_the_address() -> None:
    with basic_server() as server:
        uri = f"{server.url}?SerializationLevel=Full"
        connection: Connection = parse(
            None,
            {
                "ConnectionUri": uri,
                "Credential": ADMIN.name,
                "Authentication": "Basic",
                "NoEncryption": True,
            },
        )
        with pytest.raises(TransportError):
            connect(connection)
        assert server.exchanges
        assert all("?SerializationLevel=Full" in each.path for each in server.exchanges)


def test_what_pipes_are_left_by_refused_sessions() -> None:
    """Descriptors are not left either."""
    with WsmanServer(auth=["ntlm"]) as server:

        def count() -> int:
            return len(list(Path("/proc/self/fd").iterdir()))

        counts = []
        for _ in itertools.repeat(None, 6):
            with pytest.raises(TransportError):
                connect(spec(server, **NTLM), "no")
            wait_until(lambda: not server.connections)
            counts.append(count())
        assert counts[-1] <= counts[0]


@pytest.mark.parametrize("kind", ["winrm", "winrs"])
def test_a_person_is_asked_by_the_caller_and_may_take_time(kind: str) -> None:
    """So Ctrl-C finds the terminal, and no time-out of the host runs meanwhile."""
    from psexport.transport import connect
    from psexport.transport.base import Limits

    asked: list[threading.Thread] = []

    def prompt(question: str) -> str:
        asked.append(threading.current_thread())
        time.sleep(1.2)
        return "wrong"

    with WsmanServer(auth=["ntlm"]) as server:
        where = spec(server, kind=kind, **NTLM)
        with pytest.raises(TransportError) as caught:
            connect(where, limits=Limits(open=1, silence=1, close=1), prompt=prompt)
    assert caught.value.id == "ErrorLogonFailed"
    assert asked == [threading.current_thread()]


def test_what_the_prompt_says_is_not_put_down_to_the_host() -> None:
    def prompt(question: str) -> str:
        raise PSExportError("No password was typed", id="ErrorPasswordMissing")

    secret = Secret(lambda: prompt("?"))
    with (
        WsmanServer(auth=["ntlm"]) as server,
        pytest.raises(PSExportError) as caught,
    ):
        wsman.connect(spec(server, **NTLM), limits=PATIENT, secret=secret)
    assert caught.value.id == "ErrorPasswordMissing"
