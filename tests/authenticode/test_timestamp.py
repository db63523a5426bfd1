"""Time stamps by a real authority on loopback, and all the ways it can misbehave."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from asn1crypto import core, tsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from psexport.authenticode import (
    Signer,
    TimestampClient,
    Trust,
    sign_bytes,
    verify_bytes,
)
from psexport.authenticode.algorithms import SHA256
from psexport.authenticode.cms import BadSignatureError
from psexport.authenticode.der import MalformedError
from psexport.authenticode.net import SendError
from psexport.authenticode.timestamp import build_query, read_reply, read_token
from psexport.errors import PSExportError, UsageError

from . import pki
from .authority import Authority
from .conftest import signer_of
from .loopback import Answer, Request, serve

BODY = b"Get-Date\r\n"


@pytest.fixture
def authority(tmp_path: Path, tsa: pki.Identity) -> Authority:
    return Authority(tmp_path, tsa)


def client_of(*replies: bytes | SendError, **options: object) -> TimestampClient:
    """Return a client whose network is a list of answers."""
    left = list(replies)

    def sender(url, body, headers, timeout) -> bytes:
        reply = left.pop(0)
        if isinstance(reply, SendError):
            raise reply
        return reply

    options.setdefault("nonce", lambda: 1234567890123456789)
    options.setdefault("pause", lambda seconds: None)
    return TimestampClient(("http://tsa.test/",), sender, **options)


@pytest.mark.parametrize("algorithm", ["SHA256", "SHA384", "SHA512"])
def test_a_stamped_signature(
    algorithm: str, authority: Authority, signer: Signer, trust: Trust
) -> None:
    with serve(authority.answer) as server:
        client = TimestampClient((f"{server.url}/tsa",))
        signed = sign_bytes(BODY, "a.ps1", signer, algorithm, timestamp=client)
    found = verify_bytes(signed, "a.ps1", trust)
    assert found.valid, found.message
    assert found.timestamp is not None
    assert found.timestamp.authority.subject == "CN=Test Time Authority"
    assert abs(found.timestamp.time - pki.NOW) < timedelta(minutes=10)
    [request] = server.requests
    assert (request.method, request.path) == ("POST", "/tsa")
    query = tsp.TimeStampReq.load(request.body)
    assert query["cert_req"].native is True
    assert 0 <= query["nonce"].native < 2**64
    imprint = query["message_imprint"]["hash_algorithm"]["algorithm"].native
    assert imprint == algorithm.lower()


def test_a_query_is_to_the_byte() -> None:
    query = build_query(b"signature", SHA256, 0x0102030405060708)
    assert query.hex() == (
        "3043020101"
        "3031300d060960864801650304020105000420"
        + SHA256.of(b"signature").hex()
        + "02080102030405060708"
        + "0101ff"
    )


def test_over_https(
    authority: Authority,
    signer: Signer,
    trust: Trust,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(pki.NOW - pki.DAY)
        .not_valid_after(pki.NOW + pki.DAY)
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(True, None), critical=True)
        .sign(key, hashes.SHA256())
    )
    identity = pki.Identity(certificate, key)
    pki.write(tmp_path / "web.pem", identity.pem(key=True))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "web.pem")
    with serve(authority.answer, tls) as server:
        client = TimestampClient((server.url,), attempts=1)
        with pytest.raises(PSExportError, match="CERTIFICATE_VERIFY_FAILED"):
            sign_bytes(BODY, "a.ps1", signer, timestamp=client)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "web.pem"))
        signed = sign_bytes(BODY, "a.ps1", signer, timestamp=client)
    assert verify_bytes(signed, "a.ps1", trust).timestamp is not None


def test_servers_are_asked_in_turn(
    authority: Authority, signer: Signer, trust: Trust
) -> None:
    pauses: list[float] = []
    busy = [Answer(b"<html>busy</html>", 503)] * 2

    def answer(request: Request) -> Answer:
        return busy.pop() if busy else authority.answer(request)

    with (
        serve(lambda request: Answer(b"gone", 404)) as gone,
        serve(lambda request: Answer(b"not DER")) as strange,
        serve(answer) as slow,
    ):
        client = TimestampClient(
            ("http://127.0.0.1:9/", gone.url, strange.url, slow.url),
            pause=pauses.append,
        )
        signed = sign_bytes(BODY, "a.ps1", signer, timestamp=client)
    assert verify_bytes(signed, "a.ps1", trust).timestamp is not None
    counts = [len(each.requests) for each in (gone, strange, slow)]
    assert counts == [1, 1, 3]
    assert pauses == [1, 2, 1, 2]  # at the closed port, at the busy server


def test_redirections_are_not_followed(authority: Authority, signer: Signer) -> None:
    """To follow one would send what is for a server, such as a token, to another."""
    with serve(authority.answer) as other:
        moved = Answer(b"", 302, headers={"Location": other.url})
        with serve(lambda request: moved) as server:
            client = TimestampClient((server.url,))
            with pytest.raises(PSExportError, match=f"moved to {other.url}"):
                sign_bytes(BODY, "a.ps1", signer, timestamp=client)
    assert (len(server.requests), len(other.requests)) == (1, 0)


def test_an_error_that_is_cut_off(signer: Signer) -> None:
    cut = Answer(b"sorry", 404, headers={"Content-Length": "500"})
    with serve(lambda request: cut) as server:
        client = TimestampClient((server.url,))
        with pytest.raises(PSExportError, match="HTTP status 404"):
            sign_bytes(BODY, "a.ps1", signer, timestamp=client)


def test_no_server_answers(signer: Signer) -> None:
    with serve(lambda request: Answer(b"try later", 503)) as server:
        client = TimestampClient((server.url,), pause=lambda seconds: None)
        with pytest.raises(PSExportError) as caught:
            sign_bytes(BODY, "a.ps1", signer, timestamp=client)
    assert caught.value.id == "ErrorTimestampServer"
    assert "HTTP status 503: try later" in caught.value.message
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "server",
    [
        "",
        "tsa.test",
        "ftp://tsa.test/",
        "http://",
        "http://tsa.test:99999/",
        "http://[::1/",
        "http://tsä.test/",
        "http://user:password@tsa.test/",
    ],
)
def test_addresses_that_are_none(server: str) -> None:
    with pytest.raises(UsageError) as caught:
        TimestampClient((server,))
    assert caught.value.id == "ErrorTimestampServerAddress"


def refusal() -> bytes:
    status = {"status": "rejection", "status_string": ["closed today"]}
    return core.SequenceOf([tsp.PKIStatusInfo(status)], spec=tsp.PKIStatusInfo).dump()


def other(change: Callable[[tsp.TimeStampReq], None]) -> Callable:
    """Return an authority that answers another question than the one asked."""

    def reply(authority: Authority, query: bytes) -> bytes:
        asked = tsp.TimeStampReq.load(query)
        change(asked)
        return authority.reply(asked.dump(force=True))

    return reply


def with_nonce(asked: tsp.TimeStampReq) -> None:
    asked["nonce"] = 1


def with_imprint(asked: tsp.TimeStampReq) -> None:
    asked["message_imprint"]["hashed_message"] = core.OctetString(b"\1" * 32)


def without_certificate(asked: tsp.TimeStampReq) -> None:
    asked["cert_req"] = False


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (lambda authority, query: b"", "cannot be read"),
        (lambda authority, query: b"<html>", "cannot be read"),
        (lambda authority, query: refusal(), "refused: closed today"),
        (other(with_nonce), "another question"),
        (other(with_imprint), "another signature"),
        (other(without_certificate), "certificate is not in the signature"),
        (lambda authority, query: authority.reply(query)[:-1], "cannot be read"),
        (lambda authority, query: authority.reply(query) + b"\0", "cannot be read"),
        (
            lambda authority, query: authority.reply(query)[:-1] + b"\0",
            "not by the signer's key",
        ),
    ],
)
def test_answers_that_are_not_used(
    reply: Callable[[Authority, bytes], bytes],
    reason: str,
    authority: Authority,
    signer: Signer,
) -> None:
    def sender(url: str, body: bytes, headers: object, timeout: float) -> bytes:
        return reply(authority, body)

    client = TimestampClient(("http://tsa.test/",), sender)
    with pytest.raises(PSExportError) as caught:
        sign_bytes(BODY, "a.ps1", signer, timestamp=client)
    assert caught.value.id == "ErrorTimestampServer"
    assert reason in caught.value.message


def test_a_stamp_from_outside_of_the_signers_life(
    authority: Authority, intermediate: pki.Identity
) -> None:
    with serve(authority.answer) as server:
        future = pki.issue("Future", intermediate, begins=pki.NOW + pki.DAY)
        client = TimestampClient((server.url,))
        with pytest.raises(PSExportError, match="CN=Future is not valid"):
            sign_bytes(BODY, "a.ps1", signer_of(future), timestamp=client)


def test_a_stamp_of_an_authority_that_has_expired(
    tmp_path: Path, tsa_root: pki.Identity, signer: Signer
) -> None:
    ended = pki.NOW - timedelta(hours=1)
    expired = pki.issue("Old Clock", tsa_root, usages=(pki.STAMP,), ends=ended)
    with (
        serve(Authority(tmp_path, expired).answer) as server,
        pytest.raises(PSExportError, match="CN=Old Clock is not valid"),
    ):
        sign_bytes(BODY, "a.ps1", signer, timestamp=TimestampClient((server.url,)))


def test_an_answer_in_drops(signer: Signer) -> None:
    """Each drop is in time, all of them are not."""

    def drip() -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            connection.recv(4096)
            connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
            while not done.wait(0.02):
                connection.sendall(b"0")

    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        client = TimestampClient((url,), attempts=1, timeout=0.2)
        with pytest.raises(PSExportError, match="timed out"):
            sign_bytes(BODY, "a.ps1", signer, timestamp=client)
        done.set()
        thread.join()


def test_a_server_that_failed_is_asked_last(
    authority: Authority, signer: Signer
) -> None:
    with (
        serve(lambda request: Answer(b"gone", 404)) as gone,
        serve(authority.answer) as good,
    ):
        client = TimestampClient((gone.url, good.url))
        for _ in range(3):
            sign_bytes(BODY, "a.ps1", signer, timestamp=client)
    assert [len(each.requests) for each in (gone, good)] == [1, 3]


def test_a_token_is_for_one_signature(tmp_path: Path, tsa: pki.Identity) -> None:
    query = build_query(b"signature", SHA256, 7)
    token = read_reply(Authority(tmp_path, tsa).reply(query))
    assert read_token(token, b"signature").nonce == 7
    with pytest.raises(BadSignatureError, match="another signature"):
        read_token(token, b"another")


def test_the_old_way_of_naming_a_certificate(tmp_path: Path, tsa: pki.Identity) -> None:
    query = build_query(b"signature", SHA256, 7)
    reply = Authority(tmp_path, tsa, ess="sha1").reply(query)
    stamp = read_token(read_reply(reply), b"signature")
    assert stamp.authority == tsa.certificate


def test_a_twin_certificate_is_not_the_authority(
    tmp_path: Path, tsa: pki.Identity, tsa_root: pki.Identity
) -> None:
    """ESSCertID is there for this: same key, name and number, another certificate."""
    token = read_reply(
        Authority(tmp_path, tsa).reply(build_query(b"signature", SHA256, 7))
    )
    twin = (
        x509.CertificateBuilder()
        .subject_name(tsa.certificate.subject)
        .issuer_name(tsa.certificate.issuer)
        .public_key(tsa.key.public_key())
        .serial_number(tsa.certificate.serial_number)
        .not_valid_before(pki.NOW - 2 * pki.DAY)
        .not_valid_after(pki.NOW + pki.DAY)
        .add_extension(x509.ExtendedKeyUsage([pki.STAMP]), critical=True)
        .sign(tsa_root.key, hashes.SHA256())
    )
    from psexport.authenticode.asn1 import Asn1ContentInfo, Asn1Values

    outer = Asn1ContentInfo.load(token)
    outer["content"]["certificates"] = Asn1Values(
        [core.Any(core.load(twin.public_bytes(Encoding.DER)))]
    )
    with pytest.raises(BadSignatureError, match="names another certificate"):
        read_token(outer.dump(force=True), b"signature")


def test_what_is_no_token(signer: Signer) -> None:
    from psexport.authenticode.envelope import SCRIPT, read_block, split

    signed = sign_bytes(BODY, "a.ps1", signer)
    block = read_block(split(signed, SCRIPT).tail, SCRIPT)
    with pytest.raises(MalformedError, match="not a time stamp"):
        read_token(block, b"signature")


@pytest.mark.parametrize("passing", [True, False])
def test_only_passing_failures_are_tried_again(passing: bool, signer: Signer) -> None:
    failure = SendError("no", passing=passing)
    client = client_of(failure, failure, attempts=2)
    with pytest.raises(PSExportError) as caught:
        client.stamp(b"signature", SHA256, signer.certificate)
    assert caught.value.id == "ErrorTimestampServer"
    left = client.sender.__closure__
    assert left is not None
    remaining = next(c.cell_contents for c in left if isinstance(c.cell_contents, list))
    assert len(remaining) == (0 if passing else 1)


def test_rfc3161_client_agrees(tmp_path: Path) -> None:
    """A judge that is not ours reads the same token in the same way.

    It insists on sorted certificates, which OpenSSL does not sort: so there is one.
    """
    rfc3161 = pytest.importorskip("rfc3161_client")
    solo = pki.issue("Solo Authority", usages=(pki.STAMP,))
    query = build_query(b"signature", SHA256, 99)
    reply = rfc3161.decode_timestamp_response(Authority(tmp_path, solo).reply(query))
    stamp = read_token(reply.time_stamp_token(), b"signature")
    assert reply.tst_info.gen_time == stamp.time
    assert reply.tst_info.nonce == stamp.nonce == 99
    assert reply.tst_info.message_imprint.message == SHA256.of(b"signature")
