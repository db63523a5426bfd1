from __future__ import annotations

import gzip
import zlib

import pytest

from pieces_text import packed, piece, text
from psexport.errors import RemoteError
from psexport.fetch import pieces
from psexport.fetch.pieces import Pieces

GOOD = gzip.compress(text([["expect", 1]]))


def test_pieces_come_one_after_the_other() -> None:
    opener = Pieces()
    assert opener.open(piece([["expect", 1]])) == [["expect", 1]]
    assert opener.open(piece([], 1)) == []
    assert opener.open(piece([["a\n\u2028\ud83d\ude00"]], 2)) == [["a\n\u2028😀"]]


def test_control_characters_need_no_escape() -> None:
    data = b'{"psexport":1,"piece":0,"records":[["a\tb\n\x01"]]}'
    assert Pieces().open(packed(gzip.compress(data))) == [["a\tb\n\x01"]]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"<S>hello</S>", id="text"),
        pytest.param(b"<BA>####</BA>", id="not base64"),
        pytest.param(b"<BA></BA>", id="empty"),
        pytest.param(b"not XML", id="not XML"),
        pytest.param(packed(b"PK\3\4"), id="not gzip"),
        pytest.param(packed(zlib.compress(text([]))), id="zlib, not gzip"),
        pytest.param(packed(GOOD[:-1]), id="checksum cut off"),
        pytest.param(packed(GOOD[: len(GOOD) // 2]), id="cut in half"),
        pytest.param(packed(GOOD[:-5] + b"\0" + GOOD[-4:]), id="wrong checksum"),
        pytest.param(packed(GOOD + b"more"), id="something after it"),
        pytest.param(packed(GOOD + GOOD), id="two in one"),
        pytest.param(packed(gzip.compress(b"\xff\xfe")), id="not UTF-8"),
        pytest.param(packed(gzip.compress(b"[1, 2")), id="not JSON"),
        pytest.param(packed(gzip.compress(b"[1, 2]")), id="a list"),
        pytest.param(packed(gzip.compress(b"{}")), id="no version"),
        pytest.param(packed(gzip.compress(b'"psexport"')), id="a string"),
        pytest.param(packed(gzip.compress(b"[" * 100_000)), id="deep"),
        pytest.param(
            packed(gzip.compress(b'{"psexport":1,"piece":0,"records":[' + b"9" * 5000)),
            id="a huge number",
        ),
        pytest.param(piece([], version=2), id="a later version"),
        pytest.param(piece([], version="1"), id="a version that is text"),
        pytest.param(piece([], 1), id="the second piece"),
        pytest.param(piece({}), id="records that are none"),  # type: ignore[arg-type]
        pytest.param(
            packed(gzip.compress(b"{" * (pieces.MAX_VALUES + 1))), id="many values"
        ),
        pytest.param(packed(gzip.compress(b" " * (pieces.MAX_PIECE + 1))), id="a bomb"),
    ],
)
def test_what_is_no_piece_costs_the_answer(data: bytes) -> None:
    with pytest.raises(RemoteError) as caught:
        Pieces().open(data)
    assert caught.value.id == "ErrorMalformedDataFromRemoteCommand"
    assert caught.value.hint


def test_a_piece_that_comes_twice_is_noticed() -> None:
    opener = Pieces()
    opener.open(piece([]))
    with pytest.raises(RemoteError, match="piece 0 where 1 should be"):
        opener.open(piece([]))


def test_every_damaged_byte_is_noticed_or_harmless() -> None:
    """What gzip does not check (time, name, system) changes nothing."""
    expected = [["expect", 1]]
    for at in range(len(GOOD)):
        damaged = bytearray(GOOD)
        damaged[at] ^= 0x41
        try:
            assert Pieces().open(packed(bytes(damaged))) == expected, at
        except RemoteError:
            continue


def test_an_answer_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "MAX_ANSWER", 100)
    opener = Pieces()
    opener.open(piece([]))
    opener.open(piece([], 1))
    with pytest.raises(RemoteError, match="more than 100 bytes"):
        opener.open(piece([], 2))
