"""Text to bytes under the names that -Encoding takes."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from engine import run_script
from psexport.encoding import (
    NAMES,
    POWERSHELL,
    WINDOWS_POWERSHELL,
    TextEncoding,
    encoder,
    oem_code_page,
)
from psexport.errors import PSExportError, UsageError


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ascii", b"a-z"),
        ("bigendianunicode", b"\xfe\xff\0a\0-\0z"),
        ("bigendianutf32", b"\0\0\xfe\xff\0\0\0a\0\0\0-\0\0\0z"),
        ("unicode", b"\xff\xfea\0-\0z\0"),
        ("utf7", b"a-z"),
        ("utf8", b"a-z"),
        ("utf8BOM", b"\xef\xbb\xbfa-z"),
        ("utf8NoBOM", b"a-z"),
        ("utf32", b"\xff\xfe\0\0a\0\0\0-\0\0\0z\0\0\0"),
        ("oem", b"a-z"),
        ("utf-8", b"\xef\xbb\xbfa-z"),  # as .NET's own encoding of that name
        ("65001", b"\xef\xbb\xbfa-z"),
        ("1200", b"\xff\xfea\0-\0z\0"),
        ("utf-16BE", b"\xfe\xff\0a\0-\0z"),
        ("1251", b"a-z"),
    ],
)
def test_marks(name: str, expected: bytes) -> None:
    for spelling in (name, name.upper(), name.lower(), f" {name} "):
        assert encoder(spelling).encode("a-z") == expected


def test_every_name_of_the_page_works() -> None:
    assert all(encoder(name).encode("") is not None for name in NAMES)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("1251", "Жя", b"\xc6\xff"),
        ("windows-1251", "Жя", b"\xc6\xff"),
        ("CP866", "Жя", b"\x86\xef"),
        ("iso-8859-15", "€", b"\xa4"),
        ("latin1", "é", b"\xe9"),
        ("koi8-r", "Ж", b"\xf6"),
        ("shift_jis", "あ", b"\x82\xa0"),
        ("gb18030", "😀", b"\x94\x39\xfc\x36"),
        ("ibm037", "a", b"\x81"),
        ("utf7", "é+", b"+AOkAKw-"),
        ("oem", "é", b"\x82"),
    ],
)
def test_code_pages(name: str, text: str, expected: bytes) -> None:
    assert encoder(name, {"LANG": "de_DE.UTF-8"}).encode(text) == expected


@pytest.mark.parametrize(
    "name",
    ["", "utf9", "99999", "1", "0", "-1", "123456789", "iso-8859-16x", "１２５１"],
)
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        encoder(name)
    assert caught.value.id == "ErrorUnknownEncoding"
    assert "utf8BOM" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("name", "text", "at", "shown"),
    [
        ("ascii", "abcé", 3, "U+00E9 (é)"),
        ("1251", "Ж😀", 1, "U+1F600 (😀)"),
        ("utf8", "a\ud800", 1, "U+D800"),
        ("unicode", "\udc00", 0, "U+DC00"),
        ("932", "a¢", 1, "U+00A2 (¢)"),  # would come back as another character
        ("28597", "α€", 1, "U+20AC (€)"),
        ("ascii", "\u202e", 0, "U+202E"),
    ],
)
def test_what_an_encoding_cannot_hold(
    name: str, text: str, at: int, shown: str
) -> None:
    with pytest.raises(PSExportError) as caught:
        encoder(name).encode(text, lambda offset: f"place {offset}")
    assert caught.value.id == "ErrorEncodingCannotHold"
    assert caught.value.target == shown
    assert f"{name} cannot hold the character {shown} of place {at}" in str(
        caught.value
    )
    with pytest.raises(PSExportError, match="cannot hold"):
        encoder(name).encode(text)


@pytest.mark.parametrize(
    ("environ", "page"),
    [
        ({}, 437),
        ({"LANG": "C.UTF-8"}, 437),
        ({"LANG": "en_US.UTF-8"}, 437),
        ({"LANG": "en_GB.UTF-8"}, 850),
        ({"LANG": "de_DE"}, 850),
        ({"LANG": "sr_RS.UTF-8@latin"}, 852),
        ({"LANG": "sr_RS"}, 855),
        ({"LANG": "zh_TW.UTF-8"}, 950),
        ({"LANG": "zh_CN.UTF-8"}, 936),
        ({"LANG": "de_DE", "LC_MESSAGES": "ru_RU"}, 866),
        ({"LANG": "de_DE", "LC_ALL": "pl_PL", "LC_MESSAGES": "ru_RU"}, 852),
        ({"LANG": "de_DE", "LC_ALL": ""}, 850),
        ({"LANG": "xx_XX"}, 437),
    ],
)
def test_oem_follows_the_culture(environ: dict[str, str], page: int) -> None:
    assert oem_code_page(environ) == page
    assert encoder("oem", environ).code_page == page


@pytest.mark.parametrize(
    ("name", "text", "shells"),
    [
        ("utf8", "abc", ()),
        ("utf8", "é", (WINDOWS_POWERSHELL,)),
        ("utf8BOM", "é", ()),
        ("unicode", "é", ()),
        ("ascii", "abc", ()),
        ("1251", "abc", ()),
        ("1251", "Ж", (POWERSHELL,)),
        ("866", "Ж", (WINDOWS_POWERSHELL, POWERSHELL)),
        ("utf7", "a-z", ()),
        ("utf7", "a+b", (WINDOWS_POWERSHELL, POWERSHELL)),
        ("ibm037", "a", (WINDOWS_POWERSHELL, POWERSHELL)),
    ],
)
def test_who_would_misread_a_file(
    name: str, text: str, shells: tuple[str, ...]
) -> None:
    assert encoder(name).misread_by(text) == shells


def test_only_utf7_is_obsolete() -> None:
    assert [name for name in NAMES if encoder(name).warning] == ["utf7"]


_READ_BACK = """
param($given, $answers)
[AppContext]::SetSwitch('System.Text.Encoding.EnableUnsafeUTF7Encoding', $true)
[Text.Encoding]::RegisterProvider([Text.CodePagesEncodingProvider]::Instance)
$lines = foreach ($line in [IO.File]::ReadAllLines($given)) {
    $page, $data = $line.Split(' ')
    $encoding = if ($page -eq '65000') { [Text.UTF7Encoding]::new() }
        else { [Text.Encoding]::GetEncoding([int] $page) }
    $raw = [Convert]::FromBase64String($data)
    $mark = $encoding.GetPreamble()
    $text = $encoding.GetString($raw, $mark.Length, $raw.Length - $mark.Length)
    $text = [Convert]::ToBase64String([Text.Encoding]::Unicode.GetBytes($text))
    [BitConverter]::ToString($mark) + '|' + $text
}
[IO.File]::WriteAllLines($answers, [string[]] $lines)
"""


def _held(encoding: TextEncoding) -> str:
    """Most of the small characters that an encoding takes, and some of the others."""

    def holds(character: str) -> bool:
        try:
            encoding.encode(character)
        except PSExportError:
            return False
        return True

    points = [*range(0x20, 0x500), *range(0x2000, 0x2700), *range(0x2700, 0xD800, 61)]
    return "".join(filter(holds, map(chr, [*points, 0xFF5E, 0xFFE0, 0x1F600])))


@pytest.mark.engine
def test_dotnet_reads_back_what_was_written(pwsh: str, tmp_path: Path) -> None:
    from psexport.encoding import _CODECS  # every page, however it is called

    encodings = [encoder(str(page)) for page in _CODECS]
    texts = [_held(encoding) for encoding in encodings]
    script, given, answers = (tmp_path / name for name in ("a.ps1", "given", "answers"))
    script.write_text(_READ_BACK)
    given.write_text(
        "".join(
            f"{encoding.code_page} {base64.b64encode(encoding.encode(text)).decode()}\n"
            for encoding, text in zip(encodings, texts, strict=True)
        )
    )
    run_script(pwsh, script, str(given), str(answers))
    lines = answers.read_text().splitlines()
    for encoding, text, line in zip(encodings, texts, lines, strict=True):
        mark, _, read = line.partition("|")
        assert bytes.fromhex(mark.replace("-", "")) == encoding.bom, encoding
        assert base64.b64decode(read).decode("utf-16-le") == text, encoding
