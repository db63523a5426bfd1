"""Where a signature sits in a text file, and which bytes it speaks for.

A signed file is a body and a block::

    body  \\r\\n # SIG # Begin signature block \\r\\n  base64 …  # SIG # End …  \\r\\n

The body is never decoded and encoded again: its bytes stay as they are. What is
hashed is the UTF-16LE form of the body's text, byte order mark included, without the
one CRLF before the block. Which text that is depends on the encoding, and without a
byte order mark on the machine: see :func:`digest`.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from dataclasses import dataclass
from pathlib import PurePath

from ..errors import UsageError
from .algorithms import Hash

BEGIN = "SIG # Begin signature block"
END = "SIG # End signature block"
COLUMNS = 64
#: Windows has no opinion about anything shorter.
MINIMUM_SIZE = 4


@dataclass(frozen=True)
class TextKind:
    """A kind of text file that PowerShell can sign: how it spells a comment."""

    extensions: tuple[str, ...]
    opening: str
    closing: str

    @property
    def header(self) -> str:
        """The line that starts a block, without line ends."""
        return f"{self.opening}{BEGIN}{self.closing}"

    @property
    def footer(self) -> str:
        """The line that ends a block, without line ends."""
        return f"{self.opening}{END}{self.closing}"


SCRIPT = TextKind((".ps1", ".psm1", ".psd1"), "# ", "")
MARKUP = TextKind((".ps1xml", ".psc1", ".cdxml"), "<!-- ", " -->")


def kind_of(name: str) -> TextKind | None:
    """Return how a file of this name is signed; ``None`` if PowerShell cannot."""
    extension = PurePath(name).suffix.lower()
    for kind in (SCRIPT, MARKUP):
        if extension in kind.extensions:
            return kind
    return None


@dataclass(frozen=True)
class TextEncoding:
    """How the characters of a file are stored, as its first bytes say."""

    name: str
    bom: bytes
    codec: str
    unit: int = 1


UNMARKED = TextEncoding("no byte order mark", b"", "ascii")
UTF8 = TextEncoding("UTF-8", codecs.BOM_UTF8, "utf-8")
UTF16LE = TextEncoding("UTF-16LE", codecs.BOM_UTF16_LE, "utf-16-le", 2)
UTF16BE = TextEncoding("UTF-16BE", codecs.BOM_UTF16_BE, "utf-16-be", 2)
UTF32LE = TextEncoding("UTF-32LE", codecs.BOM_UTF32_LE, "utf-32-le", 4)
UTF32BE = TextEncoding("UTF-32BE", codecs.BOM_UTF32_BE, "utf-32-be", 4)
UTF7 = TextEncoding("UTF-7", b"+/v", "utf-7")

#: UTF-32LE's mark starts with UTF-16LE's, so it is looked for first.
_MARKED = (UTF32LE, UTF32BE, UTF8, UTF16LE, UTF16BE, UTF7)
#: These have no signed form that Windows reads.
UNSIGNABLE = (UTF32LE, UTF32BE, UTF7)


def encoding_of(data: bytes) -> TextEncoding:
    """Return the encoding that the byte order mark of ``data`` names."""
    for encoding in _MARKED:
        if data.startswith(encoding.bom):
            return encoding
    return UNMARKED


def needs_bom(data: bytes) -> bool:
    """Tell whether only a byte order mark would make the text of ``data`` certain.

    So it is for text that is not ASCII and has no mark: Windows may read it in the
    code page of the machine, and then hashes other characters.
    """
    return not data.isascii() and encoding_of(data) is UNMARKED


class ReadingError(ValueError):
    """The bytes are not text in the encoding that they claim."""


def looks_like_utf8(data: bytes) -> bool:
    """Tell whether Windows reads unmarked ``data`` as UTF-8.

    It looks at 32 bytes: there must be a sequence of several bytes among them, and
    nothing that is malformed or cut off.
    """
    head = data[:32]
    if head.isascii():
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def ansi_code_page(name: str) -> str:
    """Return Python's name of a code page given as ``1252``, ``cp1252``, ``utf-8``, …

    :raises UsageError: ``ErrorSigningCodePage`` if it is none, or not one that
        Windows can have for its ANSI code page.
    """
    try:
        found = codecs.lookup(f"cp{name}" if name.isdecimal() else name).name
        fits = b"\r\n# <!--".decode(found) == "\r\n# <!--"
    except (LookupError, UnicodeError, ValueError):
        fits = False
    if not fits:
        raise UsageError(
            f"{name} is not an ANSI code page",
            id="ErrorSigningCodePage",
            target=name,
            hint="Give a number such as 1252, or utf-8.",
        )
    return found


#: Bytes that a code page does not define are control characters to Windows.
_UNDEFINED = {0xDC80 + low: 0x80 + low for low in range(0x80)}


def utf16_body(body: bytes, code_page: str | None, *, strict: bool) -> bytes:
    """Return the UTF-16LE form of a body's text: the octets that are hashed.

    :param code_page: Python's name of the code page that unmarked text is in where
        Windows does not take it for UTF-8; ``None`` means UTF-8 throughout.
    :param strict: whether malformed text is an error; else it reads as U+FFFD.
    :raises ReadingError: the text is malformed.
    """
    encoding = encoding_of(body)
    if encoding.unit == 2:
        if strict and len(body) % 2:
            raise ReadingError("it has half a character at its end")
        return body if encoding is UTF16LE else _swapped(body)
    try:
        uncertain = encoding is UNMARKED and not looks_like_utf8(body)
        if uncertain and code_page and code_page != "utf-8":
            text = body.decode(code_page, "surrogateescape")
            if not _is_whole(text):  # rare, and translating is slow
                text = text.translate(_UNDEFINED)
        else:
            text = body.decode("utf-8", "strict" if strict else "replace")
    except UnicodeDecodeError as error:
        raise ReadingError(
            f"byte {error.start} is not valid {error.encoding.upper()}"
        ) from None
    return text.encode("utf-16-le", "surrogatepass")


def _is_whole(text: str) -> bool:
    """Tell whether there is no half of a surrogate pair in a text."""
    try:
        text.encode("utf-16-le")
    except UnicodeEncodeError:
        return False
    return True


def _swapped(octets: bytes) -> bytes:
    pairs = len(octets) // 2 * 2
    swapped = bytearray(pairs)
    swapped[0::2], swapped[1::2] = octets[1:pairs:2], octets[0:pairs:2]
    return bytes(swapped)


def digest(
    body: bytes, algorithm: Hash, code_page: str | None = None, *, strict: bool = False
) -> bytes:
    """Digest of a body as Windows computes it; parameters as :func:`utf16_body`."""
    return algorithm.of(utf16_body(body, code_page, strict=strict))


@dataclass(frozen=True)
class Split:
    """A file taken apart: ``tail`` is everything from the block's CRLF on."""

    body: bytes
    tail: str


def _find(data: bytes, text: str, encoding: TextEncoding, start: int = 0) -> int:
    """Offset of ``text`` in ``data`` at a character boundary, or -1."""
    wanted = text.encode(encoding.codec)
    at = data.find(wanted, start)
    while at % encoding.unit and at != -1:
        at = data.find(wanted, at + 1)
    return at


def _text(data: bytes, encoding: TextEncoding) -> str:
    return data.decode(encoding.codec, "replace")


def split(data: bytes, kind: TextKind) -> Split:
    """Take a file apart at the first block that Windows would see."""
    encoding = encoding_of(data)
    if encoding in UNSIGNABLE:
        return Split(data, "")
    at = _find(data, f"\r\n{kind.header}\r\n", encoding)
    if at == -1:
        return Split(data, "")
    return Split(data[:at], _text(data[at:], encoding))


def mentions_block(data: bytes, kind: TextKind, *, twice: bool = False) -> bool:
    """Tell whether what starts a block is anywhere in ``data``, or even ``twice``."""
    encoding = encoding_of(data)
    at = _find(data, kind.header, encoding)
    if twice and at != -1:
        at = _find(data, kind.header, encoding, at + 1)
    return at != -1


class NoBlockError(ValueError):
    """Windows would not see a signature block here, and takes the file for unsigned."""


class BadBlockError(ValueError):
    """There is a signature block, and what is in it cannot be read."""


def read_block(tail: str, kind: TextKind) -> bytes:
    """Return the DER that a block holds.

    :param tail: the block with the CRLF before it, to the end of the file.
    :raises NoBlockError: it is cut off, doubled, or something follows it.
    :raises BadBlockError: it does not hold base64 lines.
    """
    start = f"\r\n{kind.header}\r\n"
    end = f"\r\n{kind.footer}"
    at = tail.find(end)
    if not tail.startswith(start) or at == -1:
        raise NoBlockError("the signature block has no end line")
    after = tail[at + len(end) :]
    if after not in ("\r", "\n", "\r\n", "\n\r", "\r\r", "\n\n"):
        raise NoBlockError(
            "something follows the signature block"
            if after
            else "the signature block's last line has no line end"
        )
    encoded = []
    for line in tail[len(start) : at].split("\r\n"):
        if not (line.startswith(kind.opening) and line.endswith(kind.closing)):
            raise BadBlockError("a line of the signature block is not a comment")
        encoded.append(line[len(kind.opening) : len(line) - len(kind.closing)])
        if not 1 <= len(encoded[-1]) <= COLUMNS:
            raise BadBlockError("a line of the signature block has the wrong length")
    joined = "".join(encoded)
    try:
        der = base64.b64decode(joined, validate=True)
    except (binascii.Error, ValueError):
        raise BadBlockError("the signature block is not base64") from None
    if base64.b64encode(der).decode() != joined:
        raise BadBlockError("the signature block is not canonical base64")
    return der


def write_block(der: bytes, kind: TextKind, encoding: TextEncoding) -> bytes:
    """Return the block that holds ``der``, with the CRLF that stands before it."""
    encoded = base64.b64encode(der).decode("ascii")
    lines = [
        kind.header,
        *(
            f"{kind.opening}{encoded[at : at + COLUMNS]}{kind.closing}"
            for at in range(0, len(encoded), COLUMNS)
        ),
        kind.footer,
    ]
    return "".join(["\r\n", *(f"{line}\r\n" for line in lines)]).encode(encoding.codec)


def strip_block(data: bytes, kind: TextKind) -> bytes:
    """Return the body of a file: ``data`` without a block at its end.

    A block whose line ends a tool has converted is taken off as well, so that such a
    file can be signed again. A block that is cut off, or not at the end, stays.
    """
    encoding = encoding_of(data)
    if encoding in UNSIGNABLE:
        return data
    at = _find(data, kind.header, encoding)
    if at == -1:
        return data
    opening, closing = re.escape(kind.opening), re.escape(kind.closing)
    block = re.compile(
        f"{re.escape(kind.header)}(\r\n|\n|\r)"
        f"({opening}[A-Za-z0-9+/=]{{0,{COLUMNS}}}{closing}\\1)*"
        f"{re.escape(kind.footer)}[\r\n]*"
    )
    if not block.fullmatch(_text(data[at:], encoding)):
        return data
    for newline in ("\r\n", "\n", "\r"):
        before = newline.encode(encoding.codec)
        if data.endswith(before, 0, at):
            return data[: at - len(before)]
    return data[:at] if at == len(encoding.bom) else data
