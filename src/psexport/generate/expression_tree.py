"""What a script block of a view may be made of: the nodes of a tree.

The subset is small on purpose: each kind of node only reads, and ends.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Chain:
    """``$_``, ``$_.A``, ``$_.A.B``: reading properties."""

    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Constant:
    """``$null``, ``$true`` or ``$false``."""

    value: bool | None


@dataclass(frozen=True, slots=True)
class Number:
    """A decimal number with its suffix and multiplier: ``1``, ``-2.5``, ``1mb``."""

    digits: str


@dataclass(frozen=True, slots=True)
class String:
    """Text with nothing to expand."""

    text: str


@dataclass(frozen=True, slots=True)
class Interpolation:
    """An expandable string: text and values, one after the other."""

    parts: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Cast:
    """``[type] operand``; the type's name in lower case."""

    type: str
    operand: Tree


@dataclass(frozen=True, slots=True)
class Not:
    """``-not operand``."""

    operand: Tree


@dataclass(frozen=True, slots=True)
class Binary:
    """``left operator right``; the operator in lower case, as ``-eq`` or ``+``."""

    operator: str
    left: Tree
    right: Tree


@dataclass(frozen=True, slots=True)
class Format:
    """``'template' -f argument, argument``."""

    template: str
    arguments: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """``receiver.Method(argument, argument)``; the method's name as it was written."""

    receiver: Tree
    method: str
    arguments: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class If:
    """``if`` and ``elseif`` with their bodies, and ``else``, if there is one."""

    branches: tuple[tuple[Tree, Tree], ...]
    otherwise: Tree | None


Tree = (
    Chain
    | Constant
    | Number
    | String
    | Interpolation
    | Cast
    | Not
    | Binary
    | Format
    | Call
    | If
)
