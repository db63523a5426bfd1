"""Help as hosts have it: a topic of Get-Help, or the comment in a function, to Help.

PowerShell makes a topic of a comment by rules of its own. Those are here too, so that
help reads the same whichever of the two a host was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from .. import clixml
from ..clixml import Document, MalformedError, Node
from ..model import Help, HelpExample, HelpParameter

_T = TypeVar("_T")

#: More than any topic has of anything.
_MAX_PARTS = 2_000

_PROMPT = re.compile(r"\s*(PS[^>\n]{0,200}>+|[A-Za-z]:\\[^>\n]{0,200}>)[ \t]*")
_DEFAULT_PROMPT = "PS >"
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:\S+")


def from_topic(name: str, data: bytes) -> Help:
    """Read what Get-Help answers for a command that has help (MamlCommandHelpInfo).

    :param name: the command's name.
    :param data: the CLIXML of the object.
    :raises MalformedError: it is beyond any sense.
    """
    doc = clixml.parse(data)
    topic = _Topic(doc, doc.root)
    return Help(
        name=name,
        synopsis=topic.prose("Synopsis"),
        description=topic.prose("description"),
        parameters=topic.within(
            "parameters",
            "parameter",
            lambda one: HelpParameter(
                name=one.prose("name"),
                description=one.prose("description"),
                default_value=one.prose("defaultValue"),
                globbing=one.prose("globbing").lower() == "true",
            ),
        ),
        examples=topic.within(
            "examples",
            "example",
            lambda one: HelpExample(
                title=one.prose("title"),
                introduction=one.prose("introduction"),
                code=one.prose("code"),
                remarks=one.prose("remarks"),
            ),
        ),
        inputs=topic.within("inputTypes", "inputType", _typed),
        outputs=topic.within("returnValues", "returnValue", _typed),
        notes=topic.each(
            "alertSet", lambda one: (one.prose("title"), one.prose("alert"))
        ),
        links=topic.within(
            "relatedLinks",
            "navigationLink",
            lambda one: (one.prose("linkText"), one.prose("uri")),
        ),
        component=topic.prose("Component"),
        role=topic.prose("Role"),
        functionality=topic.prose("Functionality"),
    )


def from_comment(name: str, data: bytes, parameters: Sequence[str]) -> Help:
    """Read what the comment in a function says (CommentHelpInfo).

    :param name: the function's name.
    :param data: the CLIXML of the object.
    :param parameters: of each declared parameter its name, its default value, and
        ``True`` if it takes wildcards: three texts a parameter.
    :raises MalformedError: it is beyond any sense.
    """
    doc = clixml.parse(data)
    told = doc.properties(doc.root)
    about = {
        clixml.text(key).lower(): clixml.text(value).strip()
        for key, value in doc.entries(told.get("Parameters"))
    }

    def text(section: str) -> str:
        return clixml.text(told.get(section)).strip()

    def texts(section: str) -> list[str]:
        items = _bounded(doc.each(told.get(section)))
        return [clixml.text(item).strip() for item in items]

    triples = zip(parameters[::3], parameters[1::3], parameters[2::3], strict=False)
    return Help(
        name=name,
        synopsis=text("Synopsis"),
        description=text("Description"),
        parameters=tuple(
            HelpParameter(
                called, about.get(called.lower(), ""), default, globs == "True"
            )
            for called, default, globs in triples
        ),
        examples=tuple(
            _example(number, example)
            for number, example in enumerate(texts("Examples"), 1)
        ),
        inputs=tuple((one, "") for one in texts("Inputs")),
        outputs=tuple((one, "") for one in texts("Outputs")),
        notes=((("", text("Notes")),) if text("Notes") else ()),
        links=tuple(
            ("", one) if _URI.fullmatch(one) else (one, "") for one in texts("Links")
        ),
        component=text("Component"),
        role=text("Role"),
        functionality=text("Functionality"),
    )


def _example(number: int, text: str) -> HelpExample:
    """Prompt, code up to the first empty line, and what is said of it."""
    prompt = _PROMPT.match(text)
    if prompt is not None:
        text = text[prompt.end() :]
    code, *remarks = _BLANK_LINE.split(text, maxsplit=1)
    line = "-" * 26
    return HelpExample(
        title=f"{line} EXAMPLE {number} {line}",
        introduction=_DEFAULT_PROMPT if prompt is None else prompt[1],
        code=code.strip(),
        remarks="".join(remarks).strip(),
    )


class _Topic:
    """An object of a topic; what is not there is empty."""

    def __init__(self, doc: Document, node: Node) -> None:
        self._doc = doc
        self._node = node
        self._told = doc.properties(node)

    def prose(self, name: str) -> str:
        """The paragraphs of a property, one below the other."""
        paragraphs = []
        for node in _bounded(self._doc.each(self._told.get(name))):
            inner = self._doc.properties(node)
            paragraphs.append(clixml.text(inner.get("Text", node)))
        return "\n".join(paragraphs).strip()

    def each(self, name: str, make: Callable[[_Topic], _T]) -> tuple[_T, ...]:
        """What is made of each object in a property."""
        nodes = _bounded(self._doc.each(self._told.get(name)))
        return tuple(make(_Topic(self._doc, node)) for node in nodes)

    def within(
        self, outer: str, inner: str, make: Callable[[_Topic], _T]
    ) -> tuple[_T, ...]:
        """What is made of each object in a property of a property."""
        groups = self.each(outer, lambda one: one.each(inner, make))
        return tuple(made for group in groups for made in group)


def _typed(one: _Topic) -> tuple[str, str]:
    names = one.each("type", lambda kind: kind.prose("name"))
    return "\n".join(names), one.prose("description")


def _bounded(nodes: list[Node]) -> list[Node]:
    if len(nodes) > _MAX_PARTS:
        raise MalformedError(f"help with more than {_MAX_PARTS:,} parts of one kind")
    return nodes


__all__ = ["from_comment", "from_topic"]
