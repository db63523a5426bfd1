"""Who logs on, and does the host let them: each way that can be tried, tried for real.

A way is tried on the product's own wire, with a question that starts nothing on the
host. A wrong password counts with the host, which may lock the user out: after one that
was refused no other way is tried. Basic and CredSSP hand the password over to the host:
they are tried only where they are what the user wants.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from dataclasses import replace

from ..connection import Authentication, Connection
from ..errors import PSExportError, UsageError
from ..secret import Secret, password_of
from ..transport import logon
from ..transport.task import patiently
from ..transport.wire import RedirectedError, Wire
from ..transport.wsman_faults import Fault, explain
from .findings import Fact, Finding, fault, ok, skipped, warning
from .session import found_in
from .visit import Visit
from .winrm import IDENTIFY, product

_SECONDS = 20.0
_NEEDS_PASSWORD = frozenset(
    {Authentication.BASIC, Authentication.NTLM, Authentication.CREDSSP}
)
#: Causes after which another way of logging on may still work.
_OF_THIS_WAY = frozenset(
    {
        "ClockSkew",
        "LibraryMissing",
        "NoDomainController",
        "NoTicket",
        "ServiceUnknown",
        "TicketExpired",
        "TicketRefused",
    }
)

#: What the product says of a log on that failed, and the cause that this is.
_CAUSES = tuple(
    (re.compile(pattern), cause)
    for pattern, cause in (
        (r"^the clocks of", "ClockSkew"),
        (r"not valid yet", "ClockSkew"),
        (r"ticket or the password has expired", "TicketExpired"),
        (r"^the domain knows no such", "ServiceUnknown"),
        (r"^no Kerberos server", "NoDomainController"),
        (r"^the keytab", "KeytabUnusable"),
        (r"^there is no Kerberos ticket", "NoTicket"),
        (r"^this installation cannot", "LibraryMissing"),
        (r"client certificate", "ClientCertificateRefused"),
        (r"take the Kerberos ticket", "TicketRefused"),
        (r"user name or the password", "LogonRefused"),
    )
)
_PACKAGES = {
    Authentication.KERBEROS: "psexport[kerberos]",
    Authentication.CREDSSP: "psexport[credssp]",
}

#: Settings of winrm/config worth knowing: the least that is not worth a word.
_QUOTAS = {
    "MaxEnvelopeSizekb": (500, "SmallEnvelope"),
    "MaxMemoryPerShellMB": (512, "LittleMemory"),
    "MaxShellsPerUser": (3, "FewShells"),
    "MaxConcurrentUsers": (3, "FewShells"),
    "MaxProcessesPerShell": (5, "FewShells"),
    "MaxTimeoutms": (20_000, ""),
    "IdleTimeout": (60_000, ""),
}
_CONFIG = "{http://schemas.microsoft.com/wbem/wsman/1/config}"


def credentials(visit: Visit) -> Iterator[Finding]:
    """Find the password, and ask for it if it is nowhere.

    :raises UsageError: the file of the password cannot be read.
    """
    connection = visit.connection
    way = connection.authentication
    user = connection.user_name
    if connection.keytab_file:
        text = f"the Kerberos keys of {user or 'somebody'} in {connection.keytab_file}"
        yield ok(text, user=user or None, source="keytab")
        return
    if way is Authentication.CERTIFICATE:
        if logon.has_locked_key(connection):
            visit.password = _password(visit)
        yield ok("a client certificate", source="certificate")
        return
    if not user:
        if way in _NEEDS_PASSWORD:
            yield fault("UserMissing", f"{way.value} needs a user, and there is none")
        else:
            yield ok("no user is given: whoever has a Kerberos ticket here")
        return
    try:
        visit.password = _password(visit)
    except UsageError as error:
        if error.id != "ErrorPasswordMissing":
            raise
        if way in _NEEDS_PASSWORD:
            yield fault("PasswordMissing", f"there is no password of {user}")
        else:
            text = f"{user}, without a password: a Kerberos ticket must do"
            yield ok(text, user=user, source="ticket")
    else:
        if way in _NEEDS_PASSWORD and not visit.password:
            yield fault("PasswordMissing", f"the password of {user} is empty")
        else:
            yield ok(f"{user}, with a password", user=user, source="password")


def try_each(visit: Visit) -> Iterator[Finding]:
    """Log on the way that is wanted, then the other ways that can be tried."""
    connection = visit.connection
    wanted = connection.authentication
    try:
        answer = _log_on(visit, connection)
    except RedirectedError as elsewhere:
        to = elsewhere.connection.connection_uri
        yield skipped(f"the session will log on where the host sends it: {to}")
        return
    except PSExportError as error:
        found = _cause(error, wanted)
        yield found
        if found.cause not in _OF_THIS_WAY:
            return
    else:
        told = product(answer)
        text = f"{wanted.value} works"
        if told.get("ProductVersion"):
            text += f"; the host is {told['ProductVersion']}"
        yield ok(text, method=wanted.value, works=True, **_named(told))
        yield _encryption(connection)
    for way, why_not in _others(visit):
        if why_not:
            yield skipped(f"{way.value} was not tried: {why_not}")
            continue
        try:
            _log_on(visit, replace(connection, authentication=way))
        except (PSExportError, RedirectedError) as error:
            facts: dict[str, Fact] = {"method": way.value, "works": False}
            yield ok(f"{way.value} would not work: {error}", **facts)
        else:
            yield ok(f"{way.value} works, too", method=way.value, works=True)


def quotas(visit: Visit) -> Iterator[Finding]:
    """Ask for the host's limits, which administrators are told."""
    from pypsrp.wsman import WSMan

    connection = visit.connection
    wire = Wire(connection, _secret(visit))
    wire.seconds = _SECONDS
    envelopes = WSMan(connection.host, ssl=True, auth="basic")
    envelopes.transport = wire  # type: ignore[assignment]
    try:
        answer = patiently(wire, envelopes.get_server_config, _SECONDS)
    except (Fault, RedirectedError, PSExportError) as error:
        yield skipped(f"the host does not tell this user its limits ({error})")
        return
    finally:
        wire.close()
    facts: dict[str, Fact] = {}
    for name in _QUOTAS:
        said = answer.findtext(f".//{_CONFIG}{name}") or ""
        if said.isdecimal() and len(said) < 12:
            facts[name] = int(said)
    if answer.findtext(f".//{_CONFIG}AllowRemoteShellAccess") == "false":
        yield fault("NoRemoteShells", "the host allows no remote shells")
    for name, (least, cause) in _QUOTAS.items():
        value = facts.get(name)
        if cause and isinstance(value, int) and 0 < value < least:
            yield warning(cause, f"{name} is {value}, which is little", limit=name)
    told = ", ".join(f"{name} {value}" for name, value in facts.items())
    yield ok(told or "the host names no limits", **facts)


def _log_on(visit: Visit, connection: Connection) -> bytes:
    """Log on, and ask who is there.

    :raises PSExportError: it fails.
    :raises RedirectedError: the host sends elsewhere, which the user has allowed.
    """
    logon.check(connection)
    wire = Wire(connection, _secret(visit))
    wire.seconds = _SECONDS
    try:
        return patiently(wire, lambda: wire.exchange(IDENTIFY), _SECONDS)
    except Fault as refusal:
        raise explain(refusal, connection, "open") from None
    finally:
        wire.close()


def _cause(error: PSExportError, way: Authentication) -> Finding:
    found = found_in(error)
    facts = {**found.facts, "method": way.value, "package": _PACKAGES.get(way, "")}
    cause = found.cause
    if cause.startswith("ErrorLogon") or cause in (
        "ErrorCredentialMissing",
        "ErrorAuthenticationUnavailable",
    ):
        for pattern, better in _CAUSES:
            if pattern.search(error.message):
                cause = better
                break
    return replace(found, cause=cause, facts=facts)


def _others(visit: Visit) -> Iterator[tuple[Authentication, str]]:
    """The ways that a host offers besides, each with why it is not to be tried."""
    connection = visit.connection
    offered = {offer.lower() for offer in visit.offers or ()}
    wanted = connection.authentication
    for way, words in (
        (Authentication.KERBEROS, {"negotiate", "kerberos"}),
        (Authentication.NTLM, {"negotiate", "ntlm"}),
        (Authentication.BASIC, {"basic"}),
        (Authentication.CREDSSP, {"credssp"}),
    ):
        if way is wanted or not words & offered:
            continue
        why_not = ""
        if way is Authentication.KERBEROS:
            if importlib.util.find_spec("gssapi") is None:
                why_not = "psexport[kerberos] is not installed"
        elif visit.password is None:
            why_not = "it needs a password"
        elif way is not Authentication.NTLM:
            why_not = "it hands the password over; ask for it with -Authentication"
        yield way, why_not


def _encryption(connection: Connection) -> Finding:
    if connection.use_ssl:
        return ok("messages are encrypted by TLS", encryption="tls")
    if logon.seals(connection):
        return ok(
            "messages are encrypted with what the log on agreed on",
            encryption="message",
        )
    text = "messages are not encrypted: whoever is between reads and changes them"
    return warning("Unencrypted", text, encryption="none")


def _named(told: dict[str, str]) -> dict[str, Fact]:
    return {"vendor": told.get("ProductVendor"), "version": told.get("ProductVersion")}


def _password(visit: Visit) -> str:
    connection = visit.connection
    return password_of(
        connection.user_name,
        connection.host,
        file=connection.password_file,
        prompt=visit.prompt,
    ).reveal()


def _secret(visit: Visit) -> Secret:
    return Secret(lambda: visit.password)


__all__ = ["credentials", "quotas", "try_each"]
