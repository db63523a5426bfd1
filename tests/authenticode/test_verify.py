"""What is not valid: every kind of damage, and never a traceback."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest
from asn1crypto import core
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import example, given, settings
from hypothesis import strategies as st

from psexport.authenticode import Signer, Status, Trust, sign_bytes, verify_bytes
from psexport.authenticode.algorithms import SHA1, SHA256
from psexport.authenticode.asn1 import Asn1ContentInfo, UnsupportedError
from psexport.authenticode.cms import (
    COUNTERSIGNATURE,
    SIGNING_TIME,
    BadSignatureError,
    read_signed_data,
)
from psexport.authenticode.der import MalformedError
from psexport.authenticode.envelope import (
    SCRIPT,
    encoding_of,
    read_block,
    split,
    write_block,
)
from psexport.authenticode.timestamp import DATA, read_token

from . import pki
from .authority import Authority
from .conftest import signer_of

BODY = b"Get-Date\r\nGet-Process\r\n"

ROOT = pki.issue("Fuzz Root", ca=True)
MIDDLE = pki.issue("Fuzz Middle", ROOT, ca=True)
LEAF = pki.issue("Fuzz Leaf", MIDDLE)
SIGNER = signer_of(LEAF)
TRUST = Trust((ROOT.certificate,), (ROOT.certificate,))
SIGNED = sign_bytes(BODY, "a.ps1", SIGNER, include_chain="all")


def block_of(signed: bytes) -> bytes:
    return read_block(split(signed, SCRIPT).tail, SCRIPT)


def with_block(body: bytes, der: bytes) -> bytes:
    return body + write_block(der, SCRIPT, encoding_of(body))


DER = block_of(SIGNED)


def status(data: bytes, name: str = "a.ps1") -> Status:
    return verify_bytes(data, name, TRUST).status


def test_the_starting_point_is_valid() -> None:
    assert status(SIGNED) is Status.VALID
    assert with_block(BODY, DER) == SIGNED


OTHER = sign_bytes(b"Get-Item\r\n", "b.ps1", SIGNER)
BLOCK = SIGNED[len(BODY) :]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (BODY, Status.NOT_SIGNED),
        (b"", Status.NOT_SIGNED),
        (b"abc", Status.NOT_SIGNED),
        (SIGNED.replace(b"\r\n", b"\n"), Status.NOT_SIGNED),
        (SIGNED.replace(b"\r\n", b"\r"), Status.NOT_SIGNED),
        (SIGNED + b"\r\n", Status.NOT_SIGNED),
        (SIGNED + b"Remove-Item x", Status.NOT_SIGNED),
        (SIGNED + BLOCK, Status.NOT_SIGNED),
        (SIGNED[:-1], Status.VALID),  # one line end character is enough
        (SIGNED[:-2], Status.NOT_SIGNED),
        (SIGNED[: len(BODY) + 500], Status.NOT_SIGNED),
        (BODY + BLOCK.replace(b"# SIG # End", b"# SIG # END"), Status.NOT_SIGNED),
        (BODY + BLOCK.replace(b"# MII", b"# MI!"), Status.UNKNOWN_ERROR),
        (BODY + BLOCK.replace(b"# MII", b"#  MII"), Status.UNKNOWN_ERROR),
        (with_block(BODY, b"no DER at all"), Status.UNKNOWN_ERROR),
        (with_block(BODY, DER[:-1]), Status.UNKNOWN_ERROR),
        (with_block(BODY, DER + b"\0"), Status.UNKNOWN_ERROR),
        (with_block(BODY, b"\x30\x80" * 5000), Status.UNKNOWN_ERROR),
        (with_block(BODY, b"\x30\x84\xff\xff\xff\xff"), Status.UNKNOWN_ERROR),
        (BODY + OTHER[len(b"Get-Item\r\n") :], Status.HASH_MISMATCH),
        (b"x" + SIGNED, Status.HASH_MISMATCH),
        (b"\xef\xbb\xbf" + SIGNED, Status.HASH_MISMATCH),
        (SIGNED.replace(b"Process", b"process"), Status.HASH_MISMATCH),
        (SIGNED.replace(b"Date\r\n", b"Date\n"), Status.HASH_MISMATCH),
        (SIGNED.replace(BODY, BODY + b"\r\n"), Status.HASH_MISMATCH),
        (SIGNED.decode().encode("utf-16"), Status.HASH_MISMATCH),
        (SIGNED.decode().encode("utf-32"), Status.NOT_SIGNED),
    ],
)
def test_damaged_files(data: bytes, expected: Status) -> None:
    found = verify_bytes(data, "a.ps1", TRUST)
    assert found.status is expected, found.message
    assert found.message.endswith(".")
    assert (found.chain == ()) is (expected is not Status.VALID)


@pytest.mark.parametrize(
    "text",
    [
        b'$x = "# SIG # Begin signature block"\r\n',
        b"@'\r\n# SIG # Begin signature block\r\n'@\r\n",
        b"@'\n# SIG # Begin signature block\n'@\n",
    ],
)
def test_a_signer_that_does_not_know_windows(
    text: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the first line of a block is in the text, Windows sees no signature."""
    monkeypatch.setattr(
        "psexport.authenticode.sign.mentions_block", lambda data, kind: False
    )
    signed = sign_bytes(text, "a.ps1", SIGNER)
    found = verify_bytes(signed, "a.ps1", TRUST)
    assert found.status is Status.NOT_SIGNED
    assert "more than once" in found.message


def test_other_kinds_of_files() -> None:
    assert status(SIGNED, "a.psm1") is Status.VALID
    assert status(SIGNED, "a.ps1xml") is Status.NOT_SIGNED
    assert status(SIGNED, "a.txt") is Status.NOT_SUPPORTED


@pytest.mark.parametrize(
    ("signed_as", "found_as", "why"),
    [
        (b"a\r\nb\r\n", b"a\nb\n", "they were CRLF"),
        (b"a\nb\n", b"a\r\nb\r\n", "they were LF"),
        (b"\xef\xbb\xbfabc\n", b"abc\n", "there was one"),
        (b"abcd\n", b"\xef\xbb\xbfabcd\n", "there was none"),
        (b"abcd", b"abcd\r\n", "line ends were added"),
    ],
)
def test_what_differs_is_said(signed_as: bytes, found_as: bytes, why: str) -> None:
    signed = sign_bytes(signed_as, "a.ps1", SIGNER)
    data = found_as + signed[len(signed_as) :]
    found = verify_bytes(data, "a.ps1", TRUST)
    assert found.status is Status.HASH_MISMATCH
    digest, reason = found.differs
    text = signed_as.decode().encode("utf-16-le")
    assert hashlib.sha256(text).hexdigest().upper() in digest
    assert why in reason
    assert found.to_json()["differs"] == list(found.differs)


def test_an_unmarked_signature_depends_on_the_machine() -> None:
    body = "Write-Host 'häßlich' # and more than 32 octets\r\n".encode()
    signed = sign_bytes(b"\xef\xbb\xbf" + body, "a.ps1", SIGNER)
    unmarked = signed.removeprefix(b"\xef\xbb\xbf")
    found = verify_bytes(unmarked, "a.ps1", TRUST)
    assert found.status is Status.HASH_MISMATCH
    assert any("there was one" in each for each in found.differs)


# -- one changed byte in each field -----------------------------------------------

#: sha256WithRSAEncryption instead of rsaEncryption means the same; there is no RSA
#: key here, so that no other exception is needed.
DELTAS = (0x01, 0x20, 0x80)


def test_one_changed_byte_is_never_valid() -> None:
    for at in range(len(DER)):
        for delta in DELTAS:
            changed = bytearray(DER)
            changed[at] ^= delta
            found = verify_bytes(with_block(BODY, bytes(changed)), "a.ps1", TRUST)
            assert not found.valid, (at, delta)
            assert found.to_json()["status"] != "Valid"


def test_one_changed_character_of_the_file_is_never_valid() -> None:
    for at in range(len(SIGNED) - 2):
        changed = bytearray(SIGNED)
        changed[at] ^= 0x01
        assert status(bytes(changed)) is not Status.VALID, at


def test_one_changed_byte_of_a_stamp_is_never_valid(tmp_path: Path) -> None:
    tsa = pki.issue("Fuzz Authority", ROOT, usages=(pki.STAMP,))
    authority = Authority(tmp_path, tsa)

    def stamped(signature: bytes, algorithm: object, certificate: object) -> bytes:
        from psexport.authenticode.timestamp import build_query, read_reply

        return read_reply(authority.reply(build_query(signature, SHA256, 5)))

    client = type("Client", (), {"stamp": staticmethod(stamped)})()
    der = block_of(sign_bytes(BODY, "a.ps1", SIGNER, timestamp=client))
    [token] = read_signed_data(der).signer.unsigned["1.3.6.1.4.1.311.3.3.1"]
    assert status(with_block(BODY, der)) is Status.VALID
    start = der.index(token) - 16  # with the attribute's own type
    for at in range(start, len(der)):
        changed = bytearray(der)
        changed[at] ^= 0x01
        assert status(with_block(BODY, bytes(changed))) is not Status.VALID, at


# -- fuzzing ----------------------------------------------------------------------


@st.composite
def mutations(draw: st.DrawFn, original: bytes) -> bytes:
    """Cut, double, swap, fill and insert: what happens to bytes in bad company."""
    data = bytearray(original)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        to = draw(st.integers(at, min(len(data), at + 40)))
        match draw(st.sampled_from(["cut", "double", "fill", "insert", "end"])):
            case "cut":
                del data[at:to]
            case "double":
                data[at:at] = data[at:to]
            case "fill":
                data[at:to] = bytes([draw(st.integers(0, 255))]) * (to - at)
            case "insert":
                data[at:at] = draw(st.binary(max_size=8))
            case "end":
                del data[max(1, at) :]
    return bytes(data)


@settings(max_examples=300)
@given(mutations(DER))
def test_fuzzed_der_is_never_valid(der: bytes) -> None:
    if der != DER:
        assert status(with_block(BODY, der)) is not Status.VALID


@settings(max_examples=300)
@given(mutations(SIGNED))
@example(b"\xff\xfe" + SIGNED)
@example(b"\xfe\xff" + SIGNED)
def test_fuzzed_text_is_never_valid(data: bytes) -> None:
    tail = data.removeprefix(SIGNED[:-2])
    same = data.startswith(SIGNED[:-2]) and tail in (
        b"\r",
        b"\n",
        b"\r\n",
        b"\n\r",
        b"\r\r",
        b"\n\n",
    )
    assert (status(data) is Status.VALID) is same


@given(st.binary(max_size=200))
@example(b"\x30\x80" * 3000)
@example(b"\xa0\x80" * 3000)
def test_fuzzed_readers_have_one_way_to_fail(data: bytes) -> None:
    for read in (read_signed_data, lambda der: read_token(der, b"x")):
        with pytest.raises((MalformedError, UnsupportedError, BadSignatureError)):
            read(data)


# -- forms that others make -------------------------------------------------------


def rebuilt(change, der: bytes = DER) -> bytes:
    """Return a block with something exchanged in its structure."""
    outer = Asn1ContentInfo.load(der)
    change(outer["content"])
    return with_block(BODY, outer.dump(force=True))


def test_two_signers() -> None:
    def double(data) -> None:
        infos = [each.copy() for each in data["signer_infos"]]
        data["signer_infos"] = infos * 2

    assert status(rebuilt(double)) is Status.UNKNOWN_ERROR


def test_no_signers() -> None:
    def drop(data) -> None:
        data["signer_infos"] = []

    assert status(rebuilt(drop)) is Status.UNKNOWN_ERROR


def test_a_hash_that_is_not_known() -> None:
    def md5(data) -> None:
        data["signer_infos"][0]["digest_algorithm"]["algorithm"] = "1.2.840.113549.2.5"

    assert status(rebuilt(md5)) is Status.INCOMPATIBLE


def test_pss_is_not_known() -> None:
    def pss(data) -> None:
        name = "1.2.840.113549.1.1.10"
        data["signer_infos"][0]["signature_algorithm"]["algorithm"] = name

    assert status(rebuilt(pss)) is Status.INCOMPATIBLE


def der(tag: int, *parts: bytes) -> bytes:
    """Encode a value; the test's own way."""
    contents = b"".join(parts)
    size = len(contents)
    length = bytes([size]) if size < 128 else b"\x83" + size.to_bytes(3, "big")
    if 128 <= size < 256:
        length = b"\x81" + bytes([size])
    elif 256 <= size < 65536:
        length = b"\x82" + size.to_bytes(2, "big")
    return bytes([tag]) + length + contents


OID_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
SHA256_IDENTIFIER = bytes.fromhex("300d06096086480165030402010500")


def crafted(content: bytes, change: dict[str, bytes] | None = None) -> bytes:
    """Build a block around any content, with any part exchanged."""
    outer = Asn1ContentInfo.load(DER)
    data = outer["content"]
    parts = {
        "version": b"\x02\x01\x01",
        "hashes": der(0x31, SHA256_IDENTIFIER),
        "content": der(
            0x30, bytes.fromhex("060a2b060104018237020104"), der(0xA0, content)
        ),
        "certificates": data["certificates"].dump(),
        "crls": b"",
        "signers": data["signer_infos"].dump(),
        "more": b"",
    } | (change or {})
    signed_data = der(0x30, *parts.values())
    return with_block(BODY, der(0x30, OID_SIGNED_DATA, der(0xA0, signed_data)))


CONTENT = Asn1ContentInfo.load(DER)["content"]["content_info"]["content"].parse()
SAME = CONTENT.untag().dump()


def test_the_crafted_block_is_the_genuine_one() -> None:
    assert crafted(SAME) == SIGNED


@pytest.mark.parametrize(
    "data",
    [
        crafted(der(0x30, b"\x30\x80" * 5000)),
        crafted(der(0x30, b"\xa0\x80" * 5000)),
        crafted(b"\x30\x00"),
        crafted(SAME + b"\x05\x00"),
        crafted(der(0x04, SAME)),  # .NET's form, Windows' version
        crafted(SAME, {"version": b"\x02\x01\x03"}),
        crafted(SAME, {"version": b"\x02\x01\x02"}),
        crafted(SAME, {"hashes": der(0x31, SHA256_IDENTIFIER * 2)}),
        crafted(SAME, {"hashes": der(0x31)}),
        crafted(SAME, {"certificates": b""}),
        crafted(SAME, {"certificates": der(0xA0)}),
        crafted(SAME, {"certificates": der(0xA0, b"\x30\x00")}),
        crafted(SAME, {"crls": der(0xA1)}),
        crafted(SAME, {"more": b"\x05\x00"}),
        crafted(SAME.replace(b"\x1f\xcc\x3b", b"\x1f\xcc\x3c")),
    ],
)
def test_structures_that_are_not_right(data: bytes) -> None:
    assert status(data) is Status.UNKNOWN_ERROR


def test_a_superfluous_certificate_has_to_be_genuine() -> None:
    """One more is no harm, as with cross-signed roots; a damaged one is."""
    outer = Asn1ContentInfo.load(DER)
    carried = [each.dump() for each in outer["content"]["certificates"]]
    sibling = pki.issue("Sibling", ROOT).certificate.public_bytes(Encoding.DER)
    unknown = pki.issue("Child", pki.issue("Unknown", ca=True))
    stranger = unknown.certificate.public_bytes(Encoding.DER)
    for extra, expected in (
        (sibling, Status.VALID),
        (stranger, Status.UNKNOWN_ERROR),
        (sibling[:-1] + bytes([sibling[-1] ^ 1]), Status.UNKNOWN_ERROR),
    ):
        change = {"certificates": der(0xA0, *carried, extra)}
        assert status(crafted(SAME, change)) is expected


def test_an_unknown_unsigned_attribute() -> None:
    def add(data) -> None:
        from psexport.authenticode.cms import _attribute

        data["signer_infos"][0]["unsigned"] = [_attribute("1.2.3.4", core.Null())]

    assert status(rebuilt(add)) is Status.UNKNOWN_ERROR


def countersign(
    signature: bytes, identity: pki.Identity, digest=SHA256, when=pki.NOW
) -> bytes:
    """Return a PKCS#9 countersignature, as the years before RFC 3161 made them."""
    from asn1crypto import cms
    from asn1crypto import x509 as asn1_x509
    from cryptography.hazmat.primitives.asymmetric import ec

    from psexport.authenticode.asn1 import Asn1Attributes, Asn1SignerInfo
    from psexport.authenticode.cms import CONTENT_TYPE, MESSAGE_DIGEST, _attribute

    attributes = Asn1Attributes(
        [
            _attribute(CONTENT_TYPE, core.ObjectIdentifier(DATA)),
            _attribute(SIGNING_TIME, core.UTCTime(when)),
            _attribute(MESSAGE_DIGEST, core.OctetString(digest.of(signature))),
        ]
    )
    leaf = asn1_x509.Certificate.load(identity.certificate.public_bytes(Encoding.DER))
    assert isinstance(identity.key, ec.EllipticCurvePrivateKey)
    info = {
        "version": 1,
        "sid": cms.SignerIdentifier(
            "issuer_and_serial_number",
            {"issuer": leaf.issuer, "serial_number": leaf.serial_number},
        ),
        "digest_algorithm": {"algorithm": digest.oid, "parameters": core.Null()},
        "signed": attributes,
        "signature_algorithm": {"algorithm": "1.2.840.10045.2.1"},
        "signature": identity.key.sign(attributes.dump(), ec.ECDSA(digest.primitive())),
    }
    return Asn1SignerInfo(info).dump()


@pytest.mark.parametrize(
    ("usages", "digest", "when", "expected"),
    [
        ((pki.STAMP,), SHA256, pki.NOW, Status.VALID),
        ((pki.STAMP,), SHA1, pki.NOW, Status.VALID),
        ((pki.CODE,), SHA256, pki.NOW, Status.UNKNOWN_ERROR),
        ((pki.STAMP,), SHA256, pki.NOW - 30 * pki.DAY, Status.UNKNOWN_ERROR),
    ],
)
def test_old_countersignatures(usages, digest, when, expected: Status) -> None:
    tsa = pki.issue("Old Authority", ROOT, usages=usages)

    def stamp(data) -> None:
        info = data["signer_infos"][0]
        value = countersign(info["signature"].native, tsa, digest, when)
        from psexport.authenticode.cms import _attribute

        info["unsigned"] = [_attribute(COUNTERSIGNATURE, core.load(value))]
        data["certificates"].append(
            core.Any(core.load(tsa.certificate.public_bytes(Encoding.DER)))
        )

    signed = rebuilt(stamp)
    found = verify_bytes(signed, "a.ps1", TRUST, now=pki.NOW + 400 * pki.DAY)
    assert found.status is expected, found.message
    if found.valid:
        assert found.timestamp is not None
        assert found.timestamp.time == when


def test_a_countersignature_of_another_signature() -> None:
    tsa = pki.issue("Old Authority", ROOT, usages=(pki.STAMP,))

    def stamp(data) -> None:
        from psexport.authenticode.cms import _attribute

        value = countersign(b"another", tsa)
        info = data["signer_infos"][0]
        info["unsigned"] = [_attribute(COUNTERSIGNATURE, core.load(value))]
        data["certificates"].append(
            core.Any(core.load(tsa.certificate.public_bytes(Encoding.DER)))
        )

    assert status(rebuilt(stamp)) is Status.UNKNOWN_ERROR


def test_json_is_plain(signer: Signer) -> None:
    import json

    found = verify_bytes(SIGNED, "a.ps1", TRUST).to_json()
    assert json.loads(json.dumps(found)) == found
    assert found["status"] == "Valid"
    thumbprint = found["signer"]["thumbprint"]
    encoded = LEAF.certificate.public_bytes(Encoding.DER)
    assert thumbprint == hashlib.sha1(encoded).hexdigest().upper()


def test_base64_is_what_it_says() -> None:
    lines = BLOCK.decode().split("\r\n")[2:-2]
    joined = "".join(each.removeprefix("# ") for each in lines)
    assert base64.b64decode(joined) == DER
    assert {len(each) for each in lines[:-1]} == {66}
