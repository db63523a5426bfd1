"""The one verb: whichever road is taken, what was asked for is answered or named."""

from __future__ import annotations

from command_records import metadata
from fake_session import FakeSession, output
from psexport.events import Event, Problem
from psexport.fetch import FetchRequest, fetch


def named(*names: str) -> list[str]:
    """Which of the names a host with three commands is found not to have."""
    records = [metadata("Get-A"), metadata("b\\c"), metadata("tool.ps1", "Application")]
    session = FakeSession({"metadata": output(*records)})
    events: list[Event] = []
    fetch(session, FetchRequest(names=names, wants_views=False), events.append)
    problems = [e.skipped for e in events if isinstance(e, Problem)]
    assert {p.id for p in problems} <= {"ErrorFromRemoteCommand"}
    return [p.name for p in problems]


def test_a_name_that_the_host_does_not_answer_is_a_problem() -> None:
    assert named("get-a", "No-Such") == ["No-Such"]


def test_names_that_mean_what_is_there() -> None:
    assert named("Get-*", "[n]o", "n?o", "`*", "A\\Get-A", "b\\c", "TOOL") == []


def test_a_host_of_many_kinds_of_nothing() -> None:
    session = FakeSession({"metadata": output(metadata("Get-A"))})
    catalogue = fetch(session, FetchRequest(wants_views=False))
    assert [c.name for c in catalogue.commands] == ["Get-A"]
    assert catalogue.views == ()
    assert catalogue.host.language_mode is None
