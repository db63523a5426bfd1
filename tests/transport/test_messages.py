"""Questions and records, to messages and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psexport.errors import UsageError
from psexport.model import CommandType
from psexport.transport.base import (
    Argument,
    Call,
    Commands,
    MetadataQuery,
    ModuleSpec,
    PipelineState,
    Question,
    Record,
    Script,
    Stream,
    Version,
)
from psexport.transport.messages import (
    MessageType,
    compose,
    message_of,
    question_of,
    record_of,
    serialized,
)

TEXT = st.text(
    st.characters(codec="utf-8", exclude_characters="\ufffe\uffff"), max_size=20
)
SIMPLE = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), TEXT,
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([Version("5.1"), Version("7.6.9.1")]),
    st.decimals(-(2**90), 2**90, places=3),
)  # fmt: skip
ARGUMENTS: st.SearchStrategy[Argument] = st.one_of(
    SIMPLE, st.lists(SIMPLE, max_size=3).map(tuple)
)
PARAMETERS = st.lists(
    st.tuples(st.from_regex(r"[A-Z][a-z]{1,8}", fullmatch=True), ARGUMENTS), max_size=3
).map(tuple)
CALLS = st.builds(Call, TEXT.filter(bool), PARAMETERS)
WORDS = st.lists(TEXT.filter(bool), max_size=3).map(tuple)
VERSIONS = st.sampled_from([None, "1.0", "2.3.4"])
SPECS = st.builds(
    ModuleSpec,
    TEXT.filter(bool),
    VERSIONS,
    VERSIONS,
    st.sampled_from([None, "1.0", "2.*"]),
    st.sampled_from([None, "6b2a4c1e-0f3e-4a54-9f0e-5d0f6f0f9a01"]),
)
QUESTIONS: st.SearchStrategy[Question] = st.one_of(
    st.lists(CALLS, min_size=1, max_size=3).map(lambda calls: Commands(tuple(calls))),
    st.builds(Script, TEXT, PARAMETERS),
    st.builds(
        MetadataQuery,
        WORDS.filter(bool),
        st.integers(1, 511).map(CommandType),
        WORDS,
        st.lists(SPECS, max_size=2).map(tuple),
        st.lists(SIMPLE, max_size=2).map(tuple),
    ),
)


@given(QUESTIONS)
def test_a_question_survives_the_wire(question: Question) -> None:
    type, message = compose(question)
    assert question_of(type, serialized(message)) == question


@pytest.mark.parametrize(
    "record",
    [
        Record(Stream.OUTPUT, b"<S>x</S>"),
        Record(Stream.INFORMATION, b"<S>x</S>"),
        Record(Stream.STATE, b"", PipelineState.COMPLETED),
        Record(Stream.STATE, b"", PipelineState.STOPPED),
        Record(
            Stream.STATE,
            b'<Obj RefId="1"><TN RefId="0"><T>E</T></TN><ToString>b</ToString></Obj>',
            PipelineState.FAILED,
        ),
    ],
    ids=str,
)
def test_a_record_survives_the_wire(record: Record) -> None:
    assert record_of(*message_of(record)) == record


def test_what_no_question_can_say() -> None:
    statement = (
        b'<Obj><MS><S N="Cmd">x</S><B N="IsScript">false</B>'
        b'<Obj N="Args"><LST>%s</LST></Obj></MS></Obj>'
    )
    pipeline = (
        b'<Obj><MS><Obj N="PowerShell"><MS><Obj N="Cmds"><LST>%s</LST></Obj>'
        b"%s</MS></Obj></MS></Obj>"
    )
    positional = b'<Obj><MS><Nil N="N"/><S N="V">1</S></MS></Obj>'
    two = b'<Obj N="ExtraCmds"><LST><Obj/><Obj/></LST></Obj>'
    for inside, extra in ((statement % positional, b""), (statement % b"", two)):
        data = pipeline % (inside, extra)
        assert question_of(MessageType.CREATE_PIPELINE, data) is None


@pytest.mark.parametrize("text", ["\ud83d", "a\udcffb", "\ufffe", "x\uffff"])
def test_what_cannot_be_said_is_replaced(text: str) -> None:
    call = Call(text, (("Name", (text,)),))
    type, message = compose(Commands((call,)))
    asked = question_of(type, serialized(message))
    assert isinstance(asked, Commands)
    assert "\ufffd" in asked.calls[0].name
    type, message = compose(MetadataQuery((text,), modules=(text,)))
    assert "\ufffd" in str(question_of(type, serialized(message)))


@pytest.mark.parametrize(
    "question",
    [
        Commands(()),
        Commands((Call("x", (("Y", 2**63),)),)),
        Commands((Call("x", (("Y", Version("7")),)),)),
        MetadataQuery(full_modules=(ModuleSpec("x", version="one"),)),
        MetadataQuery(full_modules=(ModuleSpec("x", guid="{1}"),)),
    ],
    ids=str,
)
def test_what_cannot_be_asked(question: Question) -> None:
    with pytest.raises(UsageError) as caught:
        compose(question)
    assert caught.value.id == "ErrorInvalidParameterValue"
