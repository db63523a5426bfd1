"""CLIXML, the form in which a host's objects come: bytes to what the reader needs.

There is no object for every element. A record becomes one :class:`Document`, whose
nodes are plain lxml elements, and the reader walks them::

    doc = clixml.parse(record.data)
    command = doc.properties(doc.root)              # {"Name": <S>, …}
    name = clixml.text(command["Name"])             # "Get-Date"
    kind = clixml.number(command["CommandType"])    # 8, of an enum
    types = [clixml.text(i) for i in doc.items(command["OutputType"])]
    if "Selected.Foo" in doc.type_names(doc.root): …

CLIXML is written by many versions, and by hosts that lie. So reading is tolerant:
what is not there is empty, an unknown element is its text, a reference that leads
nowhere is an empty object. What cannot be read at all is :class:`MalformedError`, which
costs the reader that one record.

The parser takes no document type, no entity and nothing from outside, and a
document has at most 16 MiB, half a million elements, 256 levels, and 10 MB in
one text: the largest records of real hosts are a tenth of that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from .errors import RemoteError

Node = etree._Element

#: What :meth:`Document.value` makes of a node.
Value = None | bool | int | float | str | list["Value"] | dict[str, "Value"]

#: Limits of one document; the other two are libxml2's own without ``huge_tree``.
MAX_BYTES = 16 * 1024 * 1024
MAX_TAGS = 1_000_000

_CONTAINERS = frozenset({"LST", "IE", "STK", "QUE"})
_INTEGERS = frozenset({"By", "SB", "I16", "U16", "I32", "U32", "I64", "U64"})
_FLOATS = frozenset({"Sg", "Db", "D"})
#: What carries the value of an object that wraps something simple.
_PRIMITIVES = (
    _INTEGERS
    | _FLOATS
    | frozenset({"S", "C", "B", "DT", "TS", "G", "URI", "Version", "XD", "SBK", "BA"})
)
#: A host has no reason to say 10,000 digits, and Python needs long for them.
_MAX_DIGITS = 40
#: Characters of each part of an error that are kept: errors are, and may be many.
_MAX_SAID = 4_000
_NOT_IN_XML = {b"\xef\xbf\xbe": b"\xef\xbf\xbd", b"\xef\xbf\xbf": b"\xef\xbf\xbd"}
_NAMELESS = etree.Element("Obj")
_ESCAPE = re.compile("_x([0-9A-Fa-f]{4})_")


class MalformedError(RemoteError):
    """A record of the host that cannot be read; it costs that record alone."""

    def __init__(self, message: str, *, target: str | None = None) -> None:
        super().__init__(
            message,
            id="ErrorMalformedDataFromRemoteCommand",
            target=target,
            hint="leave the item out, or look at what the host sends with -Debug",
        )


def parse(data: bytes) -> Document:
    """Read one CLIXML document.

    :param data: UTF-8 text of one element, with or without an XML declaration.
    :raises MalformedError: not XML, has a document type, or is beyond the limits.
    """
    if len(data) > MAX_BYTES:
        raise MalformedError(f"a record of {len(data):,} bytes; at most {MAX_BYTES:,}")
    if b"<!DOCTYPE" in data:
        raise MalformedError("a record with a document type, which CLIXML never has")
    if data.count(b"<") > MAX_TAGS:
        raise MalformedError(f"a record of more than {MAX_TAGS:,} tags")
    for bad, replacement in _NOT_IN_XML.items():
        data = data.replace(bad, replacement)
    # A parser for each document: a shared one keeps every name it ever saw.
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        remove_comments=True,
        remove_pis=True,
        huge_tree=False,
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise MalformedError(f"a record that is not XML: {str(error)[:200]}") from None
    if isinstance(root.tag, str) and root.tag.startswith("{"):
        _drop_namespaces(root)
    return Document(root)


def text(node: Node | None) -> str:
    """The text of a node: of a simple value itself, of an object its base or ToString.

    Escapes (``_x000A_``) are undone, pairs of surrogates joined, and a surrogate
    without its other half becomes U+FFFD. Nothing, and ``Nil``, is "".
    """
    if node is None:
        return ""
    if node.tag in ("Obj", "Ref"):
        base = _base(node)
        # An enum has both: its name is what it says, its number is number().
        if base is None or base.tag in _INTEGERS:
            named = node.find("ToString")
            base = base if named is None else named
        if base is None:
            return ""
        node = base
    return unescape(node.text or "")


def unescape(escaped: str) -> str:
    """Undo CLIXML's ``_xHHHH_``; the result can always be encoded as UTF-8."""
    if "_x" not in escaped:
        return escaped
    units = _ESCAPE.sub(lambda m: chr(int(m[1], 16)), escaped)
    if units.isascii():
        return units
    return units.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def is_nil(node: Node | None) -> bool:
    """Whether the host said null, or said nothing."""
    return node is None or node.tag == "Nil"


def number(node: Node | None) -> int | None:
    """The integer that a node is, also an enum's or a boxed one; None if it is none.

    :raises MalformedError: it has the tag of an integer and is not one.
    """
    if node is None:
        return None
    if node.tag == "Obj":
        node = _base(node)
    if node is None or node.tag not in _INTEGERS:
        return None
    digits = node.text or ""
    try:
        if len(digits) > _MAX_DIGITS:
            raise ValueError
        return int(digits)
    except ValueError:
        raise MalformedError(
            f"{digits[:_MAX_DIGITS]!r} where a number should be"
        ) from None


def flag(node: Node | None) -> bool:
    """Whether a node says true; anything else, and nothing, is false."""
    if node is not None and node.tag == "Obj":
        node = _base(node)
    return node is not None and node.tag == "B" and (node.text or "").lower() == "true"


def name(node: Node) -> str:
    """The name (``N``) under which a node is a property, or ""."""
    return unescape(node.get("N", ""))


class Document:
    """One record, and what its references refer to.

    :ivar root: the outermost element.
    """

    __slots__ = ("_targets", "root")

    def __init__(self, root: Node) -> None:
        self.root = root
        self._targets: dict[Node, Node] | None = None

    def follow(self, node: Node) -> Node:
        """The object that a ``Ref`` means, any other node itself.

        A host that counts anew uses a number twice: the nearest object before the
        reference is meant.
        """
        if node.tag != "Ref":
            return node
        return self._references().get(node, _NAMELESS)

    def properties(self, node: Node | None) -> dict[str, Node]:
        """An object's properties by name, adapted (Props) and added (MS) ones.

        Of two with one name the added one counts, as in PowerShell. Nothing, and
        what has no properties, gives none.
        """
        found: dict[str, Node] = {}
        if node is None:
            return found
        node = self.follow(node)
        for bag in ("Props", "MS"):
            for members in [node] if node.tag == bag else node.iterchildren(bag):
                self._members(members, found)
        return found

    def items(self, node: Node | None) -> list[Node]:
        """What a list, array, queue, stack or enumeration holds; else nothing."""
        if node is None:
            return []
        node = self.follow(node)
        if node.tag in _CONTAINERS:
            return [self.follow(child) for child in node]
        for child in node:
            if child.tag in _CONTAINERS:
                return [self.follow(item) for item in child]
        return []

    def each(self, node: Node | None) -> list[Node]:
        """The items of a collection, or the node alone where a host sends just one.

        PowerShell unrolls a collection of one element: where several may stand, one
        may stand alone, and null is none.
        """
        if node is None:
            return []
        node = self.follow(node)
        if node.tag == "Nil":
            return []
        holds = node.tag in _CONTAINERS or any(c.tag in _CONTAINERS for c in node)
        return self.items(node) if holds else [node]

    def entries(self, node: Node | None) -> Iterator[tuple[Node, Node]]:
        """The (key, value) pairs of a dictionary, in its order; half pairs are none."""
        if node is None:
            return
        node = self.follow(node)
        for dictionary in [node] if node.tag == "DCT" else node.iterchildren("DCT"):
            for entry in dictionary.iterchildren("En"):
                key = value = None
                for child in entry:
                    if child.get("N") == "Key":
                        key = child
                    elif child.get("N") == "Value":
                        value = child
                if key is not None and value is not None:
                    yield self.follow(key), self.follow(value)

    def type_names(self, node: Node) -> tuple[str, ...]:
        """The names of an object's types, most derived first; () of simple values.

        A deserialized object's ``Deserialized.`` prefix is kept.
        """
        node = self.follow(node)
        names = node.find("TN")
        if names is None:
            reference = node.find("TNRef")
            if reference is None:
                return ()
            names = self._references().get(reference)
            if names is None:
                return ()
        return tuple(unescape(t.text or "") for t in names.iterchildren("T"))

    def value(self, node: Node | None, depth: int = 32) -> Value:
        """A node as a JSON-like value, for small things such as private data.

        Collections are lists, dictionaries and objects dicts (keys as text), an enum
        or a boxed value is what it wraps, binary data its base64, and a secure
        string None: it is nobody's business. What is nested deeper than ``depth``,
        a cycle for instance, is cut to its text, as PowerShell does.

        :raises MalformedError: a number that is none.
        """
        if node is None:
            return None
        node = self.follow(node)
        if node.tag in ("Nil", "SS"):
            return None
        if node.tag != "Obj":
            return _simple(node)
        if depth <= 0:
            return text(node)
        for child in node:
            if child.tag in _CONTAINERS:
                return [self.value(item, depth - 1) for item in child]
            if child.tag == "DCT":
                pairs = self.entries(node)
                return {text(key): self.value(v, depth - 1) for key, v in pairs}
        base = _base(node)
        if base is not None:
            return _simple(base)
        properties = self.properties(node)
        if properties or node.find("ToString") is None:
            return {key: self.value(v, depth - 1) for key, v in properties.items()}
        return text(node)

    def _members(self, bag: Node, found: dict[str, Node]) -> None:
        for child in bag:
            key = child.get("N")
            if key is not None:
                found[unescape(key)] = self.follow(child)
            elif child.tag in ("Props", "MS"):
                self._members(child, found)

    def _references(self) -> dict[Node, Node]:
        """Each reference of the document with its target: one pass, when needed."""
        if self._targets is None:
            targets: dict[Node, Node] = {}
            types: dict[str | None, Node] = {}
            objects: dict[str | None, Node] = {}
            for node in self.root.iter("TN", "TNRef", "Obj", "Ref"):
                number = node.get("RefId")
                if node.tag == "TN":
                    types[number] = node
                elif node.tag == "Obj":
                    objects[number] = node
                else:
                    known = types if node.tag == "TNRef" else objects
                    if number in known:
                        targets[node] = known[number]
            self._targets = targets
        return self._targets


@dataclass(frozen=True, slots=True)
class HostError:
    """What an ErrorRecord says; every part may be "" where the host did not tell.

    :ivar message: the host's own sentence, details before the exception's.
    :ivar id: its FullyQualifiedErrorId, ``CommandNotFoundException,…``.
    :ivar category: its category message, ``ObjectNotFound: (x:String) [Get-X], …``.
    :ivar position: where it happened, as PowerShell words it.
    :ivar command: the command that reported it.
    :ivar target: what the error is about, as text.
    :ivar exceptions: type names of the exception, most derived first.
    """

    message: str = ""
    id: str = ""
    category: str = ""
    position: str = ""
    command: str = ""
    target: str = ""
    exceptions: tuple[str, ...] = ()

    def __str__(self) -> str:
        place = " ".join(self.position.split())
        return f"{self.message} ({place})" if place else self.message


def error(data: bytes) -> HostError:
    """What an ERROR record, or the failure in a STATE record, says. Never raises.

    An error is told even when it cannot be read: the message is then about that.
    """
    try:
        doc = parse(data)
    except MalformedError as malformed:
        return HostError(message=f"an error record came, but was {malformed.message}")
    record = doc.properties(doc.root)
    if "ExceptionAsErrorRecord" in record:
        root = record["ExceptionAsErrorRecord"]
        record = doc.properties(root)
    else:
        root = doc.root
    exception = record.get("Exception")
    thrown = doc.properties(exception)
    invocation = doc.properties(record.get("InvocationInfo"))
    message = (
        _said(record.get("ErrorDetails_Message"))
        or _said(thrown.get("Message"))
        or _said(root)
        or _said(exception)
    )
    return HostError(
        message=message or "an error without a message",
        id=_said(record.get("FullyQualifiedErrorId")),
        category=_said(record.get("ErrorCategory_Message")),
        position=_said(invocation.get("PositionMessage")),
        command=_said(invocation.get("MyCommand")),
        target=_said(record.get("TargetObject")),
        exceptions=() if exception is None else doc.type_names(exception),
    )


def _said(node: Node | None) -> str:
    return text(node)[:_MAX_SAID]


def _base(node: Node) -> Node | None:
    """The simple value that an object wraps, as an enum wraps its number."""
    for child in node:
        if child.tag in _PRIMITIVES:
            return child
    return None


def _simple(node: Node) -> Value:
    if node.tag in _INTEGERS:
        return number(node)
    if node.tag == "B":
        return flag(node)
    if node.tag in _FLOATS:
        try:
            return float((node.text or "").replace("INF", "inf"))
        except ValueError:
            raise MalformedError("a fraction that is not one") from None
    if node.tag == "C":
        try:
            return unescape(f"_x{int(node.text or ''):04X}_")
        except ValueError:
            raise MalformedError("a character that is not one") from None
    return text(node)


def _drop_namespaces(root: Node) -> None:
    """Name elements as PSRP does: CLIXML files and winrs put them in a namespace."""
    for node in root.iter("*"):
        node.tag = node.tag.rpartition("}")[2]
