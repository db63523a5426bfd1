"""No random call that the host takes is refused or changed by a random proxy."""

from __future__ import annotations

from pathlib import Path

import pytest

from .declarations import invent
from .workshop import HOST, make_module, run_calls

pytestmark = pytest.mark.engine

_SHOW = HOST.read_text("utf-8").split("# Simple ones.")[0]


def refused_or_changed(
    folder: Path, seed: int, road: str, *, commands: int = 60, calls: int = 6
) -> list[str]:
    """The calls of a seed that break the law, written out for a person."""
    script, table = invent(seed, commands, calls)
    (folder / "host.ps1").write_text(_SHOW + script, "utf-8")
    (folder / "calls.txt").write_text(table, "utf-8")
    where = {"host_script": folder / "host.ps1", "calls": folder / "calls.txt"}
    module = make_module(folder / f"Law{seed}", folder / "host.ps1", road)
    host_gave = run_calls(folder / "host.jsonl", **where)
    proxy_gave = run_calls(folder / "proxy.jsonl", module=module, **where)
    taken = [
        call
        for call, result in host_gave.items()
        if not any(line[:2] in ("T:", "E:") for line in result)
    ]
    assert len(taken) > len(host_gave) // 8, "hardly a call is taken: a poor test"
    return [
        f"{call}\n    host:  {host_gave[call]}\n    proxy: {proxy_gave[call]}"
        for call in taken
        if proxy_gave[call] != host_gave[call]
    ]


@pytest.mark.parametrize("road", ["compact", "portable"])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_law_holds(tmp_path: Path, seed: int, road: str) -> None:
    found = refused_or_changed(tmp_path, seed, road)
    assert not found, "\n".join(found)
