"""Secrets: where they come from, and that they show nowhere."""

from __future__ import annotations

import copy
import json
import os
import pickle
import sys
import types
from pathlib import Path

import pytest

from psexport.errors import UsageError
from psexport.secret import Secret, is_open_to_others, password_of


@pytest.fixture(autouse=True)
def _no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)


def test_it_shows_nowhere() -> None:
    secret = Secret(lambda: "hunter2")
    assert secret.reveal() == "hunter2"
    shown = f"{secret} {secret!r} {secret:>20} {[secret]} %s" % secret
    assert "hunter2" not in shown
    for write in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps):
        with pytest.raises(TypeError):
            write(secret)


def test_it_is_looked_for_once_and_late() -> None:
    asked = []

    def source() -> str:
        asked.append(1)
        return "x"

    secret = Secret(lambda: None, source)
    assert asked == []
    assert [secret.reveal(), secret.reveal()] == ["x", "x"]
    assert asked == [1]


def test_the_order_of_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "p"
    file.write_bytes(b"\xef\xbb\xbffrom file\r\nsecond line")
    keyring = types.ModuleType("keyring")
    keyring.get_password = lambda service, name: f"{service} {name}"  # type: ignore[attr-defined]

    def password(environ: dict[str, str], path: str) -> str:
        return password_of(
            "me", "h", file=path, prompt=lambda text: f"said to {text}", environ=environ
        ).reveal()

    assert password({"PSEXPORT_PASSWORD": "from env"}, str(file)) == "from env"
    assert password({"PSEXPORT_PASSWORD": ""}, str(file)) == ""
    assert password({}, str(file)) == "from file"
    assert password({}, "") == "said to Password of me at h: "
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    assert password({}, "") == "psexport me@h"


def test_none_is_an_error() -> None:
    with pytest.raises(UsageError) as caught:
        password_of("me", "h", environ={}).reveal()
    assert caught.value.id == "ErrorPasswordMissing"


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00", b"", b"\r\nlater"])
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "p"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        password_of("me", "h", file=str(file), environ={}).reveal()
    assert caught.value.id == "ErrorPasswordUnreadable"
    assert caught.value.target == str(file)


@pytest.mark.skipif(os.name != "posix", reason="needs permissions of POSIX")
def test_who_may_read_a_file(tmp_path: Path) -> None:
    file = tmp_path / "p"
    file.write_text("x")
    found = []
    for mode in (0o600, 0o640, 0o604, 0o400):
        file.chmod(mode)
        found.append(is_open_to_others(str(file)))
    assert found == [False, True, True, False]
    assert not is_open_to_others(str(tmp_path / "none"))
    assert not is_open_to_others("")
