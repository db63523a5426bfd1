"""Signed files to the byte: the same key and text, the same file, release by release.

``PSEXPORT_GOLDEN=write pytest tests/authenticode/test_golden.py`` makes them anew.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from psexport.authenticode import Trust, load_signer, sign_bytes, verify_bytes
from psexport.authenticode.algorithms import SHA256, digest_info, ecdsa_to_der
from psexport.authenticode.asn1 import MalformedError
from psexport.authenticode.cms import signed_attributes
from psexport.authenticode.der import Reader
from psexport.authenticode.spc import indirect_data, read_indirect_data

FOLDER = Path(__file__).parents[2] / "fixtures" / "signing"
BODY = {
    "hello.psm1": b"function Hello { 'world' }\n",
    "hello.psd1": "\ufeff@{ Description = 'häßlich 😀' }\r\n".encode(),
    "hello.format.ps1xml": "\ufeff<Configuration/>\r\n".encode("utf-16-le"),
}


@pytest.mark.parametrize("key", ["rsa", "ec"])
@pytest.mark.parametrize("name", BODY)
def test_signed_files(name: str, key: str) -> None:
    signer = load_signer(FOLDER / f"{key}.pem")
    signed = sign_bytes(BODY[name], name, signer)
    path = FOLDER / f"{key}.{name}"
    if os.environ.get("PSEXPORT_GOLDEN") == "write":
        path.write_bytes(signed)
    assert signed == path.read_bytes()
    found = verify_bytes(signed, name, Trust(signer.chain, ()))
    assert found.valid, found.message


def test_the_signed_statement() -> None:
    """Section 3 of the signing document."""
    octets = indirect_data(bytes(range(32)), SHA256).dump()
    assert len(octets) == 107
    assert octets.hex().upper() == (
        "30693034060A2B06010401823702011E3026020301000004101FCC3B60594B084EB724D2C6"
        "297EF351020100020100020100020100020100"
        "3031300D06096086480165030402010500"
        "0420000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F"
    )
    assert read_indirect_data(octets) == (SHA256, bytes(range(32)))


def test_the_signed_attributes() -> None:
    content = indirect_data(bytes(32), SHA256)
    covered = SHA256.of(content.dump()[2:])  # neither tag nor length
    assert signed_attributes(content, SHA256).hex().upper() == (
        "318184"
        "3018060A2B06010401823702010C310A3008A0028000A1028000"
        "301906092A864886F70D010903310C060A2B060104018237020104"
        "301C060A2B06010401823702010B310E300C060A2B060104018237020115"
        "302F06092A864886F70D01090431220420" + covered.hex().upper()
    )


def test_what_tokens_are_given() -> None:
    assert digest_info(SHA256, b"\1" * 32).hex() == (
        "3031300d060960864801650304020105000420" + "01" * 32
    )
    assert ecdsa_to_der(bytes([0x80, 0x01])).hex() == "30070202008002" + "0101"


@pytest.mark.parametrize(
    "octets",
    [
        "",
        "30",
        "3001",
        "308100",  # a short length in the long form
        "30820001ff",  # a length with a leading zero
        "3080",  # without a length
        "3084ffffffff00",
    ],
)
def test_lengths_that_are_not_der(octets: str) -> None:
    with pytest.raises(MalformedError):
        Reader(bytes.fromhex(octets)).take(0x30)


@pytest.mark.parametrize(
    ("octets", "value"),
    [
        ("020100", 0),
        ("02017f", 127),
        ("02020080", 128),
        ("0201ff", -1),
        ("020180", -128),
    ],
)
def test_integers(octets: str, value: int) -> None:
    assert Reader(bytes.fromhex(octets)).integer() == value


@pytest.mark.parametrize("octets", ["0200", "02020001", "0202ffff", "040100"])
def test_integers_that_are_not_der(octets: str) -> None:
    with pytest.raises(MalformedError):
        Reader(bytes.fromhex(octets)).integer()


@pytest.mark.parametrize("octets", ["0600", "060180", "06022a80", "0603808001"])
def test_oids_that_are_not_der(octets: str) -> None:
    with pytest.raises(MalformedError):
        Reader(bytes.fromhex(octets)).oid()
