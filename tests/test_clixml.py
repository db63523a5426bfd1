"""CLIXML: real messages, made documents, and what a lying host would send."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clixml_text import Enum, Object, Raw, escape, write
from psexport import clixml
from psexport.clixml import MalformedError
from psexport.errors import PSExportError
from recordings import NAMES, messages

# A surrogate alone cannot come out as it went in: the decoder makes it harmless.
text = st.text(st.characters(exclude_categories=["Cs"]))
integers = st.integers(-(2**63), 2**63 - 1)
simple = st.none() | st.booleans() | integers | text
values = st.recursive(
    simple,
    lambda inner: st.lists(inner) | st.dictionaries(text, inner, min_size=1),
    max_leaves=20,
)


def decoded(value: object) -> clixml.Value:
    doc = clixml.parse(write(value))
    return doc.value(doc.root)


@given(values)
def test_encode_then_decode_is_identity(value: clixml.Value) -> None:
    assert decoded(value) == value


@given(st.text())
def test_no_text_of_a_host_breaks_utf8(anything: str) -> None:
    read = clixml.unescape(escape(anything))
    read.encode()
    if anything.isprintable():
        assert read == anything


@given(st.dictionaries(text, simple), st.dictionaries(text, simple))
def test_added_properties_count_before_adapted(
    props: dict[str, object], members: dict[str, object]
) -> None:
    doc = clixml.parse(write(Object(props=props, members=members)))
    told = doc.properties(doc.root)
    assert {name: doc.value(node) for name, node in told.items()} == props | members


@given(st.lists(st.lists(text, min_size=1, max_size=3), min_size=1, max_size=6))
def test_type_names_through_references(names: list[list[str]]) -> None:
    doc = clixml.parse(write([Object(types=types, text="x") for types in names]))
    found = [list(doc.type_names(item)) for item in doc.items(doc.root)]
    assert found == names


@given(st.binary(max_size=200))
def test_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        doc = clixml.parse(data)
    except MalformedError:
        return
    doc.value(doc.root)


@given(st.binary(max_size=200))
def test_an_error_always_has_words(data: bytes) -> None:
    assert clixml.error(data).message


@pytest.mark.parametrize("name", NAMES)
def test_every_recorded_message(name: str) -> None:
    count = 0
    for message in messages(name):
        doc = clixml.parse(message["data"].encode())
        assert doc.value(doc.root) is not None
        for node in doc.root.iter("Obj"):
            for reference in node.iterchildren("TNRef"):
                assert doc.type_names(node), reference.get("RefId")
        for node in doc.root.iter("Ref"):
            assert doc.follow(node).tag == "Obj"
        count += 1
    assert count > 150


ESCAPES = [
    ("", ""),
    ("_x000A_", "\n"),
    ("a_x0000_b", "a\0b"),
    ("_xD83D__xDE00_", "😀"),
    ("_xd83d__xde00_", "😀"),
    ("_xD83D_", "�"),
    ("_xDE00__xD83D_", "��"),
    ("_xD83D_é_xDE00_", "�é�"),
    ("_x005F_x0041_", "_x0041_"),
    ("_x00_", "_x00_"),
    ("_x00G0_", "_x00G0_"),
    ("_X0041_", "_X0041_"),
    ("x_xFEFF_", "x\ufeff"),
]


@pytest.mark.parametrize(("escaped", "plain"), ESCAPES)
def test_unescape(escaped: str, plain: str) -> None:
    assert clixml.unescape(escaped) == plain


TEXTS = [
    ("<S>a</S>", "a"),
    ("<S />", ""),
    ("<Nil />", ""),
    ("<Version>7.6</Version>", "7.6"),
    ("<S>a<!-- b --><?c d?><![CDATA[<e>]]></S>", "a<e>"),
    ("<Unheard>of</Unheard>", "of"),
    ("<Obj><ToString>shown</ToString><Props /></Obj>", "shown"),
    ("<Obj><ToString>Alias</ToString><I32>1</I32></Obj>", "Alias"),
    ("<Obj><I32>1</I32></Obj>", "1"),
    ("<Obj><S>base</S><MS><S N='x'>y</S></MS></Obj>", "base"),
    ("<Obj><ToString>s</ToString><S>base</S></Obj>", "base"),
    ("<Obj />", ""),
    ("<Ref RefId='9' />", ""),
    ("<S>￿</S>".replace("￿", "\uffff"), "�"),
    ("<S xmlns='http://schemas.microsoft.com/powershell/2004/04'>n</S>", "n"),
]


@pytest.mark.parametrize(("xml", "expected"), TEXTS)
def test_text(xml: str, expected: str) -> None:
    assert clixml.text(clixml.parse(xml.encode()).root) == expected


VALUES = [
    ("<B>TRUE</B>", True),
    ("<B>yes</B>", False),
    ("<C>97</C>", "a"),
    ("<C>55357</C>", "�"),
    ("<D>1.50</D>", 1.5),
    ("<Db>-INF</Db>", float("-inf")),
    ("<U64>18446744073709551615</U64>", 2**64 - 1),
    ("<SS>secret</SS>", None),
    ("<BA>AAE=</BA>", "AAE="),
    ("<Obj><STK><S>b</S><S>a</S></STK></Obj>", ["b", "a"]),
    ("<Obj><QUE><S>a</S></QUE></Obj>", ["a"]),
    ("<Obj><IE /></Obj>", []),
    (
        "<Obj><DCT><En><I32 N='Key'>1</I32><S N='Value'>a</S></En></DCT></Obj>",
        {"1": "a"},
    ),
    ("<Obj><DCT><En><S N='Key'>half</S></En></DCT></Obj>", {}),
    ("<Obj><ToString>Cmdlet</ToString><I32>8</I32></Obj>", 8),
    ("<Obj><MS><MS><S N='a'>b</S></MS></MS></Obj>", {"a": "b"}),
    ("<Obj><ToString>cut</ToString></Obj>", "cut"),
]


@pytest.mark.parametrize(("xml", "expected"), VALUES)
def test_value(xml: str, expected: clixml.Value) -> None:
    doc = clixml.parse(xml.encode())
    assert doc.value(doc.root) == expected


def test_a_cycle_ends() -> None:
    doc = clixml.parse(b"<Obj RefId='0'><MS><Ref N='self' RefId='0' /></MS></Obj>")
    value = doc.value(doc.root, depth=3)
    assert value == {"self": {"self": {"self": ""}}}


def test_reused_numbers_mean_the_nearest_before() -> None:
    doc = clixml.parse(
        b"<Obj><LST><Obj RefId='1'><S>a</S></Obj><Ref RefId='1'/>"
        b"<Obj RefId='1'><S>b</S></Obj><Ref RefId='1'/><Ref RefId='2'/></LST></Obj>"
    )
    assert doc.value(doc.root) == ["a", "a", "b", "b", {}]


NUMBERS = [
    ("<I32>-3</I32>", -3),
    ("<Obj><ToString>Alias</ToString><I32>1</I32></Obj>", 1),
    ("<S>3</S>", None),
    ("<Obj><S>3</S></Obj>", None),
    ("<Nil />", None),
]


@pytest.mark.parametrize(("xml", "expected"), NUMBERS)
def test_number(xml: str, expected: int | None) -> None:
    assert clixml.number(clixml.parse(xml.encode()).root) == expected


@pytest.mark.parametrize("digits", ["", "x", "1.5", "9" * 41, "9" * 5000])
def test_a_number_that_is_none(digits: str) -> None:
    with pytest.raises(MalformedError):
        decoded(Raw(f"<I32>{digits}</I32>"))


def test_each_takes_one_for_many() -> None:
    many = clixml.parse(write(["a", "b"]))
    one = clixml.parse(write("a"))
    none = clixml.parse(write(None))
    assert [clixml.text(n) for n in many.each(many.root)] == ["a", "b"]
    assert [clixml.text(n) for n in one.each(one.root)] == ["a"]
    assert none.each(none.root) == none.each(None) == []
    assert one.items(one.root) == []


LAUGHS = "".join(
    f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" if n else "<!ENTITY l0 'ha'>"
    for n in range(10)
)
BOMBS = {
    "empty": b"",
    "not XML": b"Windows PowerShell",
    "cut": b"<Obj><MS><S N='a'>b",
    "two roots": b"<S>a</S><S>b</S>",
    "billion laughs": f"<!DOCTYPE S [{LAUGHS}]><S>&l9;</S>".encode(),
    "attribute laughs": f"<!DOCTYPE S [{LAUGHS}]><S N='&l9;' />".encode(),
    "external entity": b"<!DOCTYPE S [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><S>&e;</S>",
    "undeclared entity": b"<S>&lol;</S>",
    "hidden in UTF-16": "<!DOCTYPE S><S/>".encode("utf-16"),
    "not UTF-8": b"<S>\xff</S>",
    "surrogate in UTF-8": b"<S>\xed\xa0\x80</S>",
    "NUL": b"<S>&#0;</S>",
    "deep": b"<Obj>" * 100_000 + b"</Obj>" * 100_000,
    "wide": b"<Obj>" + b"<S/>" * clixml.MAX_TAGS + b"</Obj>",
    "long": b"<S>" + b"x" * 11_000_000 + b"</S>",
    "huge": b"<S>" + b" " * clixml.MAX_BYTES + b"</S>",
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused(name: str) -> None:
    with pytest.raises(PSExportError) as caught:
        clixml.parse(BOMBS[name])
    assert caught.value.id == "ErrorMalformedDataFromRemoteCommand"
    assert len(caught.value.message) < 300


def test_an_error_of_a_real_host() -> None:
    errors = [m for m in messages("queries") if m["type"] == "ERROR_RECORD"]
    error = clixml.error(errors[0]["data"].encode())
    assert error.message.startswith("The term 'No-Such' is not recognized")
    assert error.id.startswith("CommandNotFoundException,")
    assert error.command == "Get-Command"
    assert error.target == "No-Such"
    assert (
        error.exceptions[0] == "System.Management.Automation.CommandNotFoundException"
    )


def test_the_failure_of_a_real_host() -> None:
    failed = [m for m in messages("queries") if '"PipelineState">5' in m["data"]]
    error = clixml.error(failed[0]["data"].encode())
    assert error.message == "boom"
    assert error.category.startswith("OperationStopped")
    assert str(error) == 'boom (At line:1 char:1 + throw "boom" + ~~~~~~~~~~~~)'


def test_an_error_prefers_its_details() -> None:
    told = {
        "Exception": Object(types=["System.Exception"], props={"Message": "inner"}),
        "ErrorDetails_Message": "outer",
    }
    assert clixml.error(write(Object(members=told))).message == "outer"
    assert clixml.error(write(Object())).message == "an error without a message"
    assert "not XML" in clixml.error(b"?").message


def test_an_enum_is_its_name_and_its_number() -> None:
    root = clixml.parse(write(Enum("Cmdlet", 8))).root
    assert (clixml.text(root), clixml.number(root)) == ("Cmdlet", 8)
