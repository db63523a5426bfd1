"""The characters that PowerShell treats alike, and how it compares names."""

from __future__ import annotations

#: Each of these ends a single-quoted string; two in a row are the second of them.
SINGLE_QUOTES = "'\u2018\u2019\u201a\u201b"
#: Each of these ends a double-quoted string, likewise.
DOUBLE_QUOTES = '"\u201c\u201d\u201e'
#: Each of these starts a parameter.
DASHES = "-\u2013\u2014\u2015"


#: PowerShell knows no capital of these: in no culture ``ı`` is an ``i``.
_CASELESS = frozenset("\u0131\u017f")


def fold(name: str) -> str:
    """Return the key under which PowerShell looks up *name*.

    Two names with one key are one command, parameter or variable. PowerShell compares
    by simple upper-casing, character by character, in no culture: ``ß`` is not ``SS``.
    """
    return name.upper() if name.isascii() else "".join(map(_capital, name))


def _capital(character: str) -> str:
    if character in _CASELESS:
        return character
    # Where the full mapping has several characters, the title case is the simple one.
    for capital in (character.upper(), character.title()):
        if len(capital) == 1:
            return capital
    return character


def has_lone_surrogate(text: str) -> bool:
    """Whether *text* is no Unicode text, so that no file could hold it."""
    if text.isascii():
        return False
    return any("\ud800" <= character <= "\udfff" for character in text)
