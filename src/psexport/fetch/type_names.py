"""One spelling for the names of .NET types, whichever way a host spells them."""

from __future__ import annotations

import sys
from functools import lru_cache


@lru_cache(maxsize=4096)
def type_name(text: str) -> str:
    """A type's full name without assemblies, whichever way a host spelled it.

    ``System.Nullable`1[System.Int32]`` (ToString) and ``System.Nullable`1[[System.
    Int32, mscorlib, Version=4.0.0.0]]`` (FullName) are ``System.Nullable`1[[System.
    Int32]]``. What cannot be read as a type is left as it is.
    """
    if "`" not in text or "[" not in text:
        return sys.intern(text)
    tokens = _TypeTokens(text)
    try:
        named = tokens.type(0)
    except ValueError:
        return text
    return named if tokens.done else text


class _TypeTokens:
    """Reads one reflection type name, in either of its two spellings."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    @property
    def done(self) -> bool:
        return self._at == len(self._text)

    def type(self, depth: int) -> str:
        """``Name`2[…]`` and its array ranks; leaves what follows unread."""
        if depth > 16:
            raise ValueError(self._text)
        name = self._until("[],")
        if not name:
            raise ValueError(self._text)
        rest = ""
        while self._peek() == "[":
            if self._text[self._at + 1 : self._at + 2] in ("]", ",", "*"):
                rest += self._rank()
            else:
                rest += self._arguments(depth)
        return name.strip() + rest

    def _arguments(self, depth: int) -> str:
        """``[A,B]`` or ``[[A, assembly…],[B, assembly…]]`` as ``[[A],[B]]``."""
        arguments = []
        while True:
            self._at += 1
            qualified = self._peek() == "["
            if qualified:
                self._at += 1
            arguments.append(f"[{self.type(depth + 1)}]")
            if qualified:
                self._until("]")
                self._expect("]")
            if self._peek() != ",":
                break
        self._expect("]")
        return f"[{','.join(arguments)}]"

    def _rank(self) -> str:
        start = self._at
        self._until("]")
        self._expect("]")
        return self._text[start : self._at]

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _expect(self, character: str) -> None:
        if self._peek() != character:
            raise ValueError(self._text)
        self._at += 1

    def _until(self, stops: str) -> str:
        start = self._at
        while self._at < len(self._text) and self._text[self._at] not in stops:
            self._at += 1
        return self._text[start : self._at]
