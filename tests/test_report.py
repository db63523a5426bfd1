"""Results as text and as JSON."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psexport.errors import PSExportError, TransportError
from psexport.model import Skipped
from psexport.report import Entry, as_json, entries, error_line, harmless, listing
from psexport.results import ExportResult, WrittenFile

RESULT = ExportResult(
    module=Path("/m/X"),
    files=(WrittenFile(Path("/m/X/X.psd1"), 5, "0" * 64, "Valid"),),
    commands=("Get-Thing",),
    aliases=("gt",),
    formats=("A.Type",),
    skipped=(Skipped("Bad\x1b", "ErrorSkippedUnsafeCommandName", "its name"),),
    warnings=("look",),
)


def test_json_has_exactly_the_fields_of_the_interface() -> None:
    assert json.loads(as_json(RESULT)) == {
        "module": str(Path("/m/X")),
        "files": [
            {
                "path": str(Path("/m/X/X.psd1")),
                "length": 5,
                "sha256": "0" * 64,
                "signature": "Valid",
            }
        ],
        "commands": ["Get-Thing"],
        "aliases": ["gt"],
        "formats": ["A.Type"],
        "skipped": [
            {
                "name": "Bad\x1b",
                "id": "ErrorSkippedUnsafeCommandName",
                "reason": "its name",
            }
        ],
        "warnings": ["look"],
    }


def test_json_agrees_with_its_schema() -> None:
    text = Path(__file__).parents[1] / "docs" / "export-result.schema.json"
    schema = json.loads(text.read_text("utf-8"))
    result = json.loads(as_json(RESULT))
    _check(result, schema)
    assert list(result) == list(schema["properties"])


def _check(value: object, schema: dict[str, object]) -> None:
    """Check what the schema says of objects and arrays; a validator is no need."""
    if schema["type"] == "object":
        assert isinstance(value, dict)
        properties = schema["properties"]
        assert isinstance(properties, dict)
        assert list(value) == list(properties) == schema["required"]
        for name, member in value.items():
            _check(member, properties[name])
    elif schema["type"] == "array":
        assert isinstance(value, list)
        assert value, "an empty list checks nothing"
        for member in value:
            _check(member, schema["items"])  # type: ignore[arg-type]
    elif schema["type"] == "integer":
        assert isinstance(value, int)
    else:
        assert isinstance(value, str)


@given(st.text())
def test_what_is_shown_is_one_line_that_does_nothing(text: str) -> None:
    shown = harmless(text)
    assert all(one.isprintable() or one.isspace() for one in shown)
    assert len(shown.splitlines()) <= 1
    shown.encode("utf-8")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain  text", "plain  text"),
        ("a\r\nb\tc", "a  b c"),
        ("\x1b[31mred", "\\u{1b}[31mred"),
        ("a\u202eb", "a\\u{202e}b"),
        ("a\u2028b\u0085", "a\\u{2028}b\\u{85}"),
        ("\udcff", "\\u{dcff}"),
        ("Größe – 東京", "Größe – 東京"),
    ],
)
def test_what_a_host_says_is_made_harmless(text: str, shown: str) -> None:
    assert harmless(text) == shown


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (PSExportError("It broke", id="E"), "psexport: It broke [E]"),
        (
            PSExportError("It broke.", id="E", hint="Mend it."),
            "psexport: It broke [E]. Mend it.",
        ),
        (
            PSExportError("It broke", id="E", target="host"),
            "psexport: host: It broke [E]",
        ),
        (
            PSExportError("host broke", id="E", target="host"),
            "psexport: host broke [E]",
        ),
        (PSExportError("a\nb", id="E", hint="c\nd"), "psexport: a b [E]. C d."),
        (
            TransportError("It broke.", id="E", phase="open", target="host"),
            "psexport: host: It broke (phase: open) [E]",
        ),
    ],
)
def test_an_error_is_one_line(error: PSExportError, line: str) -> None:
    assert error_line(error) == line


def test_a_long_message_leaves_room_for_the_id() -> None:
    line = error_line(PSExportError("x" * 9999, id="E", target="y" * 9999, hint="z."))
    assert line.endswith("… [E]. Z.")
    assert len(line) < 2100


ENTRY = Entry(
    folder="/home/me/X",
    name="X.psd1",
    length=1234,
    modified=datetime(2026, 3, 5, 14, 7),
    mode="-rw-r--r--",
    user="me",
    group="staff",
)


def test_listing_on_unix() -> None:
    assert listing([ENTRY], windows=False) == (
        "\n"
        "    Directory: /home/me/X\n"
        "\n"
        "UnixMode         User Group         LastWriteTime         Size Name\n"
        "--------         ---- -----         -------------         ---- ----\n"
        "-rw-r--r--         me staff        3/5/2026 14:07         1234 X.psd1\n"
        "\n"
    )


def test_listing_on_windows() -> None:
    entry = Entry(r"C:\X", "X.psd1", 1234, datetime(2026, 11, 23, 0, 7), "-a---")
    assert listing([entry], windows=True) == (
        "\n"
        "    Directory: C:\\X\n"
        "\n"
        "Mode                 LastWriteTime         Length Name\n"
        "----                 -------------         ------ ----\n"
        "-a---          11/23/2026 12:07 AM           1234 X.psd1\n"
        "\n"
    )


def test_one_heading_a_folder() -> None:
    entry = Entry("/home/me/X/en-US", "h.xml", 1, ENTRY.modified, "-rw-r--r--")
    assert listing([ENTRY, ENTRY, entry], windows=False).count("Directory:") == 2


@pytest.mark.engine
def test_listing_reads_as_the_engine_prints_it(pwsh: str, tmp_path: Path) -> None:
    import subprocess

    for name, size in (("a.psd1", 0), ("b c.psm1", 123456)):
        (tmp_path / name).write_bytes(b"x" * size)
    command = f"Get-ChildItem -LiteralPath '{tmp_path}' | Out-String -Width 200"
    said = subprocess.run(
        [pwsh, "-NoProfile", "-Command", command],
        capture_output=True,
        check=True,
        encoding="utf-8",
    ).stdout
    mine = listing(entries(sorted(tmp_path.iterdir())))
    # The date is the culture's; nothing else may differ.
    date = r"\d+/\d+/\d+ "
    import re

    def lines(text: str) -> list[str]:
        return [re.sub(date, "", line).split() for line in text.strip().splitlines()]

    assert lines(mine) == lines(said)
