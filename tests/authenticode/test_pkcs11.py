"""Keys in a token: SoftHSM's, in a folder of the test's own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from psexport.authenticode import Trust, load_signer, sign_bytes, verify_bytes
from psexport.errors import PSExportError

from . import pki

pkcs11 = pytest.importorskip("pkcs11", reason="python-pkcs11 is not installed")

LIBRARIES = [
    Path("/usr/lib/softhsm/libsofthsm2.so"),
    Path("/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"),
    Path("/usr/local/lib/softhsm/libsofthsm2.so"),
    Path("/opt/homebrew/lib/softhsm/libsofthsm2.so"),
]
MODULE = next((each for each in LIBRARIES if each.exists()), None)
PIN = "4711-pin"

pytestmark = pytest.mark.skipif(MODULE is None, reason="SoftHSM is not installed")


@pytest.fixture(scope="module")
def token(
    tmp_path_factory: pytest.TempPathFactory, identities: dict[str, pki.Identity]
) -> Iterator[str]:
    """A token with all kinds of keys; gives the address of it without a key."""
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    configuration = folder / "softhsm2.conf"
    configuration.write_text(
        f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(configuration))
        fill(folder, identities)
        yield f"pkcs11:token=Build{{}}?module-path={MODULE}"


def fill(folder: Path, identities: dict[str, pki.Identity]) -> None:
    """Make a token, and put keys and certificates into it."""

    def tool(*arguments: str) -> None:
        subprocess.run(
            ["softhsm2-util", *arguments], check=True, stdout=subprocess.DEVNULL
        )

    tool("--init-token", "--free", "--label", "Build", "--pin", PIN, "--so-pin", PIN)
    certificates = []
    for number, (name, identity) in enumerate(identities.items(), start=1):
        key = folder / "key.pem"
        key.write_bytes(
            identity.key.private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            )
        )
        tool(
            *("--import", str(key), "--token", "Build", "--pin", PIN),
            *("--label", name, "--id", f"{number:02x}"),
        )
        key.unlink()
        certificates += [
            (each, bytes([number]) if each == identity.certificate else b"\xff")
            for each in identity.chain
        ]
    # The library remembers its state, so what else there is goes in through it.
    found = pkcs11.lib(str(MODULE)).get_token(token_label="Build")
    with found.open(user_pin=PIN, rw=True) as session:
        for certificate, identifier in dict(certificates).items():
            session.create_object(
                {
                    pkcs11.Attribute.CLASS: pkcs11.ObjectClass.CERTIFICATE,
                    pkcs11.Attribute.CERTIFICATE_TYPE: pkcs11.CertificateType.X_509,
                    pkcs11.Attribute.TOKEN: True,
                    pkcs11.Attribute.ID: identifier,
                    pkcs11.Attribute.SUBJECT: certificate.subject.public_bytes(),
                    pkcs11.Attribute.VALUE: certificate.public_bytes(Encoding.DER),
                }
            )


def tell(target: str) -> str:
    return PIN


@pytest.mark.parametrize("algorithm", ["SHA256", "SHA384", "SHA512"])
@pytest.mark.parametrize("key", ["RSA-2048", "P-256", "P-384", "P-521"])
def test_keys_of_a_token(
    key: str,
    algorithm: str,
    token: str,
    identities: dict[str, pki.Identity],
    trust: Trust,
) -> None:
    named = f";model=SoftHSM%20v2;object={key};type=private"
    signer = load_signer(token.format(named), password=tell)
    assert list(signer.chain) == identities[key].chain
    signed = sign_bytes(b"Get-Date", "a.ps1", signer, algorithm)
    found = verify_bytes(signed, "a.ps1", trust)
    assert found.valid, found.message


def test_a_certificate_from_a_file(
    token: str, identities: dict[str, pki.Identity], trust: Trust, tmp_path: Path
) -> None:
    certificate = pki.write(tmp_path / "c.pem", identities["P-256"].pem())
    pin = pki.write(tmp_path / "pin", f"{PIN}\n".encode())
    address = token.format(";id=%02") + f"&pin-source=file:{pin}"
    signer = load_signer(certificate, address)
    assert verify_bytes(sign_bytes(b"Get-Date", "a.ps1", signer), "a.ps1", trust).valid
    with pytest.raises(PSExportError) as caught:
        load_signer(certificate, token.format(";id=%03"), password=tell)
    assert caught.value.id == "ErrorCertificateKeyMismatch"


def test_the_module_from_the_environment(
    token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = token.format(";object=P-256").partition("?")[0]
    monkeypatch.setenv("PKCS11_MODULE", str(MODULE))
    assert load_signer(address, password=tell)


@pytest.mark.parametrize(
    ("address", "password", "id"),
    [
        (";object=nothing", tell, "ErrorKeyServiceAddress"),
        ("", tell, "ErrorKeyServiceAddress"),  # several keys
        (";object=P-256", None, "ErrorCertificatePassword"),
        (";color=red", tell, "ErrorKeyServiceAddress"),
        (";object", tell, "ErrorKeyServiceAddress"),
        (";object=%FF", tell, "ErrorKeyServiceAddress"),
        (";object=P-256;model=Other", tell, "ErrorKeyService"),
    ],
)
def test_tokens_that_say_no(address: str, password, id: str, token: str) -> None:
    with pytest.raises(PSExportError) as caught:
        load_signer(token.format(address), password=password)
    assert caught.value.id == id


def test_a_wrong_pin(token: str) -> None:
    """In a process of its own: being logged in is a state of the whole process."""
    code = (
        "import sys\n"
        "from psexport.authenticode import load_signer\n"
        "from psexport.errors import PSExportError\n"
        "try:\n"
        "    load_signer(sys.argv[1], password=lambda target: sys.argv[2])\n"
        "except PSExportError as error:\n"
        "    print(error.id)\n"
    )
    for pin, said in (
        (PIN, ""),
        ("wrong", "ErrorCertificatePassword\n"),
        (b"1\xff", "ErrorCertificatePassword\n"),
    ):
        command = [sys.executable, "-c", code, token.format(";object=P-256"), pin]
        done = subprocess.run(command, capture_output=True, text=True)
        assert (done.stdout, done.stderr) == (said, "")


@pytest.mark.parametrize(
    ("address", "id"),
    [
        ("pkcs11:token=None?module-path={module}", "ErrorKeyService"),
        ("pkcs11:token=Build?module-path=/no/such/module.so", "ErrorKeyService"),
        ("pkcs11:token=Build", "ErrorKeyServiceAddress"),
        ("pkcs11:token=Build?module-path=%FF", "ErrorKeyServiceAddress"),
        (
            "pkcs11:token=Build?module-path={module}&pin-source=file:/no/such",
            "ErrorCertificateUnreadable",
        ),
    ],
)
def test_addresses_that_lead_nowhere(
    address: str, id: str, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PKCS11_MODULE", raising=False)
    with pytest.raises(PSExportError) as caught:
        load_signer(address.format(module=MODULE), password=tell)
    assert caught.value.id == id


@pytest.mark.parametrize("place", [";object=P-256{}&{}", ";object=P-256;{1}{0}"])
def test_a_pin_in_the_address_is_refused_and_not_repeated(
    place: str, token: str
) -> None:
    path, question, query = token.partition("?")
    address = path.format(place.format(question + query, f"pin-value={PIN}"))
    with pytest.raises(PSExportError) as caught:
        load_signer(address)
    assert caught.value.id == "ErrorKeyServiceAddress"
    assert PIN not in str(caught.value)
    assert PIN not in str(caught.value.target)


def test_without_the_library(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setitem(sys.modules, "pkcs11", None)
    with pytest.raises(PSExportError) as caught:
        load_signer(token.format(";object=P-256"), password=tell)
    assert caught.value.id == "ErrorKeyServiceNotInstalled"
    assert "psexport[pkcs11]" in str(caught.value.hint)
