"""Lines of the out-of-process protocol."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psexport.errors import PSExportError, TransportError
from psexport.transport.packets import Packet, parse, render

PACKETS = [
    Packet("Data", None, b""),
    Packet("Data", uuid.UUID(int=7), b"\x00\xff" * 40),
    Packet("CommandAck", uuid.UUID(int=7)),
    Packet("Close", None),
]


@pytest.mark.parametrize("packet", PACKETS, ids=lambda packet: packet.kind)
def test_a_packet_is_read_as_it_was_written(packet: Packet) -> None:
    assert parse(render(packet)) == packet


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"<Data PSGuid='1'>AAAA</Data>",
        b"<Data PSGuid='{00000000-0000-0000-0000-00000000000}'>AAAA</Data>",
        b"<Data PSGuid='00000000-0000-0000-0000-000000000000'>AA",
        b"<Data PSGuid='00000000-0000-0000-0000-000000000000'>A!AA</Data>",
        b"<DataAck PSGuid='00000000-0000-0000-0000-000000000000' /><DataAck />",
        b"<Other PSGuid='00000000-0000-0000-0000-000000000000' />",
        b"<!DOCTYPE x><DataAck PSGuid='00000000-0000-0000-0000-000000000000' />",
    ],
)
def test_what_is_no_packet(line: bytes) -> None:
    with pytest.raises(TransportError) as caught:
        parse(line)
    assert caught.value.id == "ErrorSessionProtocol"


@given(
    st.one_of(
        st.binary(max_size=200),
        st.lists(
            st.sampled_from(
                [
                    b"<Data ",
                    b"Stream='Default' ",
                    b"PSGuid='00000000-0000-0000-0000-000000000000'",
                    b">",
                    b"AAAA",
                    b"</Data>",
                    b"/>",
                    b" ",
                    b"<DataAck ",
                    b"\n",
                ]
            ),
            max_size=9,
        ).map(b"".join),
    )
)
def test_any_line_is_a_packet_or_an_error(line: bytes) -> None:
    try:
        packet = parse(line)
    except PSExportError:
        return
    assert parse(render(packet)) == packet
