"""``psexport sessions``: what is saved, and what stays of the file it is saved to."""

from __future__ import annotations

import io
import json
import os
import stat
import sys
import tomllib
import types
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psexport import settings
from psexport.cli import main
from psexport.connection import parse
from psexport.errors import PSExportError, UsageError

SECRET = "hunter2-Secret"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder as the current one, and a user who has saved nothing."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("APPDATA", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("PSEXPORT_PASSWORD", raising=False)
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def run(*words: str) -> tuple[int, str, str]:
    stdout, stderr = io.StringIO(), io.StringIO()
    code = main(["sessions", *words], stdout, stderr)
    return code, stdout.getvalue(), stderr.getvalue()


def listed(*words: str) -> list[dict[str, Any]]:
    code, said, problems = run("list", *words, "-AsJson")
    assert (code, problems) == (0, "")
    rows: list[dict[str, Any]] = json.loads(said)["sessions"]
    return rows


def user_file() -> Path:
    return settings.user_folder() / settings.FILE_NAME


def test_nothing_is_saved() -> None:
    assert run() == (0, "", "")
    assert listed() == []


def test_save_list_use_remove(here: Path) -> None:
    code, said, problems = run(
        *("save", "Server01", "-ComputerName", "server01.example.com", "-UseSSL"),
        *("-Credential", "me", "-Authentication", "kerb", "-OpenTimeout", "9000"),
    )
    assert (code, problems) == (0, "")
    assert "server01.example.com" in said
    assert tomllib.loads(user_file().read_text("utf-8")) == {
        "sessions": {
            "Server01": {
                "ComputerName": "server01.example.com",
                "UseSSL": True,
                "Credential": "me",
                "Authentication": "Kerberos",
                "OpenTimeout": 9000,
            }
        }
    }
    connection = parse("server01")
    assert (connection.user_name, connection.port) == ("me", 5986)
    rows = listed()
    assert [(one["name"], one["kind"], one["user"]) for one in rows] == [
        ("Server01", "wsman", "me")
    ]
    assert rows[0]["file"] == str(user_file())
    assert run("remove", "SERVER01") == (0, "", "")
    assert listed() == []


def test_what_is_here_comes_before_what_is_the_user_s(here: Path) -> None:
    assert run("save", "x", "-Session", "ssh://mine")[0] == 0
    assert run("save", "x", "-Session", "ssh://ours", "-Scope", "Project")[0] == 0
    assert [one["host"] for one in listed()] == ["ours"]
    # Saving goes where the name stands already, or to the file that is here.
    assert run("save", "X", "-Session", "ssh://ours2", "-Force")[0] == 0
    assert run("save", "y", "-Session", "ssh://new")[0] == 0
    assert sorted(settings.sessions([here])) == ["x", "y"]
    assert sorted(settings.sessions([user_file().parent])) == ["x"]
    assert run("remove", "x")[0] == 0
    assert [one["host"] for one in listed("x")] == ["mine"]


def test_paths_in_the_user_s_file_are_whole(here: Path) -> None:
    (here / "psexport.toml").write_text("")
    words = ("-Session", "replay:./r.gz")
    assert run("save", "p", *words)[0] == 0
    assert run("save", "u", *words, "-Scope", "User")[0] == 0
    ssh = ("-HostName", "h", "-KeyFilePath", "k", "-Scope", "User")
    assert run("save", "s", *ssh)[0] == 0
    assert parse("p").path == "./r.gz"
    assert parse("u").path == str(here / "r.gz")
    assert parse("s").key_file == str(here / "k")
    program = ("-Session", "pwsh:bin/pwsh?ConfigurationFile=x", "-Scope", "User")
    assert run("save", "l", *program)[0] == 0
    assert parse("l").path == str(here / "bin" / "pwsh")


REFUSED = [
    (("save",), "MissingMandatoryParameter"),
    (("test",), "MissingMandatoryParameter"),
    (("remove",), "MissingMandatoryParameter"),
    (("save", "x"), "ErrorSessionMissing"),
    (("save", "demo", "-Session", "demo"), "ErrorInvalidParameterValue"),
    (("save", "pwsh:", "-Session", "demo"), "ErrorInvalidParameterValue"),
    (("save", "x\x1b", "-Session", "demo"), "ErrorInvalidParameterValue"),
    (("save", "x", "-Session", "other"), "ErrorSessionNotFound"),
    (("save", "x", "-Session", "old"), "ErrorSessionSpec"),
    (("save", "x", "-Session", "gopher://x"), "ErrorSessionSpec"),
    (("save", "OLD", "-Session", "demo"), "ErrorSessionExists"),
    (("save", "x", "-Session", "demo", "-Port", "1"), "ErrorConflictingParameters"),
    (("save", "x", "-Session", "demo", "-Keyring"), "ErrorConflictingParameters"),
    (("list", "x"), "ErrorSessionNotFound"),
    (("test", "x"), "ErrorSessionNotFound"),
    (("remove", "ol"), "ErrorSessionNotFound"),
    (("remove", "old", "-Scope", "User"), "ErrorSessionNotFound"),
    (("forget", "old"), "CannotConvertArgumentNoMessage"),
]


@pytest.mark.parametrize(("words", "id"), REFUSED)
def test_what_is_refused_changes_nothing(
    words: tuple[str, ...], id: str, here: Path
) -> None:
    file = here / "psexport.toml"
    file.write_text('[sessions.old]\nSession = "demo"\n')
    code, said, problems = run(*words)
    assert (code, said) == (2, "")
    assert f"[{id}]" in problems
    assert file.read_text() == '[sessions.old]\nSession = "demo"\n'
    assert list(here.iterdir()) == [file]


SECRETS = [
    ("-Session", f"winrm://me:{SECRET}@h"),
    ("-Session", f"winrm://h?Password={SECRET}"),
    ("-ConnectionUri", f"https://me:{SECRET}@h/wsman"),
    ("-ConnectionUri", f"https://h/PowerShell/?access_token={SECRET}"),
    ("-ConnectionUri", f"https://h/PowerShell/?User=x&PASSWORD={SECRET}"),
    ("-Session", "winrm://h", "-ProxyUri", f"http://me:{SECRET}@proxy"),
    ("-Session", "winrm://h", "-Password", SECRET),
    ("-Session", "winrm://h", f"-pass:{SECRET}"),
]


@pytest.mark.parametrize("words", SECRETS)
def test_a_secret_is_never_saved(words: tuple[str, ...], here: Path) -> None:
    code, said, problems = run("save", "x", "-Scope", "Project", *words)
    assert code == 2
    assert SECRET not in said + problems
    assert "psexport:" in problems
    assert list(here.iterdir()) == []


def test_a_secret_that_somebody_wrote_is_not_shown(here: Path) -> None:
    (here / "psexport.toml").write_text(
        f"[sessions.x]\nSession = 'winrm://me:{SECRET}@h'\n"
        f"[sessions.y]\nSession = 'winrm://h'\nPassword = '{SECRET}'\n"
    )
    code, said, problems = run()
    assert code == 0
    assert SECRET not in said + problems
    assert ["password" in (one["problem"] or "") for one in listed()] == [True, True]


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], str]:
    """A keyring, as the package of that name offers it."""
    kept: dict[tuple[str, str], str] = {}
    fake = types.ModuleType("keyring")

    def set_password(service: str, name: str, password: str) -> None:
        if service == "locked":
            raise RuntimeError(password)
        kept[service, name] = password

    vars(fake)["set_password"] = set_password
    vars(fake)["get_password"] = lambda service, name: kept.get((service, name))
    monkeypatch.setitem(sys.modules, "keyring", fake)
    return kept


SAVE = ("save", "x", "-Session", "winrms://h", "-Credential", "me", "-Keyring")


def test_the_keyring_keeps_the_password(
    keyring: dict[tuple[str, str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PSEXPORT_PASSWORD", SECRET)
    code, said, problems = run(*SAVE)
    assert (code, problems) == (0, "")
    assert keyring == {("psexport", "me@h"): SECRET}
    assert SECRET not in said + user_file().read_text("utf-8")


def test_a_keyring_that_is_not_there_or_locked(
    monkeypatch: pytest.MonkeyPatch, keyring: dict[tuple[str, str], str]
) -> None:
    assert "[ErrorPasswordMissing]" in run(*SAVE)[2]
    monkeypatch.setenv("PSEXPORT_PASSWORD", SECRET)
    monkeypatch.setattr("psexport.secret._KEYRING_SERVICE", "locked")
    code, _, problems = run(*SAVE)
    assert (code, "[ErrorKeyringUnavailable]" in problems) == (2, True)
    assert SECRET not in problems
    monkeypatch.setitem(sys.modules, "keyring", None)
    code, _, problems = run(*SAVE)
    assert "not installed" in problems
    assert not user_file().exists()


def test_a_test(here: Path, recording: Path) -> None:
    assert run("save", "x", "-Session", f"replay:{recording}")[0] == 0
    code, said, problems = run("test", "x")
    assert (code, problems) == (0, "")
    assert said.startswith("x works: ")
    code, said, _ = run("test", "x", "-AsJson")
    assert json.loads(said)["name"] == "x"
    assert run("save", "y", "-Session", "replay:nope")[0] == 0
    code, said, problems = run("test", "y")
    assert (code, said) == (1, "")
    assert "psexport doctor y" in problems


FILE = """\
# Ours. Ask before you change it.
title = "x"  # a title

[sessions.one]  # the first
# how it is reached
session = "winrm://one"  # by name
Options = [
  "a=b",  # one
  "c=d",
]
Port = 5985

# the second
[sessions."two words"]
Session = "demo"

[other]
text = '''
[sessions.one]
Session = "no"
'''
"""


def change(folder: Path, text: str) -> Path:
    file = folder / settings.FILE_NAME
    file.write_bytes(text.encode())
    return file


def test_what_else_is_in_the_file_stays(here: Path) -> None:
    file = change(here, FILE)
    settings.save(file, "ONE", {"Session": "winrm://uno", "Port": 5985, "UseSSL": True})
    changed = FILE.replace(
        'session = "winrm://one"  # by name\n',
        'Session = "winrm://uno"  # by name\n',
    )
    begin, end = changed.index("Options"), changed.index("Port")
    changed = changed[:begin] + changed[end:]
    assert file.read_text() == changed.replace("5985\n", "5985\nUseSSL = true\n")
    settings.save(file, "three", {"Session": "demo"})
    assert file.read_text().endswith("'''\n\n[sessions.three]\nSession = \"demo\"\n")
    settings.remove(file, "one")
    settings.remove(file, "three")
    rest = file.read_text()
    assert '# the second\n[sessions."two words"]' in rest
    assert rest.startswith("# Ours. Ask before you change it.\n")
    assert sorted(settings.sessions([here])) == ["two words"]


def test_line_ends_and_permissions_stay(here: Path) -> None:
    file = change(here, "# x\r\n[sessions.a]\r\nSession = 'demo'")
    file.chmod(0o640)
    settings.save(file, "b", {"Session": "demo"})
    assert file.read_bytes() == (
        b"# x\r\n[sessions.a]\r\nSession = 'demo'\r\n\r\n"
        b'[sessions.b]\r\nSession = "demo"\r\n'
    )
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_a_link_stays_a_link(here: Path, tmp_path: Path) -> None:
    real = change(tmp_path, "# x\n")
    (here / "psexport.toml").symlink_to(real)
    settings.save(here / "psexport.toml", "a", {"Session": "demo"})
    assert (here / "psexport.toml").is_symlink()
    assert "[sessions.a]" in real.read_text()


@pytest.mark.parametrize(
    "text",
    [
        "sessions = {a = {Session = 'demo'}}",
        "[sessions]\na = {Session = 'demo'}",
        "[sessions]\na.Session = 'demo'\n",
        "[sessions.a\n",
        "sessions = 1",
        "[[sessions]]\nx = 1\n",
    ],
)
def test_a_file_that_is_not_understood_is_left_as_it_is(here: Path, text: str) -> None:
    file = change(here, text)
    with pytest.raises(UsageError) as caught:
        settings.save(file, "a", {"Session": "winrm://h"})
    assert caught.value.id == "ErrorSettingsUnreadable"
    assert file.read_bytes() == text.encode()


def test_a_file_that_cannot_be_written(here: Path) -> None:
    (here / "file").write_text("")
    with pytest.raises(PSExportError) as caught:
        settings.save(here / "file" / "psexport.toml", "a", {"Session": "demo"})
    assert caught.value.id == "ErrorSettingsNotWritten"


NAMES = st.text(
    st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20
) | st.sampled_from(["a.b", 'q"uote', "back\\slash", "[x]", "#", "ü", "\x7f", "\n"])
VALUES = st.dictionaries(
    st.sampled_from(["Session", "Port", "UseSSL", "Options"]),
    st.booleans()
    | st.integers(0, 2**31)
    | st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
    | st.lists(st.text(st.characters(exclude_categories=("Cs",)), max_size=5)),
)


@given(names=st.lists(NAMES, min_size=1, max_size=3), values=VALUES, other=VALUES)
def test_what_is_saved_is_read_again(
    names: list[str],
    values: dict[str, Any],
    other: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("settings")
    file = change(folder, FILE)
    before = tomllib.loads(FILE)
    for name in names:
        settings.save(file, name, other)
        settings.save(file, name, values)
        found = {
            known.lower(): said for known, said in settings.sessions([folder]).items()
        }
        assert found[name.lower()] == values
    for name in {name.lower(): name for name in names}.values():
        settings.remove(file, name)
    after = tomllib.loads(file.read_text("utf-8"))
    gone = {name.lower() for name in names}
    for name in [one for one in before["sessions"] if one.lower() in gone]:
        del before["sessions"][name]
    assert after == before
    assert file.read_text("utf-8").startswith("# Ours.")


def test_a_file_with_a_byte_order_mark(here: Path) -> None:
    file = here / settings.FILE_NAME
    file.write_bytes(b'\xef\xbb\xbf[sessions.a]\nSession = "demo"\n')
    assert [row["name"] for row in listed()] == ["a"]
    assert run("save", "b", "-ComputerName", "h", "-Scope", "Project")[0] == 0
    assert [row["name"] for row in listed()] == ["a", "b"]
