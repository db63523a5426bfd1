"""ExtendedTypeDefinition, as hosts of all ages and kinds send it."""

from __future__ import annotations

import pytest

from psexport.clixml import MalformedError
from psexport.fetch.views import decode
from psexport.views import (
    Alignment,
    CustomControl,
    DisplayEntry,
    Expression,
    ListControl,
    NewLine,
    SelectedBy,
    TableControl,
    Text,
    WideControl,
)
from recordings import NAMES, outputs

_MADE = b"<T>System.Management.Automation.ExtendedTypeDefinition</T>"


def definitions(name: str) -> list[bytes]:
    found = [d for d in outputs(name, "Get-FormatData") if _MADE in d[:200]]
    return list(dict.fromkeys(found))


def obj(type_name: str, properties: str) -> str:
    return (
        f"<Obj><TN><T>System.Management.Automation.{type_name}</T></TN>"
        f"<Props>{properties}</Props></Obj>"
    )


def named(name: str, element: str) -> str:
    """The element as a property."""
    return element.replace("<Obj>", f'<Obj N="{name}">', 1)


def some(name: str, *elements: str) -> str:
    return f'<Obj N="{name}"><LST>{"".join(elements)}</LST></Obj>'


def text(name: str, value: str) -> str:
    return f'<S N="{name}">{value}</S>'


def entry(name: str, value: str, kind: str = "Property") -> str:
    return named(
        name, obj("DisplayEntry", text("ValueType", kind) + text("Value", value))
    )


def definition(control: str, names: str = "") -> bytes:
    view = obj("FormatViewDefinition", text("Name", "v") + named("Control", control))
    return obj(
        "ExtendedTypeDefinition",
        text("TypeName", "Old.Type") + names + some("FormatViewDefinition", view),
    ).encode()


OLD_LIST = obj(
    "ListControl",
    some(
        "Entries",
        obj(
            "ListControlEntry",
            some("Items", obj("ListControlEntryItem", entry("DisplayEntry", "A")))
            + some("SelectedBy", "<S>Old.Other</S>"),
        ),
    ),
)


@pytest.mark.parametrize("name", NAMES)
def test_every_definition_of_a_real_host_is_read(name: str) -> None:
    data = definitions(name)
    assert len(data) >= 142
    read = [decode(d) for d in data]
    assert all(r.type_names and r.views for r in read)
    kinds = {type(v.control) for r in read for v in r.views}
    assert kinds == {TableControl, ListControl, WideControl, CustomControl}


def test_a_real_definition_is_read_whole() -> None:
    by_name = {r.type_names[0]: r for r in map(decode, definitions("everything"))}
    process = by_name["System.Diagnostics.Process"]
    control = process.views[0].control
    assert isinstance(control, TableControl)
    assert control.headers[0].label == "NPM(K)"
    assert control.headers[0].alignment is Alignment.RIGHT
    assert control.headers[0].width == 7
    assert control.rows[0].columns[0].entry == DisplayEntry(
        "[long]($_.NPM / 1024)", is_script=True
    )
    group = next(v.control.group_by for v in process.views if v.name == "Priority")
    assert group is not None
    assert group.expression == DisplayEntry("PriorityClass")
    sets = by_name["System.Management.Automation.CommandParameterSetInfo"]
    control = sets.views[0].control
    assert isinstance(control, CustomControl)
    items = control.entries[0].items
    assert items[0] == Text("Parameter Set Name: ")
    assert NewLine(1) in items
    nested = [i for i in items if isinstance(i, Expression) and i.control]
    assert nested
    assert nested[0].enumerate


def test_a_host_before_5_1_says_less() -> None:
    read = decode(definition(OLD_LIST))
    assert read.type_names == ("Old.Type",)
    control = read.views[0].control
    assert isinstance(control, ListControl)
    assert control.group_by is None
    assert control.entries[0].selected_by == SelectedBy(("Old.Other",))
    assert control.entries[0].items[0].entry == DisplayEntry("A")


def test_type_names_count_before_the_type_name() -> None:
    names = some("TypeNames", "<S>A</S>", "<S>B</S>")
    assert decode(definition(OLD_LIST, names)).type_names == ("A", "B")


def test_an_entry_may_have_types_and_conditions() -> None:
    selected = obj(
        "EntrySelectedBy",
        some("TypeNames", "<S>A</S>")
        + some(
            "SelectionCondition",
            obj(
                "DisplayEntry", text("ValueType", "ScriptBlock") + text("Value", "$_.A")
            ),
        ),
    )
    row = obj("TableControlRow", some("Columns") + named("SelectedBy", selected))
    control = (
        decode(definition(obj("TableControl", some("Rows", row)))).views[0].control
    )
    assert isinstance(control, TableControl)
    assert control.rows[0].selected_by == SelectedBy(
        ("A",), (DisplayEntry("$_.A", is_script=True),)
    )


def nested(depth: int) -> str:
    inner = "" if depth == 0 else named("CustomControl", nested(depth - 1))
    item = obj("CustomItemExpression", entry("Expression", "A") + inner)
    made = obj("CustomControlEntry", some("CustomItems", item))
    return obj("CustomControl", some("Entries", made))


def exploding() -> bytes:
    """A small record whose references unfold into a tree without end."""
    layers = [
        '<Obj RefId="0"><TN><T>X.CustomItemText</T></TN><Props>'
        '<S N="Text">x</S></Props></Obj>'
    ]
    for layer in range(1, 12):
        items = f'<Ref RefId="{layer - 1}" />' * 8
        layers.append(
            f'<Obj RefId="{layer}"><TN><T>X.CustomItemFrame</T></TN><Props>'
            f'<Obj N="CustomItems"><LST>{items}</LST></Obj></Props></Obj>'
        )
    made = obj("CustomControlEntry", some("CustomItems", *layers))
    return definition(obj("CustomControl", some("Entries", made)))


def heavy() -> bytes:
    """A text that is said again by every reference to it."""
    item = '<Obj RefId="9"><TN><T>X.CustomItemText</T></TN><Props>' + text(
        "Text", "x" * 100_000
    )
    items = [item + "</Props></Obj>", *['<Ref RefId="9" />'] * 5_000]
    made = obj("CustomControlEntry", some("CustomItems", *items))
    return definition(obj("CustomControl", some("Entries", made)))


MALFORMED = {
    "no XML": b"<Obj",
    "another object": b"<Obj><Props><S N='Name'>x</S></Props></Obj>",
    "a string": b"<S>x</S>",
    "no type": obj("ExtendedTypeDefinition", some("FormatViewDefinition")).encode(),
    "cut off view": definition(OLD_LIST).replace(
        b'<Obj N="Control">', b'<S N="Control">ListControl</S><Obj N="X">'
    ),
    "unknown control": definition(OLD_LIST.replace("ListControl<", "Control<")),
    "cut off entry": definition(OLD_LIST).replace(b">Property<", b">Other<"),
    "unknown item": definition(
        obj(
            "CustomControl",
            some("Entries", obj("E", some("CustomItems", obj("What", text("A", "b"))))),
        )
    ),
    "deep": definition(nested(40)),
    "exploding": exploding(),
    "heavy": heavy(),
    "many names": definition(
        OLD_LIST, some("TypeNames", *[f"<S>T{n}</S>" for n in range(5_000)])
    ),
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_what_makes_no_sense_costs_that_type_alone(data: bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        decode(data)
    assert caught.value.id == "ErrorMalformedDataFromRemoteCommand"


def test_a_custom_control_may_be_nested() -> None:
    control = decode(definition(nested(5))).views[0].control
    for _ in range(5):
        assert isinstance(control, CustomControl)
        item = control.entries[0].items[0]
        assert isinstance(item, Expression)
        assert item.control is not None
        control = item.control
