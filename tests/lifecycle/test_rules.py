"""The files keep to Windows PowerShell 5.1, and the runtime to the rules of style."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from engine import require_pwsh, run_script
from proxies.workshop import HOST, make_module

pytestmark = pytest.mark.engine

RULES = Path(__file__).with_name("rules.ps1")
RUNTIME = Path(str(resources.files("psexport.generate") / "runtime.psm1"))


def broken(*arguments: str) -> list[str]:
    return run_script(require_pwsh(), RULES, *arguments).splitlines()


def test_the_runtime() -> None:
    assert broken(str(RUNTIME), "-Style") == []
    assert broken(str(RUNTIME), "-Edition") == []


def test_what_is_written(tmp_path: Path) -> None:
    manifest = make_module(tmp_path / "Written", HOST, "compact")
    for file in sorted(manifest.parent.glob("*.ps[md]1")):
        assert broken(str(file), "-Edition") == []


#: Each is found by its rule: else a clean result would say nothing.
BAD = [
    ("$a ? 1 : 2", "Ternary"),
    ("$a ?? 1", "QuestionQuestion"),
    ("$a ??= 1", "QuestionQuestionEquals"),
    ("${a}?.b", "?."),
    ("Get-A && Get-B", "PipelineChainAst"),
    ("Get-A &", "background"),
    ("function f { clean { 1 } }", "clean block"),
    ('"`u{41}"', "escape"),
    ('"a`e[0m"', "escape"),
    ("1 | ForEach-Object -Parallel { 1 }", "-Parallel"),
    ("[semver] '1.0.0'", "type semver"),
    ("[System.Text.Json.JsonDocument]::Parse('1')", "type System.Text.Json"),
    ("Get-A\n    | Get-B", "starts with |"),
    ("1u", "number 1u"),
    ("0b11", "number 0b11"),
    ("'a'..'c'", "range of characters"),
    ("'a'.Contains('A', 'OrdinalIgnoreCase')", "method Contains/2"),
    ("[Math]::Clamp(1, 2, 3)", "method Clamp/3"),
    ("[array]::Empty[int]()", "type arguments"),
    ("Microsoft.PowerShell.Utility\\Get-Uptime", "command Microsoft"),
    ("Microsoft.PowerShell.Core\\Import-Module a -SkipEditionCheck", "-SkipEdition"),
    ("if (", "Missing"),
]


@pytest.mark.parametrize(("text", "found"), BAD)
def test_the_rules_of_the_edition_find(text: str, found: str, tmp_path: Path) -> None:
    (tmp_path / "bad.ps1").write_text(text, "utf-8")
    assert any(found in line for line in broken(str(tmp_path / "bad.ps1"), "-Edition"))


STYLE = """
function Foo-Bar { <#
.SYNOPSIS
x
#> param($Unused) }
function Get-Bar { gci; Write-Host x; try { 1 } catch { } ; $matches = 1; $global:x = 1
    if ($a -eq $null) { Get-Foo 1 2 3 4 } }   
'ä'
"""  # noqa: W291


def test_the_rules_of_style_find(tmp_path: Path) -> None:
    (tmp_path / "bad.ps1").write_text(STYLE, "utf-8")
    lines = "\n".join(broken(str(tmp_path / "bad.ps1"), "-Style"))
    for found in (
        "verb of Foo-Bar",
        "-Unused of Foo-Bar",
        "Get-Bar: no help",
        "alias gci",
        "Write-Host",
        "bare gci",
        "empty catch",
        "assigns $matches",
        "global variable",
        "$null on the right",
        "4 positions",
        "not ASCII",
        "white space",
    ):
        assert found in lines, lines
