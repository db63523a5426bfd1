"""How a host prints its types: format views as trees of frozen values.

The shapes are those of System.Management.Automation.ExtendedTypeDefinition, which is
what Get-FormatData answers and what a format file says. Nothing here is trusted.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Alignment(enum.Enum):
    """Alignment of a table's column."""

    UNDEFINED = "Undefined"
    LEFT = "Left"
    CENTER = "Center"
    RIGHT = "Right"


@dataclass(frozen=True, slots=True)
class DisplayEntry:
    """Where a printed value comes from: a property, or code of the host."""

    value: str
    is_script: bool = False


@dataclass(frozen=True, slots=True)
class SelectedBy:
    """EntrySelectedBy: which objects an entry is for; empty means all."""

    type_names: tuple[str, ...] = ()
    #: Conditions that an object must meet (SelectionCondition).
    conditions: tuple[DisplayEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class Text:
    """Literal text in a custom control."""

    text: str


@dataclass(frozen=True, slots=True)
class NewLine:
    """Line breaks in a custom control."""

    count: int = 1


@dataclass(frozen=True, slots=True)
class Expression:
    """A printed value in a custom control."""

    entry: DisplayEntry | None = None
    condition: DisplayEntry | None = None
    enumerate: bool = False
    control: CustomControl | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """An indented part of a custom control; lengths in characters."""

    items: tuple[CustomItem, ...] = ()
    left_indent: int = 0
    right_indent: int = 0
    first_line_hanging: int = 0
    first_line_indent: int = 0


CustomItem = Text | NewLine | Expression | Frame


@dataclass(frozen=True, slots=True)
class CustomEntry:
    """One shape of a custom control."""

    items: tuple[CustomItem, ...] = ()
    selected_by: SelectedBy = SelectedBy()


@dataclass(frozen=True, slots=True)
class GroupBy:
    """What starts a new group, and how its heading reads."""

    expression: DisplayEntry
    label: str | None = None
    control: CustomControl | None = None


@dataclass(frozen=True, slots=True)
class CustomControl:
    """A view of free text."""

    entries: tuple[CustomEntry, ...] = ()
    group_by: GroupBy | None = None
    out_of_band: bool = False


@dataclass(frozen=True, slots=True)
class Header:
    """A table's column heading; width in characters, 0 for automatic."""

    label: str | None = None
    alignment: Alignment = Alignment.UNDEFINED
    width: int = 0


@dataclass(frozen=True, slots=True)
class Column:
    """A cell of a table's row."""

    entry: DisplayEntry
    alignment: Alignment = Alignment.UNDEFINED
    format: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One shape of a table's row."""

    columns: tuple[Column, ...] = ()
    selected_by: SelectedBy = SelectedBy()
    wrap: bool = False


@dataclass(frozen=True, slots=True)
class TableControl:
    """A view of rows and columns."""

    headers: tuple[Header, ...] = ()
    rows: tuple[Row, ...] = ()
    auto_size: bool = False
    hide_headers: bool = False
    group_by: GroupBy | None = None
    out_of_band: bool = False


@dataclass(frozen=True, slots=True)
class ListItem:
    """A line of a list."""

    entry: DisplayEntry
    label: str | None = None
    format: str | None = None
    condition: DisplayEntry | None = None


@dataclass(frozen=True, slots=True)
class ListEntry:
    """One shape of a list."""

    items: tuple[ListItem, ...] = ()
    selected_by: SelectedBy = SelectedBy()


@dataclass(frozen=True, slots=True)
class ListControl:
    """A view of labelled lines."""

    entries: tuple[ListEntry, ...] = ()
    group_by: GroupBy | None = None
    out_of_band: bool = False


@dataclass(frozen=True, slots=True)
class WideEntry:
    """One shape of a wide view's item."""

    entry: DisplayEntry
    selected_by: SelectedBy = SelectedBy()
    format: str | None = None


@dataclass(frozen=True, slots=True)
class WideControl:
    """A view of one value an object, several to a line; columns 0 for automatic."""

    entries: tuple[WideEntry, ...] = ()
    columns: int = 0
    auto_size: bool = False
    group_by: GroupBy | None = None
    out_of_band: bool = False


Control = TableControl | ListControl | WideControl | CustomControl


@dataclass(frozen=True, slots=True)
class View:
    """One named way to print."""

    name: str
    control: Control


@dataclass(frozen=True, slots=True)
class TypeViews:
    """The views that share a selection: ExtendedTypeDefinition."""

    type_names: tuple[str, ...]
    views: tuple[View, ...]
