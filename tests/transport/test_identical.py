"""The same host exported through every transport: the same module, byte for byte."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import psexport
from servers import sshd
from wsman_server import ADMIN, WsmanServer

pytestmark = pytest.mark.engine

#: Made of the host's name and of how it is reached.
OWN = re.compile(r" +(?:GUID|'en-US/about_\S+) = ")
HOSTS = re.compile(r"\b(?:pwsh|localhost|127\.0\.0\.1)\b")


def exported(session: psexport.Session, folder: Path) -> dict[str, str]:
    with session:
        result = psexport.export(
            session,
            str(folder / "Same"),
            command_name=["*-Job", "g*"],
            format_type_name=["System.V*"],
            allow_clobber=True,
        )
    assert len(result.commands) > 20
    assert result.formats
    return {
        file.path.name: HOSTS.sub("HOST", file.path.read_text("utf-8-sig"))
        for file in result.files
        if not file.path.name.startswith("about_")  # which is about the endpoint
    }


def test_modules_are_the_same(
    pwsh: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PSEXPORT_PASSWORD", ADMIN.password)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    made = {"pwsh": exported(psexport.connect(f"pwsh:{pwsh}"), tmp_path / "pwsh")}
    with WsmanServer(pwsh=pwsh, auth=["ntlm"]) as server:
        for kind in ("winrm", "winrs"):
            session = psexport.connect(
                f"{kind}://{ADMIN.name}@localhost:{server.port}", authentication="NTLM"
            )
            made[kind] = exported(session, tmp_path / kind)
        assert not server.open_shells
    if not sshd.unavailable():
        folder = tmp_path / "sshd"
        folder.mkdir()
        subsystems = {"powershell": sshd.powershell(pwsh)}
        with sshd.SshServer(folder, subsystems) as started:
            options = [f"{k}={v}" for k, v in started.client_options.items()]
            session = psexport.connect(
                host_name="127.0.0.1",
                port=started.port,
                user_name=started.user,
                key_file_path=str(started.key_file),
                options=options,
            )
            made["ssh"] = exported(session, tmp_path / "ssh")
    first = made.pop("pwsh")
    assert {"Same.psd1", "Same.psm1", "Same.format.ps1xml"} <= first.keys()
    assert len(made) >= 2
    for kind, files in made.items():
        assert files.keys() == first.keys(), kind
        for name, text in files.items():
            assert common(text) == common(first[name]), f"{kind}: {name}"


def common(text: str) -> list[str]:
    """The lines of a file that do not say how the host is reached."""
    begin, end = text.find("    Endpoint = @{"), 0
    if begin >= 0:
        end = text.index("\n    }", begin)
    text = text[: max(begin, 0)] + text[end:]
    return [line for line in text.splitlines() if not OWN.match(line)]
