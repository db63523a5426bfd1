"""Script blocks of views: what is kept, what is refused, that it prints the same."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import run_script
from psexport.generate.expressions import (
    NotProvableError,
    condition,
    display,
    harmless_format,
)

_ENGINE = Path(__file__).with_name("expressions.ps1")

#: A script block, and what becomes of it.
REWRITTEN = [
    ("$_.A", "$_.A"),
    ("  $PSItem.A.B ; ", "$_.A.B"),
    ("return $_.A", "$_.A"),
    (
        "$_.A.Count",
        "if ($_.PSObject.Properties['A'] -and $_.A.PSObject.Properties['Count']"
        " -and $_.A -isnot [string]) { $_.A.Count }",
    ),
    (
        "'{0:d}' -f $_.A",
        "if ($_.PSObject.Properties['A'] -and"
        " -not ($_.A.PSTypeNames -like 'Deserialized.*')) { ('{0:d}' -f $_.A) }",
    ),
    (
        "$_.A.ToShortDateString()",
        "if ($_.PSObject.Properties['A'] -and $_.A -is [datetime])"
        " { $_.A.ToShortDateString() }",
    ),
    (
        "if ($null -ne $_.A) { 'some' } else { $_.B }",
        "if ($_.PSObject.Properties['A'])"
        " { if (($null -ne $_.A)) { 'some' } else { $_.B } }",
    ),
    ("'it''s'", "'it''s'"),
    ('"a`"b`tc$"', "('a\"b' + [char]9 + 'c$')"),
    ('"`e"', "('' + [char]27)"),
    ("$true", "$true"),
    ("1.5mb", "1.5mb"),
]

REFUSED = [
    "",
    "$_.A; $_.B",
    "$_.A\n$_.B",
    "Get-Process",
    "$_ | Out-String",
    "& $_.A",
    "$_.A()",
    "$_.A.Delete()",
    "$_.A = 5",
    "$x = 5",
    "$x",
    "$env:PATH",
    "$global:x",
    "${_}.A",
    "$_.A[0]",
    "$_['A']",
    "[IO.File]::ReadAllText('x')",
    "[type]'x'",
    "[xml]$_.A",
    "[scriptblock]::Create('x')",
    "$_.PSObject.Properties",
    "$_.A.psbase.B",
    "$_.'A'",
    '"$(Get-Process)"',
    '"$($_.A; $_.B)"',
    '"$PSStyle"',
    '"$x"',
    '"$_:A"',
    '"unended',
    "'unended",
    "@'\nx\n'@",
    "@(1)",
    "@{a=1}",
    "{ $_.A }",
    "$_.A -match '(a+)+$'",
    "$_.A -replace 'a', 'b'",
    "$_.A -like $_.B",
    "$_.A -is [int]",
    "$_.A -f $_.B",
    "'x' * 1000000",
    "$_.A.Trim() * 1000",
    "($_.A + $_.B) * 1000",
    "'{0,100000000}' -f $_.A",
    "'{0:N999999}' -f $_.A",
    "'{1}' -f $_.A",
    "'{0' -f $_.A",
    "$_.A.ToString('N999999')",
    "$_.A.ToString($_.B)",
    "$_.A.Replace('a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')",
    "$_.A.Replace('a', 'aa').Replace('a', 'aa')",
    "$_.A.Replace('', 'aa')",
    "$_.A.PadLeft(1000000)",
    "1..1000000",
    "$_.A ? 1 : 2",
    "$_.A ?? 1",
    "$_.A # comment",
    "<# #> $_.A",
    "‘typographic’",
    "$_.A –eq 1",
    "while ($true) { $_.A }",
    "if ($_.A) { $_.B } $_.C",
    '"$(return $_.A)x"',
    "function f { }",
    "$_.A.\nB",
    "(" * 60 + "$_.A" + ")" * 60,
    "-not " * 60 + "$_.A",
    "$_." + "A" * 5000,
]

#: Script blocks whose text on a deserialized object is compared with the host's, for
#: every kind of value in $_.X. What is not the same must be blank.
COMPARED = [
    "$_.X",
    '"$($_.X)"',
    '"[$($_.X)] $($_.N)"',
    "[string]$_.X",
    "'{0}' -f $_.X",
    "'{0,8}|{1:N2}' -f $_.X, $_.N",
    "'{0:d}' -f $_.X",
    "$_.X.ToString()",
    "$_.X.ToString('N1')",
    "[int]$_.X",
    '"{0:N2}" -f [float]$_.X',
    "$_.X + 1",
    "$_.X * 2",
    "$_.N / 2",
    "2 * $_.X",
    "'x' + $_.X",
    "$_.X -eq 'one'",
    "$_.X -ne 'ONE'",
    "$_.X -ceq 'ONE'",
    "'one' -eq $_.X",
    "$_.X -eq 1",
    "$_.X -gt 0",
    "$_.X -like 'O*'",
    "$_.X -eq $_.N",
    "$null -eq $_.X",
    "$_.X -eq $null",
    "if ($_.X) { 'true' } else { 'false' }",
    "-not $_.X",
    "$_.X -and $_.N",
    "if ($_.X -eq 'One') { 'first' } elseif ($_.X) { $_.X } else { '-' }",
    "\"a$(if ($_.X) { $_.X } else { 'no' })b\"",
    "$_.X.ToUpper().Trim()",
    "$_.X.Replace('o', '00')",
    "$_.X.ToLongTimeString()",
    "$_.X.Length",
    "$_.O.X",
    '"$($_.O.X)"',
    "if ($_.O.X) { 'true' } else { 'false' }",
    "$_.O.X.Count",
    "$_.X.Year",
]


@pytest.mark.parametrize(("script", "rewritten"), REWRITTEN)
def test_what_is_provable_is_rewritten(script: str, rewritten: str) -> None:
    assert display(script) == rewritten


@pytest.mark.parametrize("script", REFUSED)
def test_everything_else_is_refused(script: str) -> None:
    with pytest.raises(NotProvableError):
        display(script)
    with pytest.raises(NotProvableError):
        condition(script)


def test_a_statement_is_no_condition() -> None:
    with pytest.raises(NotProvableError):
        condition("if ($_.A) { $_.B }")


@pytest.mark.parametrize(
    ("template", "harmless"),
    [("{0:N2}", True), ("{0,-120}", True), ("{0,9999}", False), ("N99999", False)],
)
def test_formats_that_fill_memory_are_seen(template: str, harmless: bool) -> None:
    assert harmless_format(template) is harmless


_FRAGMENTS = st.sampled_from(
    re.split(
        "~",
        """$_~.A~.Count~(~)~$(~"~""~'~ ~\n~;~-eq~-f~if~else~{~}~[int]~[string]~1~1mb~"""
        """`~`e~-not~,~+~*~'{0}'~$null~.ToString(~.Replace('a','b')~return ~x""",
    )
)


@settings(max_examples=300)
@given(st.lists(_FRAGMENTS, max_size=25).map("".join))
def test_reading_ends_in_a_script_or_a_refusal(script: str) -> None:
    try:
        rewritten = display(script)
    except NotProvableError:
        return
    assert len(rewritten) < 400 * (len(script) + 1)
    assert not any(ord(c) < 32 for c in rewritten)


@pytest.mark.engine
def test_the_deserialized_object_prints_the_same_or_nothing(
    pwsh: str, tmp_path: Path
) -> None:
    pairs = [{"script": s, "rewritten": display(s)} for s in COMPARED]
    (tmp_path / "pairs.json").write_text(json.dumps(pairs), encoding="utf-8")
    out = run_script(pwsh, _ENGINE, "-Compare", str(tmp_path / "pairs.json"))
    rows = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    assert len(rows) == len(COMPARED) * 42 * 2
    different = [r for r in rows if r["client"] not in ("", r["host"])]
    # A bare property is what its PropertyName would print: no more is promised.
    bare = [r for r in different if r["script"] in ("$_.X", "$_.O.X")]
    assert {r["type"] for r in bare} <= {"System.DateTimeOffset"}
    assert [r for r in different if r not in bare] == []
    printed = [r for r in rows if r["host"]]
    kept = [r for r in printed if r["client"]]
    assert len(kept) > 0.6 * len(printed)


@pytest.mark.engine
def test_what_is_written_is_nothing_but_reading(pwsh: str, tmp_path: Path) -> None:
    texts = [display(s) for s in COMPARED] + [display(s) for s, _ in REWRITTEN]
    (tmp_path / "texts.json").write_text(json.dumps(texts), encoding="utf-8")
    out = run_script(pwsh, _ENGINE, "-Inspect", str(tmp_path / "texts.json"))
    assert out.split("\n", 1)[0].strip() == "done", out
