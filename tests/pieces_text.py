"""Pieces of the compact road's answer, made as the script on a host makes them."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence
from typing import Any

KINDS = ("command", "view", "help", "failed")

STRING = ["type", "System.String", [], 0]


def packed(data: bytes) -> bytes:
    """The CLIXML of a byte array."""
    return b"<BA>" + base64.b64encode(data) + b"</BA>"


def text(records: Sequence[Any], number: int = 0, version: object = 1) -> bytes:
    """A piece before it is compressed."""
    told = {"psexport": version, "piece": number, "records": records}
    return json.dumps(told).encode()


def piece(records: Sequence[Any], number: int = 0, version: object = 1) -> bytes:
    """A piece as a record of the answer."""
    return packed(gzip.compress(text(records, number, version)))


def end(*before: list[Any]) -> list[Any]:
    """The last record of an answer that has these."""
    kinds = ["help" if record[0] == "comment" else record[0] for record in before]
    return ["end", *(kinds.count(kind) for kind in KINDS)]


def whole(*records: list[Any]) -> bytes:
    """An answer of one piece, well ended."""
    return piece([*records, end(*records)])


def parameter(
    *names: str,
    type: int = 0,
    flags: int = 0,
    places: Sequence[Sequence[Any]] = (("__AllParameterSets", 0, 0),),
    checks: Sequence[Sequence[str]] = (),
    completions: Sequence[str] = (),
) -> list[Any]:
    """The record of a parameter: its name and aliases, and what is said of it."""
    return ["parameter", list(names), type, flags, places, checks, completions]


def command(
    name: str,
    *numbers: int,
    type: int = 2,
    says: int = 1,
    resolved: str = "",
    default: str = "",
    outputs: Sequence[str] = (),
) -> list[Any]:
    """The record of a command and the numbers of its parameters."""
    texts = [name, "Some.Module", resolved, "", default, "None"]
    return ["command", type, says, texts, outputs, list(numbers)]
