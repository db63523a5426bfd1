"""CLIXML written from Python values, as a host would: what the tests decode again."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape as xml_escape
from xml.sax.saxutils import quoteattr

_INT32 = range(-(2**31), 2**31)
_ESCAPED = re.compile(
    "_(?=[xX])|[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\U00010000-\U0010ffff]"
)


@dataclass(frozen=True)
class Enum:
    """An enum's value; ``types`` without System.Enum and what is above it."""

    name: str
    number: int
    type: str = "Some.Enum"


@dataclass(frozen=True)
class Object:
    """An object: its types, text, and properties in either bag."""

    types: Sequence[str] = ()
    text: str | None = None
    props: Mapping[str, object] = field(default_factory=dict)
    members: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Raw:
    """XML as it is; ``{N}`` is where the name attribute goes."""

    xml: str


def escape(text: str) -> str:
    """CLIXML's own escaping; what is beyond the first plane is two surrogates."""
    return _ESCAPED.sub(_units, text)


def _units(found: re.Match[str]) -> str:
    data = found[0].encode("utf-16-be", "surrogatepass")
    units = (data[at : at + 2] for at in range(0, len(data), 2))
    return "".join(f"_x{unit.hex().upper()}_" for unit in units)


def write(value: object) -> bytes:
    """The document of a value."""
    return _Writer().render(value).encode()


class _Writer:
    def __init__(self) -> None:
        self._objects = 0
        self._types: dict[tuple[str, ...], int] = {}

    def render(self, value: object, name: str | None = None) -> str:
        n = "" if name is None else f" N={quoteattr(escape(name))}"
        if value is None:
            return f"<Nil{n} />"
        if isinstance(value, bool):
            return f"<B{n}>{str(value).lower()}</B>"
        if isinstance(value, int):
            tag = "I32" if value in _INT32 else "I64"
            return f"<{tag}{n}>{value}</{tag}>"
        if isinstance(value, float):
            return f"<Db{n}>{value!r}</Db>"
        if isinstance(value, str):
            return f"<S{n}>{xml_escape(escape(value))}</S>"
        if isinstance(value, Raw):
            return value.xml.replace("{N}", n)
        reference = self._objects
        self._objects += 1
        start = f'<Obj{n} RefId="{reference}">'
        if isinstance(value, Enum):
            types = (value.type, "System.Enum", "System.ValueType", "System.Object")
            return (
                f"{start}{self._type_names(types)}"
                f"<ToString>{xml_escape(escape(value.name))}</ToString>"
                f"<I32>{value.number}</I32></Obj>"
            )
        if isinstance(value, Object):
            named = self._type_names(tuple(value.types)) if value.types else ""
            if value.text is not None:
                named += f"<ToString>{xml_escape(escape(value.text))}</ToString>"
            props = self._bag("Props", value.props)
            return f"{start}{named}{props}{self._bag('MS', value.members)}</Obj>"
        if isinstance(value, Mapping):
            types = ("System.Collections.Hashtable", "System.Object")
            entries = "".join(
                f"<En>{self.render(k, 'Key')}{self.render(v, 'Value')}</En>"
                for k, v in value.items()
            )
            return f"{start}{self._type_names(types)}<DCT>{entries}</DCT></Obj>"
        if isinstance(value, Sequence):
            types = ("System.Object[]", "System.Array", "System.Object")
            items = "".join(self.render(item) for item in value)
            return f"{start}{self._type_names(types)}<LST>{items}</LST></Obj>"
        raise TypeError(value)

    def _type_names(self, names: tuple[str, ...]) -> str:
        if names in self._types:
            return f'<TNRef RefId="{self._types[names]}" />'
        reference = self._types.setdefault(names, len(self._types))
        inner = "".join(f"<T>{xml_escape(escape(n))}</T>" for n in names)
        return f'<TN RefId="{reference}">{inner}</TN>'

    def _bag(self, tag: str, properties: Mapping[str, object]) -> str:
        if not properties:
            return ""
        inner = "".join(self.render(v, k) for k, v in properties.items())
        return f"<{tag}>{inner}</{tag}>"
