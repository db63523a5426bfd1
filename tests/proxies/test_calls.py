"""The law: what the host would accept, the proxy accepts, and the same arrives."""

from __future__ import annotations

from pathlib import Path

import pytest

from .workshop import CALLS, HOST, command_names, differences, make_module, run_calls

pytestmark = pytest.mark.engine

#: Without the command's own attributes, what the binder does not know reaches the host
#: as text, apart from what stands around it.
LOOSE_ONLY = ("Get-ConstrainedRest do a b -c",)


@pytest.fixture(scope="module")
def on_the_host(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    return run_calls(tmp_path_factory.mktemp("host") / "calls.jsonl")


def test_the_table_is_of_some_size() -> None:
    calls = [
        line for line in CALLS.read_text("utf-8").splitlines() if line[:1] not in "#"
    ]
    assert len(set(calls)) == len(calls) >= 130
    assert len(command_names(HOST)) >= 45


@pytest.mark.parametrize("road", ["compact", "portable"])
def test_every_call_is_the_same(
    road: str, on_the_host: dict[str, list[str]], tmp_path: Path
) -> None:
    module = make_module(tmp_path / "Proxied", HOST, road)
    through_proxies = run_calls(tmp_path / "calls.jsonl", module=module)
    known = LOOSE_ONLY if road == "portable" else ()
    found = differences(on_the_host, through_proxies, known)
    assert not found, "\n".join(found)


def test_what_export_pssession_makes_takes_the_calls_too(
    on_the_host: dict[str, list[str]], tmp_path: Path
) -> None:
    module = make_module(tmp_path / "Proxied", HOST, "compact", compatible=True)
    through_proxies = run_calls(tmp_path / "calls.jsonl", module=module)
    found = differences(on_the_host, through_proxies)
    assert len(found) <= len(on_the_host) // 10, "\n".join(found)
