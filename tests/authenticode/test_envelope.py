"""Where the block is, what is hashed, and what a block has to look like."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psexport.authenticode import needs_bom
from psexport.authenticode.algorithms import SHA256, SHA512
from psexport.authenticode.envelope import (
    MARKUP,
    SCRIPT,
    BadBlockError,
    NoBlockError,
    ReadingError,
    digest,
    encoding_of,
    kind_of,
    looks_like_utf8,
    read_block,
    split,
    strip_block,
    write_block,
)

from . import independent

DER = bytes(range(100))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.ps1", SCRIPT),
        ("A.PSM1", SCRIPT),
        ("dir.x/a.psd1", SCRIPT),
        ("a.format.ps1xml", MARKUP),
        ("a.psc1", MARKUP),
        ("a.cdxml", MARKUP),
        ("a.xml", None),
        ("a.ps1.txt", None),
        ("ps1", None),
    ],
)
def test_the_extension_says_how_a_file_is_signed(name: str, kind: object) -> None:
    assert kind_of(name) is kind


def test_blocks_are_written_to_the_byte() -> None:
    script = write_block(DER, SCRIPT, encoding_of(b""))
    assert script == (
        b"\r\n# SIG # Begin signature block\r\n"
        b"# AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4v\r\n"
        b"# MDEyMzQ1Njc4OTo7PD0+P0BBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWltcXV5f\r\n"
        b"# YGFiYw==\r\n"
        b"# SIG # End signature block\r\n"
    )
    markup = write_block(b"\0", MARKUP, encoding_of(b"\xff\xfe"))
    assert markup.decode("utf-16-le") == (
        "\r\n<!-- SIG # Begin signature block -->\r\n<!-- AA== -->\r\n"
        "<!-- SIG # End signature block -->\r\n"
    )


@pytest.mark.parametrize(
    ("data", "hashed"),
    [
        (b"a\n", "61000a00"),
        (b"a\r\n", "61000d000a00"),
        (b"\xef\xbb\xbfa", "fffe6100"),
        (b"\xff\xfea\0", "fffe6100"),
        (b"\xfe\xff\0a", "fffe6100"),
        ("\ufeff\U0001f600".encode(), "fffe3dd800de"),
    ],
)
def test_what_is_hashed(data: bytes, hashed: str) -> None:
    assert digest(data, SHA256) == hashlib.sha256(bytes.fromhex(hashed)).digest()


@pytest.mark.parametrize(
    ("data", "as_utf8"),
    [
        ("é".encode(), True),
        (b"a" * 30 + "é".encode(), True),
        (b"a" * 31 + "é".encode(), False),  # cut off by the 32nd byte
        (b"a" * 32 + "é".encode(), False),  # nothing to be seen in the first 32
        ("é".encode() + b"a" * 40 + b"\xff", True),  # malformed, but later
        ("é".encode() + b"\xff", False),
        (b"plain", False),
    ],
)
def test_how_windows_guesses(data: bytes, as_utf8: bool) -> None:
    assert looks_like_utf8(data) is as_utf8
    read_as = digest(data, SHA256, "cp1252")
    codec = "utf-8" if as_utf8 else "latin-1"  # equal to 1252 for these characters
    text = data.decode(codec, "replace")
    assert read_as == hashlib.sha256(text.encode("utf-16-le")).digest()


def test_undefined_bytes_of_a_code_page_are_control_characters() -> None:
    expected = hashlib.sha256("x\x81\u20ac".encode("utf-16-le")).digest()
    assert digest(b"x\x81\x80", SHA256, "cp1252") == expected


def test_malformed_text_is_an_error_to_a_signer_only() -> None:
    data = b"\xef\xbb\xbfabc\xff"
    with pytest.raises(ReadingError, match="byte 6 is not valid UTF-8"):
        digest(data, SHA256, strict=True)
    assert digest(data, SHA256)
    with pytest.raises(ReadingError):
        digest(b"\xfe\xffabc", SHA256, strict=True)


# A NUL after UTF-16LE's mark would make it UTF-32LE's.
TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60
)
CODECS = st.sampled_from(["utf-8-sig", "utf-16-le", "utf-16-be"])


def encode(text: str, codec: str) -> bytes:
    return text.encode(codec) if codec == "utf-8-sig" else f"\ufeff{text}".encode(codec)


@given(TEXTS, CODECS, st.sampled_from([SCRIPT, MARKUP]), st.binary(min_size=1))
def test_split_finds_what_was_put_together(text, codec, kind, der) -> None:
    body = encode(text, codec)
    whole = body + write_block(der, kind, encoding_of(body))
    parts = split(whole, kind)
    assert parts.body == body
    assert read_block(parts.tail, kind) == der
    assert strip_block(whole, kind) == body
    assert split(body, kind).body == body


@given(TEXTS, CODECS)
def test_a_second_implementation_agrees(text: str, codec: str) -> None:
    body = encode(text, codec)
    assert digest(body, SHA256) == independent.digest(body)
    assert digest(body, SHA512) == independent.digest(body, "sha512")


def test_utf16_is_searched_by_characters() -> None:
    # The marker's octets at an odd offset are other characters.
    shifted = b"\xff\xfe\x0d" + "\r\n# SIG # Begin signature block\r\n".encode(
        "utf-16-le"
    )
    assert not split(shifted + b"\x00", SCRIPT).tail


@pytest.mark.parametrize(
    ("data", "needed"),
    [
        (b"plain", False),
        ("é".encode(), True),
        ("\ufeffé".encode(), False),
        ("\ufeffé".encode("utf-16-be"), False),
        (b"\xe9", True),
        (b"", False),
    ],
)
def test_needs_bom(data: bytes, needed: bool) -> None:
    assert needs_bom(data) is needed


BLOCK = write_block(DER, SCRIPT, encoding_of(b"")).decode()


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\n\n", "\r\r"])
def test_line_ends_that_may_follow_a_block(end: str) -> None:
    assert read_block(BLOCK.rstrip("\r\n") + end, SCRIPT) == DER


@pytest.mark.parametrize(
    ("tail", "error"),
    [
        (BLOCK.rstrip("\r\n"), NoBlockError),
        (BLOCK + "\r\n", NoBlockError),
        (BLOCK + "Remove-Item x", NoBlockError),
        (BLOCK + " ", NoBlockError),
        (BLOCK + BLOCK, NoBlockError),
        (BLOCK[:90], NoBlockError),
        (BLOCK.replace("SIG # End", "SIG # end"), NoBlockError),
        (BLOCK.replace("# MDEy", "#MDEy"), BadBlockError),
        (BLOCK.replace("# MDEy", "# MDE*"), BadBlockError),
        (BLOCK.replace("# MDEy", "# MDEyM"), BadBlockError),
        (BLOCK.replace("# MDEy", "# é"), BadBlockError),
        (BLOCK.replace("YGFiYw==", "YGFiYx=="), BadBlockError),  # not canonical
        (BLOCK.replace("YGFiYw==", "YGFiYw"), BadBlockError),
        (BLOCK.replace("# YGFiYw==\r\n", "# \r\n"), BadBlockError),
        (BLOCK.replace("S4v\r\n", "S4v\n"), BadBlockError),
        (BLOCK.replace("Njc4", "Njc4\n"), BadBlockError),
    ],
)
def test_blocks_that_are_none(tail: str, error: type[Exception]) -> None:
    if tail == BLOCK:
        pytest.fail("the case changes nothing")
    with pytest.raises(error):
        read_block(tail, SCRIPT)


@pytest.mark.parametrize("newline", ["\n", "\r"])
def test_a_converted_block_is_replaced_as_well(newline: str) -> None:
    whole = ("Get-Date\r\n" + BLOCK).replace("\r\n", newline).encode()
    assert strip_block(whole, SCRIPT) == f"Get-Date{newline}".encode()


@pytest.mark.parametrize(
    "data",
    [
        b"Get-Date\r\n" + BLOCK[:80].encode(),
        b"Get-Date\r\n" + BLOCK.encode() + b"Get-Date",
        b"@'" + BLOCK.encode() + b"'@",
        b"Get-Date # SIG # Begin signature block",
    ],
)
def test_what_is_no_block_at_the_end_stays(data: bytes) -> None:
    assert strip_block(data, SCRIPT) == data
