"""Script blocks of a host's views, rewritten so that a client may run them.

Theory of operation. A view is printed on the client, where the object is no longer
alive: properties are snapshots, an enum is a number with a name, a dictionary has
become a hashtable, and what lay too deep is missing or has become text. So a script
block is kept only if three things are certain:

* *It is harmless.* It parses as the subset of :mod:`.expression_parser`, and what is
  written is made anew from that tree: no text of the host is copied. What could cost
  much memory (wide format items, repeated strings) is no part of it.
* *It prints the same.* Where that depends on what the values are, the rewritten
  script asks first, with a guard: ``if (guards) { value }``. A value that came as
  something else gives a blank, never a wrong text. Each guard is a fact about
  deserialized values, :class:`Need`.
* *It works in Windows PowerShell 5.1 and 7*, also in constrained language.

Three things are taken for granted: the client's culture formats dates and numbers, as
for every view; an enum equals a literal if its name does; and no property is a script
block, for that comes as its text.
"""

from __future__ import annotations

import enum
import functools
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from ..pslang import Quoted
from .expression_parser import NotProvableError, parse
from .expression_tree import (
    Binary,
    Call,
    Cast,
    Chain,
    Constant,
    Format,
    If,
    Interpolation,
    Not,
    Number,
    String,
    Tree,
)

__all__ = ["NotProvableError", "condition", "display", "harmless_format"]


@functools.lru_cache(maxsize=1024)
def display(script: str) -> str:
    """Rewrite a script block whose value is printed.

    :returns: a script that prints the same of the deserialized object, or nothing.
    :raises NotProvableError: there is no such script; the message says why.
    """
    return _statement(parse(script))


def condition(script: str) -> str:
    """Rewrite a script block that decides whether something is printed.

    :returns: a script that is as true of the deserialized object, or false where that
        cannot be told there.
    :raises NotProvableError: there is no such script; the message says why.
    """
    writer = _Writer()
    return writer.guarded(writer.truth(parse(script)))


#: ``{0}``, ``{0,-12}``, ``{0:N2}``; the braces that stand for themselves are not seen.
_ITEM = re.compile(r"\{(\d{1,2})(,-?\d{1,3})?(:[^{}]{1,40})?\}")
#: A precision of a thousand digits is of no use but to fill memory.
_HUGE = re.compile(r"\d{4}")


def harmless_format(template: str) -> bool:
    """Whether a format string makes no text much longer than itself."""
    return not _HUGE.search(template)


class Need(enum.Enum):
    """What a property's value must be, for the rest to come out as on the host."""

    #: It came at all: a type may hide properties, and depth may have cut it off.
    PRESENT = enum.auto()
    #: It is what it was: null, or of a type that CLIXML carries whole.
    WHOLE = enum.auto()
    #: The same, or an enum.
    SCALAR = enum.auto()
    #: Its conversion to a string is the host's own.
    TEXT = enum.auto()
    #: It is as true or false as it was.
    TRUTH = enum.auto()
    #: It is null or a whole value type, a number mostly: not text, to be repeated.
    VALUE_TYPE = enum.auto()
    STRING = enum.auto()
    DATE = enum.auto()
    #: It is no string that stands for an object cut off by depth.
    NO_STRING = enum.auto()


_DESERIALIZED = "{0}.PSTypeNames -like 'Deserialized.*'"
_ENUM = "{0}.PSTypeNames -contains 'Deserialized.System.Enum'"
_COLLECTION = "{0} -is [Collections.IEnumerable]"
_GUARDS = {
    Need.WHOLE: f"-not ({_DESERIALIZED})",
    Need.SCALAR: f"(-not ({_DESERIALIZED}) -or {_ENUM})",
    # A type's name, and an object without a class, read differently over there.
    Need.TEXT: f"({{0}} -is [string] -or -not ({_COLLECTION} -or {{0}}.PSTypeNames"
    " -match '^Deserialized\\.System\\.(RuntimeType|Management\\.Automation"
    "\\.PSCustomObject)$'))",
    # A structure, as a switch is one, may be false; an object never is.
    Need.TRUTH: f"({{0}} -is [string] -or {_ENUM} -or -not ({_COLLECTION} -or"
    " {0}.PSTypeNames -contains 'Deserialized.System.ValueType'))",
    Need.VALUE_TYPE: "($null -eq {0} -or {0} -is [ValueType])"
    f" -and -not ({_DESERIALIZED})",
    Need.STRING: "{0} -is [string]",
    Need.DATE: "{0} -is [datetime]",
    Need.NO_STRING: "{0} -isnot [string]",
}


class Kind(enum.Enum):
    """What is known of an expression's value."""

    NUMBER = enum.auto()
    STRING = enum.auto()
    OTHER = enum.auto()


@dataclass(frozen=True, slots=True)
class _Value:
    """PowerShell text that can stand as an operand anywhere, and what it is."""

    text: str
    kind: Kind


#: Methods that only read, with how many arguments they take.
_STRING_METHODS = {
    "replace": ("Replace", 2),
    "tolower": ("ToLower", 0),
    "tolowerinvariant": ("ToLowerInvariant", 0),
    "toupper": ("ToUpper", 0),
    "toupperinvariant": ("ToUpperInvariant", 0),
    "trim": ("Trim", 0),
    "trimend": ("TrimEnd", 0),
    "trimstart": ("TrimStart", 0),
}
_DATE_METHODS = {
    "tolongdatestring": "ToLongDateString",
    "tolongtimestring": "ToLongTimeString",
    "toshortdatestring": "ToShortDateString",
    "toshorttimestring": "ToShortTimeString",
}
#: How much longer Replace may make a text.
_MAX_GROWTH = 16
_MAX_STARS = 4
_ARITHMETIC = frozenset("+-*/%")
_CONSTANTS = {None: "$null", True: "$true", False: "$false"}
#: Properties that PowerShell gives to everything, or that lead into its machinery.
_INTRINSIC = frozenset(
    {
        "psobject",
        "psbase",
        "psadapted",
        "psextended",
        "pstypenames",
        "psstandardmembers",
    }
)
_MEASURES = frozenset({"count", "length"})
_UNPRINTABLE = re.compile("([\\x00-\\x1f\\x7f-\\x9f\\ufffe\\uffff]+)")


@dataclass(slots=True)
class _Writer:
    """Writes one statement's expressions and gathers the guards that they need."""

    needs: dict[tuple[Chain, Need], None] = field(default_factory=dict)

    def guarded(self, text: str) -> str:
        """The text, for when everything is as the expressions written so far need."""
        if not self.needs:
            return text
        guards: dict[str, None] = {}
        for chain, _ in self.needs:
            for depth, name in enumerate(chain.names):
                parent = _chain(chain.names[:depth])
                guards[f"{parent}.PSObject.Properties['{name}']"] = None
        for chain, need in self.needs:
            if need is not Need.PRESENT:
                guards[_GUARDS[need].format(_chain(chain.names))] = None
        return f"if ({' -and '.join(guards)}) {{ {text} }}"

    def need(self, chain: Chain, need: Need) -> str:
        """The text of a property chain whose value must be this."""
        self.needs[chain, Need.PRESENT] = None
        self.needs[chain, need] = None
        if len(chain.names) > 1 and chain.names[-1].lower() in _MEASURES:
            # Text has a length too, also the text of an object that was cut off.
            self.needs[Chain(chain.names[:-1]), Need.NO_STRING] = None
        return _chain(chain.names)

    def value(self, tree: Tree, need: Need = Need.WHOLE) -> _Value:
        """An expression as an operand; ``need`` is for it if it is a property."""
        match tree:
            case Chain():
                return _Value(self.need(tree, need), Kind.OTHER)
            case Constant(value):
                return _Value(_CONSTANTS[value], Kind.OTHER)
            case Number(digits):
                text = f"({digits})" if digits.startswith("-") else digits
                return _Value(text, Kind.NUMBER)
            case String(text):
                return _Value(_literal(text), Kind.STRING)
            case Interpolation(parts):
                texts = " + ".join(self.text(part) for part in parts)
                return _Value(f"('' + {texts})", Kind.STRING)
            case Cast("string", operand):
                return _Value(f"({self.text(operand)})", Kind.STRING)
            case Cast("bool", operand):
                return _Value(f"([bool]{self.truth(operand)})", Kind.OTHER)
            case Cast(type_name, operand):
                text = self.value(operand, Need.SCALAR).text
                return _Value(f"([{type_name}]{text})", Kind.NUMBER)
            case Not(operand):
                return _Value(f"(-not {self.truth(operand)})", Kind.OTHER)
            case Binary():
                return self._binary(tree)
            case Format():
                return self._format(tree)
            case Call():
                return self._call(tree)
            case If():
                raise NotProvableError("it computes with a statement")

    def text(self, tree: Tree) -> str:
        """An expression as a string, converted as ``"$( )"`` and ``[string]`` do."""
        if isinstance(tree, If):
            return f"[string]$({self._choice(tree)})"
        value = self.value(tree, Need.TEXT)
        return value.text if value.kind is Kind.STRING else f"[string]{value.text}"

    def truth(self, tree: Tree) -> str:
        """An expression as a condition."""
        return self.value(tree, Need.TRUTH).text

    def _choice(self, tree: If) -> str:
        return _if(tree, self.truth, self.text)

    def _binary(self, tree: Binary) -> _Value:
        operator, left, right = tree.operator, tree.left, tree.right
        if operator in ("-and", "-or", "-xor"):
            text = f"({self.truth(left)} {operator} {self.truth(right)})"
            return _Value(text, Kind.OTHER)
        if operator in _ARITHMETIC:
            return self._arithmetic(operator, left, right)
        first, second = self._compared(operator, left, right)
        return _Value(f"({first} {operator} {second})", Kind.OTHER)

    def _arithmetic(self, operator: str, left: Tree, right: Tree) -> _Value:
        if operator == "+" and _is_text(left):
            joined = f"({self.text(left)} + {self.text(right)})"
            return _Value(joined, Kind.STRING)
        repeats = operator == "*"
        first = self.value(left, Need.VALUE_TYPE if repeats else Need.WHOLE)
        second = self.value(right)
        if repeats and not (isinstance(left, Chain) or first.kind is Kind.NUMBER):
            raise NotProvableError("it may repeat text")
        numbers = first.kind is Kind.NUMBER and second.kind is Kind.NUMBER
        kind = Kind.NUMBER if numbers else Kind.OTHER
        return _Value(f"({first.text} {operator} {second.text})", kind)

    def _compared(self, operator: str, left: Tree, right: Tree) -> tuple[str, str]:
        """The two sides of a comparison, so that an enum acts as its name or number."""
        plain = operator.lstrip("-").removeprefix("c")
        if Constant(None) in (left, right):
            return self.value(left, Need.PRESENT).text, self.value(
                right, Need.PRESENT
            ).text
        if plain in ("like", "notlike"):
            if not isinstance(right, String) or right.text.count("*") > _MAX_STARS:
                raise NotProvableError("it computes a pattern")
            first = self.value(left, Need.SCALAR).text
            if isinstance(left, Chain):
                self.need(left, Need.TEXT)
            return f"[string]{first}", _literal(right.text)
        if _is_text(left):
            return self.value(left).text, self.text(right)
        if isinstance(left, Chain) and _is_text(right):
            if operator not in ("-eq", "-ne"):
                return self.value(left).text, self.value(right).text
            chain = self.need(left, Need.SCALAR)
            named = f"if ({_ENUM.format(chain)}) {{ [string]{chain} }}"
            return f"$({named} else {{ {chain} }})", self.value(right).text
        alone = not (isinstance(left, Chain) and isinstance(right, Chain))
        need = Need.SCALAR if alone else Need.WHOLE
        return self.value(left, need).text, self.value(right, need).text

    def _format(self, tree: Format) -> _Value:
        items = _items(tree.template)
        if any(index >= len(tree.arguments) for index, _ in items):
            raise NotProvableError("its format string asks for what is not there")
        written = []
        for index, argument in enumerate(tree.arguments):
            # A value with a format of its own must be what it was.
            need = Need.WHOLE if (index, True) in items else Need.SCALAR
            written.append(self.value(argument, need).text)
        text = f"({_literal(tree.template)} -f {', '.join(written)})"
        return _Value(text, Kind.STRING)

    def _call(self, tree: Call) -> _Value:
        method, count = tree.method.lower(), len(tree.arguments)
        receiver = tree.receiver
        if method == "tostring" and isinstance(receiver, Chain) and count < 2:
            return self._to_string(receiver, tree.arguments)
        if method in _DATE_METHODS and isinstance(receiver, Chain) and count == 0:
            text = self.need(receiver, Need.DATE)
            return _Value(f"{text}.{_DATE_METHODS[method]}()", Kind.STRING)
        name, takes = _STRING_METHODS.get(method, ("", -1))
        if count != takes or not (isinstance(receiver, Chain) or _is_text(receiver)):
            raise NotProvableError(f"it calls {tree.method}")
        if method == "replace":
            _check_replace(tree)
        text = self.value(receiver, Need.STRING).text
        arguments = ", ".join(self.value(a).text for a in tree.arguments)
        return _Value(f"{text}.{name}({arguments})", Kind.STRING)

    def _to_string(self, receiver: Chain, arguments: tuple[Tree, ...]) -> _Value:
        if not arguments:
            return _Value(f"{self.need(receiver, Need.SCALAR)}.ToString()", Kind.STRING)
        (template,) = arguments
        if not isinstance(template, String) or not harmless_format(template.text):
            raise NotProvableError("it computes a format")
        text = f"{self.need(receiver, Need.WHOLE)}.ToString({_literal(template.text)})"
        return _Value(text, Kind.STRING)


def _statement(tree: Tree) -> str:
    writer = _Writer()
    match tree:
        case If():
            return writer.guarded(_if(tree, writer.truth, _statement))
        case Chain(names) if names and names[-1].lower() not in _MEASURES:
            # What is printed as it is needs no guard: missing or null, it is blank.
            return _chain(names)
        case Chain(names):
            need = Need.PRESENT if names else Need.TEXT
            return writer.guarded(writer.need(tree, need))
        case _:
            return writer.guarded(writer.value(tree).text)


def _if(tree: If, test: Callable[[Tree], str], body: Callable[[Tree], str]) -> str:
    branches = [f"if ({test(t)}) {{ {body(b)} }}" for t, b in tree.branches]
    if tree.otherwise is not None:
        branches.append(f"{{ {body(tree.otherwise)} }}")
    return " else".join(branches).replace("} else{", "} else {")


def _chain(names: tuple[str, ...]) -> str:
    for name in names:
        if name.lower() in _INTRINSIC:
            raise NotProvableError(f"it reads {name}")
    return ".".join(("$_", *names))


def _literal(text: str) -> str:
    """A string as PowerShell text without the characters that XML cannot hold."""
    parts = _UNPRINTABLE.split(text)
    written = [Quoted(part).render() for part in parts[::2]]
    if len(parts) == 1:
        return written[0]
    joined = written[0]
    for run, part in zip(parts[1::2], written[1:], strict=True):
        codes = "".join(f" + [char]{ord(character)}" for character in run)
        joined += codes if part == "''" else f"{codes} + {part}"
    return f"({joined})"


def _is_text(tree: Tree) -> bool:
    """Whether an expression is surely a string."""
    match tree:
        case String() | Interpolation() | Format() | Call() | Cast("string", _):
            return True
        case Binary("+", left, _):
            return _is_text(left)
        case _:
            return False


def _items(template: str) -> list[tuple[int, bool]]:
    """The format items of a template: which argument, and if with its own format."""
    if not harmless_format(template):
        raise NotProvableError("it formats to a great length")
    if re.search(r"[{}]", _ITEM.sub("", template)):
        raise NotProvableError("its format string is odd")
    return [(int(i), bool(spec)) for i, _, spec in _ITEM.findall(template)]


def _check_replace(call: Call) -> None:
    old, new = call.arguments
    if not (isinstance(old, String) and isinstance(new, String) and old.text):
        raise NotProvableError("it computes what to replace")
    if len(new.text) > _MAX_GROWTH * len(old.text) or isinstance(call.receiver, Call):
        raise NotProvableError("it replaces by ever longer text")
