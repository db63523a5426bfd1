"""Text to bytes under the names that -Encoding takes, as PowerShell writes them.

A name is one of the documentation page's, the number of a code page, or the code
page's own name. Which byte order mark a new file gets follows from it: ``utf8`` has
none, ``utf-8`` and ``65001`` have one, as in PowerShell 7.
"""

from __future__ import annotations

import codecs
import functools
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .errors import PSExportError, UsageError

#: The names on Export-PSSession's page.
NAMES = (
    "ascii",
    "bigendianunicode",
    "bigendianutf32",
    "oem",
    "unicode",
    "utf7",
    "utf8",
    "utf8BOM",
    "utf8NoBOM",
    "utf32",
)

WINDOWS_POWERSHELL = "Windows PowerShell 5.1"
POWERSHELL = "PowerShell 7"

#: Tells where in a text an offset is, for people: ``the command Get-Item``.
Locate = Callable[[int], str]


@dataclass(frozen=True, slots=True)
class TextEncoding:
    """How text becomes the bytes of a file.

    :ivar name: what the user called it.
    :ivar code_page: .NET's number for it.
    :ivar codec: Python's name for it.
    :ivar bom: what a new file starts with.
    """

    name: str
    code_page: int
    codec: str
    bom: bytes = b""

    def encode(self, text: str, locate: Locate | None = None) -> bytes:
        """Return the bytes of a file with this text.

        :param locate: says where in the text an offset is, for the error.
        :raises PSExportError: ``ErrorEncodingCannotHold``: the text has a character
            that the encoding has not.
        """
        at = self._first_lost(text)
        if at is None:
            return self.bom + text.encode(self.codec)
        shown = f"U+{ord(text[at]):04X}"
        if text[at].isprintable():
            shown += f" ({text[at]})"
        place = f" of {locate(at)}" if locate else ""
        raise PSExportError(
            f"The encoding {self.name} cannot hold the character {shown}{place}",
            id="ErrorEncodingCannotHold",
            target=shown,
            hint="Use -Encoding utf8BOM, which every PowerShell reads.",
        )

    def _first_lost(self, text: str) -> int | None:
        """Return where the first character is that .NET would not read back."""
        try:
            raw = text.encode(self.codec)
        except UnicodeEncodeError as error:
            return error.start
        if text.isascii() and raw.isascii():
            return None
        strangers = _strangers(self.code_page)
        if raw.decode(self.codec) == text and strangers.isdisjoint(text):
            return None
        for at, character in enumerate(text):
            back = character.encode(self.codec).decode(self.codec)
            if back != character or character in strangers:
                return at
        return None

    @property
    def warning(self) -> str | None:
        """What should be known of this encoding before using it."""
        if self.code_page == _UTF7:
            return (
                "The encoding utf7 is obsolete, and no PowerShell reads a script in it;"
                " use -Encoding utf8BOM"
            )
        return None

    def misread_by(self, text: str) -> tuple[str, ...]:
        """Name the shells that would read something else from a file with this text.

        A mark is believed by all. Without one PowerShell 7 reads UTF-8, and Windows
        PowerShell the ANSI code page of its machine, which may be this one.
        """
        if self.bom:
            return ()
        raw = text.encode(self.codec, "replace")
        if raw.isascii() and raw.decode("ascii") == text:
            return ()
        if self.code_page == _UTF8:
            return (WINDOWS_POWERSHELL,)
        if self.code_page in _ANSI:
            return (POWERSHELL,)
        return (WINDOWS_POWERSHELL, POWERSHELL)


def encoder(name: str, environ: Mapping[str, str] | None = None) -> TextEncoding:
    """Return the encoding of a name, in any case.

    :param environ: where ``oem`` looks for the culture; the process's own unless said
        otherwise.
    :raises UsageError: ``ErrorUnknownEncoding``.
    """
    key = name.strip().lower()
    if key in _OWN_NAMES:
        code_page, bom = _OWN_NAMES[key]
        return TextEncoding(name, code_page, _CODECS[code_page], bom)
    if key == "oem":
        code_page = oem_code_page(os.environ if environ is None else environ)
        return TextEncoding(name, code_page, _CODECS[code_page])
    found = _code_page(key)
    if found is None:
        raise UsageError(
            f"There is no encoding {name!r}",
            id="ErrorUnknownEncoding",
            target=name,
            hint=f"Use {', '.join(NAMES)}, or a code page like 1251 or windows-1251.",
        )
    return TextEncoding(name, found, _CODECS[found], _MARKS.get(found, b""))


def oem_code_page(environ: Mapping[str, str]) -> int:
    """Return the code page of console programs: Windows' own, else the culture's.

    The culture is that of ``LC_ALL``, ``LC_MESSAGES`` or ``LANG``, in that order; one
    that is not known, or none, has 437.
    """
    if sys.platform == "win32":
        import ctypes

        page = int(ctypes.windll.kernel32.GetOEMCP())
        return page if page in _CODECS else 437
    settings = (environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    locale = next(filter(None, settings), "C")
    culture, _, script = locale.lower().partition("@")
    language, _, region = culture.partition(".")[0].replace("-", "_").partition("_")
    for key in (f"{language}@{script}", f"{language}_{region}", language):
        if key in _OEM:
            return _OEM[key]
    return 437


_UTF7, _UTF8 = 65000, 65001

#: The names of the page, and what they mean: code page and mark.
_OWN_NAMES = {
    "ascii": (20127, b""),
    "unicode": (1200, codecs.BOM_UTF16_LE),
    "bigendianunicode": (1201, codecs.BOM_UTF16_BE),
    "utf32": (12000, codecs.BOM_UTF32_LE),
    "bigendianutf32": (12001, codecs.BOM_UTF32_BE),
    "utf7": (_UTF7, b""),
    "utf8": (_UTF8, b""),
    "utf8nobom": (_UTF8, b""),
    "utf8bom": (_UTF8, codecs.BOM_UTF8),
}
#: The marks of code pages that are asked for by number or by their own name.
_MARKS = {
    1200: codecs.BOM_UTF16_LE,
    1201: codecs.BOM_UTF16_BE,
    12000: codecs.BOM_UTF32_LE,
    12001: codecs.BOM_UTF32_BE,
    _UTF8: codecs.BOM_UTF8,
}
#: What Windows may have as its ANSI code page.
_ANSI = frozenset((874, 932, 936, 949, 950, *range(1250, 1259)))

#: Code pages by number. Those that Python lacks, or knows other than .NET does, are
#: not here: a clear refusal is better than a file that reads as something else.
_CODECS = {
    **{page: f"cp{page:03}" for page in (37, 437, 500, 720, 737, 775, 850)},
    **{page: f"cp{page}" for page in (852, 855, 857, 858, *range(860, 867), 869, 874)},
    **{page: f"cp{page}" for page in (875, 932, 949, 950, 1026, 1140)},
    **{page: f"cp{page}" for page in range(1250, 1259)},
    **{28590 + part: f"iso8859_{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 15)},
    936: "gbk",
    1200: "utf-16-le",
    1201: "utf-16-be",
    10000: "mac_roman",
    10029: "mac_latin2",
    12000: "utf-32-le",
    12001: "utf-32-be",
    20127: "ascii",
    20866: "koi8_r",
    54936: "gb18030",
    _UTF7: "utf-7",
    _UTF8: "utf-8",
}


@functools.lru_cache(maxsize=8)
def _strangers(code_page: int) -> frozenset[str]:
    """Characters of a code page that .NET reads as others than Python wrote."""
    if code_page == 950:  # the extensions, which are private-use characters to .NET
        rows = ((0xC6, 0xA1), (0xC7, 0x40), (0xC8, 0x40))  # lead, first trail
        made = (
            bytes((lead, trail)).decode("cp950", "ignore")
            for lead, first in rows
            for trail in range(first, 0xFF)
        )
        return frozenset(char for char in "".join(made) if not char.isascii())
    return frozenset(_STRANGERS.get(code_page, ""))


_STRANGERS = {
    864: "\u066a",
    10000: "\u03a9",
    28597: "\u037a\u2018\u2019\u20ac\u20af",
    28598: "\u00af\u200e\u200f",
}
_CODE_PAGE_NAMES = {
    "us-ascii": 20127,
    "latin1": 28591,
    "l1": 28591,
    "utf-7": _UTF7,
    "utf-8": _UTF8,
    "utf-16": 1200,
    "utf-16le": 1200,
    "utf-16be": 1201,
    "utf-32": 12000,
    "utf-32le": 12000,
    "utf-32be": 12001,
    "shift_jis": 932,
    "sjis": 932,
    "gb2312": 936,
    "gbk": 936,
    "ks_c_5601-1987": 949,
    "big5": 950,
    "macintosh": 10000,
    "koi8-r": 20866,
    "gb18030": 54936,
}

#: OEM code pages by language, and by language and region where that differs.
_OEM = {
    key: page
    for page, keys in {
        437: "en en_us en_ph fil",
        720: "ar fa ku sd ug ur",
        737: "el",
        775: "et lt lv",
        850: "af br ca cy da de dsb es eu fi fo fr fy ga gd gl hsb id is it kl lb ms nb"
        " nl nn no pt rm se sv wo xh zu en_au en_bz en_ca en_gb en_hk en_ie en_in en_jm"
        " en_nz en_sg en_tt en_za en_zw",
        852: "bs cs hr hu pl ro sk sl sq sr sr@latin tk",
        855: "bs@cyrillic sr_rs sr@cyrillic",
        857: "az tr uz",
        862: "he iw",
        866: "az@cyrillic be bg ky mk mn ru sah tg tt uk uz@cyrillic",
        874: "th",
        932: "ja",
        936: "zh",
        949: "ko",
        950: "zh_hk zh_mo zh_tw",
        1258: "vi",
    }.items()
    for key in keys.split()
}


def _code_page(key: str) -> int | None:
    if key in _CODE_PAGE_NAMES:
        return _CODE_PAGE_NAMES[key]
    if part := re.fullmatch(r"iso[-_]8859-(\d{1,2})", key, re.ASCII):
        page = 28590 + int(part[1])
    elif number := re.fullmatch(
        r"(?:windows-|x-cp|cp|ibm|dos-)?0*(\d{2,5})", key, re.ASCII
    ):
        page = int(number[1])
    else:
        return None
    return page if page in _CODECS else None
