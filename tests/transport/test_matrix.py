"""Transport × authentication × encryption × endpoint kind, for real."""

from __future__ import annotations

import re
from typing import Any

import pytest

from psexport.transport.base import MetadataQuery, PipelineState, Script
from servers.certificates import Certificates
from servers.kdc import USER_PASSWORD, Realm
from windows_host import ask, connect, output, spec
from wsman_server import ADMIN, Endpoint, ServerTls, WsmanServer

pytestmark = pytest.mark.engine

SAID = "'größer €'; 1..2"
HEARD = ["größer €", "1", "2"]

#: asked for, offered, TLS, further parameters -> scheme, mechanism, sealed by us
LOGONS: dict[str, tuple[str, list[Any], bool, dict[str, Any], str, str, bool]] = {
    "Basic, TLS": ("Basic", ["basic"], True, {}, "basic", "basic", False),
    "Basic, plain": (
        *("Basic", ["basic"], False, {"NoEncryption": True}),
        *("basic", "basic", False),
    ),
    "NTLM": ("NTLM", ["ntlm"], False, {}, "negotiate", "ntlm", True),
    "NTLM, TLS": ("NTLM", ["ntlm"], True, {}, "negotiate", "ntlm", False),
    "NTLM, plain": (
        *("NTLM", ["ntlm"], False, {"NoEncryption": True}),
        *("negotiate", "ntlm", False),
    ),
    "Default": ("Default", ["negotiate"], False, {}, "negotiate", "ntlm", True),
    "Negotiate, TLS": (
        "Negotiate",
        ["negotiate"],
        True,
        {},
        *("negotiate", "ntlm"),
        False,
    ),
    "CredSSP": ("Credssp", ["credssp"], False, {}, "credssp", "ntlm", True),
    "CredSSP, TLS": ("Credssp", ["credssp"], True, {}, "credssp", "ntlm", False),
    "Certificate": (
        "Certificate",
        ["certificate"],
        True,
        {},
        *("certificate",) * 2,
        False,
    ),
}


@pytest.fixture(scope="module")
def restricted(tmp_path_factory: pytest.TempPathFactory) -> Endpoint:
    """An endpoint that takes no scripts."""
    file = tmp_path_factory.mktemp("endpoint") / "restricted.pssc"
    file.write_text(
        "@{ SchemaVersion = '2.0.0.0'; GUID = '5e0a1f3e-0f3d-4a8e-9d43-3c0b6b4c7d10'\n"
        "SessionType = 'RestrictedRemoteServer'; LanguageMode = 'NoLanguage'\n"
        "VisibleCmdlets = 'Get-Process' }\n"
    )
    return Endpoint(configuration_file=file)


def parameters(
    asked: str, more: dict[str, Any], tls: bool, certificates: Certificates
) -> dict[str, Any]:
    given = {"Authentication": asked, **more}
    if tls:
        given["CAFile"] = str(certificates.authority)
    if asked == "Certificate":
        given["CertificatePem"] = str(certificates.client.certificate_file)
        given["CertificateKeyPem"] = str(certificates.client.key_file)
    return given


#: What is inside depends on what is around in these alone: how it is sealed.
RESTRICTED = ("Basic, TLS", "NTLM", "CredSSP")
ROWS = [
    pytest.param(kind, row, id=f"{kind} {name}")
    for name, row in LOGONS.items()
    for kind in ("winrm", "winrs", "restricted")
    if kind != "restricted" or name in RESTRICTED
]


@pytest.mark.parametrize(("kind", "row"), ROWS)
def test_logons(
    kind: str,
    row: tuple[str, list[Any], bool, dict[str, Any], str, str, bool],
    pwsh: str,
    tls: ServerTls,
    certificates: Certificates,
    restricted: Endpoint,
) -> None:
    asked, offered, over_tls, more, scheme, mechanism, sealed = row
    given = parameters(asked, more, over_tls, certificates)
    if kind == "restricted":
        given["ConfigurationName"] = "Restricted"
    with WsmanServer(
        pwsh=pwsh,
        auth=offered,
        tls=tls if over_tls else None,
        allow_unencrypted="NoEncryption" in more,
        channel_binding="strict",
        endpoints={"Microsoft.PowerShell": Endpoint(), "Restricted": restricted},
    ) as server:
        user = None if asked == "Certificate" else ADMIN.name
        where = spec(
            server, kind="winrs" if kind == "winrs" else "winrm", user=user, **given
        )
        with connect(where) as session:
            check(session, kind)
            assert len(server.open_shells) == 1
        assert not server.open_shells
        said = [each for each in server.exchanges if each.operation]
        for each in said:
            assert each.encrypted == sealed
            assert each.identity is not None
            assert (each.identity.scheme, each.identity.mechanism) == (
                scheme,
                mechanism,
            )
            assert each.identity.name == ADMIN.name
        # One logon does for everything that is asked one after another.
        assert len({each.client for each in server.exchanges}) == 1


def check(session: Any, kind: str) -> None:
    if kind == "restricted":
        names = b"".join(output(ask(session, MetadataQuery(names=("Get-*",)))))
        assert b">Get-Process<" in names
        refused = ask(session, Script("1"))
        assert refused[-1].state is PipelineState.FAILED
        return
    records = ask(session, Script(SAID))
    texts = [re.sub(rb"<[^>]*>", b"", data).decode() for data in output(records)]
    assert texts == HEARD
    assert records[-1].state is PipelineState.COMPLETED
    assert session.greeting.runspaces >= 1


# Kerberos


#: offered, asked for, TLS, what one has -> scheme
KERBEROS = {
    "ticket": (["kerberos"], "Kerberos", False, "ticket", "kerberos"),
    "ticket, TLS": (["kerberos"], "Kerberos", True, "ticket", "kerberos"),
    "ticket, Negotiate": (["negotiate"], "Default", False, "ticket", "negotiate"),
    "ticket, Kerberos in Negotiate": (
        *(["negotiate"], "Kerberos", True, "ticket", "negotiate"),
    ),
    "ticket and a name": (["kerberos"], "Kerberos", False, "name", "kerberos"),
    "keytab": (["negotiate"], "Kerberos", False, "keytab", "negotiate"),
    "password": (["kerberos"], "Kerberos", False, "password", "kerberos"),
    "password, Negotiate": (["negotiate"], "Default", True, "password", "negotiate"),
    "delegation": (["kerberos"], "Kerberos", False, "delegable", "kerberos"),
    "service principal": (["negotiate"], "Kerberos", False, "spn", "negotiate"),
    "winrs": (["negotiate"], "Kerberos", False, "winrs", "negotiate"),
}


@pytest.mark.parametrize("row", KERBEROS.values(), ids=KERBEROS)
def test_kerberos(
    row: tuple[list[Any], str, bool, str, str],
    pwsh: str,
    tls: ServerTls,
    certificates: Certificates,
    realm: Realm,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    offered, asked, over_tls, have, scheme = row
    given = parameters(asked, {}, over_tls, certificates)
    user, password, cache = None, None, "no-such-cache"
    match have:
        case "keytab":
            user, given["KeytabFile"] = realm.principal, str(realm.user_keytab)
        case "password":
            user, password = realm.principal, USER_PASSWORD
        case "delegable":
            cache, given["AllowDelegation"] = "delegable", True
            realm.ticket(cache, "-f")
        case _:
            cache = "cache"
            realm.ticket(cache)
    if have == "name":
        user = "somebody.else"
    if have == "spn":
        given["ServicePrincipalName"] = "HTTP/server01.psexport.test"
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{realm.folder / cache}")
    with WsmanServer(
        pwsh=pwsh,
        auth=offered,
        tls=tls if over_tls else None,
        channel_binding="strict",
    ) as server:
        kind = "winrs" if have == "winrs" else "winrm"
        where = spec(server, kind=kind, user=user, **given)
        with connect(where, password) as session:
            check(session, kind)
        assert not server.open_shells
        last = server.exchanges[-1]
        assert last.encrypted != over_tls
        assert last.identity is not None
        assert (last.identity.scheme, last.identity.mechanism) == (scheme, "kerberos")
        assert last.identity.name == realm.principal
        assert last.identity.delegated == (have == "delegable")


def test_the_endpoint_is_chosen_by_name(pwsh: str, restricted: Endpoint) -> None:
    with WsmanServer(
        pwsh=pwsh,
        auth=["ntlm"],
        paths=("/PowerShell",),
        endpoints={"Microsoft.Exchange": restricted},
    ) as server:
        where = spec(
            server,
            ApplicationName="PowerShell/",
            ConfigurationName="Microsoft.Exchange",
        )
        with connect(where) as session:
            assert ask(session, Script("1"))[-1].state is PipelineState.FAILED
        operations = [each for each in server.exchanges if each.operation]
        assert {each.path for each in operations} == {"/PowerShell/"}
        assert {each.configuration for each in operations} == {"Microsoft.Exchange"}
