"""The characters that PowerShell treats alike, and how it compares names."""

from __future__ import annotations

#: Each of these ends a single-quoted string; two in a row are the second of them.
SINGLE_QUOTES = "'\u2018\u2019\u201a\u201b"
#: Each of these ends a double-quoted string, likewise.
DOUBLE_QUOTES = '"\u201c\u201d\u201e'
#: Each of these starts a parameter.
DASHES = "-\u2013\u2014\u2015"


def fold(name: str) -> str:
    """Return the key under which PowerShell looks up *name*.

    Two names with one key are one command, parameter or variable. PowerShell compares
    by simple upper-casing, character by character, in no culture: ``ß`` is not ``SS``.
    """
    if name.isascii():
        return name.upper()
    return "".join(
        upper if len(upper := character.upper()) == 1 else character
        for character in name
    )


def has_lone_surrogate(text: str) -> bool:
    """Whether *text* is no Unicode text, so that no file could hold it."""
    if text.isascii():
        return False
    return any("\ud800" <= character <= "\udfff" for character in text)
