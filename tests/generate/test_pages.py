"""Addresses of pages: the engine parses all that are taken for some."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import run_script
from psexport.generate.pages import is_page

PAGES = [
    "https://example.org",
    "HTTP://Example.org:8080/a/b?c=d&e=%20#f",
    "https://go.microsoft.com/fwlink/?LinkID=113216",
    "http://server01/help('x')",
    "https://a_b.-c.example.org./~me/;v=1,2*!$@:+",
    "http://10.0.0.1?q",
    "https://a:65535#",
]
OTHERS = [
    "",
    "example.org",
    "https://",
    "https:///x",
    "https://[bad",
    "https://[::1]/",
    "https://a..b/",
    "https://.a/",
    "https://*/",
    "https://a:65536/",
    "https://a:/",
    "https://user:secret@example.org/",
    "https://example.org\\@evil.example",
    "https://example.org/a b",
    "https://example.org/\n",
    "https://example.org/'\"<>",
    "https://exämple.org/",
    "https://example.org/\u212a",
    "ftp://example.org/",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "https://example.org/" + "x" * 2_000,
    "https://" + "a." * 200,
    "https://" + "a" * 64,
]


@pytest.mark.parametrize("address", PAGES)
def test_pages(address: str) -> None:
    assert is_page(address)


@pytest.mark.parametrize("address", OTHERS)
def test_what_is_no_page(address: str) -> None:
    assert not is_page(address)


@given(st.text(alphabet="htps:/.@?#[]%\\ a-_9\n'\"", max_size=20))
def test_a_page_has_no_surprises(tail: str) -> None:
    if is_page("https://" + tail):
        assert not set(tail) & set('[]\\ \n"')


@pytest.mark.engine
def test_the_engine_parses_them(pwsh: str, tmp_path: Path) -> None:
    pages = tmp_path / "pages.json"
    pages.write_text(json.dumps(PAGES))
    script = tmp_path / "parse.ps1"
    script.write_text(
        f"foreach ($page in Get-Content '{pages}' -Raw | ConvertFrom-Json) {{\n"
        "    $uri = $null\n"
        "    $parsed = [uri]::TryCreate($page, 'Absolute', [ref] $uri)\n"
        "    '{0} {1}' -f $parsed, $uri.Scheme\n"
        "}"
    )
    parsed = run_script(pwsh, script).split("\n")[: len(PAGES)]
    assert [one.strip() for one in parsed] == [
        f"True {page.partition(':')[0].lower()}" for page in PAGES
    ]
