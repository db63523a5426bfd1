"""Recorded hosts, through the replay transport, to catalogues."""

from __future__ import annotations

from pathlib import Path

import pytest

from psexport.events import Event, Problem
from psexport.fetch import FetchRequest, host, portable
from psexport.model import Catalogue, CommandType
from psexport.transport.replay import ReplaySession

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "recordings"


def fetch(name: str, request: FetchRequest | None = None) -> Catalogue:
    path = FOLDER / f"pwsh-7.6.5-{name}.jsonl.gz"
    if not path.is_file():
        pytest.skip(f"no recording {path.name} beside the repository")
    events: list[Event] = []
    with ReplaySession(path, name=name) as session:
        facts = host.fetch(session, events.append)
        catalogue = portable.fetch(
            session, request or FetchRequest(), facts, events.append
        )
    assert not [e for e in events if isinstance(e, Problem)]
    assert catalogue.unreadable == ()
    return catalogue


def test_everything() -> None:
    catalogue = fetch("everything")
    assert catalogue.host.version == "7.6.5"
    assert len(catalogue.commands) == 280
    assert len(catalogue.views) == 142
    aliases = [c for c in catalogue.commands if c.type is CommandType.ALIAS]
    assert sum(a.resolved_name is None for a in aliases) == 43


def test_restricted() -> None:
    catalogue = fetch("restricted")
    assert catalogue.host.language_mode is None
    assert len(catalogue.commands) == 17
    assert len(catalogue.views) == 153
    by_name = {c.name: c for c in catalogue.commands}
    assert [p.name for p in by_name["Select-Object"].parameters] == [
        "Property",
        "InputObject",
    ]


def test_only_some_commands() -> None:
    request = FetchRequest(names=("Get-Date", "prompt"), wants_views=False)
    catalogue = fetch("everything", request)
    assert sorted(c.name for c in catalogue.commands) == ["Get-Date", "prompt"]
    assert catalogue.views == ()
