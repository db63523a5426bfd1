"""The demo host: what a stranger meets first."""

from __future__ import annotations

import gzip
import json
import re
from io import StringIO
from pathlib import Path

import pytest

import psexport
from psexport.cli import main
from psexport.connection import parse
from psexport.events import ignore
from psexport.fetch import FetchRequest, compact, host
from psexport.transport import connect

RECORDING = Path(psexport.__file__).parent / "data" / "demo.jsonl.gz"
OWN = ["ConvertTo-Label", "Get-Parcel", "Get-Weight", "Remove-Parcel", "Send-Parcel"]


def test_the_recording_answers_the_script_of_today() -> None:
    with connect(parse("demo")) as session:
        facts = host.fetch(session, ignore)
        found = compact.fetch(session, FetchRequest(wants_help=True), facts, ignore)
    assert found is not None, (
        "fetch/compact.ps1 has changed since the demo host was recorded: "
        "record it again, with the command in the help of scripts/record"
    )
    assert {command.name for command in found.commands} >= set(OWN)
    assert found.help["Get-Parcel"].examples


def test_it_exports_without_a_word_about_clobbering(tmp_path: Path) -> None:
    out, errors = StringIO(), StringIO()
    code = main(["-Session", "demo", str(tmp_path / "Demo"), "-AsJson"], out, errors)
    assert code == 0, errors.getvalue()
    made = json.loads(out.getvalue())
    assert made["commands"] == OWN
    assert made["aliases"] == ["gparcel"]
    assert "Demo.Parcel" in made["formats"]


@pytest.mark.parametrize("fidelity", ["Full", "Compatible"])
def test_its_module_can_be_exported_by_name(tmp_path: Path, fidelity: str) -> None:
    out, errors = StringIO(), StringIO()
    asked = ["-Module", "ParcelService", "-Fidelity", fidelity, "-AsJson"]
    code = main(["demo", str(tmp_path / "Demo"), *asked], out, errors)
    assert (code, errors.getvalue()) == (0, "")
    assert json.loads(out.getvalue())["commands"] == OWN


def test_it_says_nothing_of_the_machine_that_recorded_it() -> None:
    text = gzip.decompress(RECORDING.read_bytes()).decode("utf-8")
    assert not re.search(r"/(root|tmp|work|home/(?!admin))\b", text)
