"""Which commands the caller's shell has."""

from __future__ import annotations

import json
import subprocess
from importlib import resources
from pathlib import Path

import pytest

from psexport import baseline
from psexport.errors import UsageError
from psexport.pslang import fold


def names_of(spec: str) -> list[str]:
    file = resources.files("psexport").joinpath("data", "baseline", f"{spec}.txt")
    lines = file.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("spec", baseline.NAMES)
def test_stock_lists_are_clean(spec: str) -> None:
    names = names_of(spec)
    assert len(set(map(fold, names))) == len(names)
    assert all(name == name.strip() and " " not in name for name in names)
    assert baseline.load(spec.upper()) == set(map(fold, names))


@pytest.mark.parametrize(
    ("name", "in_7", "in_51"),
    [
        ("Get-ChildItem", True, True),
        ("ls", True, True),
        ("%", True, True),
        ("cd..", True, True),
        ("C:", True, True),
        ("Get-Error", True, False),
        ("Join-String", True, False),
        ("ConvertTo-CliXml", True, False),
        ("Get-WmiObject", False, True),
        ("Add-PSSnapin", False, True),
        ("curl", False, True),
        ("Get-EventLog", False, True),
        ("more", False, True),
        ("Get-Mailbox", False, False),
    ],
)
def test_what_stock_shells_have(name: str, in_7: bool, in_51: bool) -> None:
    assert (fold(name) in baseline.load("pwsh-7")) is in_7
    assert (fold(name) in baseline.load("windows-powershell-5.1")) is in_51


def test_a_shell_without_commands() -> None:
    assert baseline.load("None") == frozenset()


@pytest.mark.parametrize(
    "content",
    [
        b"Get-A\nget-b\n",
        b"\xef\xbb\xbf# mine\r\n\r\n  Get-A  \r\nget-b\r\nGET-A",
        "Get-A\r\nget-b\r\n".encode("utf-16"),
        b"\xfe\xff" + "Get-A\nget-b".encode("utf-16-be"),
        b'["Get-A", "get-b"]',
        b'[{"Name": "Get-A", "CommandType": 8}, {"Name": "get-b"}]',
    ],
)
def test_lists_in_files(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "mine.txt"
    file.write_bytes(content)
    assert baseline.load(str(file)) == {"GET-A", "GET-B"}


def test_a_single_name_as_json(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_text(json.dumps({"Name": "Get-A"}))
    assert baseline.load(str(file)) == {"GET-A"}


@pytest.mark.parametrize(
    "content",
    [b"", b"# nothing\n", b"[1]", b"[{}]", b"[", b"[]", b"\xff\xfe\x00", b"\xe9\xe9"],
)
def test_files_that_are_no_list(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "mine.txt"
    file.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        baseline.load(str(file))
    assert caught.value.id == "ErrorBaseline"
    assert caught.value.target == str(file)
    assert baseline.CAPTURE in (caught.value.hint or "")


def test_a_name_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        baseline.load("pwsh-8")
    assert "pwsh-7, windows-powershell-5.1, none" in (caught.value.hint or "")
    with pytest.raises(UsageError, match="cannot be read"):
        baseline.load(str(tmp_path))


def test_capture_asks_once() -> None:
    asked = []

    def run(script: str) -> str:
        asked.append(script)
        return "Get-A\r\nGet-B\r\n"

    assert baseline.capture(run) == {"GET-A", "GET-B"}
    assert asked == [baseline.CAPTURE_SCRIPT]
    with pytest.raises(UsageError):
        baseline.capture(lambda script: "")


@pytest.mark.engine
def test_capture_from_an_engine(pwsh: str, tmp_path: Path) -> None:
    def powershell(script: str) -> str:
        command = [pwsh, "-NoLogo", "-NoProfile", "-NonInteractive", "-Command", script]
        return subprocess.run(
            command, capture_output=True, cwd=tmp_path, check=True, timeout=120
        ).stdout.decode("utf-8")

    captured = baseline.capture(powershell)
    assert {"GET-COMMAND", "IMPORT-MODULE", "GET-ITEM"} <= captured
    powershell(baseline.CAPTURE)
    assert baseline.load(str(tmp_path / "baseline.txt")) == captured
