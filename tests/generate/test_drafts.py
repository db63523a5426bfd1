"""Proxies that are written before anybody knows whether they are wanted."""

from __future__ import annotations

import pytest

from psexport.generate.design import Design
from psexport.generate.drafts import Drafts
from psexport.generate.proxy import Draft, draft
from psexport.model import Command, CommandType, Detail, Parameter
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


def test_a_draft_is_written_ahead_and_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written: list[str] = []

    def note(design: Design) -> Draft:
        written.append(design.command.name)
        return draft(design)

    monkeypatch.setattr("psexport.generate.drafts.draft", note)
    drafts = Drafts()
    drafts.add(IT)
    assert drafts.of(IT) == drafts.of(IT)
    assert written == ["Get-It", "Get-It"]


@pytest.mark.parametrize("compatible", [False, True])
def test_it_is_the_same_whenever_it_is_written(compatible: bool) -> None:
    early, late = (Drafts(compatible=compatible) for _ in range(2))
    early.add(IT)
    assert early.of(IT) == late.of(IT)
    assert ("[string]" in early.of(IT).body) is not compatible


def test_what_can_be_no_text_is_refused_when_it_is_wanted() -> None:
    drafts = Drafts()
    drafts.add(BROKEN)
    with pytest.raises(UnrenderableError):
        drafts.of(BROKEN)
