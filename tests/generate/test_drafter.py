"""Proxies that are written before anybody knows whether they are wanted."""

from __future__ import annotations

import pytest

from psexport.connection import parse
from psexport.generate import ModuleOptions, build_module, drafter
from psexport.generate.design import Design
from psexport.generate.proxy import Draft, draft
from psexport.model import (
    Catalogue,
    Command,
    CommandType,
    Detail,
    Parameter,
    Proxy,
    Selection,
)
from psexport.pslang import UnrenderableError

IT = Command(
    "Get-It",
    CommandType.CMDLET,
    parameters=(Parameter("Name", "System.String"),),
    detail=Detail.FULL,
    advanced=True,
)
#: Half of a pair: no file can hold it.
BROKEN = Command("Get-\ud800", CommandType.CMDLET, detail=Detail.FULL, advanced=True)


def test_a_draft_is_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []

    def note(design: Design) -> Draft:
        written.append(design.command.name)
        return draft(design)

    monkeypatch.setattr("psexport.generate.proxy.draft", note)
    draft_of = drafter()
    assert draft_of(IT) is draft_of(IT)
    assert written == ["Get-It"]


@pytest.mark.parametrize("compatible", [False, True])
def test_it_is_the_same_whenever_it_is_written(compatible: bool) -> None:
    early, late = (drafter(compatible=compatible) for _ in range(2))
    early(IT)
    assert early(IT) == late(IT)
    assert ("[string]" in early(IT).body) is not compatible


def test_what_can_be_no_text_is_refused_whenever_it_is_wanted() -> None:
    draft_of = drafter()
    for _ in range(2):
        with pytest.raises(UnrenderableError):
            draft_of(BROKEN)


@pytest.mark.parametrize("proxy", [Proxy("Get-Bad", BROKEN), Proxy("Get {", IT)])
def test_what_can_be_no_text_costs_itself_alone(proxy: Proxy) -> None:
    options = ModuleOptions("M", parse("demo"))
    both = Selection(proxies=(Proxy("Get-It", IT), proxy))
    made = build_module(both, Catalogue(), options)
    assert made.manifest.functions == ["Get-It"]
    assert [one.name for one in made.refused] == [proxy.command.name]
