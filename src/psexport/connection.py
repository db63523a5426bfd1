"""What a session spec says: where a host is and how to reach it. Opens nothing.

A spec is what ``-Session`` takes (a word, or a URI with query parameters), or the
parameters of New-PSSession, or both. What an address says and what is given meet in
one table, which knows what each parameter takes and which sessions it is for.
"""

from __future__ import annotations

import enum
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from . import addresses, settings
from .addresses import Address, Kind, near
from .errors import UsageError


class Authentication(enum.Enum):
    """How to log on over HTTP, with New-PSSession's names."""

    DEFAULT = "Default"
    NEGOTIATE = "Negotiate"
    KERBEROS = "Kerberos"
    NTLM = "NTLM"
    BASIC = "Basic"
    CREDSSP = "Credssp"
    CERTIFICATE = "Certificate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Where a host is and how to reach it; no secret is in it.

    :ivar kind: how.
    :ivar path: the program of a local process ("" for the one to be found), the file
        of a catalogue or a recording.
    :ivar arguments: further arguments of a local process.
    :ivar configuration_file: session configuration of a local process (.pssc), or "".
    :ivar host: name or address; IPv6 without brackets.
    :ivar port: ``None`` where ssh's configuration decides.
    :ivar user_name: "" for whoever one is.
    :ivar connection_uri: the address, where it was given as HTTP URI, else "".
    :ivar application_name: path of the WSMan service, without leading slash.
    :ivar use_ssl: whether HTTP goes over TLS.
    :ivar configuration_name: session configuration, "" for the host's default.
    :ivar authentication: how to log on.
    :ivar password_file: file whose first line is the password, or "".
    :ivar certificate_pem: client certificate, or "".
    :ivar certificate_key_pem: its key, or "" where the certificate's file has it.
    :ivar ca_file: authorities to trust instead of the usual ones, or "".
    :ivar skip_ca_check: trust any issuer.
    :ivar skip_cn_check: do not compare the certificate's name.
    :ivar allow_redirection: follow redirections.
    :ivar proxy_uri: HTTP proxy, or "".
    :ivar no_encryption: send messages over HTTP as they are, passwords too.
    :ivar service_principal: ``service/host`` to get a Kerberos ticket for, or "".
    :ivar allow_delegation: let the host act as the user towards others (Kerberos).
    :ivar keytab_file: Kerberos keys to log on with instead of a password, or "".
    :ivar key_file: private key for ssh, or "".
    :ivar subsystem: ssh subsystem.
    :ivar options: further options of ssh, ``Name=value``.
    :ivar operation_timeout: seconds of silence, ``None`` for the default.
    :ivar open_timeout: seconds for opening, ``None`` for the default.
    """

    kind: Kind
    path: str = ""
    arguments: tuple[str, ...] = ()
    configuration_file: str = ""
    host: str = ""
    port: int | None = None
    user_name: str = ""
    connection_uri: str = ""
    application_name: str = "wsman"
    use_ssl: bool = False
    configuration_name: str = ""
    authentication: Authentication = Authentication.DEFAULT
    password_file: str = ""
    certificate_pem: str = ""
    certificate_key_pem: str = ""
    ca_file: str = ""
    skip_ca_check: bool = False
    skip_cn_check: bool = False
    allow_redirection: bool = False
    proxy_uri: str = ""
    no_encryption: bool = False
    service_principal: str = ""
    allow_delegation: bool = False
    keytab_file: str = ""
    key_file: str = ""
    subsystem: str = "powershell"
    options: tuple[str, ...] = ()
    operation_timeout: float | None = None
    open_timeout: float | None = None

    @property
    def name(self) -> str:
        """What to call the host in messages."""
        if self.host:
            return self.host
        if self.kind is Kind.DEMO:
            return "demo"
        return Path(self.path).name or "pwsh"


#: A parameter's value as a program, a settings file or a query string gives it.
Value = str | bool | int | os.PathLike[str] | Sequence[str]

#: Parameters by canonical name, in order; a name may come again.
_Given = list[tuple[str, Value]]


def parse(
    session: str | None = None,
    parameters: Mapping[str, Value] | None = None,
    *,
    folders: Iterable[Path] | None = None,
) -> Connection:
    """Read a session spec.

    :param session: what ``-Session`` takes.
    :param parameters: New-PSSession's parameters by name, in any case.
    :param folders: where ``psexport.toml`` may be; by default here, then the user's
        configuration folder.
    :raises UsageError: the spec makes no sense; says which part, and near matches.
    """
    given = _canonical((parameters or {}).items())
    if session is not None:
        given.insert(0, ("Session", session))
    name, text = _take_address(given)
    if not name:
        raise UsageError(
            "there is no session",
            id="ErrorSessionMissing",
            hint=f"give -Session one of {addresses.FORMS}, or the name of a saved one",
        )
    address = _ADDRESSES[name](text)
    if address is not None:
        return _connection(address, [*_canonical(address.said), *given])
    saved = _canonical(_saved(text, folders).items())
    address_name, address_text = _take_address(saved)
    address = _ADDRESSES[address_name](address_text) if address_name else None
    if address is None:
        raise UsageError(
            f"the saved session {text} has no address",
            id="ErrorSettingsUnreadable",
            target=text,
            hint=f"give it one of {', '.join(_ADDRESSES)} in {settings.FILE_NAME}",
        )
    # What is said now wins over what was saved.
    now = {_PARAMETERS[name].field for name, _ in given}
    saved = [
        (name, value)
        for name, value in (*_canonical(address.said), *saved)
        if _PARAMETERS[name].field not in now
    ]
    return _connection(address, [*saved, *given])


def _take_address(given: _Given) -> tuple[str, str]:
    """Take the parameter that is an address out of what is given; "" if none is."""
    found = [one for one in given if one[0] in _ADDRESSES]
    if not found:
        return "", ""
    if len(found) > 1:
        raise _conflict(
            f"-{found[0][0]} and -{found[1][0]} both say where", found[1][0]
        )
    given.remove(found[0])
    name, value = found[0]
    if not isinstance(value, str) or not value:
        raise _wrong(name, "takes the address of one host")
    return name, value


def _saved(name: str, folders: Iterable[Path] | None) -> Mapping[str, Value]:
    sessions = settings.sessions(folders)
    for known, parameters in sessions.items():
        if known.lower() == name.lower():
            return parameters
    raise UsageError(
        f"there is no session called {name}{near(name, ['demo', *sessions])}",
        id="ErrorSessionNotFound",
        target=name,
        hint=f"save it in {settings.FILE_NAME}, or give one of {addresses.FORMS}",
    )


def _canonical(given: Iterable[tuple[str, Value]]) -> _Given:
    """The same parameters, with the names as they are written here."""
    known = {name.lower(): name for name in (*_ADDRESSES, *_PARAMETERS)}
    result: _Given = []
    for name, value in given:
        if "password" in name.lower() and name.lower() != "passwordfile":
            raise addresses.password_refused("parameters")
        if name.lower() not in known:
            raise UsageError(
                f"a session has no parameter {name}{near(name, known.values())}",
                id="ErrorUnknownParameter",
                target=name,
                hint="see psexport -? for the parameters of sessions; a query that "
                "is the host's own goes into -ConnectionUri",
            )
        result.append((known[name.lower()], value))
    return result


def _connection(address: Address, given: _Given) -> Connection:
    fields: dict[str, Any] = {}
    for name, value in given:
        if name in _ADDRESSES:
            raise _conflict(f"-{name} has no place inside an address", name)
        field, kinds, read = _PARAMETERS[name]
        if address.kind not in kinds:
            what = f"-{name} means nothing to a {address.kind.value} session"
            raise _conflict(what, name)
        said = read(name, value)
        if isinstance(said, tuple):
            said = (*fields.get(field, ()), *said)
        elif fields.get(field, said) != said:
            raise _conflict(f"-{name} is not what was said before", name)
        fields[field] = said
    if address.kind in _WEB:
        _complete(fields)
    return Connection(
        kind=address.kind,
        host=address.host,
        path=address.path,
        connection_uri=address.connection_uri,
        **fields,
    )


def _complete(fields: dict[str, Any]) -> None:
    """Fill in what follows, and refuse what does not go together, for HTTP."""
    use_ssl = fields.setdefault("use_ssl", False)
    fields.setdefault("port", 5986 if use_ssl else 5985)
    # The host may send one on from http, and then it is to https.
    comes_to_tls = use_ssl or fields.get("allow_redirection", False)
    for name, has_tls in (
        ("SkipCACheck", comes_to_tls),
        ("SkipCNCheck", comes_to_tls),
        ("CAFile", comes_to_tls),
        ("CertificatePem", use_ssl),
    ):
        if fields.get(_PARAMETERS[name].field) and not has_tls:
            raise _conflict(f"-{name} needs TLS: winrms://, https:// or -UseSSL", name)
    certified = "certificate_pem" in fields
    if "certificate_key_pem" in fields and not certified:
        raise _conflict("-CertificateKeyPem needs -CertificatePem", "CertificateKeyPem")
    if certified:
        fields.setdefault("authentication", Authentication.CERTIFICATE)
    logon = fields.get("authentication", Authentication.DEFAULT)
    if certified != (logon is Authentication.CERTIFICATE):
        raise _conflict(
            "-Authentication Certificate and -CertificatePem need each other",
            "Authentication",
        )


# What each parameter takes.


def _text(name: str, value: Value) -> str:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise _wrong(name, "takes a text of one line")
    return value


def _path(name: str, value: Value) -> str:
    return _text(name, os.fspath(value) if isinstance(value, os.PathLike) else value)


def _user(name: str, value: Value) -> str:
    text = _text(name, value)
    if text.startswith("-"):  # ssh would take it as an option
        raise _wrong(name, "takes a user's name, which does not begin with a dash")
    return text


def _principal(name: str, value: Value) -> str:
    text = _text(name, value)
    if not re.fullmatch(r"[^/@\s]+/[^/@\s]+", text):
        raise _wrong(name, "takes a service and a host: HTTP/server01.example.com")
    return text


def _texts(name: str, value: Value) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        value = [_text(name, value)]
    return tuple(_text(name, one) for one in value)


def _options(name: str, value: Value) -> tuple[str, ...]:
    options = _texts(name, value)
    for option in options:
        if not re.fullmatch(r"[A-Za-z]\w*=.+", option):
            raise _wrong(name, "takes options of ssh as Name=value")
    return options


def _switch(name: str, value: Value) -> bool:
    if isinstance(value, bool):
        return value
    known = {"": True, "true": True, "1": True, "false": False, "0": False}
    word = str(value).lower().removeprefix("$")
    if word not in known:
        raise _wrong(name, "takes true or false")
    return known[word]


def _number(name: str, value: Value) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,10}", str(value)):
        raise _wrong(name, "takes a whole number")
    return int(str(value))


def _port(name: str, value: Value) -> int:
    number = _number(name, value)
    if not 1 <= number <= 65535:
        raise _wrong(name, "takes a number from 1 to 65535")
    return number


def _milliseconds(name: str, value: Value) -> float:
    number = _number(name, value)
    if number < 1:
        raise _wrong(name, "takes milliseconds, at least 1")
    return number / 1000


def _authentication(name: str, value: Value) -> Authentication:
    names = [one.value for one in Authentication]
    for one in Authentication:
        if one.value.lower() == str(value).lower():
            return one
    raise _wrong(name, f"takes one of {', '.join(names)}{near(str(value), names)}")


def _proxy(name: str, value: Value) -> str:
    text = _text(name, value)
    if not text.lower().startswith("http://"):
        raise _wrong(name, "takes the address of an HTTP proxy: http://proxy:3128")
    proxy = addresses.of_connection_uri(text)
    if any(said == "Credential" for said, _ in proxy.said):
        raise _wrong(name, "takes a proxy that wants no user")
    return text


class _Parameter(NamedTuple):
    """What a parameter sets, which kinds of session know it, and what it takes."""

    field: str
    kinds: frozenset[Kind]
    read: Callable[[str, Value], Any]


_ADDRESSES: dict[str, Callable[[str], Address | None]] = {
    "Session": addresses.of_session,
    "ComputerName": addresses.of_computer,
    "ConnectionUri": addresses.of_connection_uri,
    "HostName": addresses.of_host,
}

_WSMAN = frozenset({Kind.WSMAN})
_WEB = frozenset({Kind.WSMAN, Kind.WINRS})
_OVER_SSH = frozenset({Kind.SSH})
_LOCAL = frozenset({Kind.LOCAL})
_LIVE = _WEB | _OVER_SSH | _LOCAL

_PARAMETERS = {
    "UserName": _Parameter("user_name", _WEB | _OVER_SSH, _user),
    "Credential": _Parameter("user_name", _WEB, _user),
    "PasswordFile": _Parameter("password_file", _WEB, _path),
    "Port": _Parameter("port", _WEB | _OVER_SSH, _port),
    "UseSSL": _Parameter("use_ssl", _WEB, _switch),
    "ApplicationName": _Parameter("application_name", _WEB, _text),
    "ConfigurationName": _Parameter("configuration_name", _WSMAN, _text),
    "Authentication": _Parameter("authentication", _WEB, _authentication),
    "CertificatePem": _Parameter("certificate_pem", _WEB, _path),
    "CertificateKeyPem": _Parameter("certificate_key_pem", _WEB, _path),
    "CAFile": _Parameter("ca_file", _WEB, _path),
    "SkipCACheck": _Parameter("skip_ca_check", _WEB, _switch),
    "SkipCNCheck": _Parameter("skip_cn_check", _WEB, _switch),
    "ProxyUri": _Parameter("proxy_uri", _WEB, _proxy),
    "NoEncryption": _Parameter("no_encryption", _WEB, _switch),
    "ServicePrincipalName": _Parameter("service_principal", _WEB, _principal),
    "AllowDelegation": _Parameter("allow_delegation", _WEB, _switch),
    "KeytabFile": _Parameter("keytab_file", _WEB, _path),
    "AllowRedirection": _Parameter("allow_redirection", _WEB, _switch),
    "KeyFilePath": _Parameter("key_file", _OVER_SSH, _path),
    "Subsystem": _Parameter("subsystem", _OVER_SSH, _text),
    "Options": _Parameter("options", _OVER_SSH, _options),
    "ConfigurationFile": _Parameter("configuration_file", _LOCAL, _path),
    "Argument": _Parameter("arguments", _LOCAL, _texts),
    "OperationTimeout": _Parameter("operation_timeout", _LIVE, _milliseconds),
    "OpenTimeout": _Parameter("open_timeout", _LIVE, _milliseconds),
}


def _wrong(name: str, why: str) -> UsageError:
    return UsageError(
        f"-{name} {why}",
        id="ErrorInvalidParameterValue",
        target=name,
        hint="see psexport -? for what it takes",
    )


def _conflict(what: str, name: str) -> UsageError:
    return UsageError(
        what,
        id="ErrorConflictingParameters",
        target=name,
        hint=f"leave out -{name}, or what it contradicts",
    )


__all__ = ["Authentication", "Connection", "Kind", "Value", "parse"]
