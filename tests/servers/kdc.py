"""A real Kerberos realm: MIT's KDC with its database in a folder of its own.

No system file is touched. The process that uses Kerberos must see `environment` from
its start or from before its first use of Kerberos: the C library reads KRB5_CONFIG
and KRB5_KTNAME, and a change later is not safe with threads. `Realm.install()` sets
them for this process.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import subprocess
import textwrap
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from .processes import Daemon, NotInstalledError, find_program, free_port

REALM = "PSEXPORT.TEST"
USER = "alice"
USER_PASSWORD = "Rabbit-Hole-3"
SERVER_NAME = "server01.psexport.test"
_PACKAGE = "krb5-kdc"
_SERVICES = ("host", "HTTP", "WSMAN")


def unavailable() -> str | None:
    """Why there can be no realm here, or None."""
    try:
        for name, package in (
            ("krb5kdc", _PACKAGE),
            ("kdb5_util", _PACKAGE),
            ("kadmin.local", "krb5-admin-server"),
            ("kinit", "krb5-user"),
        ):
            find_program(name, package)
    except NotInstalledError as error:
        return str(error)
    for name in ("gssapi", "krb5"):
        if importlib.util.find_spec(name) is None:
            return f"no Python package {name} (pip install 'pypsrp[kerberos]')"
    return None


class Realm:
    """A realm with one user and the services of `localhost` and `SERVER_NAME`.

    `folder` should be short-lived and private. `user_keytab` holds the user's key,
    `service_keytab` the services'. `clock_offset`, in seconds, makes the KDC's clock
    wrong (with Debian's faketime).
    """

    def __init__(self, folder: Path, *, clock_offset: int = 0) -> None:
        self.folder = folder
        self.port = free_port()
        self.principal = f"{USER}@{REALM}"
        self.user_keytab = folder / "user.keytab"
        self.service_keytab = folder / "service.keytab"
        self._clock_offset = clock_offset
        self._daemon: Daemon | None = None

    @property
    def environment(self) -> Mapping[str, str]:
        """What a process of this realm needs, client or service."""
        return {
            "KRB5_CONFIG": str(self.folder / "krb5.conf"),
            "KRB5_KTNAME": f"FILE:{self.service_keytab}",
            "KRB5CCNAME": f"FILE:{self.folder / 'no-such-cache'}",
        }

    def install(self) -> None:
        """Make this process, as it is, one of the realm. Once, before threads."""
        os.environ.update(self.environment)

    def start(self) -> Self:
        self._write_configuration()
        master = secrets.token_hex()
        self._run("kdb5_util", "create", "-s", "-r", REALM, "-P", master)
        self._administer(f"addprinc +requires_preauth -pw {USER_PASSWORD} {USER}")
        # -norandkey keeps the password valid beside the keytab.
        self._administer(f"ktadd -norandkey -k {self.user_keytab} {USER}")
        for host in ("localhost", SERVER_NAME):
            for service in _SERVICES:
                self._administer(f"addprinc -randkey {service}/{host}")
                self._administer(f"ktadd -k {self.service_keytab} {service}/{host}")
        command = [find_program("krb5kdc", _PACKAGE), "-n", "-r", REALM]
        if self._clock_offset:
            faketime = find_program("faketime", "faketime")
            command = [faketime, "-f", f"{self._clock_offset:+d}s", *command]
        self._daemon = Daemon(command, self.folder / "kdc.log", self._administration)
        self._daemon.wait_for_port(self.port)
        return self

    def stop(self) -> None:
        if self._daemon is not None:
            self._daemon.stop()
            self._daemon = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def ticket(self, name: str, *options: str, password: str = USER_PASSWORD) -> Path:
        """A credential cache with the user's ticket; `options` go to kinit.

        `-l 1s` gives one that expires at once, `-s 1h` one that is not yet valid,
        `-f` one that can be delegated.
        """
        cache = self.folder / name
        self._run(
            "kinit", "-c", f"FILE:{cache}", *options, self.principal, given=password
        )
        return cache

    @property
    def log(self) -> str:
        """What the KDC did: which tickets it gave to whom."""
        return (self.folder / "kdc.log").read_text(errors="replace")

    @property
    def _administration(self) -> dict[str, str]:
        profile = str(self.folder / "kdc.conf")
        return {**self.environment, "KRB5_KDC_PROFILE": profile}

    def _administer(self, query: str) -> None:
        self._run("kadmin.local", "-r", REALM, "-q", query)

    def _run(self, program: str, *arguments: str, given: str = "") -> None:
        result = subprocess.run(
            [find_program(program, _PACKAGE), *arguments],
            input=given,
            env={**os.environ, **self._administration},
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            raise RuntimeError(f"{program} {arguments[0]}: {result.stderr.strip()}")

    def _write_configuration(self) -> None:
        client = f"""\
            [libdefaults]
                default_realm = {REALM}
                dns_lookup_realm = false
                dns_lookup_kdc = false
                dns_canonicalize_hostname = false
                rdns = false
                udp_preference_limit = 1
                default_rcache_name = file2:{self.folder}/rcache
            [realms]
                {REALM} = {{
                    kdc = 127.0.0.1:{self.port}
                }}
            [domain_realm]
                localhost = {REALM}
                .psexport.test = {REALM}
            """
        server = f"""\
            [kdcdefaults]
                kdc_listen = 127.0.0.1:{self.port}
                kdc_tcp_listen = 127.0.0.1:{self.port}
            [realms]
                {REALM} = {{
                    database_name = {self.folder}/principal
                    key_stash_file = {self.folder}/stash
                    acl_file = {self.folder}/acl
                    max_life = 1h
                    max_renewable_life = 2h
                    supported_enctypes = aes256-cts-hmac-sha1-96:normal
                }}
            [logging]
                kdc = FILE:{self.folder}/kdc.log
            """
        _write(self.folder / "krb5.conf", client)
        _write(self.folder / "kdc.conf", server)


def _write(path: Path, text: str) -> None:
    path.write_text(textwrap.dedent(text), encoding="utf-8")
