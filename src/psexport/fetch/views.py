"""An answer to Get-FormatData, one ExtendedTypeDefinition a record, to its views.

Every PowerShell from 3.0 on is read. What an old one does not say (grouping, format
strings, conditions of entries) is simply not there; what is there and makes no sense
costs that type alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from .. import clixml
from ..clixml import MalformedError, Node
from ..views import (
    Alignment,
    Column,
    Control,
    CustomControl,
    CustomEntry,
    CustomItem,
    DisplayEntry,
    Expression,
    Frame,
    GroupBy,
    Header,
    ListControl,
    ListEntry,
    ListItem,
    NewLine,
    Row,
    SelectedBy,
    TableControl,
    Text,
    TypeViews,
    View,
    WideControl,
    WideEntry,
)

_T = TypeVar("_T")

#: Objects in one type's views. References let a small record unfold into a huge tree;
#: the largest of PowerShell's own types has 600.
_MAX_NODES = 20_000
#: Characters in all their texts, for the same reason; the largest has 30,000.
_MAX_TEXT = 4_000_000
#: Types that one definition, or one entry, is for; PowerShell's own have at most 10.
_MAX_NAMES = 1_000
#: Custom controls and frames inside each other; PowerShell's own views stop at 4.
_MAX_DEPTH = 24


def decode(data: bytes) -> TypeViews:
    """Read the views of one ExtendedTypeDefinition.

    :param data: the CLIXML of one record of Get-FormatData's output.
    :raises MalformedError: it is something else, was cut off by the host's
        serialization depth, or is beyond any sense.
    """
    document = clixml.parse(data)
    return _Reader(document).type_views(document.root)


class _Reader:
    """Walks one document; each method reads one class of PowerShell's."""

    def __init__(self, document: clixml.Document) -> None:
        self._document = document
        self._nodes = 0
        self._characters = 0
        self._depth = 0
        self._names = 0

    def type_views(self, node: Node) -> TypeViews:
        properties = self._open(node)
        names = self._texts(properties.get("TypeNames"))
        # Before PowerShell 5 there is just one name; later it repeats the first.
        first = self._said(properties, "TypeName")
        names = names or ((first,) if first else ())
        if not names:
            raise MalformedError("a format definition that names no type")
        self._names = len(names)
        try:
            views = self._each(properties, "FormatViewDefinition", self._view)
        except MalformedError as error:
            raise MalformedError(error.message, target=names[0]) from None
        return TypeViews(names, views)

    def _view(self, node: Node) -> View:
        properties = self._open(node)
        name = self._said(properties, "Name")
        return View(name, self._control(properties.get("Control")))

    def _control(self, node: Node | None) -> Control:
        if node is None:
            raise MalformedError("a view without a control")
        node = self._document.follow(node)
        readers: dict[str, Callable[[Node], Control]] = {
            "TableControl": self._table,
            "ListControl": self._list,
            "WideControl": self._wide,
            "CustomControl": self._custom,
        }
        for type_name in self._document.type_names(node):
            read = readers.get(type_name.rpartition(".")[2])
            if read is not None:
                return read(node)
        raise MalformedError(f"a view whose control is {clixml.text(node)[:100]!r}")

    def _table(self, node: Node) -> TableControl:
        properties = self._open(node)
        return TableControl(
            headers=self._each(properties, "Headers", self._header),
            rows=self._each(properties, "Rows", self._row),
            auto_size=clixml.flag(properties.get("AutoSize")),
            hide_headers=clixml.flag(properties.get("HideTableHeaders")),
            group_by=self._group_by(properties),
            out_of_band=clixml.flag(properties.get("OutOfBand")),
        )

    def _header(self, node: Node) -> Header:
        properties = self._open(node)
        return Header(
            label=self._optional(properties, "Label"),
            alignment=_alignment(properties),
            width=_number(properties, "Width"),
        )

    def _row(self, node: Node) -> Row:
        properties = self._open(node)
        return Row(
            columns=self._each(properties, "Columns", self._column),
            selected_by=self._selected_by(properties),
            wrap=clixml.flag(properties.get("Wrap")),
        )

    def _column(self, node: Node) -> Column:
        properties = self._open(node)
        return Column(
            entry=self._entry(properties, "DisplayEntry"),
            alignment=_alignment(properties),
            format=self._optional(properties, "FormatString"),
        )

    def _list(self, node: Node) -> ListControl:
        properties = self._open(node)
        return ListControl(
            entries=self._each(properties, "Entries", self._list_entry),
            group_by=self._group_by(properties),
            out_of_band=clixml.flag(properties.get("OutOfBand")),
        )

    def _list_entry(self, node: Node) -> ListEntry:
        properties = self._open(node)
        return ListEntry(
            items=self._each(properties, "Items", self._list_item),
            selected_by=self._selected_by(properties),
        )

    def _list_item(self, node: Node) -> ListItem:
        properties = self._open(node)
        return ListItem(
            entry=self._entry(properties, "DisplayEntry"),
            label=self._optional(properties, "Label"),
            format=self._optional(properties, "FormatString"),
            condition=self._optional_entry(properties, "ItemSelectionCondition"),
        )

    def _wide(self, node: Node) -> WideControl:
        properties = self._open(node)
        return WideControl(
            entries=self._each(properties, "Entries", self._wide_entry),
            columns=_number(properties, "Columns"),
            auto_size=clixml.flag(properties.get("AutoSize")),
            group_by=self._group_by(properties),
            out_of_band=clixml.flag(properties.get("OutOfBand")),
        )

    def _wide_entry(self, node: Node) -> WideEntry:
        properties = self._open(node)
        return WideEntry(
            entry=self._entry(properties, "DisplayEntry"),
            selected_by=self._selected_by(properties),
            format=self._optional(properties, "FormatString"),
        )

    def _custom(self, node: Node) -> CustomControl:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise MalformedError("controls nested without end")
        properties = self._open(node)
        control = CustomControl(
            entries=self._each(properties, "Entries", self._custom_entry),
            group_by=self._group_by(properties),
            out_of_band=clixml.flag(properties.get("OutOfBand")),
        )
        self._depth -= 1
        return control

    def _custom_entry(self, node: Node) -> CustomEntry:
        properties = self._open(node)
        return CustomEntry(
            items=self._each(properties, "CustomItems", self._custom_item),
            selected_by=self._selected_by(properties),
        )

    def _custom_item(self, node: Node) -> CustomItem:
        readers: dict[str, Callable[[Node], CustomItem]] = {
            "CustomItemText": self._text,
            "CustomItemNewline": self._new_line,
            "CustomItemExpression": self._expression,
            "CustomItemFrame": self._frame,
        }
        for type_name in self._document.type_names(node):
            read = readers.get(type_name.rpartition(".")[2])
            if read is not None:
                return read(node)
        raise MalformedError(f"a custom item that is {clixml.text(node)[:100]!r}")

    def _text(self, node: Node) -> Text:
        return Text(self._said(self._open(node), "Text"))

    def _new_line(self, node: Node) -> NewLine:
        count = max(1, _number(self._open(node), "Count"))
        self._count(count)
        return NewLine(count)

    def _expression(self, node: Node) -> Expression:
        properties = self._open(node)
        control = properties.get("CustomControl")
        return Expression(
            entry=self._optional_entry(properties, "Expression"),
            condition=self._optional_entry(properties, "ItemSelectionCondition"),
            enumerate=clixml.flag(properties.get("EnumerateCollection")),
            control=self._nested(control),
        )

    def _frame(self, node: Node) -> Frame:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise MalformedError("frames nested without end")
        properties = self._open(node)
        frame = Frame(
            items=self._each(properties, "CustomItems", self._custom_item),
            left_indent=_number(properties, "LeftIndent"),
            right_indent=_number(properties, "RightIndent"),
            first_line_hanging=_number(properties, "FirstLineHanging"),
            first_line_indent=_number(properties, "FirstLineIndent"),
        )
        self._depth -= 1
        return frame

    def _group_by(self, properties: dict[str, Node]) -> GroupBy | None:
        node = properties.get("GroupBy")
        if clixml.is_nil(node):
            return None
        group = self._open(node)
        return GroupBy(
            expression=self._entry(group, "Expression"),
            label=self._optional(group, "Label"),
            control=self._nested(group.get("CustomControl")),
        )

    def _nested(self, node: Node | None) -> CustomControl | None:
        return None if node is None or clixml.is_nil(node) else self._custom(node)

    def _selected_by(self, properties: dict[str, Node]) -> SelectedBy:
        # A list's entry says it twice: SelectedBy there is the bare list of names
        # that old clients know.
        node = properties.get("EntrySelectedBy", properties.get("SelectedBy"))
        if node is None or clixml.is_nil(node):
            return SelectedBy()
        bare = self._texts(node)
        if bare:
            return SelectedBy(bare)
        selected = self._document.properties(node)
        conditions = self._each(selected, "SelectionCondition", self._display_entry)
        # A format file says each condition again for each type.
        self._count(len(conditions) * self._names)
        return SelectedBy(self._texts(selected.get("TypeNames")), conditions)

    def _optional_entry(
        self, properties: dict[str, Node], name: str
    ) -> DisplayEntry | None:
        node = properties.get(name)
        return None if clixml.is_nil(node) else self._display_entry(node)

    def _entry(self, properties: dict[str, Node], name: str) -> DisplayEntry:
        return self._display_entry(properties.get(name))

    def _display_entry(self, node: Node | None) -> DisplayEntry:
        properties = self._open(node)
        kind = clixml.text(properties.get("ValueType"))
        if kind not in ("Property", "ScriptBlock"):
            raise MalformedError(f"a value of kind {kind[:100]!r} in a view")
        return DisplayEntry(
            self._said(properties, "Value"), is_script=kind == "ScriptBlock"
        )

    def _open(self, node: Node | None) -> dict[str, Node]:
        """The properties of an object, which must have some: else it was cut off."""
        self._count(1)
        properties = self._document.properties(node)
        if not properties:
            raise MalformedError("a format definition that is not whole")
        return properties

    def _count(self, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > _MAX_NODES:
            raise MalformedError(f"views of more than {_MAX_NODES:,} parts")

    def _said(self, properties: dict[str, Node], name: str) -> str:
        """A property's text."""
        text = clixml.text(properties.get(name))
        self._characters += len(text)
        if self._characters > _MAX_TEXT:
            raise MalformedError(f"views of more than {_MAX_TEXT:,} characters")
        return text

    def _optional(self, properties: dict[str, Node], name: str) -> str | None:
        if clixml.is_nil(properties.get(name)):
            return None
        return self._said(properties, name)

    def _each(
        self, properties: dict[str, Node], name: str, read: Callable[[Node], _T]
    ) -> tuple[_T, ...]:
        return tuple(read(node) for node in self._document.each(properties.get(name)))

    def _texts(self, node: Node | None) -> tuple[str, ...]:
        items = self._document.items(node)
        if len(items) > _MAX_NAMES:
            raise MalformedError(f"more than {_MAX_NAMES:,} names of types")
        self._count(len(items))
        texts = (clixml.text(item) for item in items)
        return tuple(text for text in texts if text)


def _number(properties: dict[str, Node], name: str) -> int:
    """A length or a number of things; what is below zero says nothing."""
    return max(0, clixml.number(properties.get(name)) or 0)


def _alignment(properties: dict[str, Node]) -> Alignment:
    try:
        return Alignment(clixml.text(properties.get("Alignment")))
    except ValueError:
        return Alignment.UNDEFINED
