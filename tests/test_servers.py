"""The real counterparts: each does what its clients expect, and ends."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from pypsrp.wsman import WSMan

from servers import NotInstalledError, kdc, sshd
from servers.certificates import Certificates, Pair
from servers.kdc import Realm
from servers.processes import Daemon, find_program, free_port
from servers.proxy import Proxy
from servers.sshd import SshServer
from wsman_server import ADMIN, ServerTls, WsmanServer, soap
from wsman_server.clients import wait_until


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_missing_program_says_what_to_install() -> None:
    with pytest.raises(NotInstalledError, match=r"no-such-daemon .*package a-package"):
        find_program("no-such-daemon", "a-package")


def test_a_daemon_that_ends_tells_why(tmp_path: Path) -> None:
    daemon = Daemon(["/bin/sh", "-c", "echo sorry >&2; exit 1"], tmp_path / "log")
    with pytest.raises(RuntimeError, match="sorry"):
        daemon.wait_for_port(free_port())


def test_a_daemon_ends_with_a_killed_run(tmp_path: Path) -> None:
    port = free_port()
    script = (
        "import pathlib, sys, time\n"
        "from servers.processes import Daemon\n"
        "serve = [sys.executable, '-m', 'http.server', '--bind', '127.0.0.1']\n"
        f"daemon = Daemon([*serve, '{port}'], pathlib.Path('log'))\n"
        f"daemon.wait_for_port({port})\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        stdout=subprocess.PIPE,
    )
    with run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"ready\n"
        run.kill()
    wait_until(lambda: not is_open(port))


# Certificates


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("server", None),
        ("expired", "expired"),
        ("not_yet_valid", "not yet valid"),
        ("wrong_name", "localhost|match"),
        ("self_signed", "self.signed"),
    ],
)
def test_certificates(
    certificates: Certificates, name: str, complaint: str | None
) -> None:
    pair: Pair = getattr(certificates, name)
    tls = ServerTls(pair.certificate_file, pair.key_file)
    with WsmanServer(auth=["basic"], tls=tls) as server:

        def knock() -> int:
            trusted = str(certificates.authority)
            with requests.Session() as session:
                session.trust_env = False
                return session.post(server.url, verify=trusted, timeout=10).status_code

        if complaint is None:
            assert knock() == 401
        else:
            with pytest.raises(requests.exceptions.SSLError, match=complaint):
                knock()


# Kerberos


def test_the_realm_gives_tickets(realm: Realm) -> None:
    cache = realm.ticket("delegable", "-f")
    assert cache.stat().st_size > 0
    assert realm.principal in realm.log
    with pytest.raises(RuntimeError, match="kinit"):
        realm.ticket("refused", password="no")


def test_the_keytab_works_beside_the_password(realm: Realm) -> None:
    result = subprocess.run(
        [
            *(find_program("kinit", "krb5-user"), "-k", "-t", str(realm.user_keytab)),
            *("-c", f"FILE:{realm.folder / 'by-keytab'}", realm.principal),
        ],
        env=dict(realm.environment),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr


def test_the_realm_ends(tmp_path: Path) -> None:
    reason = kdc.unavailable()
    if reason:
        pytest.skip(reason)
    with Realm(tmp_path) as realm:
        assert is_open(realm.port)
    assert not is_open(realm.port)


def test_a_wrong_clock_is_noticed(tmp_path: Path) -> None:
    reason = kdc.unavailable()
    if reason or shutil.which("faketime") is None:
        pytest.skip(reason or "faketime is not installed")
    with Realm(tmp_path, clock_offset=7200) as realm:
        cache = realm.ticket("skewed")
        listing = subprocess.run(
            [find_program("klist", "krb5-user"), "-s", "-c", f"FILE:{cache}"],
            env=dict(realm.environment),
            check=False,
        )
        # The ticket begins in two hours, as this machine counts.
        assert listing.returncode == 0
        assert realm.log


# SSH


@pytest.fixture
def ssh_server(tmp_path: Path) -> Iterator[SshServer]:
    reason = sshd.unavailable()
    if reason:
        pytest.skip(f"no SSH server: {reason}")
    with SshServer(tmp_path, {"echo": "/bin/cat"}, noise="Welcome!") as server:
        yield server


def ssh(
    server: SshServer, *command: str, key: Path | None = None
) -> subprocess.CompletedProcess[str]:
    options = [
        word
        for name, value in server.client_options.items()
        for word in ("-o", f"{name}={value}")
    ]
    return subprocess.run(
        [
            *("ssh", "-F", "none", *options, "-i", str(key or server.key_file)),
            *("-p", str(server.port), f"{server.user}@127.0.0.1", *command),
        ],
        input="hello\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )


def test_ssh_subsystems(ssh_server: SshServer) -> None:
    answer = ssh(ssh_server, "-s", "echo")
    assert answer.stdout == "Welcome!\nhello\n", answer.stderr
    missing = ssh(ssh_server, "-s", "powershell")
    assert missing.returncode != 0
    assert "subsystem request failed" in missing.stderr


def test_ssh_refuses_other_keys(ssh_server: SshServer) -> None:
    answer = ssh(ssh_server, "-s", "echo", key=ssh_server.other_key_file)
    assert answer.returncode == 255
    assert "Permission denied" in answer.stderr


@pytest.mark.engine
def test_ssh_powershell(pwsh: str, tmp_path: Path) -> None:
    reason = sshd.unavailable()
    if reason:
        pytest.skip(f"no SSH server: {reason}")
    subsystems = {"powershell": sshd.powershell(pwsh)}
    with SshServer(tmp_path, subsystems, banner="Be good.\n") as server:
        guid = "00000000-0000-0000-0000-000000000000"
        options = [
            word
            for name, value in server.client_options.items()
            for word in ("-o", f"{name}={value}")
        ]
        process = subprocess.Popen(
            [
                *("ssh", "-F", "none", *options, "-i", str(server.key_file)),
                *("-p", str(server.port), f"{server.user}@127.0.0.1"),
                *("-s", "powershell"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        out, errors = process.communicate(f"<Close PSGuid='{guid}' />\n", timeout=20)
        assert f"<CloseAck PSGuid='{guid}' />" in out, errors
        assert "Be good." in errors


# Proxy


@pytest.fixture
def target(certificates: Certificates) -> Iterator[WsmanServer]:
    pair = certificates.server
    tls = ServerTls(pair.certificate_file, pair.key_file)
    with WsmanServer(auth=["basic"], tls=tls) as server:
        yield server


def through(proxy_url: str, server: WsmanServer, certificates: Certificates) -> int:
    with requests.Session() as session:
        session.trust_env = False
        answer = session.post(
            server.url,
            proxies={"http": proxy_url, "https": proxy_url},
            verify=str(certificates.authority),
            timeout=10,
        )
        return answer.status_code


def test_proxy_tunnels_and_forwards(
    target: WsmanServer, certificates: Certificates
) -> None:
    with Proxy() as proxy:
        assert through(proxy.url, target, certificates) == 401
        assert proxy.requests == [f"CONNECT localhost:{target.port}"]
    with WsmanServer(auth=["ntlm"]) as plain, Proxy() as proxy:
        client = WSMan(
            "localhost",
            port=plain.port,
            ssl=False,
            auth="ntlm",
            username=ADMIN.name,
            password=ADMIN.password,
            proxy=proxy.url,
        )
        with client:
            client.get(soap.CONFIG)
        assert plain.exchanges[-1].encrypted
        assert set(proxy.requests) == {f"POST {plain.url}"}


@pytest.mark.parametrize("status", [403, 407, 502])
def test_proxy_refuses(
    target: WsmanServer, certificates: Certificates, status: int
) -> None:
    with (
        Proxy(refuse=status) as proxy,
        pytest.raises(requests.exceptions.ProxyError, match=str(status)),
    ):
        through(proxy.url, target, certificates)
    assert target.exchanges == []


def test_proxy_wants_a_password(
    target: WsmanServer, certificates: Certificates
) -> None:
    with Proxy(user="me", password="mine") as proxy:
        with pytest.raises(requests.exceptions.ProxyError, match="407"):
            through(proxy.url, target, certificates)
        with_password = proxy.url.replace("//", "//me:mine@")
        assert through(with_password, target, certificates) == 401


def test_proxy_cuts_a_tunnel(target: WsmanServer, certificates: Certificates) -> None:
    with (
        Proxy(cut_after=100) as proxy,
        pytest.raises(requests.exceptions.ConnectionError),
    ):
        through(proxy.url, target, certificates)
