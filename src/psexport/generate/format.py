"""Views to the text of a ``NAME.format.ps1xml``.

What can be loaded, and what may be run, is decided by :mod:`.loadable`; here it is
only written. PowerShell looks up the views of a deserialized object under its original
type names, so a type is named once. The conditions of an entry are looked up
literally, so they are written for both names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..model import Skipped
from ..views import (
    Alignment,
    Column,
    CustomControl,
    CustomItem,
    DisplayEntry,
    Expression,
    Frame,
    GroupBy,
    Header,
    ListControl,
    ListItem,
    NewLine,
    Row,
    SelectedBy,
    TableControl,
    Text,
    TypeViews,
    View,
    WideControl,
)
from .loadable import Loader, NotLoadableError, writable
from .xml import DECLARATION, leaf

_DESERIALIZED = "Deserialized."


@dataclass(frozen=True, slots=True)
class FormatFile:
    """A format file.

    :ivar text: XML, in ASCII; it can be loaded also without a single view in it.
    :ivar types: how many types, or groups of types, it has views for.
    :ivar skipped: what was left out of it and why, a value for each view and reason.
    """

    text: str
    types: int
    skipped: tuple[Skipped, ...]


def render(
    definitions: Iterable[TypeViews],
    *,
    compatible: bool = False,
    include_script_block: bool = False,
) -> FormatFile:
    """Write views as a format file, in the order in which they come.

    The first view of a host that fits a type prints it, so the order is kept. Of two
    views that are the same in everything the second is not written.

    :param definitions: the selected views of a host.
    :param compatible: leave out every script block, as Export-PSSession does;
        otherwise those that are provably harmless are kept, rewritten.
    :param include_script_block: keep the others too: code of the host that will run
        on the client.
    """
    xml = _Xml()
    skipped: list[Skipped] = []
    written: set[tuple[tuple[str, ...], View]] = set()
    with xml.element("Configuration"), xml.element("ViewDefinitions"):
        for definition in definitions:
            names = tuple(dict.fromkeys(filter(writable, definition.type_names)))
            if not names:
                what = ascii("".join(definition.type_names[:1])[:60])
                skipped.append(Skipped(what, "ErrorSkippedView", "no name of a type"))
                continue
            loader = Loader(
                names[0],
                compatible=compatible,
                include_script_block=include_script_block,
            )
            for view in definition.views:
                if (names, view) in written:
                    continue
                try:
                    loadable = loader.view(view)
                except NotLoadableError as error:
                    left_out = f"{names[0]} ({view.name})" if view.name else names[0]
                    skipped.append(Skipped(left_out, "ErrorSkippedView", str(error)))
                else:
                    _ViewWriter(xml, names).view(loadable)
                    written.add((names, view))
                skipped += loader.skipped(view)
    return FormatFile(xml.text(), len({names for names, _ in written}), tuple(skipped))


class _Xml:
    """Elements below each other, indented."""

    def __init__(self) -> None:
        self._lines = [DECLARATION]
        self._margin = ""

    def element(self, tag: str) -> _Element:
        """What is written within its ``with`` is inside of the element."""
        return _Element(self, tag)

    def start(self, tag: str) -> None:
        self._lines.append(f"{self._margin}<{tag}>")
        self._margin += "  "

    def end(self, tag: str) -> None:
        self._margin = self._margin[:-2]
        self._lines.append(f"{self._margin}</{tag}>")

    def empty(self, tag: str) -> None:
        self._lines.append(f"{self._margin}<{tag} />")

    def leaf(self, tag: str, text: str) -> None:
        """An element with text."""
        self._lines.append(self._margin + leaf(tag, text))

    def text(self) -> str:
        return "\n".join([*self._lines, ""])


class _Element:
    """An element being written; contextlib's generators take twice the time."""

    __slots__ = ("_tag", "_xml")

    def __init__(self, xml: _Xml, tag: str) -> None:
        self._xml = xml
        self._tag = tag

    def __enter__(self) -> None:
        self._xml.start(self._tag)

    def __exit__(self, *_: object) -> None:
        self._xml.end(self._tag)


class _ViewWriter:
    """Writes loadable views of one definition, element by element."""

    def __init__(self, xml: _Xml, type_names: tuple[str, ...]) -> None:
        self._xml = xml
        self._type_names = type_names

    def view(self, view: View) -> None:
        xml, control = self._xml, view.control
        with xml.element("View"):
            xml.leaf("Name", view.name)
            with xml.element("ViewSelectedBy"):
                for type_name in self._type_names:
                    xml.leaf("TypeName", type_name)
            if control.out_of_band:
                xml.empty("OutOfBand")
            if control.group_by is not None:
                self._group(control.group_by)
            match control:
                case TableControl():
                    self._table(control)
                case ListControl():
                    self._list(control)
                case WideControl():
                    self._wide(control)
                case CustomControl():
                    self._custom(control)

    def _group(self, group: GroupBy) -> None:
        with self._xml.element("GroupBy"):
            self._entry(group.expression)
            if group.control is not None:
                self._custom(group.control)
            elif group.label is not None:
                self._xml.leaf("Label", group.label)

    def _table(self, table: TableControl) -> None:
        xml = self._xml
        with xml.element("TableControl"):
            if table.auto_size:
                xml.empty("AutoSize")
            if table.hide_headers:
                xml.empty("HideTableHeaders")
            with xml.element("TableHeaders"):
                for header in table.headers:
                    self._header(header)
            with xml.element("TableRowEntries"):
                for row in table.rows:
                    self._row(row)

    def _header(self, header: Header) -> None:
        xml = self._xml
        with xml.element("TableColumnHeader"):
            if header.label is not None:
                xml.leaf("Label", header.label)
            if header.width > 0:
                xml.leaf("Width", str(header.width))
            self._alignment(header.alignment)

    def _row(self, row: Row) -> None:
        with self._xml.element("TableRowEntry"):
            if row.wrap:
                self._xml.empty("Wrap")
            self._selected_by(row.selected_by)
            with self._xml.element("TableColumnItems"):
                for column in row.columns:
                    self._column(column)

    def _column(self, column: Column) -> None:
        with self._xml.element("TableColumnItem"):
            self._alignment(column.alignment)
            self._entry(column.entry)
            self._format(column.format)

    def _list(self, control: ListControl) -> None:
        xml = self._xml
        with xml.element("ListControl"), xml.element("ListEntries"):
            for entry in control.entries:
                with xml.element("ListEntry"):
                    self._selected_by(entry.selected_by)
                    with xml.element("ListItems"):
                        for item in entry.items:
                            self._list_item(item)

    def _list_item(self, item: ListItem) -> None:
        with self._xml.element("ListItem"):
            if item.label is not None:
                self._xml.leaf("Label", item.label)
            self._condition(item.condition)
            self._entry(item.entry)
            self._format(item.format)

    def _wide(self, control: WideControl) -> None:
        xml = self._xml
        with xml.element("WideControl"):
            if control.auto_size:
                xml.empty("AutoSize")
            elif control.columns > 0:
                xml.leaf("ColumnNumber", str(control.columns))
            with xml.element("WideEntries"):
                for entry in control.entries:
                    with xml.element("WideEntry"):
                        self._selected_by(entry.selected_by)
                        with xml.element("WideItem"):
                            self._entry(entry.entry)
                            self._format(entry.format)

    def _custom(self, control: CustomControl) -> None:
        xml = self._xml
        with xml.element("CustomControl"), xml.element("CustomEntries"):
            for entry in control.entries:
                with xml.element("CustomEntry"):
                    self._selected_by(entry.selected_by)
                    self._items(entry.items)

    def _items(self, items: tuple[CustomItem, ...]) -> None:
        with self._xml.element("CustomItem"):
            for item in items:
                match item:
                    case Text(text):
                        self._xml.leaf("Text", text)
                    case NewLine(count):
                        for _ in range(count):
                            self._xml.empty("NewLine")
                    case Expression():
                        self._expression(item)
                    case Frame():
                        self._frame(item)

    def _expression(self, item: Expression) -> None:
        with self._xml.element("ExpressionBinding"):
            if item.enumerate:
                self._xml.empty("EnumerateCollection")
            self._condition(item.condition)
            if item.entry is not None:
                self._entry(item.entry)
            if item.control is not None:
                self._custom(item.control)

    def _frame(self, frame: Frame) -> None:
        with self._xml.element("Frame"):
            for tag, length in (
                ("LeftIndent", frame.left_indent),
                ("RightIndent", frame.right_indent),
                ("FirstLineHanging", frame.first_line_hanging),
                ("FirstLineIndent", frame.first_line_indent),
            ):
                if length > 0:
                    self._xml.leaf(tag, str(length))
            self._items(frame.items)

    def _selected_by(self, selected_by: SelectedBy) -> None:
        if selected_by == SelectedBy():
            return
        xml = self._xml
        with xml.element("EntrySelectedBy"):
            for type_name in selected_by.type_names:
                xml.leaf("TypeName", type_name)
            for condition in selected_by.conditions:
                for type_name in self._both_names():
                    with xml.element("SelectionCondition"):
                        xml.leaf("TypeName", type_name)
                        self._entry(condition)

    def _both_names(self) -> Iterator[str]:
        for type_name in self._type_names:
            yield type_name
            if not type_name.startswith(_DESERIALIZED):
                yield _DESERIALIZED + type_name

    def _condition(self, condition: DisplayEntry | None) -> None:
        if condition is not None:
            with self._xml.element("ItemSelectionCondition"):
                self._entry(condition)

    def _entry(self, entry: DisplayEntry) -> None:
        tag = "ScriptBlock" if entry.is_script else "PropertyName"
        self._xml.leaf(tag, entry.value)

    def _format(self, template: str | None) -> None:
        if template is not None:
            self._xml.leaf("FormatString", template)

    def _alignment(self, alignment: Alignment) -> None:
        if alignment is not Alignment.UNDEFINED:
            self._xml.leaf("Alignment", alignment.value)
