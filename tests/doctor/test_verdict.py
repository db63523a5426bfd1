"""From findings to the verdict, and from the verdict to what helps: no host needed."""

from __future__ import annotations

import ast
import re
import string
from pathlib import Path
from typing import Any

import pytest

import psexport.doctor
from engine import run_script
from psexport.connection import Connection, Kind, parse
from psexport.doctor import Finding, Step, Verdict
from psexport.doctor.findings import Fact, fault, ok, skipped, warning
from psexport.doctor.remedies import _TABLE, advise
from psexport.doctor.verdict import judge

HOST = parse(
    "winrms://server01", {"UserName": "me", "ConfigurationName": "It's"}, folders=[]
)


def steps(*findings: Finding) -> list[Step]:
    return [Step(str(n), str(n), (one,), 0.0) for n, one in enumerate(findings)]


def skew(seconds: int) -> Finding:
    return warning("ClockDiffers", "the clocks differ", skew=seconds)


CASES: list[tuple[tuple[Finding, ...], str, tuple[str, ...] | None]] = [
    ((ok("fine"),), "", ()),
    ((ok("fine"), skipped("not looked at")), "", ()),
    ((ok("fine"), warning("SlowToOpen", "slow")), "", ("SlowToOpen",)),
    ((fault("PortSilent", "no"), ok("x")), "PortSilent", ()),
    # The first fault is the cause; the others are told.
    ((fault("CertificateName", "a"), fault("X", "b")), "CertificateName", ("X",)),
    ((fault("X", "a"), fault("X", "b"), skew(40)), "X", ("ClockDiffers",)),
    # A wrong clock is behind what it may have brought about, if it is that wrong.
    (
        (fault("CertificateExpired", "a"), skew(86400)),
        "ClockSkew",
        ("CertificateExpired",),
    ),
    ((fault("CertificateExpired", "a"), skew(400)), "CertificateExpired", None),
    ((fault("CertificateNotYetValid", "a"), skew(-86400)), "ClockSkew", None),
    ((skew(400), fault("NoTicket", "a")), "ClockSkew", None),
    ((skew(400), fault("TicketExpired", "a")), "ClockSkew", None),
    ((skew(-400), fault("TicketRefused", "a")), "ClockSkew", None),
    ((skew(400), fault("LogonRefused", "a", method="Kerberos")), "ClockSkew", None),
    ((skew(400), fault("LogonRefused", "a", method="NTLM")), "LogonRefused", None),
    ((skew(200), fault("LogonRefused", "a", method="Kerberos")), "LogonRefused", None),
    ((skew(86400), fault("PortSilent", "a")), "PortSilent", None),
]


@pytest.mark.parametrize(("findings", "expected", "remarks"), CASES)
def test_the_verdict(
    findings: tuple[Finding, ...], expected: str, remarks: tuple[str, ...] | None
) -> None:
    verdict = judge(HOST, steps(*findings))
    assert verdict.works == (not expected)
    assert (verdict.cause.cause if verdict.cause else "") == expected
    if remarks is not None:
        assert tuple(one.cause for one in verdict.remarks) == remarks
    assert ("would work" in verdict.text) == verdict.works


def test_a_clock_that_kerberos_allows_for_is_a_remark() -> None:
    clock = Step("clock", "Clock", (fault("ClockSkew", "a", skew=7200),), 0.0)
    logon = Step("logon", "Log on", (ok("b"),), 0.0)
    verdict = judge(HOST, [clock, logon])
    assert verdict.works
    assert [one.cause for one in verdict.remarks] == ["ClockSkew"]
    assert not judge(HOST, [clock]).works


def test_an_unknown_cause_speaks_for_itself() -> None:
    error = Finding(fault("", "").outcome, "it is broken", "ErrorNew", "mend it")
    verdict = judge(HOST, steps(error))
    assert verdict.cause is not None
    assert (verdict.cause.text, verdict.cause.here) == ("It is broken.", ("Mend it.",))


def causes() -> set[str]:
    """Every cause that the package's own code names."""
    found: set[str] = set()
    for path in Path(psexport.doctor.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("fault", "warning")
                and isinstance(node.args[0], ast.Constant)
            ):
                found.add(node.args[0].value)
    return found


def test_every_cause_has_a_remedy() -> None:
    named = causes()
    assert len(named) > 40
    assert named - set(_TABLE) == {"StepFailed"}


def fields(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


#: Facts that remedies name beyond those of the connection.
FACTS: dict[str, Fact] = {
    "address": "10.0.0.1",
    "command": "Get-Command",
    "location": "https://elsewhere",
    "method": "Basic",
    "name": "server01",
    "names": ["a", "b"],
    "offers": ["Negotiate"],
    "other": 5986,
    "package": "psexport[kerberos]",
    "file": "/me/key",
    "parameter": "-CAFile",
    "port": 5985,
    "proxy": "proxy:3128",
    "scheme": "winrms://",
}


@pytest.mark.parametrize("row", _TABLE)
def test_a_remedy_is_filled_in(row: str) -> None:
    about = {"host": "h", "user": "u", "configuration": "c", "subsystem": "s"}
    remedy = _TABLE[row]
    for template in (remedy.text, *remedy.on_host, *remedy.here):
        assert fields(template) <= {*FACTS, *about}
    advice = advise(fault(row.rpartition(":")[2], "x", **FACTS), Kind.SSH, about)
    for line in (advice.text, *advice.on_host, *advice.here):
        assert line.strip()
        assert "{" not in line
        assert "…" not in line
    assert advice.text.endswith((".", ":"))
    assert all(one.endswith((".", "'")) for one in advice.here)


def test_what_a_host_says_never_becomes_code() -> None:
    """Lines for the host are pasted into its PowerShell: only quoted, or ours."""
    ours = {"host", "user", "configuration", "subsystem", "command", "method", "port"}
    for remedy in _TABLE.values():
        for line in remedy.on_host:
            assert fields(line) <= ours
    advice = advise(
        fault("ErrorConfigurationNotFound", "x"), Kind.WSMAN, {"configuration": "a'; b"}
    )
    assert "Register-PSSessionConfiguration -Name 'a''; b' -Force" in advice.on_host


@pytest.mark.engine
def test_lines_for_the_host_are_powershell(pwsh: str, tmp_path: Path) -> None:
    about = {"host": "h", "user": "d\\u", "configuration": "It's", "subsystem": "s"}
    lines = [
        line
        for row in _TABLE
        for kind in (Kind.WSMAN, Kind.SSH)
        for line in advise(
            fault(row.rpartition(":")[2], "x", **FACTS), kind, about
        ).on_host
    ]
    (tmp_path / "lines.txt").write_text("\n".join(lines), "utf-8")
    script = tmp_path / "parse.ps1"
    script.write_text(
        "foreach ($line in [IO.File]::ReadAllLines($args[0])) {\n"
        "    $errors = $null\n"
        "    $null = [System.Management.Automation.Language.Parser]::ParseInput(\n"
        "        $line, [ref] $null, [ref] $errors)\n"
        '    if ($errors) { "$line : $errors" }\n'
        "}\n",
        "utf-8",
    )
    assert run_script(pwsh, script, str(tmp_path / "lines.txt")) == ""


def test_the_document_names_every_cause_and_step() -> None:
    document = Path(__file__).parents[2] / "docs" / "doctor.md"
    text = document.read_text("utf-8")
    for cause in causes():
        assert f"`{cause}`" in text
    plans = Path(psexport.doctor.__file__).with_name("plans.py").read_text("utf-8")
    for name in re.findall(r'Probe\(\s*"(\w+)"', plans):
        assert f"`{name}`" in text


def test_the_json_is_as_documented() -> None:
    diagnosis: dict[str, Any] = psexport.doctor.examine(
        Connection(kind=Kind.REPLAY, path="/nowhere")
    ).to_json()
    assert list(diagnosis) == [
        "host",
        "kind",
        "works",
        "verdict",
        "cause",
        "remarks",
        "steps",
    ]
    assert list(diagnosis["cause"]) == ["id", "text", "onHost", "here"]
    step = diagnosis["steps"][0]
    assert list(step) == ["name", "outcome", "seconds", "findings"]
    assert list(step["findings"][0]) == ["outcome", "id", "text", "facts"]
    assert isinstance(Verdict(True, "", None).remarks, tuple)
