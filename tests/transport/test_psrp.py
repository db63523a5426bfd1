"""The PSRP client: fragments in any shape, messages of any content."""

from __future__ import annotations

import contextlib
import struct
import uuid
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psexport import clixml
from psexport.errors import PSExportError, TransportError
from psexport.transport import fragments, psrp
from psexport.transport.base import Call, Commands, PipelineState, Record, Stream
from psexport.transport.messages import MessageType
from psexport.transport.psrp import Client, Ended, Opened, Outgoing, Said

QUESTION = Commands((Call("Get-Thing"),))
CAPABILITY = (
    b'<Obj RefId="0"><MS><Version N="protocolversion">2.3</Version>'
    b'<Version N="PSVersion">2.0</Version>'
    b'<Version N="SerializationVersion">1.1.0.1</Version></MS></Obj>'
)


POOL = uuid.UUID(int=0)


def message(type: int, data: bytes, pipeline: uuid.UUID = POOL) -> bytes:
    return struct.pack("<iI", 1, type) + bytes(16) + pipeline.bytes_le + data


def cut(whole: bytes, *sizes: int, number: int = 1) -> bytes:
    """A message as fragments of these sizes, and one of the rest."""
    pieces = []
    for size in sizes:
        pieces.append(whole[:size])
        whole = whole[size:]
    pieces.append(whole)
    last = len(pieces) - 1
    return b"".join(
        struct.pack(">QQBI", number, n, (n == 0) | (n == last) << 1, len(piece)) + piece
        for n, piece in enumerate(pieces)
    )


def state(name: str, number: int, inside: bytes = b"") -> bytes:
    return b'<Obj RefId="0"><MS><I32 N="%s">%d</I32>%s</MS></Obj>' % (
        name.encode(),
        number,
        inside,
    )


def opened() -> Client:
    client = Client()
    client.open()
    list(client.outgoing())
    events = [
        *client.receive(None, cut(message(MessageType.SESSION_CAPABILITY, CAPABILITY))),
        *client.receive(
            None, cut(message(MessageType.APPLICATION_PRIVATE_DATA, b"<private/>"))
        ),
        *client.receive(
            None,
            cut(message(MessageType.RUNSPACEPOOL_STATE, state("RunspaceState", 2))),
        ),
    ]
    assert events == [Opened(b"<private/>")]
    return client


def sent(pieces: Iterable[Outgoing]) -> dict[int, bytes]:
    """Outgoing messages by type, each taken from one fragment."""
    found = {}
    for piece in pieces:
        data = piece.data
        while data:
            (length,) = struct.unpack(">I", data[17:21])
            whole, data = data[21 : 21 + length], data[21 + length :]
            (type,) = struct.unpack("<I", whole[4:8])
            found[type] = whole[40:]
    return found


def test_the_opening_says_who_asks() -> None:
    client = Client(runspaces=3)
    client.open()
    said = sent(client.outgoing())
    assert list(said) == [
        MessageType.SESSION_CAPABILITY,
        MessageType.INIT_RUNSPACEPOOL,
    ]
    doc = clixml.parse(said[MessageType.INIT_RUNSPACEPOOL])
    told = doc.value(doc.root)
    assert isinstance(told, dict)
    assert told["MaxRunspaces"] == 3
    arguments = told["ApplicationArguments"]
    assert isinstance(arguments, dict)
    assert arguments["ClientName"] == "psexport"
    versions = arguments["PSVersionTable"]
    assert isinstance(versions, dict)
    assert versions["PSVersion"] == psrp.CLIENT_POWERSHELL


def test_records_come_as_they_were_sent() -> None:
    client = opened()
    pipeline = client.ask(QUESTION)
    pieces = list(client.outgoing())
    assert [piece.target for piece in pieces] == [pipeline]
    assert b"Get-Thing" in pieces[0].data
    reason = (
        b'<Obj N="ExceptionAsErrorRecord" RefId="1"><ToString>boom</ToString></Obj>'
    )
    data = b"".join(
        cut(message(type, body, pipeline), number=n)
        for n, (type, body) in enumerate(
            [
                (MessageType.PIPELINE_OUTPUT, b"\xef\xbb\xbf<S>1</S>"),
                (MessageType.ERROR_RECORD, b"<E/>"),
                (MessageType.PROGRESS_RECORD, b"not even XML"),
                (MessageType.PIPELINE_STATE, state("PipelineState", 2)),
                (MessageType.PIPELINE_STATE, state("PipelineState", 5, reason)),
            ]
        )
    )
    assert list(client.receive(pipeline, data)) == [
        Said(pipeline, Record(Stream.OUTPUT, b"<S>1</S>")),
        Said(pipeline, Record(Stream.ERROR, b"<E/>")),
        Said(pipeline, Record(Stream.PROGRESS, b"not even XML")),
        Said(
            pipeline,
            Record(
                Stream.STATE,
                b'<Obj RefId="1"><ToString>boom</ToString></Obj>',
                PipelineState.FAILED,
            ),
        ),
    ]
    # Nothing is said after the end.
    late = cut(message(MessageType.PIPELINE_OUTPUT, b"<S>2</S>", pipeline))
    assert list(client.receive(pipeline, late)) == []


@given(
    body=st.binary(min_size=1, max_size=300),
    sizes=st.lists(st.integers(0, 80), max_size=6),
    chunks=st.lists(st.integers(1, 60), min_size=1, max_size=8),
)
def test_any_cut_gives_the_same_message(
    body: bytes, sizes: list[int], chunks: list[int]
) -> None:
    client = Client()
    pipeline = client.ask(QUESTION)
    data = cut(message(MessageType.PIPELINE_OUTPUT, b"." + body, pipeline), *sizes) * 2
    events = []
    turn = 0
    while data:
        size = chunks[turn % len(chunks)]
        turn += 1
        events += client.receive(pipeline, data[:size])
        data = data[size:]
    assert events == [Said(pipeline, Record(Stream.OUTPUT, b"." + body))] * 2


def fragment(number: int, flags: int, data: bytes = b"x", object_id: int = 1) -> bytes:
    return struct.pack(">QQBI", object_id, number, flags, len(data)) + data


@pytest.mark.parametrize(
    "data",
    [
        fragment(1, 0),
        fragment(0, 0),
        fragment(1, 1),
        fragment(0, 1) + fragment(0, 1),
        fragment(0, 1) + fragment(2, 2),
        fragment(0, 1) + fragment(1, 2, object_id=2),
        fragment(0, 3, b"too short"),
        cut(message(0x12345678, b"<S/>")),
        cut(message(MessageType.RUNSPACEPOOL_STATE, b"<S")),
        cut(message(MessageType.RUNSPACEPOOL_STATE, state("RunspaceState", 99))),
        cut(message(MessageType.RUNSPACEPOOL_STATE, b"<S>no</S>")),
        cut(message(MessageType.SESSION_CAPABILITY, b"<!DOCTYPE x []><S/>")),
        cut(message(MessageType.ENCRYPTED_SESSION_KEY, b"<S>no</S>")),
        cut(message(MessageType.RUNSPACEPOOL_HOST_CALL, b"<")),
    ],
)
def test_what_is_not_psrp(data: bytes) -> None:
    client = Client()
    client.open()
    with pytest.raises(TransportError) as caught:
        list(client.receive(None, data))
    assert caught.value.id == "ErrorSessionProtocol"


def test_a_message_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fragments, "MAX_MESSAGE", 1000)
    client = Client()
    endless = fragment(0, 1) + b"".join(fragment(n, 0, b"x" * 90) for n in range(1, 99))
    with pytest.raises(TransportError) as caught:
        list(client.receive(None, endless))
    assert caught.value.id == "ErrorMessageTooLarge"
    # What is announced is refused before it is there.
    with pytest.raises(TransportError, match="more than"):
        list(Client().receive(None, struct.pack(">QQBI", 1, 0, 1, 2**31)))


def test_a_pool_that_breaks_says_why() -> None:
    client = opened()
    reason = (
        b'<Obj N="ExceptionAsErrorRecord" RefId="1"><TN RefId="0"><T>System.Object</T>'
        b"</TN><ToString>quota</ToString><MS>"
        b'<Obj N="Exception" RefId="2"><ToString>quota</ToString></Obj>'
        b'<Nil N="TargetObject"/><S N="FullyQualifiedErrorId">x</S>'
        b'<Nil N="InvocationInfo"/></MS></Obj>'
    )
    data = cut(
        message(MessageType.RUNSPACEPOOL_STATE, state("RunspaceState", 5, reason))
    )
    assert list(client.receive(None, data)) == [Ended("quota")]


@pytest.mark.parametrize("call", [-100, 7])
@pytest.mark.parametrize("of_pipeline", [True, False])
def test_host_calls_are_refused_and_writes_ignored(
    call: int, of_pipeline: bool
) -> None:
    client = opened()
    pipeline = client.ask(QUESTION)
    list(client.outgoing())
    asked = (
        b'<Obj RefId="0"><MS><I64 N="ci">%d</I64><Obj N="mi" RefId="1">'
        b"<ToString>ReadLine</ToString><I32>11</I32></Obj>"
        b'<Obj N="mp" RefId="2"><LST/></Obj></MS></Obj>' % call
    )
    target = pipeline if of_pipeline else None
    type, answer = (
        (MessageType.PIPELINE_HOST_CALL, MessageType.PIPELINE_HOST_RESPONSE)
        if of_pipeline
        else (
            MessageType.RUNSPACEPOOL_HOST_CALL,
            MessageType.RUNSPACEPOOL_HOST_RESPONSE,
        )
    )
    data = cut(message(type, asked, target or POOL))
    assert list(client.receive(target, data)) == []
    pieces = list(client.outgoing())
    if call == -100:
        assert pieces == []
        return
    assert [(piece.target, piece.prompt) for piece in pieces] == [(target, True)]
    refusal = sent(pieces)[answer]
    doc = clixml.parse(refusal)
    said = doc.properties(doc.root)
    assert clixml.number(said["ci"]) == call
    assert b"cannot be asked" in refusal


MESSAGES = st.builds(
    lambda type, data: cut(message(type, data)),
    st.sampled_from(list(MessageType)),
    st.one_of(
        st.binary(max_size=60),
        st.sampled_from(
            [
                CAPABILITY,
                state("RunspaceState", 2),
                state("PipelineState", 4),
                b'<Obj RefId="0"><MS><S N="PublicKey">x</S></MS></Obj>',
                b'<Obj RefId="0"><MS><S N="EncryptedSessionKey">eA==</S></MS></Obj>',
                b'<Obj><MS><I64 N="ci">1</I64><I32 N="mi">99999</I32></MS></Obj>',
                b'<Obj><MS><S N="ci">1</S><I32 N="mi">x</I32></MS></Obj>',
                b"<Obj>" * 200 + b"</Obj>" * 200,
            ]
        ),
    ),
)


@given(st.lists(st.one_of(MESSAGES, st.binary(max_size=80)), max_size=6), st.booleans())
def test_any_bytes_are_events_or_an_error(data: list[bytes], to_pipeline: bool) -> None:
    client = Client()
    client.open()
    pipeline = client.ask(QUESTION)
    with contextlib.suppress(PSExportError):
        for piece in data:
            list(client.receive(pipeline if to_pipeline else None, piece))
            list(client.outgoing())
