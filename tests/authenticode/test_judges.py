"""Other people's tools on our signatures, and we on theirs.

osslsigncode reads scripts; SignedCms, in the PowerShell engine, reads the CMS layer.
A pass there is needed and not enough: both accept what Windows does not.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from psexport.authenticode import TimestampClient, Trust, sign_bytes, verify_bytes
from psexport.authenticode.algorithms import SIGNING_HASHES
from psexport.authenticode.envelope import (
    SCRIPT,
    encoding_of,
    kind_of,
    read_block,
    split,
    write_block,
)
from psexport.authenticode.spc import indirect_data

from . import independent, pki
from .authority import Authority
from .conftest import signer_of
from .loopback import serve

NAMES = ["a.ps1", "a.psm1", "a.psd1", "a.ps1xml", "a.psc1", "a.cdxml"]
CODECS = ["ascii", "utf-8-sig", "utf-16-le"]
KEYS = ["RSA-2048", "P-256", "P-384", "P-521"]


def body_of(codec: str, newline: str) -> bytes:
    text = f"one{newline}two{newline}"
    if codec != "ascii":
        text += f"häßlich 😀 {newline}"
    return (f"\ufeff{text}" if codec == "utf-16-le" else text).encode(codec)


@pytest.fixture(scope="module")
def osslsigncode() -> str:
    found = shutil.which("osslsigncode")
    if found is None:
        pytest.skip("osslsigncode is not installed")
    return found


def run(*command: str | Path) -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("codec", CODECS)
def test_osslsigncode_verifies_ours(
    name: str,
    codec: str,
    osslsigncode: str,
    identities: dict[str, pki.Identity],
    root: pki.Identity,
    tmp_path: Path,
) -> None:
    """Every kind of file, encoding, newline; keys and hashes take turns."""
    ca = pki.write(tmp_path / "ca.pem", root.certificate.public_bytes(Encoding.PEM))
    for number, newline in enumerate(["\r\n", "\n"]):
        turn = NAMES.index(name) + CODECS.index(codec) + number
        identity = identities[KEYS[turn % len(KEYS)]]
        algorithm = list(SIGNING_HASHES)[turn % 3]
        body = body_of(codec, newline)
        signed = sign_bytes(body, name, signer_of(identity), algorithm)
        path = pki.write(tmp_path / name, signed)
        said = run(osslsigncode, "verify", "-CAfile", ca, "-in", path)
        assert "Signature verification: ok" in said
        digest = independent.digest(
            signed,
            algorithm.lower(),
            *(("<!-- ", " -->") if name.endswith(("xml", "psc1")) else ()),
        )
        assert f"Current message digest    : {digest.hex().upper()}" in said


def test_osslsigncode_verifies_our_time_stamps(
    osslsigncode: str,
    leaf: pki.Identity,
    root: pki.Identity,
    tsa: pki.Identity,
    tsa_root: pki.Identity,
    tmp_path: Path,
) -> None:
    ca = pki.write(tmp_path / "ca.pem", root.certificate.public_bytes(Encoding.PEM))
    tsa_ca = pki.write(
        tmp_path / "tca.pem", tsa_root.certificate.public_bytes(Encoding.PEM)
    )
    folder = tmp_path / "tsa"
    folder.mkdir()
    with serve(Authority(folder, tsa).answer) as server:
        client = TimestampClient((server.url,))
        signed = sign_bytes(b"Get-Date", "a.ps1", signer_of(leaf), timestamp=client)
    path = pki.write(tmp_path / "a.ps1", signed)
    said = run(
        osslsigncode, "verify", "-CAfile", ca, "-TSA-CAfile", tsa_ca, "-in", path
    )
    assert "Timestamp Server Signature verification: ok" in said


@pytest.mark.parametrize("key", ["RSA-2048", "P-256"])
@pytest.mark.parametrize("name", ["a.ps1", "a.ps1xml"])
@pytest.mark.parametrize("codec", CODECS)
def test_we_verify_osslsigncode(
    key: str,
    name: str,
    codec: str,
    osslsigncode: str,
    identities: dict[str, pki.Identity],
    trust: Trust,
    tmp_path: Path,
) -> None:
    identity = identities[key]
    certificate = pki.write(tmp_path / "c.pem", identity.pem())
    secret = pki.write(tmp_path / "k.pem", identity.key_pem())
    body = body_of(codec, "\r\n")
    path = pki.write(tmp_path / name, body)
    signed = tmp_path / f"signed-{name}"
    run(
        osslsigncode,
        *("sign", "-certs", certificate, "-key", secret),
        *("-h", "sha256", "-in", path, "-out", signed),
    )
    found = verify_bytes(signed.read_bytes(), name, trust)
    assert found.valid, found.message
    assert found.signer is not None
    # And we replace its signature by ours.
    again = sign_bytes(signed.read_bytes(), name, signer_of(identity))
    assert again.startswith(body + b"\r\0\n\0"[:: 1 if "16" in codec else 2])
    assert verify_bytes(again, name, trust).valid


def test_we_verify_osslsigncode_with_a_time_stamp(
    osslsigncode: str,
    leaf: pki.Identity,
    tsa: pki.Identity,
    trust: Trust,
    tmp_path: Path,
) -> None:
    certificate = pki.write(tmp_path / "c.pem", leaf.pem())
    secret = pki.write(tmp_path / "k.pem", leaf.key_pem())
    path = pki.write(tmp_path / "a.ps1", b"Get-Date\r\n")
    folder = tmp_path / "tsa"
    folder.mkdir()
    with serve(Authority(folder, tsa).answer) as server:
        run(
            osslsigncode,
            *("sign", "-certs", certificate, "-key", secret, "-ts", server.url),
            *("-h", "sha256", "-in", path, "-out", tmp_path / "b.ps1"),
        )
    found = verify_bytes((tmp_path / "b.ps1").read_bytes(), "b.ps1", trust)
    assert found.valid, found.message
    assert found.timestamp is not None


# -- SignedCms --------------------------------------------------------------------

CHECK = """
foreach ($path in [IO.Directory]::GetFiles($args[0], '*.p7')) {
    $cms = [System.Security.Cryptography.Pkcs.SignedCms]::new()
    $cms.Decode([IO.File]::ReadAllBytes($path))
    $cms.CheckSignature($true)
    $signer = $cms.SignerInfos[0]
    $token = $null
    foreach ($attribute in $signer.UnsignedAttributes) {
        $read = 0
        $ok = [System.Security.Cryptography.Pkcs.Rfc3161TimestampToken]::TryDecode(
            $attribute.Values[0].RawData, [ref] $token, [ref] $read)
        $found = $null
        $ok = $ok -and $token.VerifySignatureForSignerInfo($signer, [ref] $found)
        if (-not $ok) { throw 'the time stamp does not fit' }
    }
    [Console]::WriteLine([string]::Join('|', @(
        [IO.Path]::GetFileName($path), $cms.Version, $cms.ContentInfo.ContentType.Value,
        $signer.DigestAlgorithm.Value, $signer.Certificate.Subject,
        $cms.Certificates.Count, ($null -ne $token))))
}
"""


@pytest.mark.engine
def test_signed_cms_reads_ours(
    pwsh: str,
    identities: dict[str, pki.Identity],
    tsa: pki.Identity,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "tsa"
    folder.mkdir()
    expected = set()
    with serve(Authority(folder, tsa).answer) as server:
        client = TimestampClient((server.url,))
        for key, identity in identities.items():
            for algorithm, hashed in SIGNING_HASHES.items():
                stamp = client if algorithm == "SHA256" else None
                signed = sign_bytes(
                    b"Get-Date",
                    "a.ps1",
                    signer_of(identity),
                    algorithm,
                    "all",
                    timestamp=stamp,
                )
                name = f"{key}-{algorithm}.p7"
                block = read_block(split(signed, SCRIPT).tail, SCRIPT)
                pki.write(tmp_path / name, block)
                subject = identity.certificate.subject.rfc4514_string()
                expected.add(
                    f"{name}|1|1.3.6.1.4.1.311.2.1.4|{hashed.oid}|{subject}|3|"
                    f"{stamp is not None}"
                )
    script = pki.write(tmp_path / "check.ps1", CHECK.encode())
    said = run(pwsh, "-NoProfile", "-NonInteractive", "-File", script, tmp_path)
    assert set(said.split("\n")) - {""} == expected


MAKE = """
$folder = $args[0]
$flags = [Security.Cryptography.X509Certificates.X509KeyStorageFlags]::EphemeralKeySet
foreach ($key in 'rsa', 'ec') {
    $leaf = [Security.Cryptography.X509Certificates.X509CertificateLoader]::
        LoadPkcs12FromFile("$folder/$key.pfx", '', $flags)
    foreach ($form in 'IssuerAndSerialNumber', 'SubjectKeyIdentifier') {
        $content = [System.Security.Cryptography.Pkcs.ContentInfo]::new(
            [Security.Cryptography.Oid]::new('1.3.6.1.4.1.311.2.1.4'),
            [IO.File]::ReadAllBytes("$folder/content"))
        $cms = [System.Security.Cryptography.Pkcs.SignedCms]::new($content, $false)
        $signer = [System.Security.Cryptography.Pkcs.CmsSigner]::new(
            [System.Security.Cryptography.Pkcs.SubjectIdentifierType] $form, $leaf)
        $signer.DigestAlgorithm = [Security.Cryptography.Oid]::new(
            '2.16.840.1.101.3.4.2.1')
        $signer.IncludeOption = 'EndCertOnly'
        $cms.ComputeSignature($signer)
        [IO.File]::WriteAllBytes("$folder/$key-$form.p7", $cms.Encode())
    }
}
"""


@pytest.mark.engine
@pytest.mark.parametrize("name", ["a.psm1"])
def test_we_read_signed_cms(
    name: str, pwsh: str, rsa_key, root: pki.Identity, trust: Trust, tmp_path: Path
) -> None:
    """Signatures that .NET makes wrap the content in an octet string."""
    body = "\ufeffGet-Date # häßlich\r\n".encode()
    algorithm = SIGNING_HASHES["SHA256"]
    content = indirect_data(independent.digest(body), algorithm)
    pki.write(tmp_path / "content", content.dump())
    rsa = pki.issue("Net RSA", root, key=rsa_key)
    pki.write(tmp_path / "rsa.pfx", rsa.pfx())
    pki.write(tmp_path / "ec.pfx", pki.issue("Net EC", root).pfx())
    script = pki.write(tmp_path / "make.ps1", MAKE.encode())
    run(pwsh, "-NoProfile", "-NonInteractive", "-File", script, tmp_path)
    blocks = sorted(tmp_path.glob("*.p7"))
    assert len(blocks) == 4
    kind = kind_of(name)
    assert kind is not None
    for each in blocks:
        block = write_block(each.read_bytes(), kind, encoding_of(body))
        found = verify_bytes(body + block, name, trust)
        assert found.valid, (each.name, found.message)
        assert json.dumps(found.to_json())
        changed = verify_bytes(b"\xef\xbb\xbfx" + body[3:] + block, name, trust)
        assert changed.status == "HashMismatch"
