"""What is wrong with a host over ssh: a real sshd, and transcripts of ``ssh -v``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from patients import cause, examine, outcome

from psexport.doctor.ssh import Transcript, read
from servers import sshd
from servers.processes import free_port
from servers.sshd import SshServer

pytestmark = pytest.mark.usefixtures("hurry")


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    """An sshd whose one subsystem is no PowerShell."""
    if reason := sshd.unavailable():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("sshd")
    with SshServer(
        folder, {"other": "/bin/false"}, banner="Welcome\x1b[2J!"
    ) as started:
        yield started


def options(host: SshServer, **other: str) -> list[str]:
    known = {**host.client_options, **other}
    return [f"{name}={value}" for name, value in known.items()]


def test_no_subsystem(host: SshServer) -> None:
    diagnosis = examine(host.url, Options=options(host), KeyFilePath=str(host.key_file))
    assert cause(diagnosis) == "SubsystemMissing", diagnosis.to_json()
    assert outcome(diagnosis, "logon") == "ok"
    advice = diagnosis.verdict.cause
    assert advice is not None
    assert any("Subsystem powershell " in line for line in advice.on_host)
    assert "\x1b" not in repr(diagnosis)


def test_a_subsystem_that_is_no_powershell(host: SshServer) -> None:
    diagnosis = examine(
        host.url,
        Options=options(host),
        KeyFilePath=str(host.key_file),
        Subsystem="other",
    )
    assert outcome(diagnosis, "subsystem") == "ok"
    assert cause(diagnosis) == "ErrorSessionOpen"


def test_a_refused_key(host: SshServer) -> None:
    diagnosis = examine(
        host.url, Options=options(host), KeyFilePath=str(host.other_key_file)
    )
    assert cause(diagnosis) == "SshRefused", diagnosis.to_json()
    assert outcome(diagnosis, "hostKey") == "ok"


def test_no_key(host: SshServer, tmp_path: Path) -> None:
    given = options(host, IdentityFile=str(tmp_path / "nothing"))
    assert cause(examine(host.url, Options=given)) == "SshNoKey"
    named = examine(host.url, Options=given, KeyFilePath=str(tmp_path / "nothing"))
    assert cause(named) == "KeyFileMissing"


def test_an_unknown_host_key(host: SshServer, tmp_path: Path) -> None:
    given = options(host, UserKnownHostsFile=str(tmp_path / "nothing"))
    diagnosis = examine(host.url, Options=given, KeyFilePath=str(host.key_file))
    assert cause(diagnosis) == "HostKeyUnknown", diagnosis.to_json()
    relaxed = [*given, "StrictHostKeyChecking=no"]
    diagnosis = examine(host.url, Options=relaxed, KeyFilePath=str(host.key_file))
    assert outcome(diagnosis, "hostKey") == "warning"


def test_a_changed_host_key(host: SshServer, tmp_path: Path) -> None:
    known = tmp_path / "known_hosts"
    other = host.other_key_file.with_suffix(".pub").read_text(encoding="utf-8")
    known.write_text(f"[127.0.0.1]:{host.port} {other}", encoding="utf-8")
    given = options(host, UserKnownHostsFile=str(known))
    diagnosis = examine(host.url, Options=given, KeyFilePath=str(host.key_file))
    assert cause(diagnosis) == "HostKeyChanged", diagnosis.to_json()


def test_an_option_that_ssh_does_not_know(host: SshServer) -> None:
    diagnosis = examine(host.url, Options=["NoSuchOption=1"])
    assert cause(diagnosis) == "SshConfiguration"


def test_nobody_listens() -> None:
    diagnosis = examine(f"ssh://localhost:{free_port()}")
    assert cause(diagnosis) == "PortRefused"
    advice = diagnosis.verdict.cause
    assert advice is not None
    assert "sshd" in advice.on_host[0]


def test_no_ssh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert cause(examine("ssh://localhost")) == "ErrorSshNotFound"


@pytest.mark.engine
def test_all_is_well(pwsh: str, tmp_path: Path) -> None:
    if reason := sshd.unavailable():
        pytest.skip(reason)
    subsystems = {"powershell": sshd.powershell(pwsh)}
    with SshServer(tmp_path, subsystems, noise="Hello from a profile") as host:
        diagnosis = examine(
            host.url, Options=options(host), KeyFilePath=str(host.key_file)
        )
    assert cause(diagnosis) == "", diagnosis.to_json()
    assert {one.outcome.value for one in diagnosis.steps} == {"ok"}


TRANSCRIPTS = [
    ("", Transcript()),
    (
        "debug1: Server host key: ssh-ed25519 SHA256:abc\n"
        "debug1: Host 'h' is known and matches the ED25519 host key.\n"
        "debug1: Authentications that can continue: publickey\n"
        "debug1: Offering public key: /k ED25519 SHA256:x explicit\n"
        "debug1: Authentications that can continue: publickey,password\n"
        "me@h: Permission denied (publickey,password).\n",
        Transcript(
            key="ssh-ed25519 SHA256:abc",
            key_known=True,
            methods=("publickey", "password"),
            tried=("/k ED25519 SHA256:x explicit",),
            complaint="me@h: Permission denied (publickey,password).",
        ),
    ),
    (
        'Authenticated to h ([10.0.0.1]:22) using "publickey".\r\n'
        "subsystem request failed on channel 0\r\n",
        Transcript(
            method="publickey",
            subsystem_refused=True,
            complaint="subsystem request failed on channel 0",
        ),
    ),
    # A host's banner stands among ssh's own words, and may be anything.
    ("debug1: Server host key: " + "A" * 10_000, Transcript()),
    ("\0\x1b[2J\r\n" * 1000 + "the end", Transcript(complaint="the end")),
]


@pytest.mark.parametrize(("text", "expected"), TRANSCRIPTS)
def test_transcripts(text: str, expected: Transcript) -> None:
    assert read(text) == expected
