"""Session specs: tables of what they say and of what is wrong with them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from psexport import settings
from psexport.connection import Authentication, Connection, Kind, parse
from psexport.errors import UsageError

WSMAN = {"kind": Kind.WSMAN}
SSH = {"kind": Kind.SSH}

SAID: list[tuple[str, dict[str, Any]]] = [
    ("demo", {"kind": Kind.DEMO}),
    ("Demo", {"kind": Kind.DEMO}),
    ("pwsh:", {"kind": Kind.LOCAL, "path": ""}),
    ("pwsh:/opt/my pwsh/pwsh", {"kind": Kind.LOCAL, "path": "/opt/my pwsh/pwsh"}),
    (r"PWSH:C:\Program Files\pwsh.exe", {"path": r"C:\Program Files\pwsh.exe"}),
    (
        "pwsh:/x?ConfigurationFile=a%20b.pssc&Argument=-NoExit&argument=x",
        {"configuration_file": "a b.pssc", "arguments": ("-NoExit", "x")},
    ),
    ("catalog:/tmp/a?b#c.json", {"kind": Kind.CATALOG, "path": "/tmp/a?b#c.json"}),
    (r"replay:C:\r.gz", {"kind": Kind.REPLAY, "path": r"C:\r.gz"}),
    ("ssh://server01", {**SSH, "host": "server01", "port": None, "user_name": ""}),
    (
        "ssh://DOMAIN%5Cme@server01:2222",
        {"host": "server01", "port": 2222, "user_name": r"DOMAIN\me"},
    ),
    ("ssh://me@corp@My.Host/", {"host": "My.Host", "user_name": "me@corp"}),
    ("ssh://[fe80::1%25eth0]:22", {"host": "fe80::1%eth0", "port": 22}),
    (
        "ssh://h?keyfilepath=%2Fk%2Fid&Subsystem=pwsh6&Options=A=b&options=C=d%26e",
        {"key_file": "/k/id", "subsystem": "pwsh6", "options": ("A=b", "C=d&e")},
    ),
    ("winrm://server01", {**WSMAN, "port": 5985, "use_ssl": False}),
    ("winrms://server01", {**WSMAN, "port": 5986, "use_ssl": True}),
    ("winrms://[::1]:1/PowerShell/", {"host": "::1", "port": 1}),
    ("winrm://h/PowerShell/", {"application_name": "PowerShell/"}),
    ("winrm://h/a%20b?Authentication=KERBEROS", {"application_name": "a b"}),
    ("winrm://h?authentication=kerberos", {"authentication": Authentication.KERBEROS}),
    ("winrs://server01", {"kind": Kind.WINRS, "port": 5985}),
    ("winrss://me@server01", {"kind": Kind.WINRS, "port": 5986, "user_name": "me"}),
    (
        "https://server01:5986/wsman?SkipCACheck&SkipCNCheck=false",
        {
            **WSMAN,
            "connection_uri": "https://server01:5986/wsman",
            "skip_ca_check": True,
            "skip_cn_check": False,
            "port": 5986,
            "use_ssl": True,
        },
    ),
    (
        "http://me@ex.example.com/PowerShell/?ConfigurationName=Microsoft.Exchange",
        {
            "connection_uri": "http://ex.example.com/PowerShell/",
            "application_name": "PowerShell/",
            "configuration_name": "Microsoft.Exchange",
            "port": 80,
            "user_name": "me",
        },
    ),
    ("https://h", {"port": 443, "application_name": "wsman"}),
    (
        "winrms://h?CertificatePem=c.pem&CertificateKeyPem=k.pem",
        {"authentication": Authentication.CERTIFICATE, "certificate_pem": "c.pem"},
    ),
    ("winrm://h?OperationTimeout=1500&OpenTimeout=2000", {"open_timeout": 2.0}),
]


@pytest.mark.parametrize(("spec", "fields"), SAID, ids=[s for s, _ in SAID])
def test_what_a_spec_says(spec: str, fields: dict[str, Any]) -> None:
    connection = parse(spec, folders=[])
    assert {name: getattr(connection, name) for name in fields} == fields


GIVEN: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"ComputerName": "server01"}, {**WSMAN, "host": "server01", "port": 5985}),
    ({"computername": "::1", "USESSL": True}, {"host": "::1", "port": 5986}),
    ({"ComputerName": "h", "Port": 1, "UseSSL": True}, {"port": 1, "use_ssl": True}),
    ({"Session": "winrm://h", "UseSSL": True}, {"port": 5986, "use_ssl": True}),
    (
        {"Session": "winrm://h", "AllowRedirection": True, "CAFile": "ca.pem"},
        {"port": 5985, "use_ssl": False, "ca_file": "ca.pem"},
    ),
    ({"HostName": "me@h:22"}, {**SSH, "host": "h", "port": 22, "user_name": "me"}),
    ({"HostName": "fe80::1%eth0"}, {**SSH, "host": "fe80::1%eth0"}),
    ({"HostName": "h", "UserName": "me", "Port": "2"}, {"port": 2, "user_name": "me"}),
    (
        {"HostName": "h", "Options": ["A=b", "C=d"], "KeyFilePath": Path("k")},
        {"options": ("A=b", "C=d"), "key_file": "k"},
    ),
    (
        {"ConnectionUri": "https://h/p/?SerializationLevel=Full"},
        {**WSMAN, "connection_uri": "https://h/p/?SerializationLevel=Full"},
    ),
    ({"ComputerName": "h", "Credential": r"D\me"}, {"user_name": r"D\me"}),
    (
        {"Session": "winrms://h", "ProxyUri": "http://proxy:3128", "CAFile": "ca.pem"},
        {"proxy_uri": "http://proxy:3128", "ca_file": "ca.pem"},
    ),
]


@pytest.mark.parametrize(("parameters", "fields"), GIVEN, ids=str)
def test_what_parameters_say(
    parameters: dict[str, Any], fields: dict[str, Any]
) -> None:
    connection = parse(None, parameters, folders=[])
    assert {name: getattr(connection, name) for name in fields} == fields


WRONG: list[tuple[str | None, dict[str, Any], str, str]] = [
    (None, {}, "ErrorSessionMissing", ""),
    ("", {}, "ErrorInvalidParameterValue", "Session"),
    ("shh://h", {}, "ErrorSessionSpec", "did you mean ssh?"),
    ("ssh:h", {}, "ErrorSessionSpec", "//"),
    ("ssh://", {}, "ErrorSessionSpec", "name of a host"),
    ("ssh://-oProxyCommand=x", {}, "ErrorSessionSpec", "name of a host"),
    ("ssh://%2DoProxyCommand=x", {}, "ErrorSessionSpec", "name of a host"),
    ("ssh://-l@h", {}, "ErrorInvalidParameterValue", "dash"),
    ("ssh://h/path", {}, "ErrorSessionSpec", "path"),
    ("ssh://h:0", {}, "ErrorInvalidParameterValue", "1 to 65535"),
    ("ssh://h:65536", {}, "ErrorInvalidParameterValue", "1 to 65535"),
    ("ssh://h:2x", {}, "ErrorInvalidParameterValue", "whole number"),
    ("ssh://h:٣", {}, "ErrorInvalidParameterValue", "whole number"),
    ("ssh://[1.2.3.4]", {}, "ErrorSessionSpec", ""),
    ("ssh://[::1", {}, "ErrorSessionSpec", ""),
    ("ssh://a b", {}, "ErrorSessionSpec", "blanks"),
    ("ssh://a\nb", {}, "ErrorSessionSpec", "blanks"),
    ("winrm://h#x", {}, "ErrorSessionSpec", "#"),
    ("winrm://h?Autentication=Basic", {}, "ErrorUnknownParameter", "Authentication"),
    (
        "winrm://h?Authentication=Kerberous",
        {},
        "ErrorInvalidParameterValue",
        "Kerberos?",
    ),
    ("winrm://h?Subsystem=x", {}, "ErrorConflictingParameters", "Subsystem"),
    ("ssh://h?UseSSL", {}, "ErrorConflictingParameters", "UseSSL"),
    ("ssh://h?Session=demo", {}, "ErrorConflictingParameters", "Session"),
    ("demo", {"Port": 1}, "ErrorConflictingParameters", "Port"),
    ("ssh://h:1", {"Port": 2}, "ErrorConflictingParameters", "Port"),
    ("http://h", {"UseSSL": True}, "ErrorConflictingParameters", "UseSSL"),
    ("ssh://a@h", {"UserName": "b"}, "ErrorConflictingParameters", "UserName"),
    ("demo", {"ComputerName": "h"}, "ErrorConflictingParameters", "ComputerName"),
    (None, {"ComputerName": "h", "HostName": "h"}, "ErrorConflictingParameters", ""),
    (None, {"ComputerName": "a/b"}, "ErrorSessionSpec", "ComputerName"),
    (None, {"ComputerName": "h:5985"}, "ErrorSessionSpec", "ComputerName"),
    ("winrms://h", {"UseSSL": False}, "ErrorConflictingParameters", "UseSSL"),
    ("winrm://h", {"ProxyUri": "https://p"}, "ErrorInvalidParameterValue", "http://"),
    ("winrm://h", {"ProxyUri": "http://u@p"}, "ErrorInvalidParameterValue", "user"),
    ("winrm://h", {"ProxyUri": "p:3128"}, "ErrorInvalidParameterValue", "http://"),
    ("winrm://h", {"ProxyUri": "http://u:p@p"}, "ErrorPasswordInSession", ""),
    (None, {"ConnectionUri": "ftp://h"}, "ErrorSessionSpec", "http"),
    ("winrm://h", {"SkipCACheck": True}, "ErrorConflictingParameters", "TLS"),
    ("winrms://h", {"CertificateKeyPem": "k"}, "ErrorConflictingParameters", "Pem"),
    (
        "winrms://h",
        {"Authentication": "Certificate"},
        "ErrorConflictingParameters",
        "need each other",
    ),
    ("winrm://h?UseSSL=maybe", {}, "ErrorInvalidParameterValue", "true or false"),
    ("winrm://h?OpenTimeout=0", {}, "ErrorInvalidParameterValue", "milliseconds"),
    ("ssh://h?Options=-oX", {}, "ErrorInvalidParameterValue", "Name=value"),
    ("ssh://h?Options=A=b%0AC=d", {}, "ErrorInvalidParameterValue", "one line"),
    ("server01", {}, "ErrorSessionNotFound", "server01"),
    ("replay:", {}, "ErrorSessionSpec", "file"),
]


@pytest.mark.parametrize(("spec", "parameters", "id", "words"), WRONG, ids=str)
def test_what_is_wrong_with_it(
    spec: str | None, parameters: dict[str, Any], id: str, words: str
) -> None:
    with pytest.raises(UsageError) as caught:
        parse(spec, parameters, folders=[])
    assert caught.value.id == id
    assert words in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    "spec",
    [
        "winrms://me:hunter2@server01",
        "https://me:hunter2@server01/wsman",
        "ssh://me:hunter2@server01",
        "winrm://server01?Password=hunter2",
        "winrm://me:hunter2@[server01",
        "winrm://me:hunter2@server01 /",
    ],
)
def test_a_password_is_refused_and_not_repeated(spec: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(spec, folders=[])
    error = caught.value
    assert "hunter2" not in f"{error.message} {error.target} {error.hint} {error!r}"


def save(folder: Path, text: str) -> list[Path]:
    (folder / settings.FILE_NAME).write_text(text, encoding="utf-8")
    return [folder]


def test_a_saved_session(tmp_path: Path) -> None:
    here, home = tmp_path / "here", tmp_path / "home"
    for folder in (here, home):
        folder.mkdir()
    save(here, '[sessions.Server01]\nsession = "ssh://me@h:2222"\nKeyFilePath = "k"\n')
    save(
        home,
        '[sessions.server01]\nSession = "demo"\n'
        '[sessions.other]\nComputerName = "o"\nUseSSL = true\nPort = 99\n',
    )
    folders = [here, home]
    assert parse("SERVER01", folders=folders) == Connection(
        kind=Kind.SSH, host="h", user_name="me", port=2222, key_file="k"
    )
    other = parse("other", folders=folders)
    assert (other.host, other.use_ssl, other.port) == ("o", True, 99)
    # What is said now wins, also over what the saved address says.
    now = parse("server01", {"Port": 22, "UserName": "you"}, folders=folders)
    assert (now.port, now.user_name, now.key_file) == (22, "you", "k")


@pytest.mark.parametrize(
    ("text", "id"),
    [
        ("[sessions", "ErrorSettingsUnreadable"),
        ("sessions = 1", "ErrorSettingsUnreadable"),
        ("[sessions]\nx = 1", "ErrorSettingsUnreadable"),
        ("[sessions.x]\nUseSSL = true", "ErrorSettingsUnreadable"),
        ("[sessions.x]\nSession = 'y'", "ErrorSettingsUnreadable"),
        ("[sessions.x]\nSession = 1", "ErrorInvalidParameterValue"),
        (
            "[sessions.x]\nSession = 'winrm://h'\nPassword = 'hunter2'",
            "ErrorPasswordInSession",
        ),
        (
            "[sessions.x]\nSession = 'winrm://h'\nPort = 1.5",
            "ErrorInvalidParameterValue",
        ),
        ("[sessions.xy]\nSession = 'demo'", "ErrorSessionNotFound"),
    ],
)
def test_a_bad_settings_file(tmp_path: Path, text: str, id: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse("x", folders=save(tmp_path, text))
    assert caught.value.id == id


@pytest.mark.parametrize(
    ("platform", "environ", "expected"),
    [
        ("linux", {"XDG_CONFIG_HOME": "/x"}, Path("/x/psexport")),
        ("linux", {"XDG_CONFIG_HOME": "x"}, Path.home() / ".config/psexport"),
        ("linux", {}, Path.home() / ".config/psexport"),
        ("win32", {"APPDATA": "/r"}, Path("/r/psexport")),
        ("darwin", {}, Path.home() / "Library/Application Support/psexport"),
    ],
)
def test_where_the_settings_are(
    platform: str, environ: dict[str, str], expected: Path
) -> None:
    assert settings.user_folder(environ, platform) == expected


def test_a_connection_is_frozen_and_named() -> None:
    connection = parse("pwsh:/opt/pwsh-7")
    with pytest.raises(dataclasses.FrozenInstanceError):
        connection.path = "x"  # type: ignore[misc]
    assert connection.name == "pwsh-7"
    assert parse("pwsh:").name == "pwsh"
    assert parse("ssh://h").name == "h"


PIECES = "ssh winrm https pwsh : // / @ ? = & # [::1] % %41 %0A h a.b - Port 1 é [ ]"
SPECS = st.lists(
    st.sampled_from([*PIECES.split(), "UseSSL", " ", "\0", "\n"]), max_size=9
)


@given(st.one_of(st.text(max_size=40), SPECS.map("".join)))
@example("https://[")
@example("https://h:1:2/")
def test_whatever_is_said_is_understood_or_refused(spec: str) -> None:
    try:
        connection = parse(spec, folders=[])
    except UsageError:
        return
    assert not connection.host.startswith("-")
    assert connection.host.isprintable()
