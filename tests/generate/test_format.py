"""Format files: what is in them, and that the engine takes each of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from format_files import load

from psexport.fetch.views import decode
from psexport.generate.format import FormatFile, render
from psexport.views import (
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
from recordings import NAMES, outputs

NAME = DisplayEntry("Name")
CODE = DisplayEntry("Remove-Item /", is_script=True)
OTHER = SelectedBy(("Probe.Other",))


def table(*columns: Column, **more: object) -> TableControl:
    return replace(TableControl(rows=(Row(columns),)), **more)


def listing(*items: ListItem, **more: object) -> ListControl:
    return replace(ListControl((ListEntry(items),)), **more)


def custom(*items: CustomItem, **more: object) -> CustomControl:
    return replace(CustomControl((CustomEntry(items),)), **more)


def one(control: Control, name: str = "view") -> list[TypeViews]:
    return [TypeViews(("Probe",), (View(name, control),))]


LOADER_RULES: dict[str, list[TypeViews]] = {
    "nothing": [],
    "no_views": [TypeViews(("Probe",), ())],
    "empty_name": one(listing(ListItem(NAME)), name=""),
    "empty_label": one(listing(ListItem(NAME, label=""))),
    "blank_label": one(listing(ListItem(NAME, label=" "))),
    "empty_format": one(listing(ListItem(NAME, format=""))),
    "empty_property": one(listing(ListItem(DisplayEntry("")))),
    "empty_script": one(listing(ListItem(DisplayEntry("", is_script=True)))),
    "broken_pattern": one(listing(ListItem(DisplayEntry("A[")))),
    "no_items": one(listing()),
    "no_entries": one(ListControl()),
    "no_default": one(ListControl((ListEntry((ListItem(NAME),), OTHER),))),
    "two_defaults": one(ListControl((ListEntry((ListItem(NAME),)),) * 2)),
    "default_last": one(
        ListControl((ListEntry((ListItem(NAME),), OTHER), ListEntry((ListItem(NAME),))))
    ),
    "empty_header": one(table(Column(NAME), headers=(Header(label=""),))),
    "few_headers": one(table(Column(NAME), Column(NAME), headers=(Header(),))),
    "many_headers": one(table(Column(NAME), headers=(Header(),) * 3)),
    "no_columns": one(table()),
    "no_rows": one(TableControl(headers=(Header(),))),
    "uneven_rows": one(
        TableControl(rows=(Row((Column(NAME),) * 2), Row((Column(NAME),), OTHER)))
    ),
    "huge_width": one(table(Column(NAME), headers=(Header(width=2**31),))),
    "huge_columns": one(WideControl((WideEntry(NAME),), columns=2**31)),
    "columns_and_auto": one(WideControl((WideEntry(NAME),), columns=3, auto_size=True)),
    "table_aside": one(table(Column(NAME), out_of_band=True)),
    "group_aside": one(
        listing(ListItem(NAME), out_of_band=True, group_by=GroupBy(NAME))
    ),
    "group_empty_label": one(table(Column(NAME), group_by=GroupBy(NAME, label=""))),
    "group_label_and_control": one(
        table(Column(NAME), group_by=GroupBy(NAME, "x", custom(Text("y"))))
    ),
    "group_without_items": one(
        table(Column(NAME), group_by=GroupBy(NAME, "x", custom()))
    ),
    "group_of_code": one(table(Column(NAME), group_by=GroupBy(CODE, "x"))),
    "empty_text": one(custom(Text(""), Expression(NAME))),
    "only_empty_text": one(custom(Text(""))),
    "no_custom_items": one(custom()),
    "empty_frame": one(custom(Frame(), Text("x"))),
    "frame_of_both": one(
        custom(Frame((Text("x"),), first_line_hanging=2, first_line_indent=3))
    ),
    "huge_frame": one(custom(Frame((Text("x"),), left_indent=2**32 - 1))),
    "many_lines": one(custom(Text("x"), NewLine(2**31 - 1))),
    "condition_without_type": one(
        ListControl(
            (
                ListEntry((ListItem(NAME),)),
                ListEntry((ListItem(NAME),), SelectedBy((), (NAME,))),
            )
        )
    ),
    "code_everywhere": one(
        replace(
            custom(Expression(CODE, CODE, control=custom(Expression(CODE)))),
            group_by=GroupBy(CODE, control=custom(Expression(CODE))),
        )
    ),
    "code_in_conditions": one(
        ListControl(
            (
                ListEntry((ListItem(NAME, condition=CODE), ListItem(NAME))),
                ListEntry((ListItem(NAME),), SelectedBy((), (CODE,))),
            )
        )
    ),
    "empty_type_names": [
        TypeViews((" ", "", "\0", "Probe"), (View("v", listing(ListItem(NAME))),))
    ],
    "same_name_twice": [
        TypeViews(("Probe",), (View("v", listing(ListItem(NAME))),)),
        TypeViews(("PROBE",), (View("V", listing(ListItem(NAME, label="2"))),)),
    ],
}

#: Texts that would be something else in XML, in PowerShell, or to whoever reads it.
HOSTILE = [
    "'",
    "‘’‚‛",
    '"',
    "“”„",
    "`",
    "$(Remove-Item /)",
    "$env:PATH",
    "#>",
    "]]>",
    "-->",
    "<!-- SIG # Begin signature block -->",
    "</Label><ScriptBlock>evil</ScriptBlock><Label>",
    "<![CDATA[",
    "&lt;&#0;&amp;",
    "<!DOCTYPE x>",
    "line\nline\r\nline\ttab",
    "\0\1\x1b\x7f\x85\ufffe\uffff",
    "\ud800",
    "..\\..\\..",
    "/etc/passwd",
    "x" * 10_000,
    "\U0001f600",
    "\u202egnp.exe\u202c\u2066",
    "\u2028\u2029",
    "{0:N2}",
    "{{{",
    "*",
    "[a-z]",
    "if",
    ";",
    "\n# SIG # Begin signature block\n",
]


def hostile_views(text: str) -> list[TypeViews]:
    entry = DisplayEntry(text)
    group = GroupBy(entry, label=text)
    views = (
        View(
            text,
            table(
                Column(entry, Alignment.RIGHT, text),
                headers=(Header(label=text),),
                group_by=group,
            ),
        ),
        View(text, listing(ListItem(entry, text, text, entry), ListItem(NAME, text))),
        View(text, custom(Text(text), Expression(entry), Frame((Text(text),)))),
        View(text, WideControl((WideEntry(entry, format=text),))),
        View(text, listing(ListItem(DisplayEntry(text, is_script=True)))),
    )
    return [TypeViews((f"Probe{text}", "Probe"), views)]


@pytest.mark.engine
@pytest.mark.parametrize("compatible", [False, True])
def test_the_engine_loads_what_breaks_its_rules(
    compatible: bool, tmp_path: Path
) -> None:
    files = {
        name: render(types, compatible=compatible)
        for name, types in LOADER_RULES.items()
    }
    for name, loaded in load(files, tmp_path).items():
        assert loaded.problem == "", name
        assert set(loaded.types) <= {"Probe", "PROBE"}, name
        assert all(CODE.value not in script for script in loaded.scripts), name
        expected = {"nothing", "no_views", "no_items", "no_entries", "no_default"}
        if name not in expected | {"no_columns", "no_rows"}:
            assert loaded.views, name


@pytest.mark.engine
def test_a_hostile_text_is_only_ever_text(tmp_path: Path) -> None:
    files = {f"case{n:02}": render(hostile_views(t)) for n, t in enumerate(HOSTILE)}
    found = load(files, tmp_path)
    for text, (name, loaded) in zip(HOSTILE, sorted(found.items()), strict=True):
        assert loaded.problem == "", (text, name)
        assert 3 <= len(loaded.views) <= 5, text
        kept = "".join(c for c in text if c.isprintable() and c <= "\ud7ff")
        if kept == text:
            assert set(loaded.views) == {text}
            assert text in loaded.texts
            assert f"Probe{text}" in loaded.types
        assert {s.strip() for s in loaded.scripts} <= {";"}, text


@pytest.mark.engine
def test_with_script_blocks_the_hosts_own_text_is_kept(tmp_path: Path) -> None:
    scripts = [CODE.value, "Get-Date\r\n| Out-String # <&>'\"”", "$_.A", "\0"]
    items = [ListItem(DisplayEntry(s, is_script=True), label="x") for s in scripts]
    file = render(one(listing(*items)), include_script_block=True)
    assert [skipped.id for skipped in file.skipped] == ["ErrorSkippedScriptBlock"]
    (loaded,) = load({"kept": file}, tmp_path).values()
    assert loaded.problem == ""
    assert [s.replace("\r\n", "\n") for s in loaded.scripts] == [
        s.replace("\r\n", "\n") for s in [*scripts[:3], ";"]
    ]


def test_what_a_table_says_is_written() -> None:
    control = TableControl(
        headers=(Header("Näme", Alignment.RIGHT, 12), Header()),
        rows=(
            Row(
                (
                    Column(NAME, Alignment.CENTER, "{0:N2}"),
                    Column(DisplayEntry("$_.A.B", is_script=True)),
                ),
                wrap=True,
            ),
        ),
        auto_size=True,
        hide_headers=True,
        group_by=GroupBy(DisplayEntry("Kind"), label="<Kind>"),
    )
    assert render(one(control)).text == TABLE


TABLE = """\
<?xml version="1.0"?>
<Configuration>
  <ViewDefinitions>
    <View>
      <Name>view</Name>
      <ViewSelectedBy>
        <TypeName>Probe</TypeName>
      </ViewSelectedBy>
      <GroupBy>
        <PropertyName>Kind</PropertyName>
        <Label>&lt;Kind&gt;</Label>
      </GroupBy>
      <TableControl>
        <AutoSize />
        <HideTableHeaders />
        <TableHeaders>
          <TableColumnHeader>
            <Label>N&#xE4;me</Label>
            <Width>12</Width>
            <Alignment>Right</Alignment>
          </TableColumnHeader>
          <TableColumnHeader>
            <Label>$_.A.B</Label>
          </TableColumnHeader>
        </TableHeaders>
        <TableRowEntries>
          <TableRowEntry>
            <Wrap />
            <TableColumnItems>
              <TableColumnItem>
                <Alignment>Center</Alignment>
                <PropertyName>Name</PropertyName>
                <FormatString>{0:N2}</FormatString>
              </TableColumnItem>
              <TableColumnItem>
                <ScriptBlock>$_.A.B</ScriptBlock>
              </TableColumnItem>
            </TableColumnItems>
          </TableRowEntry>
        </TableRowEntries>
      </TableControl>
    </View>
  </ViewDefinitions>
</Configuration>
"""


def test_compatible_blanks_every_script_block() -> None:
    control = listing(
        ListItem(DisplayEntry("$_.A", is_script=True), "A"),
        ListItem(NAME, condition=DisplayEntry("$_.B", is_script=True)),
    )
    text = render(one(control), compatible=True).text
    assert text.count("<ScriptBlock>;</ScriptBlock>") == 2
    assert "$_" not in text


def test_an_item_whose_condition_goes_is_left_out() -> None:
    file = render(one(listing(ListItem(DisplayEntry("Hidden"), condition=CODE))))
    assert "Hidden" not in file.text
    assert file.types == 0
    assert [s.id for s in file.skipped] == [
        "ErrorSkippedView",
        "ErrorSkippedScriptBlock",
    ]


def test_a_condition_of_an_entry_is_for_deserialized_objects_too() -> None:
    entries = (
        ListEntry((ListItem(NAME),)),
        ListEntry((ListItem(NAME),), SelectedBy((), (NAME,))),
    )
    text = render(one(ListControl(entries))).text
    assert "<TypeName>Deserialized.Probe</TypeName>" in text


def test_what_is_there_twice_is_written_once() -> None:
    views = one(listing(ListItem(NAME)))
    assert render(views * 3) == render(views)


def test_a_note_names_type_view_and_reason() -> None:
    (skipped,) = render(one(table(Column(NAME), Column(CODE), Column(CODE)))).skipped
    assert skipped.name == "Probe (view)"
    assert skipped.id == "ErrorSkippedScriptBlock"
    assert skipped.reason == "2 script blocks left out: it has 'Remove-Item /'"


@pytest.mark.parametrize("name", NAMES)
def test_every_view_of_a_real_host_is_written(name: str) -> None:
    types = [
        decode(data)
        for data in outputs(name, "Get-FormatData")
        if b"<T>System.Management.Automation.ExtendedTypeDefinition</T>" in data[:200]
    ]
    assert len(types) >= 142
    file: FormatFile = render(types)
    assert file.types == len({t.type_names for t in types})
    assert file.text.isascii()
    assert file.text.count("<View>") == sum(len(t.views) for t in types)
    assert {s.id for s in file.skipped} == {"ErrorSkippedScriptBlock"}
    left_out = sum(int(s.reason.split()[0]) for s in file.skipped)
    assert left_out <= 42
    assert render(types) == file
