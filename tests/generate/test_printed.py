"""Every view prints on the client what it prints on the host, or leaves a blank."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from format_files import write_module

from engine import require_pwsh, run_script
from psexport.fetch.views import decode
from psexport.generate.format import render
from psexport.views import TypeViews

_ENGINE = Path(__file__).with_name("printing.ps1")

#: What a host does not send, so that a view cannot print it: the controls that are
#: headings of a group, and what lies deeper than one level.
UNSENT = {
    ("System.IO.DirectoryInfo", "children"): "the heading of its group",
    ("System.IO.DirectoryInfo", "childrenWithUnixStat"): "the heading of its group",
    ("System.IO.DirectoryInfo", "childrenWithHardlink"): "the heading of its group",
    ("Microsoft.PowerShell.Commands.Internal.TransactedRegistryKey", "children"): (
        "the heading of its group"
    ),
    ("Own.Table", "own table without headers"): "null as the heading of its group",
    ("System.Management.Automation.PSModuleInfo", "Module"): (
        "the order of a dictionary's keys"
    ),
}
#: A group whose script block is left out is no group; a custom control of which
#: everything is left out prints the object's text.
LEFT_OUT = {
    ("System.Management.Automation.Signature", "PSThumbprintTable"),
    ("System.Management.Automation.Signature", "PSThumbprintWide"),
    ("System.Management.Automation.PSMethod", "System.Management.Automation.PSMethod"),
    ("System.Security.AccessControl.FileSystemSecurity", "FileSecurityTable"),
    ("System.Management.Automation.ErrorRecord#PSExtendedError", "GetErrorInstance"),
    (
        "Microsoft.Management.Infrastructure.CimInstance#__PartialCIMInstance",
        "Microsoft.Management.Infrastructure.CimInstance#__PartialCIMInstance",
    ),
}


@dataclass(frozen=True)
class Printed:
    """One object, or several, as host and client print it; no view: the default."""

    sample: str
    type: str
    shape: str
    view: str
    host: str
    here: str


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> list[TypeViews]:
    folder = tmp_path_factory.mktemp("definitions")
    run_script(require_pwsh(), _ENGINE, "-Definitions", str(folder))
    files = sorted(folder.iterdir())
    assert len(files) > 100
    return [decode(record(file.read_bytes())) for file in files]


def record(serialized: bytes) -> bytes:
    """What remoting would send of a serialized object: it without the wrapping."""
    return serialized[serialized.index(b"<Obj ") : serialized.rindex(b"</Objs>")]


@pytest.fixture(scope="module")
def printed(
    definitions: list[TypeViews], tmp_path_factory: pytest.TempPathFactory
) -> list[Printed]:
    made = write_module(
        tmp_path_factory.mktemp("printed") / "Made", render(definitions)
    )
    out = run_script(require_pwsh(), _ENGINE, "-Compare", str(made), timeout=300)
    lines = [line for line in out.splitlines() if line.startswith("{")]
    rows = [Printed(**json.loads(line)) for line in lines]
    # What a process has used goes up between two looks at it.
    return [row for row in rows if row.sample != "process"] + [
        Printed(**{k: re.sub(r"\d", "0", v) for k, v in json.loads(line).items()})
        for line in lines
        if '"sample":"process"' in line
    ]


def blanked(host: str, here: str) -> bool:
    """Whether the client's text is the host's but for characters that are blank."""
    pairs = list(zip(host.split("\n"), here.split("\n"), strict=False))
    if host.count("\n") != here.count("\n"):
        return False
    return all(
        len(line) >= len(mine)
        and all(a == b or b == " " for a, b in zip(line, mine, strict=False))
        for line, mine in pairs
    )


@pytest.mark.engine
def test_most_views_print_exactly_the_same(printed: list[Printed]) -> None:
    assert len(printed) > 400
    assert len({row.view for row in printed}) > 120
    same = [row for row in printed if row.host == row.here]
    assert len(same) > 0.88 * len(printed)
    assert all(row.here.strip() for row in same if row.host.strip())


@pytest.mark.engine
def test_no_view_prints_a_text_that_the_host_does_not(printed: list[Printed]) -> None:
    known = UNSENT.keys() | LEFT_OUT
    wrong = [
        row
        for row in printed
        if not blanked(row.host, row.here)
        and (row.type, row.view) not in known
        # All modules at once, with the keys of dictionaries in another order.
        and row.sample != "module"
    ]
    assert wrong == []


@pytest.mark.engine
def test_own_views_with_every_feature_print_the_same(printed: list[Printed]) -> None:
    own = [row for row in printed if row.sample in OWN_SAMPLES]
    assert {row.sample for row in own} == OWN_SAMPLES
    assert [row for row in own if row.host != row.here] == []
    assert {row.shape for row in own} == {"Table", "List", "Wide", "Custom", ""}


OWN_SAMPLES = {"own", "list", "wide", "custom", "aside"}
