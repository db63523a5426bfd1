"""Hosts that work, each kind of them, and endpoints that lack something."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from patients import cause, examine, outcome

from clixml_text import Object, write
from command_records import metadata
from fake_session import FakeSession, output
from psexport import doctor
from psexport.connection import Connection, Kind, parse
from psexport.doctor import Outcome, logons
from psexport.doctor.session import REQUIRED, WANTED
from psexport.doctor.visit import Visit
from psexport.transport import logon
from recorded_host import write_recording
from servers import kdc
from wsman_server import ADMIN, Endpoint, Fault, ServerTls, Stall, WsmanServer
from wsman_server.clients import wait_until

RESTRICTED = (
    "@{ SchemaVersion='2.0.0.0'; GUID='2ad62f1c-6cf2-4b0e-a1a3-a1b1b1b1b1b1'; "
    "SessionType='RestrictedRemoteServer'; LanguageMode='NoLanguage' }"
)
EMPTY = (
    "@{ SchemaVersion='2.0.0.0'; GUID='2ad62f1c-6cf2-4b0e-a1a3-a1b1b1b1b1b2'; "
    "SessionType='Empty'; LanguageMode='NoLanguage'; VisibleCmdlets='Get-Command' }"
)


def facts(diagnosis: doctor.Diagnosis, step: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in diagnosis.steps:
        for finding in one.findings if one.name == step else ():
            found.update(finding.facts)
    return found


def test_the_demo_host() -> None:
    diagnosis = examine("demo")
    assert cause(diagnosis) == ""
    assert facts(diagnosis, "endpoint")["languageMode"] == "FullLanguage"
    assert facts(diagnosis, "rehearsal")["commands"] == 1


def test_a_recording(tmp_path: Path) -> None:
    path = write_recording(tmp_path)
    diagnosis = examine(f"replay:{path}")
    assert outcome(diagnosis, "session") == "ok"
    path.write_bytes(b"junk")
    assert cause(examine(f"replay:{path}")) == "ErrorRecordingUnreadable"
    assert cause(examine("replay:/nowhere")) == "FileUnusable"
    assert cause(examine(f"catalog:{path}")) == "ErrorSessionOffline"


@pytest.mark.engine
def test_a_local_process(pwsh: str, tmp_path: Path) -> None:
    diagnosis = examine(f"pwsh:{pwsh}")
    assert cause(diagnosis) == "", diagnosis.to_json()
    assert abs(facts(diagnosis, "hostClock")["skew"]) < 5
    restricted = tmp_path / "r.pssc"
    restricted.write_text(RESTRICTED)
    diagnosis = examine(f"pwsh:{pwsh}", ConfigurationFile=str(restricted))
    assert cause(diagnosis) == "", diagnosis.to_json()
    assert facts(diagnosis, "endpoint")["languageMode"] is None
    restricted.write_text(EMPTY)
    diagnosis = examine(f"pwsh:{pwsh}", ConfigurationFile=str(restricted))
    assert cause(diagnosis) == "CommandMissing", diagnosis.to_json()
    step = next(one for one in diagnosis.steps if one.name == "commands")
    assert {one.facts["command"] for one in step.findings} <= {*REQUIRED, *WANTED}


def test_a_program_that_is_no_powershell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "pwsh"
    assert cause(examine(f"pwsh:{program}")) == "ProgramUnusable"
    program.write_text("#!/bin/sh\necho I am no PowerShell >&2\nexit 3\n")
    assert cause(examine(f"pwsh:{program}")) == "ProgramUnusable"
    program.chmod(stat.S_IRWXU)
    diagnosis = examine(f"pwsh:{program}")
    assert cause(diagnosis) == "ErrorSessionOpen"
    assert "I am no PowerShell" in diagnosis.verdict.text
    program.write_text("#!/bin/sh\nsleep 30\n")
    diagnosis = examine(f"pwsh:{program}", OpenTimeout=300)
    assert cause(diagnosis) == "ErrorSessionTimeout"
    given = {"ConfigurationFile": str(tmp_path / "nowhere.pssc")}
    assert cause(examine(f"pwsh:{program}", **given)) == "ConfigurationFileUnusable"
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.delenv("PSEXPORT_PWSH", raising=False)
    assert cause(examine("pwsh:")) == "ErrorPowerShellNotFound"


@pytest.mark.engine
def test_a_windows_host(
    pwsh: str, tmp_path: Path, tls: ServerTls, certificates: Any
) -> None:
    restricted = tmp_path / "r.pssc"
    restricted.write_text(RESTRICTED)
    endpoints = {
        "Microsoft.PowerShell": Endpoint(),
        "Jea": Endpoint(configuration_file=restricted),
    }
    given = {
        "UserName": ADMIN.name,
        "Authentication": "NTLM",
        "CAFile": str(certificates.authority),
    }
    with WsmanServer(
        pwsh=pwsh, auth=["negotiate"], tls=tls, endpoints=endpoints
    ) as host:
        address = f"winrms://localhost:{host.port}"
        diagnosis = examine(address, **given)
        assert cause(diagnosis) == "", diagnosis.to_json()
        assert facts(diagnosis, "quotas")["MaxEnvelopeSizekb"] == 500
        assert "10.0.20348" in facts(diagnosis, "logon")["version"]
        diagnosis = examine(address, ConfigurationName="Jea", **given)
        assert cause(diagnosis) == "", diagnosis.to_json()
        assert facts(diagnosis, "endpoint")["languageMode"] is None
        diagnosis = examine(address, ConfigurationName="Nope", **given)
        assert cause(diagnosis) == "ErrorConfigurationNotFound"
        assert facts(diagnosis, "session")["works"] == "Microsoft.PowerShell"
        assert host.open_shells == []


def test_kerberos(realm: kdc.Realm, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {"Authentication": "Kerberos"}
    with WsmanServer(auth=["negotiate", "kerberos"]) as host:
        address = f"winrm://localhost:{host.port}"
        user = realm.principal
        diagnosis = examine(address, kdc.USER_PASSWORD, UserName=user, **given)
        assert outcome(diagnosis, "logon") == "ok", diagnosis.to_json()
        diagnosis = examine(address, "wrong-password", UserName=user, **given)
        assert cause(diagnosis) == "LogonRefused"
        stranger = f"nobody@{kdc.REALM}"
        diagnosis = examine(address, "wrong-password", UserName=stranger, **given)
        assert cause(diagnosis) == "ServiceUnknown"
        diagnosis = examine(address, None, **given)
        assert cause(diagnosis) == "NoTicket"


@pytest.mark.parametrize("offset", [7200, -7200])
def test_a_wrong_clock_here(offset: int, realm: kdc.Realm) -> None:
    """Kerberos's own words depend on which way it is wrong; the cause does not."""
    faketime = shutil.which("faketime")
    if faketime is None:
        pytest.skip("faketime is not installed")
    cache = realm.ticket(f"clock{offset}")
    with WsmanServer(auth=["kerberos"]) as host:
        told = subprocess.run(
            [
                *(faketime, "-f", f"{offset:+d}s", sys.executable, "-m", "psexport"),
                *("doctor", f"winrm://localhost:{host.port}", "-AsJson"),
                *("-Authentication", "Kerberos"),
            ],
            env={**os.environ, **realm.environment, "KRB5CCNAME": f"FILE:{cache}"},
            capture_output=True,
            check=False,
        )
    assert told.returncode == 1, told.stderr
    assert json.loads(told.stdout)["cause"]["id"] == "ClockSkew"


KERBEROS_SAYS = [
    ("Clock skew too great (-1765328347)", "ClockSkew"),
    ("Ticket expired", "TicketExpired"),
    ("Ticket not yet valid", "ClockSkew"),
    ("Server not found in Kerberos database", "ServiceUnknown"),
    ("Cannot contact any KDC for realm 'X'", "NoDomainController"),
    ("No credentials were supplied", "NoTicket"),
    ("Keytab entry is not usable", "KeytabUnusable"),
    ("Preauthentication failed", "LogonRefused"),
    ("No module named 'krb5'", "LibraryMissing"),
]


@pytest.mark.parametrize(("words", "expected"), KERBEROS_SAYS)
def test_what_kerberos_says(
    words: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the transport reports it; a realm of its own would need another process."""

    def refuse(visit: Visit, connection: Connection) -> bytes:
        raise logon.failed(connection, Exception(words))

    monkeypatch.setattr(logons, "_log_on", refuse)
    connection = parse("winrm://h", {"Authentication": "Kerberos"}, folders=[])
    found = next(logons.try_each(Visit(connection)))
    assert (found.outcome, found.cause) == (Outcome.FAULT, expected)


def test_an_endpoint_without_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names the commands that are missing, the needed ones as faults."""
    session = FakeSession({"metadata": output(metadata("Get-Command", "Cmdlet", {}))})
    monkeypatch.setattr("psexport.doctor.session.connect", lambda *_, **__: session)
    diagnosis = doctor.examine(Connection(kind=Kind.DEMO))
    step = next(one for one in diagnosis.steps if one.name == "commands")
    assert [(one.cause, one.facts["command"]) for one in step.findings] == [
        ("CommandMissing", "Select-Object"),
        ("CommandMissing", "Measure-Object"),
        ("CommandMissing", "Get-FormatData"),
        ("CommandWanted", "Get-Help"),
    ]


@pytest.mark.parametrize(
    "data", [b"", b"<", b"\0" * 1000, write(Object()), b"<Obj>" * 100_000]
)
def test_a_host_that_talks_nonsense(
    data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = FakeSession({"metadata": output(data), "script": output(data)})
    monkeypatch.setattr("psexport.doctor.session.connect", lambda *_, **__: session)
    diagnosis = doctor.examine(Connection(kind=Kind.DEMO))
    assert not diagnosis.verdict.works


@pytest.mark.skipif(os.name != "posix", reason="signals are sent to a thread")
def test_ctrl_c_while_the_host_opens_leaves_no_shell(pwsh: str) -> None:
    stalled = Fault("receive", Stall(), times=None)

    def interrupt(host: WsmanServer) -> None:
        wait_until(lambda: "Receive" in host.operations)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    with WsmanServer(pwsh=pwsh, auth=["ntlm"], faults=[stalled]) as host:
        hand = threading.Thread(target=interrupt, args=(host,))
        hand.start()
        with pytest.raises(KeyboardInterrupt):
            examine(f"winrm://localhost:{host.port}", UserName="admin")
        hand.join()
        assert "Create" in host.operations
        assert host.open_shells == []
