"""Chains, usages, revocation, and the time that a stamp makes count."""

from __future__ import annotations

import warnings
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from psexport.authenticode import (
    FileSignature,
    Signer,
    TimestampClient,
    Trust,
    load_trust,
    sign_bytes,
    verify_bytes,
)
from psexport.authenticode.certificates import load_certificate, subject
from psexport.authenticode.keys.local import LocalKey
from psexport.authenticode.trust import system_roots
from psexport.errors import PSExportError

from . import pki
from .authority import Authority
from .conftest import signer_of

BODY = b"Get-Date\r\n"
LATER = pki.NOW + 400 * pki.DAY


def verify(
    identity: pki.Identity, *roots: pki.Identity, **options: object
) -> FileSignature:
    now = options.pop("now", None)
    crls = tuple(options.pop("crls", ()))
    stamp = options.pop("timestamp", None)
    tsa_roots = tuple(options.pop("tsa_roots", ()))
    assert now is None or isinstance(now, datetime)
    signed = sign_bytes(BODY, "a.ps1", signer_of(identity), timestamp=stamp)
    trust = Trust(tuple(each.certificate for each in roots), tsa_roots, crls)
    return verify_bytes(signed, "a.ps1", trust, now=now)


def says(found: FileSignature, words: str) -> None:
    assert found.status == "UnknownError"
    assert words in found.message


def test_intermediates_and_roots(
    root: pki.Identity, intermediate: pki.Identity, leaf: pki.Identity
) -> None:
    assert verify(leaf, root).valid
    assert verify(leaf, intermediate).valid  # trusted by name, as -CAFile may say
    says(verify(leaf), "no root is trusted")
    says(verify(leaf, pki.issue("Other", ca=True)), "not known here: CN=Test Root")
    same_name = pki.issue("Test Root", ca=True)
    assert not verify(leaf, same_name).valid


def test_a_missing_intermediate(root: pki.Identity, leaf: pki.Identity) -> None:
    alone = Signer((leaf.certificate,), LocalKey(leaf.key))
    signed = sign_bytes(BODY, "a.ps1", alone)
    trust = Trust((root.certificate,), ())
    says(verify_bytes(signed, "a.ps1", trust), "not known here: CN=Test Inter")


def test_self_signed() -> None:
    own = pki.issue("Own")
    assert verify(own, own).valid
    says(verify(own, pki.issue("Own")), "is not trusted here")
    says(verify(own), "no root")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"usages": ()}, "no extended key usage"),
        ({"usages": (pki.STAMP,)}, "extended key usage is another"),
        ({"digital_signature": False}, "key usage forbids"),
        ({"begins": pki.NOW + pki.DAY}, "is valid from"),
        ({"ends": pki.NOW - timedelta(hours=1)}, "expired on"),
        ({"key": rsa.generate_private_key(65537, 1024)}, "RSA with 1024 bits"),
    ],
)
def test_leaves_that_are_not_trusted(
    options: dict, words: str, root: pki.Identity, intermediate: pki.Identity
) -> None:
    says(verify(pki.issue("Bad", intermediate, **options), root), words)


def test_certificates_under_an_old_hash(rsa_key: rsa.RSAPrivateKey) -> None:
    """The library makes none, so one is told that it was made so."""
    root = pki.issue("RSA Root", ca=True, key=rsa_key)
    new = pki.issue("Old", root)
    der = new.certificate.public_bytes(Encoding.DER)
    sha256, sha1 = (bytes.fromhex(f"2A864886F70D0101{end}") for end in ("0B", "05"))
    old = x509.load_der_x509_certificate(der.replace(sha256, sha1))
    found = verify(pki.Identity(old, new.key, root), root)
    says(found, "CN=Old is signed with SHA1")


def test_odd_names_are_no_news() -> None:
    """A country has two letters; not every authority knew."""
    der = pki.issue("Germany").certificate.public_bytes(Encoding.DER)
    common, country = bytes.fromhex("0603550403"), bytes.fromhex("0603550406")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        odd = load_certificate(der.replace(common, country))
        assert subject(odd) == "C=Germany"


def test_a_leaf_without_key_usage(
    root: pki.Identity, intermediate: pki.Identity
) -> None:
    bare = pki.issue("Bare", intermediate, digital_signature=None)
    assert verify(bare, root).valid


def test_issuers_that_are_none(root: pki.Identity, leaf: pki.Identity) -> None:
    by_leaf = pki.issue("By a leaf", leaf)
    assert not verify(by_leaf, root).valid
    no_ca = pki.issue("No CA", root, digital_signature=None, usages=())
    assert not verify(pki.issue("Under no CA", no_ca), root).valid
    no_signer = pki.issue("No signer", root, ca=True, cert_sign=False)
    assert not verify(pki.issue("Under no signer", no_signer), root).valid
    expired = pki.issue("Old CA", root, ca=True, ends=pki.NOW - timedelta(hours=1))
    says(verify(pki.issue("Under old", expired), root), "CN=Old CA expired")
    key = ec.generate_private_key(ec.SECP192R1())
    weak = pki.issue("Weak CA", root, ca=True, key=key)
    assert not verify(pki.issue("Under weak", weak), root).valid


# -- revocation -------------------------------------------------------------------


def test_revocation(
    root: pki.Identity, intermediate: pki.Identity, leaf: pki.Identity
) -> None:
    clean = pki.revoke(intermediate, pki.issue("Somebody", intermediate).certificate)
    assert verify(leaf, root, crls=[clean]).valid
    revoked = pki.revoke(intermediate, leaf.certificate)
    says(verify(leaf, root, crls=[revoked]), "Test Signer is revoked since")
    above = pki.revoke(root, intermediate.certificate)
    says(verify(leaf, root, crls=[clean, above]), "Test Intermediate is revoked")
    stale = pki.revoke(intermediate, current=False)
    says(verify(leaf, root, crls=[stale]), "out of date")
    elsewhere = pki.revoke(pki.issue("Elsewhere", ca=True), leaf.certificate)
    assert verify(leaf, root, crls=[elsewhere]).valid
    forged = pki.revoke(pki.issue("Test Intermediate", ca=True))
    says(verify(leaf, root, crls=[forged]), "not signed by")


# -- time stamps ------------------------------------------------------------------


@pytest.fixture
def stamp(tmp_path: Path, tsa: pki.Identity) -> TimestampClient:
    authority = Authority(tmp_path, tsa)

    def sender(url, body: bytes, headers, timeout) -> bytes:
        return authority.reply(body)

    return TimestampClient(("http://tsa.test/",), sender)


def test_a_stamp_outlives_the_certificate(
    stamp: TimestampClient, root: pki.Identity, leaf: pki.Identity, tsa_root
) -> None:
    time_roots = (tsa_root.certificate,)
    options = {"timestamp": stamp, "tsa_roots": time_roots}
    assert verify(leaf, root, **options).valid
    assert verify(leaf, root, now=LATER, **options).valid
    says(verify(leaf, root, now=LATER), "expired")


def test_an_expired_leaf_stays_expired_before_its_stamp(
    stamp: TimestampClient, root: pki.Identity, intermediate: pki.Identity, tsa_root
) -> None:
    """The client refuses such a stamp, so the token comes from beside it."""
    expired = pki.issue("Expired", intermediate, ends=pki.NOW - timedelta(hours=1))
    signer = signer_of(expired)
    lenient = pki.issue("Expired", intermediate).certificate

    class Lenient:
        def stamp(self, signature, algorithm, certificate) -> bytes:
            return stamp.stamp(signature, algorithm, lenient)

    signed = sign_bytes(BODY, "a.ps1", signer, timestamp=Lenient())
    trust = Trust((root.certificate,), (tsa_root.certificate,))
    found = verify_bytes(signed, "a.ps1", trust)
    says(found, "expired")
    assert found.timestamp is not None


def test_a_stamp_of_nobody(
    stamp: TimestampClient, root: pki.Identity, leaf: pki.Identity
) -> None:
    found = verify(leaf, root, timestamp=stamp, tsa_roots=(root.certificate,))
    says(found, "The time stamp is not valid: the chain ends in")


def test_revoked_before_and_after_the_stamp(
    stamp: TimestampClient, root, intermediate, leaf, tsa, tsa_root
) -> None:
    options = {"timestamp": stamp, "tsa_roots": (tsa_root.certificate,)}
    before = pki.revoke(intermediate, leaf.certificate)
    says(verify(leaf, root, crls=[before], **options), "revoked")
    after = pki.revoke(intermediate, leaf.certificate, at=pki.NOW + pki.DAY / 2)
    assert verify(leaf, root, crls=[after], **options).valid
    authority = pki.revoke(tsa_root, tsa.certificate)
    says(verify(leaf, root, crls=[authority], **options), "time stamp is not valid")


def test_lifetime_signing_ignores_the_stamp(
    stamp: TimestampClient, root: pki.Identity, intermediate: pki.Identity, tsa_root
) -> None:
    mortal = pki.issue("Mortal", intermediate, usages=(pki.CODE, pki.LIFETIME))
    options = {"timestamp": stamp, "tsa_roots": (tsa_root.certificate,)}
    assert verify(mortal, root, **options).valid
    says(verify(mortal, root, now=LATER, **options), "expired")


# -- files ------------------------------------------------------------------------


def test_trust_from_files(
    root: pki.Identity, tsa_root: pki.Identity, intermediate, tmp_path: Path
) -> None:
    both = root.pem() + tsa_root.pem()
    ca = pki.write(tmp_path / "ca.pem", both)
    tsa = pki.write(
        tmp_path / "tsa.der", tsa_root.certificate.public_bytes(Encoding.DER)
    )
    crl = pki.revoke(intermediate)
    pem = pki.write(
        tmp_path / "a.crl",
        crl.public_bytes(Encoding.PEM) + pki.revoke(root).public_bytes(Encoding.PEM),
    )
    der = pki.write(tmp_path / "b.crl", crl.public_bytes(Encoding.DER))
    trust = load_trust(ca, tsa, [pem, der])
    assert trust.roots == (root.certificate, tsa_root.certificate)
    assert trust.tsa_roots == (tsa_root.certificate,)
    assert [each.issuer for each in trust.crls] == [
        intermediate.certificate.subject,
        root.certificate.subject,
        intermediate.certificate.subject,
    ]
    shared = load_trust(ca)
    assert shared.tsa_roots[:2] == shared.roots


@pytest.mark.parametrize("data", [None, b"", b"-----BEGIN CERTIFICATE-----\nx"])
def test_trust_files_that_are_none(data: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "x.pem"
    if data is not None:
        path.write_bytes(data)
    for arguments in ((path,), (None, path), (None, None, [path]), ("a\0b",)):
        with pytest.raises(PSExportError) as caught:
            load_trust(*arguments)
        assert caught.value.id == "ErrorTrustFileUnreadable"


def test_the_system_store(
    root: pki.Identity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    junk = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    junk += junk.replace(b"AAAA", b"AAA")  # not even base64
    store = pki.write(tmp_path / "store.pem", b"# a store\n" + junk + root.pem())
    monkeypatch.setenv("SSL_CERT_FILE", str(store))
    assert system_roots() == (root.certificate,)
    assert load_trust().roots == (root.certificate,)
    folder = tmp_path / "folder"
    folder.mkdir()
    pki.write(folder / "0123abcd.0", root.pem())
    (folder / "4567cdef.0").mkdir()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("SSL_CERT_DIR", str(folder))
    monkeypatch.setattr(
        "ssl.get_default_verify_paths", lambda: _Paths(None, None, str(folder))
    )
    assert system_roots() == (root.certificate,)


class _Paths:
    def __init__(self, cafile, openssl_cafile, capath) -> None:
        self.cafile, self.openssl_cafile = cafile, openssl_cafile
        self.capath = capath


def test_a_real_store_is_readable() -> None:
    roots = system_roots()
    if not roots:
        pytest.skip("this machine has no certificate store")
    assert all(isinstance(each, x509.Certificate) for each in roots)
