"""Keys and certificates from files: every form, and every refusal with its own id."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from datetime import timedelta
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs7,
    pkcs12,
)
from hypothesis import given
from hypothesis import strategies as st

import psexport.authenticode.keys as keys_module
from psexport.authenticode import (
    KeySource,
    Trust,
    load_signer,
    password_from,
    sign_bytes,
    verify_bytes,
)
from psexport.authenticode.keys.local import LocalKey
from psexport.authenticode.keys.pem import read_der, read_pem
from psexport.authenticode.keys.pfx import is_pfx, read_pfx
from psexport.errors import PSExportError

from . import pki

SECRET = "Tr0ub4dor&3 ä"


def tell(_target: str) -> str:
    return SECRET


def works(certificate: Path, key: Path | None, trust: Trust, password=None) -> None:
    signer = load_signer(certificate, key, password=password)
    signed = sign_bytes(b"Get-Date", "a.ps1", signer)
    found = verify_bytes(signed, "a.ps1", trust)
    assert found.valid, found.message
    assert SECRET not in repr(signer)


@pytest.fixture(params=["RSA-2048", "P-384"])
def identity(request, identities: dict[str, pki.Identity]) -> pki.Identity:
    return identities[request.param]


@pytest.mark.parametrize("password", [None, b"", SECRET.encode()])
def test_pfx(identity: pki.Identity, password, trust: Trust, tmp_path: Path) -> None:
    path = pki.write(tmp_path / "a.pfx", identity.pfx(password or None))
    works(path, None, trust, tell if password else None)


def test_a_pfx_with_an_old_lock(
    identity: pki.Identity, trust: Trust, tmp_path: Path
) -> None:
    """What Windows exports with its oldest setting."""
    lock = (
        PrivateFormat.PKCS12.encryption_builder()
        .key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
        .hmac_hash(hashes.SHA1())
        .build(SECRET.encode())
    )
    data = pkcs12.serialize_key_and_certificates(
        b"x", identity.key, identity.certificate, identity.chain[1:], lock
    )
    works(pki.write(tmp_path / "a.p12", data), None, trust, tell)


@pytest.mark.parametrize("password", [None, SECRET.encode()])
@pytest.mark.parametrize(
    "form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL]
)
def test_pem_pairs(
    identity: pki.Identity,
    form: PrivateFormat,
    password: bytes | None,
    trust: Trust,
    tmp_path: Path,
) -> None:
    certificate = pki.write(tmp_path / "c.pem", b"bag attributes\n" + identity.pem())
    key = pki.write(tmp_path / "k.pem", identity.key_pem(password, form))
    works(certificate, key, trust, tell if password else None)


def test_one_pem_file_with_everything(
    identity: pki.Identity, trust: Trust, tmp_path: Path
) -> None:
    # The leaf is found by its key, wherever in the file it is.
    backwards = b"".join(
        each.public_bytes(Encoding.PEM) for each in reversed(identity.chain)
    )
    path = pki.write(tmp_path / "all.pem", backwards + identity.key_pem())
    works(path, None, trust)


def test_der_and_pkcs7(identity: pki.Identity, trust: Trust, tmp_path: Path) -> None:
    key = identity.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    key_path = pki.write(tmp_path / "k.key", key)
    for encoding in (Encoding.DER, Encoding.PEM):
        bundle = pkcs7.serialize_certificates(identity.chain, encoding)
        works(pki.write(tmp_path / "c.p7b", bundle), key_path, trust)
    alone = identity.certificate.public_bytes(Encoding.DER)
    signer = load_signer(pki.write(tmp_path / "c.cer", alone), key_path)
    assert signer.chain == (identity.certificate,)


def test_the_chain_is_put_in_order(
    identity: pki.Identity, root: pki.Identity, tmp_path: Path
) -> None:
    stranger = pki.issue("Stranger", ca=True)
    data = identity.pem(key=True) + stranger.pem()
    signer = load_signer(pki.write(tmp_path / "a.pem", data))
    assert list(signer.chain) == identity.chain


# -- refusals ---------------------------------------------------------------------


def refused(id: str, certificate: Path, key: Path | None = None, **options) -> None:
    before = sorted(certificate.parent.iterdir())
    with pytest.raises(PSExportError) as caught:
        load_signer(certificate, key, **options)
    assert caught.value.id == id
    assert caught.value.hint
    assert caught.value.target
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert SECRET not in shown
    assert sorted(certificate.parent.iterdir()) == before


@pytest.mark.parametrize(
    ("options", "id"),
    [
        ({"usages": ()}, "ErrorCertificateNotForCodeSigning"),
        ({"usages": (pki.STAMP,)}, "ErrorCertificateNotForCodeSigning"),
        (
            {"usages": (x509.ObjectIdentifier("2.5.29.37.0"),)},  # any usage
            "ErrorCertificateNotForCodeSigning",
        ),
        ({"digital_signature": False}, "ErrorCertificateNotForCodeSigning"),
        ({"ends": pki.NOW - timedelta(hours=1)}, "ErrorCertificateNotValidNow"),
        ({"begins": pki.NOW + pki.DAY}, "ErrorCertificateNotValidNow"),
        (
            {"key": rsa.generate_private_key(65537, 1024)},
            "ErrorCertificateWeakKey",
        ),
        (
            {"key": ec.generate_private_key(ec.SECP224R1())},
            "ErrorCertificateWeakKey",
        ),
        (
            {"key": ec.generate_private_key(ec.SECP256K1())},
            "ErrorCertificateKeyUnsupported",
        ),
    ],
)
def test_certificates_that_may_not_sign(
    options: dict, id: str, intermediate: pki.Identity, tmp_path: Path
) -> None:
    bad = pki.issue("Bad", intermediate, **options)
    refused(id, pki.write(tmp_path / "a.pem", bad.pem(key=True)))
    refused(id, pki.write(tmp_path / "a.pfx", bad.pfx()))


def test_extensions_that_cannot_be_read(
    leaf: pki.Identity, intermediate: pki.Identity, tmp_path: Path
) -> None:
    usage = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.37"), b"junk")
    certificate = (
        x509.CertificateBuilder()
        .subject_name(pki.name("Junk"))
        .issuer_name(intermediate.certificate.subject)
        .public_key(leaf.key.public_key())
        .serial_number(5)
        .not_valid_before(pki.NOW - pki.DAY)
        .not_valid_after(pki.NOW + pki.DAY)
        .add_extension(usage, critical=False)
        .sign(intermediate.key, hashes.SHA256())
    )
    junk = pki.Identity(certificate, leaf.key)
    path = pki.write(tmp_path / "a.pfx", junk.pfx())
    refused("ErrorCertificateNotForCodeSigning", path)
    path = pki.write(tmp_path / "a.pem", junk.pem(key=True))
    refused("ErrorCertificateUnreadable", path)


def test_the_clock_is_an_argument(leaf: pki.Identity, tmp_path: Path) -> None:
    path = pki.write(tmp_path / "a.pfx", leaf.pfx())
    refused("ErrorCertificateNotValidNow", path, now=pki.NOW + 400 * pki.DAY)
    assert load_signer(path, now=pki.NOW)


def test_keys_that_are_missing_or_wrong(
    leaf: pki.Identity, identities: dict[str, pki.Identity], tmp_path: Path
) -> None:
    certificate = pki.write(tmp_path / "c.pem", leaf.pem())
    other = pki.write(tmp_path / "k.pem", identities["P-384"].key_pem())
    refused("ErrorCertificateNoPrivateKey", certificate)
    refused("ErrorCertificateNoPrivateKey", certificate, certificate)
    refused("ErrorCertificateKeyMismatch", certificate, other)
    refused("ErrorCertificateUnreadable", other)
    edwards = ed25519.Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    odd = pki.write(tmp_path / "ed.pem", edwards)
    refused("ErrorCertificateKeyUnsupported", certificate, odd)
    bare = pkcs12.serialize_key_and_certificates(
        b"x", None, leaf.certificate, None, NoEncryption()
    )
    refused("ErrorCertificateNoPrivateKey", pki.write(tmp_path / "b.pfx", bare))


def test_a_service_with_the_wrong_key(
    leaf: pki.Identity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hook cannot say what its public key is; a test signature can."""
    wrong = LocalKey(ec.generate_private_key(ec.SECP256R1()))
    monkeypatch.setattr(
        "psexport.authenticode.signer.open_source",
        lambda address, password: (
            KeySource(key=wrong)
            if address == "any:key"
            else KeySource((leaf.certificate,))
        ),
    )
    path = pki.write(tmp_path / "c.pem", leaf.pem())
    refused("ErrorCertificateKeyMismatch", path, Path("any:key"))


@pytest.mark.parametrize("form", ["pfx", "pem"])
def test_passwords(form: str, leaf: pki.Identity, tmp_path: Path) -> None:
    lock = SECRET.encode()
    data = leaf.pfx(lock) if form == "pfx" else leaf.pem(key=True, password=lock)
    path = pki.write(tmp_path / f"a.{form}", data)
    refused("ErrorCertificatePassword", path)
    refused("ErrorCertificatePassword", path, password=lambda target: "wrong")
    asked: list[str] = []

    def ask(target: str) -> str:
        asked.append(target)
        return SECRET

    assert load_signer(path, password=ask)
    assert asked == [str(path)]


def test_an_encrypted_key_in_der(leaf: pki.Identity, tmp_path: Path) -> None:
    certificate = pki.write(tmp_path / "c.pem", leaf.pem())
    lock = BestAvailableEncryption(SECRET.encode())
    encrypted = leaf.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, lock)
    key = pki.write(tmp_path / "k.der", encrypted)
    refused("ErrorCertificatePassword", certificate, key)
    refused("ErrorCertificatePassword", certificate, key, password=lambda _: "wrong")
    assert load_signer(certificate, key, password=lambda _: SECRET)


def test_a_password_that_is_no_text(leaf: pki.Identity, tmp_path: Path) -> None:
    """The environment of another locale: octets that are not UTF-8."""
    octets = b"p\xe4sswort"
    password = os.fsdecode(octets)
    locked = pki.write(tmp_path / "a.pem", leaf.pem(key=True, password=octets))
    assert load_signer(locked, password=lambda _: password)
    other = pki.write(tmp_path / "a.pfx", leaf.pfx(SECRET.encode()))
    refused("ErrorCertificatePassword", other, password=lambda _: password)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a certificate",
        b"\x30\x82\xff\xff",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\n",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        b"-----BEGIN PKCS7-----\nAAAA\n-----END PKCS7-----\n",
        None,
    ],
)
def test_files_that_are_none(data: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "a.pem"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(PSExportError) as caught:
        load_signer(path)
    no_key = b"BEGIN" in (data or b"") and b"AAAA" not in (data or b"")
    expected = "NoPrivateKey" if no_key else "Unreadable"
    assert caught.value.id == f"ErrorCertificate{expected}"
    with pytest.raises(PSExportError):
        load_signer(tmp_path)


FAILURES = (
    None,
    "ErrorCertificateKeyUnsupported",
    "ErrorCertificatePassword",
    "ErrorCertificateUnreadable",
)


def failure(read: Callable[[], KeySource]) -> str | None:
    try:
        read()
    except PSExportError as error:
        return error.id
    return None


PFX = pki.issue("Fuzz").pfx(SECRET.encode())


@given(st.integers(0, len(PFX) - 1), st.integers(1, 255), st.booleans())
def test_a_damaged_pfx_has_one_way_to_fail(at: int, delta: int, cut: bool) -> None:
    damaged = bytearray(PFX)
    damaged[at] ^= delta
    data = bytes(damaged[:at]) if cut else bytes(damaged)
    if is_pfx(data):
        assert failure(lambda: read_pfx(data, "a.pfx", tell)) in FAILURES
    else:
        assert failure(lambda: read_der(data, "a.pfx", None)) in FAILURES


PEM = pki.issue("Fuzz").pem(key=True)


@given(st.integers(0, len(PEM) - 1), st.integers(1, 255))
def test_a_damaged_pem_has_one_way_to_fail(at: int, delta: int) -> None:
    damaged = bytearray(PEM)
    damaged[at] ^= delta
    assert failure(lambda: read_pem(bytes(damaged), "a.pem", tell)) in FAILURES


# -- where passwords come from ----------------------------------------------------


def test_where_a_password_comes_from(tmp_path: Path) -> None:
    file = pki.write(tmp_path / "secret", b"\xef\xbb\xbffrom file\r\nsecond line\n")
    environment = {"PSEXPORT_CERTIFICATE_PASSWORD": "from environment"}

    def prompt(target: str) -> str:
        return f"asked for {target}"

    for arguments, expected in (
        ((file, environment, prompt), "from file"),
        ((None, environment, prompt), "from environment"),
        ((None, {}, prompt), "asked for a.pfx"),
    ):
        password = password_from(*arguments)
        assert password is not None
        assert password("a.pfx") == expected
    assert password_from(None, {}, None) is None
    missing = password_from(tmp_path / "none", {}, None)
    assert missing is not None
    with pytest.raises(PSExportError) as caught:
        missing("a.pfx")
    assert caught.value.id == "ErrorCertificatePassword"


# -- the hook ---------------------------------------------------------------------


def test_somebody_elses_key_service(
    leaf: pki.Identity, trust: Trust, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As docs/signing.md shows: an entry point of the group psexport.keys."""
    points = [
        EntryPoint(name, f"{module}:open_{name}", keys_module.ENTRY_POINTS)
        for name, module in (
            ("vault", __name__),
            ("broken", __name__),
            ("empty", __name__),
            ("gone", "no_such_module"),
        )
    ]
    monkeypatch.setattr(
        keys_module,
        "entry_points",
        lambda group, name: [each for each in points if each.name == name],
    )
    monkeypatch.setitem(globals(), "VAULT", leaf)
    certificate = pki.write(tmp_path / "c.pem", leaf.pem())
    works(certificate, Path("vault:team/key"), trust)
    refused("ErrorKeyServiceUnknown", certificate, Path("volt:team/key"))
    for name in ("broken", "empty", "gone"):
        refused("ErrorKeyService", certificate, Path(f"{name}:team/key"))


def open_vault(address: str, password: object) -> KeySource:
    assert address == "vault:team/key"
    identity: pki.Identity = globals()["VAULT"]
    return KeySource(key=LocalKey(identity.key))


def open_broken(address: str, password: object) -> KeySource:
    raise ZeroDivisionError


def open_empty(address: str, password: object) -> None:
    return None


def test_keys_do_not_show_in_text() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    source = KeySource((), LocalKey(key), key.public_key())
    assert repr(source) == "KeySource(certificates=())"
