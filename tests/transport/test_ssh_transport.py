"""PowerShell over SSH: the command line, and a real sshd on loopback."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from psexport.connection import Connection, parse
from psexport.errors import TransportError
from psexport.transport import connect, ssh
from psexport.transport.base import Call, Commands, Limits, PipelineState, Script
from servers import sshd
from wsman_server import WsmanServer

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


#: By what is said: what ssh and WSMan both know has one id.
_IDS = {
    "does not let you log on": "ErrorLogonFailed",
    "no private key /no/such/key": "ErrorLogonFailed",
    "refuses connections": "ErrorHostUnreachable",
    "name of the host": "ErrorHostNotFound",
}


@pytest.mark.parametrize(
    ("changes", "phase", "words"),
    [
        ({"subsystem": "nothing"}, "open", "no such ssh subsystem"),
        ({"key": "other"}, "logon", "does not let you log on"),
        ({"key": "/no/such/key"}, "logon", "no private key /no/such/key"),
        ({"key": "open"}, "logon", "private key cannot be used"),
        ({"UserKnownHostsFile": "/dev/null"}, "connect", "key is unknown"),
        ({"UserKnownHostsFile": "other"}, "connect", "not the one that is known"),
        (
            {"KexAlgorithms": "diffie-hellman-group1-sha1"},
            "connect",
            "does not say why",
        ),
        ({"port": "http"}, "connect", "no ssh server"),
        ({"port": 1}, "connect", "refuses connections"),
        ({"host": "no-such-host.invalid"}, "resolve", "name of the host"),
        ({"NoSuchOption": "x"}, "connect", "does not know an option"),
        ({"subsystem": "immediate"}, "open", "ended with exit code 7"),
    ],
    ids=str,
)
def test_each_failure_has_its_message(
    server: sshd.SshServer,
    changes: dict[str, object],
    phase: str,
    words: str,
    tmp_path: Path,
) -> None:
    if changes.get("key") == "other":
        changes = {"key": server.other_key_file}
    if changes.get("key") == "open":
        (tmp_path / "key").write_bytes(server.key_file.read_bytes())
        (tmp_path / "key").chmod(0o644)
        changes = {"key": tmp_path / "key"}
    if changes.get("UserKnownHostsFile") == "other":
        key = (server.folder / "other_key.pub").read_text()
        (tmp_path / "known").write_text(f"[127.0.0.1]:{server.port} {key}")
        changes = {"UserKnownHostsFile": tmp_path / "known"}
    with ExitStack() as stack:
        if changes.get("port") == "http":
            web = stack.enter_context(WsmanServer(auth=["basic"]))
            changes = {"port": web.port}
        caught = stack.enter_context(pytest.raises(TransportError))
        connect(to(server, StrictHostKeyChecking="yes", **changes), limits=LIMITS)
    error = caught.value
    assert words in error.message
    assert (error.id, error.phase) == (_IDS.get(words, "ErrorSessionOpen"), phase)
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


LOGIN = """
import os, sys
# The first terminal that a session's leader opens is its own.
os.open(os.ttyname(0), os.O_RDWR)
from psexport.connection import parse
from psexport.transport import connect
from psexport.transport.base import Call, Commands
options = [f"{n}={v}" for n, v in (pair.split("=", 1) for pair in sys.argv[3:])]
given = {"Options": options, "KeyFilePath": sys.argv[2]}
with connect(parse(sys.argv[1], given)) as session:
    with session.ask(Commands((Call("Get-It"),))) as answer:
        print(next(iter(answer)).data.decode())
"""


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_ssh_asks_at_the_terminal(server: sshd.SshServer, tmp_path: Path) -> None:
    locked = tmp_path / "key"
    locked.write_bytes(server.key_file.read_bytes())
    locked.chmod(0o600)
    command = [
        "ssh-keygen",
        "-q",
        "-p",
        "-P",
        "",
        "-N",
        "opensesame",
        "-f",
        str(locked),
    ]
    subprocess.run(command, check=True, capture_output=True)
    options = [
        f"{name}={value}"
        for name, value in server.client_options.items()
        if name != "BatchMode"
    ]
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", LOGIN, server.url, str(locked), *options],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    answered = False
    try:
        # At its end a terminal gives an error on Linux, and nothing elsewhere.
        with contextlib.suppress(OSError):
            while chunk := os.read(ours, 4096):
                shown += chunk
                if b"passphrase" in shown and not answered:
                    answered = True
                    os.write(ours, b"opensesame\n")
        assert process.wait(30) == 0, shown
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert answered
    assert b"<S>hello</S>" in shown
