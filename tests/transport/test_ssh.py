"""PowerShell over SSH: the command line, and a real sshd on loopback."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from psexport.connection import Connection, parse
from psexport.errors import TransportError
from psexport.transport import connect, ssh
from psexport.transport.base import Call, Commands, Limits, PipelineState, Script
from servers import sshd

FAKE = shlex.join([sys.executable, str(Path(__file__).with_name("fake_host.py"))])
LIMITS = Limits(open=30, silence=30, close=5)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sshd.SshServer]:
    if reason := sshd.unavailable():
        pytest.skip(reason)
    subsystems = {
        "powershell": f"{FAKE} good",
        "dying": f"{FAKE} die",
        "immediate": f"{FAKE} immediate",
    }
    folder = tmp_path_factory.mktemp("sshd")
    with sshd.SshServer(
        folder, subsystems, banner="Unauthorised use is watched.", noise="Hello there!"
    ) as started:
        yield started


def to(server: sshd.SshServer, **changes: object) -> Connection:
    options = {
        **server.client_options,
        **{k: str(v) for k, v in changes.items() if k[0].isupper()},
    }
    named = {k: v for k, v in changes.items() if k[0].islower()}
    return parse(
        None,
        {
            "HostName": str(named.get("host", "127.0.0.1")),
            "Port": str(named.get("port", server.port)),
            "UserName": server.user,
            "KeyFilePath": str(named.get("key", server.key_file)),
            "Subsystem": str(named.get("subsystem", "powershell")),
            "Options": [f"{name}={value}" for name, value in options.items()],
        },
    )


def test_a_session_over_ssh(server: sshd.SshServer) -> None:
    with connect(to(server), limits=LIMITS) as session:
        assert session.name == "127.0.0.1"
        with session.ask(Commands((Call("Get-It"),))) as answer:
            assert next(iter(answer)).data == b"<S>hello</S>"


@pytest.mark.engine
def test_a_powershell_over_ssh(pwsh: str, tmp_path: Path) -> None:
    if reason := sshd.unavailable():
        pytest.skip(reason)
    subsystems = {"powershell": sshd.powershell(pwsh)}
    with (
        sshd.SshServer(tmp_path, subsystems) as server,
        connect(to(server), limits=LIMITS) as session,
        session.ask(Script("$PSSenderInfo.ApplicationArguments.ClientName")) as answer,
    ):
        records = list(answer)
    assert records[0].data == b"<S>psexport</S>"
    assert records[-1].state is PipelineState.COMPLETED


@pytest.mark.parametrize(
    ("changes", "phase", "words"),
    [
        ({"subsystem": "nothing"}, "open", "no such ssh subsystem"),
        ({"key": "other"}, "logon", "does not let you log on"),
        ({"key": "/no/such/key"}, "logon", "log on"),
        ({"UserKnownHostsFile": "/dev/null"}, "connect", "key is unknown"),
        ({"port": 1}, "connect", "refuses connections"),
        ({"host": "no-such-host.invalid"}, "resolve", "name of the host"),
        ({"NoSuchOption": "x"}, "connect", "does not know an option"),
        ({"subsystem": "immediate"}, "open", "ended with exit code 7"),
    ],
    ids=str,
)
def test_each_failure_has_its_message(
    server: sshd.SshServer, changes: dict[str, object], phase: str, words: str
) -> None:
    if changes.get("key") == "other":
        changes = {"key": server.other_key_file}
    with pytest.raises(TransportError) as caught:
        connect(to(server, StrictHostKeyChecking="yes", **changes), limits=LIMITS)
    error = caught.value
    assert words in error.message
    assert (error.id, error.phase) == ("ErrorSessionOpen", phase)
    assert error.hint
    assert error.target


def test_a_host_that_dies_over_ssh(server: sshd.SshServer) -> None:
    with connect(to(server, subsystem="dying"), limits=LIMITS) as session:
        with pytest.raises(TransportError) as caught:
            list(session.ask(Commands((Call("Get-It"),))))
        assert caught.value.id == "ErrorSessionBroken"
        # sshd does not pass on what a subsystem says on standard error.
        assert "ended with exit code 3" in caught.value.message


def test_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}")
    assert ssh.command(parse("ssh://server01"), interactive=True) == [
        *("/bin/ssh", "-T", "-o", "LogLevel=ERROR"),
        *("-s", "--", "server01", "powershell"),
    ]
    spec = "ssh://me@[::1]:2222?KeyFilePath=k&Subsystem=pwsh&Options=A=b&Options=C=d"
    assert ssh.command(parse(spec), interactive=False) == [
        *("/bin/ssh", "-T", "-o", "BatchMode=yes", "-o", "A=b", "-o", "C=d"),
        *(
            "-o",
            "LogLevel=ERROR",
            "-p",
            "2222",
            "-i",
            "k",
            "-l",
            "me",
            "-s",
            "--",
            "::1",
            "pwsh",
        ),
    ]
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(TransportError) as caught:
        ssh.command(parse("ssh://server01"), interactive=False)
    assert caught.value.id == "ErrorSshNotFound"
