"""Laws of cutting fragments and of durations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsman_server import (
    soap,
)
from wsman_server.fragments import Cutter, Fragment, parse

engine = pytest.mark.engine


@given(
    blobs=st.lists(st.binary(max_size=400), max_size=5),
    size=st.integers(min_value=22, max_value=500),
)
def test_cutting_fragments_keeps_the_message(blobs: list[bytes], size: int) -> None:
    cutter = Cutter(size)
    last = len(blobs) - 1
    whole = [
        Fragment(7, index, index == 0, index == last, blob)
        for index, blob in enumerate(blobs)
    ]
    packed = b"".join(
        piece.pack() for fragment in whole for piece in cutter.cut(fragment)
    )
    pieces = list(parse(packed))
    assert b"".join(piece.blob for piece in pieces) == b"".join(blobs)
    assert all(len(piece.pack()) <= size for piece in pieces)
    assert [piece.fragment_id for piece in pieces] == list(range(len(pieces)))
    assert [piece.start for piece in pieces] == [n == 0 for n in range(len(pieces))]
    assert sum(piece.end for piece in pieces) == min(len(blobs), 1)


@given(st.integers(min_value=0, max_value=10_000_000))
def test_durations(value: int) -> None:
    assert soap.seconds(soap.duration(value)) == value
    assert soap.seconds(f"PT{value}S") == value
