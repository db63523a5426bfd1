"""Text to XML: tags are ours, and text is escaped here and nowhere else.

What is written is ASCII: what is not is a character reference, so that a file reads
the same in every encoding that a module may be written in.
"""

from __future__ import annotations

import re

DECLARATION = '<?xml version="1.0"?>'

#: What XML 1.0 cannot hold, not even as a reference.
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

# What XML can hold, but would control the terminal that it is printed on.
_CONTROL = re.compile("[\x7f-\x84\x86-\x9f]")
_TO_ESCAPE = re.compile("[^\x20-\x25\x27-;=?-~]")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def escape(text: str) -> str:
    """Return text as the content of an element; control characters become U+FFFD."""
    return _TO_ESCAPE.sub(_reference, text)


def _reference(match: re.Match[str]) -> str:
    character = match[0]
    if character in _ENTITIES:
        return _ENTITIES[character]
    if NOT_XML.match(character) or _CONTROL.match(character):
        return "&#xFFFD;"
    return f"&#x{ord(character):X};"


def attribute(name: str, text: str) -> str:
    """Return an attribute, with a space before it.

    :param name: its name, not the host's.
    """
    value = escape(text).replace('"', "&quot;")
    return f' {name}="{value}"'


def leaf(tag: str, text: str) -> str:
    """Return an element with text.

    :param tag: its name, not the host's.
    """
    return f"<{tag}>{escape(text)}</{tag}>"


def element(tag: str, *parts: str, attributes: str = "") -> str:
    """Return an element with what is inside of it, which is XML already.

    :param tag: its name, not the host's.
    :param attributes: as :func:`attribute` gives them.
    """
    return f"<{tag}{attributes}>{''.join(parts)}</{tag}>"
