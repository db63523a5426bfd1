"""The script module as a whole: the runtime, and the guard against misreading."""

from __future__ import annotations

import pytest

from psexport.generate import psm1


def rendered(body: str = "") -> str:
    proxy = f"function Get-It {{ {body} }}\n"
    return psm1.render("About", {"Name": "M"}, [proxy], {"it": "Get-It"}, {})


def test_the_runtime_is_ascii() -> None:
    # So that a module with ASCII names needs no mark and no guard.
    assert psm1.runtime().isascii()


def test_the_runtime_has_the_functions_that_proxies_call() -> None:
    names = psm1.runtime_functions()
    assert {
        "Start-PSExportCall",
        "Send-PSExportInput",
        "Complete-PSExportCall",
    } <= names


@pytest.mark.parametrize(
    ("body", "sample"),
    [("'plain'", None), ("'caf\u00e9\u00e9'", "('\u00e9', -join [char[]] (233))"),
     ("'\u2018x\u0451'", "('\u0451\u2018\u2018', -join [char[]] (1105,8216))"),
     ("'\U0001d4b3'", "('\U0001d4b3', -join [char[]] (55349,56499))")],
)  # fmt: skip
def test_what_is_not_ascii_is_guarded_before_anything_runs(
    body: str, sample: str | None
) -> None:
    text = rendered(body)
    if sample is None:
        assert "[char[]]" not in text.split("$script:PSExport =")[0]
    else:
        assert sample in text.split("$script:PSExport =")[0]


def test_exports_are_said_with_the_full_name() -> None:
    # The host may have a command Export-ModuleMember, and then a proxy has that name.
    assert (
        rendered()
        .rstrip()
        .splitlines()[-1]
        .startswith("Microsoft.PowerShell.Core\\Export-ModuleMember")
    )
