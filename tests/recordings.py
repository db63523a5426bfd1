"""Real sessions to read from, where the checkout has them beside it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_FOLDER = Path(__file__).resolve().parents[2] / "shared" / "recordings"
NAMES = ("everything", "queries", "restricted")


def messages(name: str) -> Iterator[dict[str, Any]]:
    """The messages of one recording that carry data; skips the test without it."""
    path = _FOLDER / f"pwsh-7.6.5-{name}.jsonl.gz"
    if not path.is_file():
        pytest.skip(f"no recording {path.name} beside the repository")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            message = json.loads(line)
            if message.get("data"):
                yield message


def outputs(name: str, asked: str) -> list[bytes]:
    """What pipelines answered whose question has ``asked`` in it, record by record."""
    pipelines = set()
    found = []
    for message in messages(name):
        if message["from"] == "client" and (
            asked == message["type"] or asked in message["data"]
        ):
            pipelines.add(message["pipeline"])
        elif message["type"] == "PIPELINE_OUTPUT" and message["pipeline"] in pipelines:
            found.append(message["data"].encode())
    assert found, f"no answer to {asked} in {name}"
    return found
