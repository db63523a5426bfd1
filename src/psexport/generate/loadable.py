"""A host's view, made into one that PowerShell loads and that a client may run.

PowerShell loads a format file whole or not at all, and its loader is strict: one
empty label, a table with more headers than columns, an entry list without a default
is an error for every view in the file. Each of its rules is kept here, by leaving out
or mending the smallest part that breaks it. So are script blocks dealt with, which
may stay, be rewritten, or go: a value goes blank, an item whose condition goes is
left out (unconditional, it would print what the host would not), and a custom view
that would print nothing at all prints the object's own text.

It is a function from trees to trees. What was left out is kept as notes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol, TypeVar

from ..errors import PSExportError
from ..model import Skipped
from ..pslang import Wildcard, has_wildcards
from ..views import (
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
    SelectedBy,
    TableControl,
    Text,
    View,
    WideControl,
    WideEntry,
)
from . import expressions
from .xml import NOT_XML

#: Prints nothing, where an element that is empty or missing would be an error.
BLANK = DisplayEntry(";", is_script=True)
#: Prints the object's own text, where every other item is left out.
_WHOLE_OBJECT = (Expression(),)
#: Widths, indents and counts above this make no difference that one could see.
_MOST = 1_000


class NotLoadableError(Exception):
    """This can be no view; the message says what was wrong."""


class _Entry(Protocol):
    """What rows and entries of all kinds have in common."""

    @property
    def selected_by(self) -> SelectedBy: ...


_E = TypeVar("_E", bound=_Entry)


class Loader:
    """Makes the views of one definition loadable.

    :param type_name: the first type that the views are for; names what has no name.
    :param compatible: leave out every script block, as Export-PSSession does.
    :param include_script_block: keep what is not provably harmless as it is.
    """

    def __init__(
        self, type_name: str, *, compatible: bool, include_script_block: bool
    ) -> None:
        self._type_name = type_name
        self._compatible = compatible
        self._include = include_script_block
        self._scripts: list[str] = []
        self._parts: dict[str, None] = {}

    def view(self, view: View) -> View:
        """The view as it can be written.

        :raises NotLoadableError: it has no part that is for every object.
        """
        return View(view.name or self._type_name, self._control(view.control))

    def skipped(self, view: View) -> list[Skipped]:
        """What was left out since the last call, and why."""
        name = f"{self._type_name} ({view.name})" if view.name else self._type_name
        skipped = [Skipped(name, "ErrorSkippedViewPart", what) for what in self._parts]
        if self._scripts:
            count = len(self._scripts)
            whys = ", ".join(dict.fromkeys(self._scripts))
            what = f"{count} script block{'s' * (count > 1)} left out: {whys}"
            skipped.append(Skipped(name, "ErrorSkippedScriptBlock", what))
        self._scripts, self._parts = [], {}
        return skipped

    def _part(self, what: str) -> None:
        self._parts[what] = None

    def _control(self, control: Control) -> Control:
        match control:
            case TableControl():
                return self._table(control)
            case ListControl():
                return self._list(control)
            case WideControl():
                return self._wide(control)
            case CustomControl():
                group = None if control.out_of_band else self._group(control.group_by)
                return replace(self._custom(control), group_by=group)

    def _table(self, table: TableControl) -> TableControl:
        default = next((r for r in table.rows if r.selected_by == SelectedBy()), None)
        if default is None or not default.columns:
            raise NotLoadableError("it has no row for every object")
        count = len(default.columns)
        headers = table.headers
        if headers and len(headers) != count:
            self._part("its headers do not match its columns")
            headers = (*headers, *[Header()] * count)[:count]
        scripts = any(column.entry.is_script for column in default.columns)
        if not headers and scripts and not self._compatible:
            headers = (Header(),) * count
        rows = [r for r in table.rows if len(r.columns) == count]
        if len(rows) < len(table.rows):
            self._part("a row does not match the default one")
        return TableControl(
            headers=tuple(
                replace(
                    header,
                    label=self._label(header.label, column.entry),
                    width=min(header.width, _MOST),
                )
                for header, column in zip(headers, default.columns, strict=False)
            ),
            rows=tuple(
                replace(row, columns=tuple(map(self._column, row.columns)))
                for row in self._entries(rows)
            ),
            auto_size=table.auto_size,
            hide_headers=table.hide_headers,
            group_by=self._group(table.group_by),
        )

    def _column(self, column: Column) -> Column:
        return replace(
            column,
            entry=self._display(column.entry),
            format=self._format(column.format),
        )

    def _list(self, control: ListControl) -> ListControl:
        entries = (
            replace(entry, items=items)
            for entry in self._entries(control.entries)
            if (items := self._list_items(entry))
        )
        return ListControl(
            entries=self._with_default(entries),
            group_by=None if control.out_of_band else self._group(control.group_by),
            out_of_band=control.out_of_band,
        )

    def _list_items(self, entry: ListEntry) -> tuple[ListItem, ...]:
        items = []
        for item in entry.items:
            condition = self._condition(item.condition)
            if item.condition is not None and condition is None:
                continue
            made = ListItem(
                entry=self._display(item.entry),
                label=self._label(item.label, item.entry),
                format=self._format(item.format),
                condition=condition,
            )
            items.append(made)
        return tuple(items)

    def _wide(self, control: WideControl) -> WideControl:
        entries = (
            WideEntry(
                entry=self._display(entry.entry),
                selected_by=entry.selected_by,
                format=self._format(entry.format),
            )
            for entry in self._entries(control.entries)
        )
        return WideControl(
            entries=self._with_default(entries),
            # The loader takes one of the two.
            columns=0 if control.auto_size else min(control.columns, _MOST),
            auto_size=control.auto_size,
            group_by=self._group(control.group_by),
        )

    def _custom(self, control: CustomControl) -> CustomControl:
        entries = (
            CustomEntry(items or _WHOLE_OBJECT, entry.selected_by)
            for entry in self._entries(control.entries)
            if (items := self._items(entry.items)) or entry.selected_by == SelectedBy()
        )
        made = self._with_default(entries)
        return CustomControl(made, out_of_band=control.out_of_band)

    def _items(self, items: Iterable[CustomItem]) -> tuple[CustomItem, ...]:
        made = (self._item(item) for item in items)
        return tuple(item for item in made if item is not None)

    def _item(self, item: CustomItem) -> CustomItem | None:
        match item:
            case Text(text):
                return item if text else None
            case NewLine(count):
                return NewLine(max(1, min(count, _MOST)))
            case Expression():
                return self._expression(item)
            case Frame():
                items = self._items(item.items)
                if not items:
                    return None
                hanging = min(item.first_line_hanging, _MOST)
                return Frame(
                    items=items,
                    left_indent=min(item.left_indent, _MOST),
                    right_indent=min(item.right_indent, _MOST),
                    first_line_hanging=hanging,
                    # The loader takes one of the two.
                    first_line_indent=0
                    if hanging
                    else min(item.first_line_indent, _MOST),
                )

    def _expression(self, item: Expression) -> Expression | None:
        if item.entry is None and item.control is None:
            self._part("a host does not send the controls that have a name")
            return None
        condition = self._condition(item.condition)
        if item.condition is not None and condition is None:
            return None
        entry = None if item.entry is None else self._display(item.entry)
        if entry is BLANK and not self._compatible:
            return None
        control = None if item.control is None else self._custom(item.control)
        return Expression(entry, condition, item.enumerate, control)

    def _group(self, group: GroupBy | None) -> GroupBy | None:
        if group is None:
            return None
        entry = self._display(group.expression)
        control = None if group.control is None else self._custom(group.control)
        if entry is BLANK and not self._compatible:
            return None
        label = None
        if control is None:
            label = self._label(group.label, group.expression)
        return GroupBy(entry, label, control)

    def _entries(self, entries: Iterable[_E]) -> Iterable[_E]:
        """Those that can be selected, and one default."""
        has_default = False
        for entry in entries:
            selected_by = self._selected_by(entry.selected_by)
            if selected_by is None:
                continue
            if selected_by == SelectedBy():
                if has_default:
                    self._part("it has a second entry for every object")
                    continue
                has_default = True
            yield _selected(entry, selected_by)

    def _with_default(self, entries: Iterable[_E]) -> tuple[_E, ...]:
        made = tuple(entries)
        if not any(entry.selected_by == SelectedBy() for entry in made):
            raise NotLoadableError("it has no entry for every object")
        return made

    def _selected_by(self, selected_by: SelectedBy) -> SelectedBy | None:
        """The conditions that can be kept; None if there were some and none can."""
        names = tuple(name for name in selected_by.type_names if writable(name))
        conditions = tuple(
            kept
            for condition in selected_by.conditions
            if (kept := self._condition(condition)) is not None
        )
        made = SelectedBy(names, conditions)
        return None if made == SelectedBy() and selected_by != made else made

    def _display(self, entry: DisplayEntry) -> DisplayEntry:
        """A value as it can be printed, or BLANK."""
        made = self._script(entry) if entry.is_script else self._property(entry)
        return BLANK if made is None else made

    def _condition(self, entry: DisplayEntry | None) -> DisplayEntry | None:
        if entry is None:
            return None
        if not entry.is_script:
            return self._property(entry)
        made = self._script(entry, condition=True)
        return BLANK if made is None and self._compatible else made

    def _property(self, entry: DisplayEntry) -> DisplayEntry | None:
        name = entry.value
        if not writable(name) or (has_wildcards(name) and not _is_pattern(name)):
            self._part(f"{name[:60]!r} can be no name of a property")
            return None
        return entry

    def _script(
        self, entry: DisplayEntry, *, condition: bool = False
    ) -> DisplayEntry | None:
        why = "all are, to be compatible"
        if not self._compatible:
            rewrite = expressions.condition if condition else expressions.display
            try:
                return DisplayEntry(rewrite(entry.value), is_script=True)
            except expressions.NotProvableError as error:
                why = str(error)
        if self._include and writable(entry.value):
            return entry
        self._scripts.append(why)
        return None

    def _label(self, label: str | None, entry: DisplayEntry) -> str | None:
        """The label that PowerShell shows: a script's text where there is none."""
        if label is None and entry.is_script and not self._compatible:
            label = entry.value
        # An empty one cannot be loaded.
        return " " if label == "" else label

    def _format(self, template: str | None) -> str | None:
        if not template:
            return None
        if not expressions.harmless_format(template):
            self._part(f"the format {template[:60]!r} asks for too much")
            return None
        return template


def writable(name: str) -> bool:
    """Whether a name or a script can stand in a format file, just as it is."""
    return bool(name.strip()) and NOT_XML.search(name) is None


def _is_pattern(name: str) -> bool:
    try:
        Wildcard(name)
    except PSExportError:
        return False
    return True


def _selected(entry: _E, selected_by: SelectedBy) -> _E:
    return replace(entry, selected_by=selected_by)  # type: ignore[type-var]
