"""Views as a hostile host tells them, from Python values."""

from __future__ import annotations

from dataclasses import dataclass

from clixml_text import Object, write

_SPACE = "System.Management.Automation."


def _of(kind: str, **properties: object) -> Object:
    return Object(types=[_SPACE + kind, "System.Object"], props=properties)


def entry(value: str, kind: str = "Property") -> Object:
    """What an item prints: a property, or a script block."""
    return _of("DisplayEntry", ValueType=kind, Value=value)


@dataclass(frozen=True)
class Views:
    """The views of one type, saying one text in all places that views have.

    :ivar type_name: of the type.
    :ivar text: goes everywhere: names, labels, properties, scripts, formats.
    """

    type_name: str
    text: str

    def document(self) -> bytes:
        """The ExtendedTypeDefinition."""
        views = [
            _of("FormatViewDefinition", Name=f"{kind}{self.text}", Control=control)
            for kind, control in (
                ("table", self._table()),
                ("list", self._list()),
                ("wide", self._wide()),
                ("custom", self._custom()),
            )
        ]
        views.append(_of("FormatViewDefinition", Name=self.text, Control=self._list()))
        return write(
            Object(
                types=[f"{_SPACE}ExtendedTypeDefinition", "System.Object"],
                text=self.type_name,
                props={
                    "TypeName": self.type_name,
                    "TypeNames": [self.type_name],
                    "FormatViewDefinition": views,
                },
            )
        )

    def _entries(self) -> list[Object]:
        return [entry(self.text), entry(self.text, "ScriptBlock"), entry("Name")]

    def _group(self) -> Object:
        return _of(
            "PSControlGroupBy",
            Expression=entry(self.text),
            Label=self.text,
            CustomControl=None,
        )

    def _selected(self) -> Object:
        return _of(
            "EntrySelectedBy",
            TypeNames=[self.text, "Some.Other"],
            SelectionCondition=[entry(self.text, "ScriptBlock"), entry(self.text)],
        )

    def _table(self) -> Object:
        def row(selected_by: Object | None) -> Object:
            columns = [
                _of(
                    "TableControlColumn",
                    Alignment=self.text,
                    DisplayEntry=one,
                    FormatString=self.text,
                )
                for one in self._entries()
            ]
            return _of(
                "TableControlRow",
                Columns=columns,
                SelectedBy=None,
                EntrySelectedBy=selected_by,
                Wrap=True,
            )

        headers = [
            _of("TableControlColumnHeader", Label=self.text, Alignment="Left", Width=9)
            for _ in self._entries()
        ]
        return _of(
            "TableControl",
            Headers=headers,
            Rows=[row(None), row(self._selected())],
            GroupBy=self._group(),
            AutoSize=False,
            HideTableHeaders=False,
            OutOfBand=False,
        )

    def _list(self) -> Object:
        items = [
            _of(
                "ListControlEntryItem",
                DisplayEntry=one,
                Label=label,
                FormatString=self.text,
                ItemSelectionCondition=condition,
            )
            for one in self._entries()
            for label in (self.text, None)
            for condition in (None, entry(self.text, "ScriptBlock"), entry(self.text))
        ]
        entries = [
            _of("ListControlEntry", Items=items, EntrySelectedBy=one)
            for one in (self._selected(), None)
        ]
        return _of("ListControl", Entries=entries, GroupBy=self._group())

    def _wide(self) -> Object:
        entries = [
            _of("WideControlEntryItem", DisplayEntry=one, FormatString=self.text)
            for one in self._entries()
        ]
        return _of("WideControl", Entries=entries, Columns=3, GroupBy=self._group())

    def _custom(self) -> Object:
        def control(items: list[Object]) -> Object:
            entries = [_of("CustomControlEntry", CustomItems=items)]
            return _of("CustomControl", Entries=entries)

        items = [
            _of("CustomItemText", Text=self.text),
            _of("CustomItemNewline", Count=2),
            *(
                _of("CustomItemExpression", Expression=one, ItemSelectionCondition=when)
                for one in self._entries()
                for when in (None, entry(self.text, "ScriptBlock"))
            ),
        ]
        frame = _of("CustomItemFrame", CustomItems=items, LeftIndent=2)
        nested = _of("CustomItemExpression", CustomControl=control(items))
        return control([*items, frame, nested])
