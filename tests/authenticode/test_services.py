"""Key services, each against a fake that speaks its documented protocol on loopback.

The fakes hold a real key and check every request, so a signature only verifies if the
adapter sent the right bytes and understood the answer.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    decode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import Encoding

from psexport.authenticode import Signer, Trust, load_signer, sign_bytes, verify_bytes
from psexport.authenticode.keys import azure, google
from psexport.authenticode.keys.rest import may_carry_token
from psexport.errors import PSExportError

from . import pki
from .loopback import Answer, Request, serve

HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
#: Key services tie a curve to a hash.
PAIRS = [
    ("RSA-2048", "SHA256"),
    ("RSA-2048", "SHA384"),
    ("RSA-2048", "SHA512"),
    ("P-256", "SHA256"),
    ("P-384", "SHA384"),
    ("P-521", "SHA512"),
]


def der_signature(identity: pki.Identity, bits: str, digest: bytes) -> bytes:
    algorithm = HASHES[bits]
    assert len(digest) == algorithm.digest_size
    if isinstance(identity.key, ec.EllipticCurvePrivateKey):
        return identity.key.sign(digest, ec.ECDSA(Prehashed(algorithm)))
    return identity.key.sign(digest, padding.PKCS1v15(), Prehashed(algorithm))


def answer_json(value: object, status: int = 200) -> Answer:
    return Answer(json.dumps(value).encode(), status)


def b64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def check(signer: Signer, algorithm: str, trust: Trust) -> None:
    signed = sign_bytes(b"Get-Date", "a.ps1", signer, algorithm)
    found = verify_bytes(signed, "a.ps1", trust)
    assert found.valid, found.message


def refused(id: str, call: Callable[[], object], words: str = "") -> PSExportError:
    with pytest.raises(PSExportError) as caught:
        call()
    assert caught.value.id == id
    assert words in str(caught.value)
    assert caught.value.hint
    return caught.value


# -- Azure Key Vault --------------------------------------------------------------


class Vault:
    """Key Vault's REST interface, version 7.4: keys, certificates, sign."""

    def __init__(self, identity: pki.Identity) -> None:
        self.identity = identity
        self.url = ""

    def answer(self, request: Request) -> Answer:
        assert request.headers["authorization"] == "Bearer token-1"
        path, _, query = request.path.partition("?")
        assert query == "api-version=7.4"
        kid = f"{self.url}/keys/signing/0123abcd"
        if request.method == "GET" and path.startswith("/certificates/signing"):
            der = self.identity.certificate.public_bytes(Encoding.DER)
            return answer_json(
                {
                    "id": f"{self.url}/certificates/signing/0123abcd",
                    "kid": kid,
                    "cer": base64.b64encode(der).decode(),
                }
            )
        if request.method == "GET" and path == "/keys/signing":
            return answer_json({"key": {"kid": kid, "kty": "RSA", "key_ops": ["sign"]}})
        if request.method == "POST" and path == "/keys/signing/0123abcd/sign":
            body = json.loads(request.body)
            family, bits = body["alg"][:2], body["alg"][2:]
            digest = base64.urlsafe_b64decode(body["value"] + "==")
            signature = der_signature(self.identity, bits, digest)
            elliptic = isinstance(self.identity.key, ec.EllipticCurvePrivateKey)
            assert family == ("ES" if elliptic else "RS")
            if elliptic:
                size = (self.identity.key.key_size + 7) // 8
                signature = b"".join(
                    each.to_bytes(size, "big")
                    for each in decode_dss_signature(signature)
                )
            return answer_json({"kid": kid, "value": b64url(signature)})
        code = {"error": {"code": "KeyNotFound", "message": "A key was not found"}}
        return answer_json(code, 404)


def token() -> str:
    return "token-1"


@pytest.fixture
def identity_of_azure(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace azure-identity's sign-in; returns the scopes that were asked for."""
    identity = pytest.importorskip("azure.identity")
    scopes: list[str] = []

    class Credential:
        def get_token(self, scope: str) -> object:
            scopes.append(scope)
            return type("AccessToken", (), {"token": "token-1"})

    monkeypatch.setattr(identity, "DefaultAzureCredential", Credential)
    return scopes


@pytest.mark.parametrize(("key", "algorithm"), PAIRS)
@pytest.mark.parametrize("path", ["keys/signing/0123abcd", "keys/signing"])
def test_azure_keys(
    key: str,
    algorithm: str,
    path: str,
    identities: dict[str, pki.Identity],
    trust: Trust,
) -> None:
    vault = Vault(identities[key])
    with serve(vault.answer) as server:
        vault.url = server.url
        source = azure.open_vault(f"azure:{server.url}/{path}", token=token)
        assert source.key is not None
        signer = Signer(tuple(identities[key].chain), source.key)
        check(signer, algorithm, trust)


def test_azure_certificates(
    root: pki.Identity, rsa_key, trust: Trust, identity_of_azure: list[str]
) -> None:
    vault = Vault(pki.issue("In a vault", root, key=rsa_key))
    with serve(vault.answer) as server:
        vault.url = server.url
        signer = load_signer(f"azure:{server.url}/certificates/signing")
        assert signer.chain == (vault.identity.certificate,)
        check(signer, "SHA256", trust)
    assert len(server.requests) == 3  # the certificate, the probe, the signature
    assert set(identity_of_azure) == {"https://0.0.1/.default"}


def test_azure_scopes(identity_of_azure: list[str]) -> None:
    for vault, scope in (
        ("contoso.vault.azure.net", "https://vault.azure.net/.default"),
        ("c.vault.usgovcloudapi.net", "https://vault.usgovcloudapi.net/.default"),
        ("c.managedhsm.azure.net", "https://managedhsm.azure.net/.default"),
    ):
        azure._identity("azure:", f"https://{vault}")()
        assert identity_of_azure[-1] == scope


@pytest.mark.parametrize(
    "address",
    [
        "azure:https://v.vault.azure.net/secrets/a",
        "azure:http://v.vault.azure.net/keys/a/1",  # a token in the clear
        "azure:v.vault.azure.net/keys/a",
        "azure:https://v.vault.azure.net/keys/a/1?x=y",
        "azure:",
    ],
)
def test_azure_addresses(address: str) -> None:
    refused("ErrorKeyServiceAddress", lambda: azure.open_vault(address, token=token))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(b'{"error": "denied"}', 403), "HTTP status 403"),
        (Answer(b"<html>"), "not JSON"),
        (Answer(b"[]"), "not a JSON object"),
        (Answer(b"{}"), "no cer"),
        (Answer(b'{"cer": "!"}'), "no cer"),
        (Answer(b'{"cer": "AAAA"}'), "no certificate"),
    ],
)
def test_azure_answers_that_are_none(answer: Answer, words: str) -> None:
    with serve(lambda request: answer) as server:
        address = f"azure:{server.url}/certificates/signing"
        refused(
            "ErrorKeyService", lambda: azure.open_vault(address, token=token), words
        )


def test_azure_does_not_send_tokens_elsewhere(leaf: pki.Identity) -> None:
    kid = {"key": {"kid": "https://evil.test/keys/signing/1"}}
    with serve(lambda request: answer_json(kid)) as server:
        address = f"azure:{server.url}/keys/signing"
        refused(
            "ErrorKeyService",
            lambda: azure.open_vault(address, token=token),
            "names no key of this vault",
        )


def test_where_a_token_may_go() -> None:
    assert may_carry_token("https://anywhere")
    assert may_carry_token("http://127.0.0.1:1")
    assert not may_carry_token("http://anywhere")
    assert not may_carry_token("file:///etc")


# -- Google Cloud KMS -------------------------------------------------------------

VERSION = "projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1"


class GoogleKms:
    """Cloud KMS' REST interface, v1: asymmetricSign."""

    def __init__(self, identity: pki.Identity) -> None:
        self.identity = identity

    def answer(self, request: Request) -> Answer:
        assert request.method == "POST"
        assert request.headers["authorization"] == "Bearer token-1"
        assert request.path == f"/v1/{VERSION}:asymmetricSign"
        [(name, value)] = json.loads(request.body)["digest"].items()
        digest = base64.b64decode(value, validate=True)
        bits = name.removeprefix("sha")
        signature = der_signature(self.identity, bits, digest)
        return answer_json(
            {"signature": base64.b64encode(signature).decode(), "name": VERSION}
        )


@pytest.mark.parametrize(("key", "algorithm"), PAIRS)
def test_google_keys(
    key: str,
    algorithm: str,
    identities: dict[str, pki.Identity],
    trust: Trust,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    auth = pytest.importorskip("google.auth")
    credentials = type("Credentials", (), {"valid": True, "token": "token-1"})()
    monkeypatch.setattr(auth, "default", lambda scopes: (credentials, "p"))
    certificate = pki.write(tmp_path / "c.pem", identities[key].pem())
    with serve(GoogleKms(identities[key]).answer) as server:
        monkeypatch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS", f"{server.url}/")
        signer = load_signer(certificate, f"google:{VERSION}")
        check(signer, algorithm, trust)


def test_google_says_no() -> None:
    refused(
        "ErrorKeyServiceAddress",
        lambda: google.open_kms("google:projects/p", token=token),
    )
    denied = {"error": {"code": 403, "status": "PERMISSION_DENIED"}}
    with serve(lambda request: answer_json(denied, 403)) as server:
        key = google.KmsKey(VERSION, server.url, token, google.send)
        signer = Signer((pki.issue("x").certificate,), key)
        refused(
            "ErrorKeyService",
            lambda: sign_bytes(b"Get-Date", "a.ps1", signer),
            "PERMISSION_DENIED",
        )


def test_google_without_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    auth = pytest.importorskip("google.auth")

    def none(scopes: object) -> None:
        raise auth.exceptions.DefaultCredentialsError("no credentials")

    monkeypatch.setattr(auth, "default", none)
    refused("ErrorKeyService", lambda: google.open_kms(f"google:{VERSION}"))


# -- AWS KMS ----------------------------------------------------------------------

ARN = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"


class AwsKms:
    """KMS' JSON protocol: TrentService.Sign, signed with version 4."""

    def __init__(self, identity: pki.Identity) -> None:
        self.identity = identity

    def answer(self, request: Request) -> Answer:
        assert request.method == "POST"
        assert request.headers["x-amz-target"] == "TrentService.Sign"
        assert request.headers["content-type"] == "application/x-amz-json-1.1"
        authorization = request.headers["authorization"]
        assert authorization.startswith("AWS4-HMAC-SHA256 Credential=AKIDTEST/")
        assert "/eu-west-1/kms/aws4_request" in authorization
        body = json.loads(request.body)
        assert (body["KeyId"], body["MessageType"]) == (ARN, "DIGEST")
        family, _, bits = body["SigningAlgorithm"].rpartition("_SHA_")
        elliptic = isinstance(self.identity.key, ec.EllipticCurvePrivateKey)
        assert family == ("ECDSA" if elliptic else "RSASSA_PKCS1_V1_5")
        digest = base64.b64decode(body["Message"], validate=True)
        signature = der_signature(self.identity, bits, digest)
        return Answer(
            json.dumps(
                {
                    "KeyId": ARN,
                    "Signature": base64.b64encode(signature).decode(),
                    "SigningAlgorithm": body["SigningAlgorithm"],
                }
            ).encode(),
            content_type="application/x-amz-json-1.1",
        )


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("boto3")
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIDTEST",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(("key", "algorithm"), PAIRS)
def test_aws_keys(
    key: str,
    algorithm: str,
    aws: None,
    identities: dict[str, pki.Identity],
    trust: Trust,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    certificate = pki.write(tmp_path / "c.pem", identities[key].pem())
    with serve(AwsKms(identities[key]).answer) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", server.url)
        signer = load_signer(certificate, f"aws:{ARN}")
        check(signer, algorithm, trust)


def test_aws_says_no(
    aws: None, tmp_path: Path, leaf: pki.Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    denied = {"__type": "AccessDeniedException", "Message": "not you"}
    certificate = pki.write(tmp_path / "c.pem", leaf.pem())
    with serve(lambda request: answer_json(denied, 400)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", server.url)
        refused(
            "ErrorKeyService",
            lambda: load_signer(certificate, f"aws:{ARN}"),
            "AccessDenied",
        )
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.delenv("AWS_REGION", raising=False)
    refused("ErrorKeyService", lambda: load_signer(certificate, "aws:alias/x"))


@pytest.mark.parametrize(
    ("address", "library", "extra"),
    [
        ("azure:https://v.vault.azure.net/keys/a/1", "azure.identity", "azure"),
        (f"aws:{ARN}", "boto3", "aws"),
        (f"google:{VERSION}", "google.auth", "google"),
    ],
)
def test_without_the_libraries(
    address: str,
    library: str,
    extra: str,
    leaf: pki.Identity,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    certificate = pki.write(tmp_path / "c.pem", leaf.pem())
    error = refused(
        "ErrorKeyServiceNotInstalled", lambda: load_signer(certificate, address)
    )
    assert f"psexport[{extra}]" in str(error.hint)
