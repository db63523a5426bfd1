"""What a session spec says: where a host is and how to reach it. Opens nothing.

A spec is what ``-Session`` takes (a word, or a URI with query parameters), or the
parameters of New-PSSession, or both. An address is read into fields and into
parameters that it says itself (user, port, query); these and the given ones meet in
one table, which knows what each parameter takes and which kinds of session it is for.

Somewhat above 400 lines, as the table, its readers and its errors belong together.
"""

from __future__ import annotations

import difflib
import enum
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

from . import settings
from .errors import UsageError


class Kind(enum.Enum):
    """How a host is reached."""

    LOCAL = "local"
    SSH = "ssh"
    WSMAN = "wsman"
    WINRS = "winrs"
    CATALOG = "catalog"
    REPLAY = "replay"
    DEMO = "demo"


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
Value = str | bool | int | Sequence[str]

_Given = dict[str, Value]
_Fields = dict[str, Any]
#: What an address says: fields of a connection, and parameters.
_Address = tuple[_Fields, _Given]

_FORMS = (
    "demo, pwsh:, pwsh:/path, ssh://user@host, winrm://host, winrms://host, "
    "https://host:5986/wsman, winrs://host, winrss://host, catalog:FILE, replay:FILE"
)


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
    given = _canonical(parameters or {})
    if session is not None:
        given["Session"] = session
    address = _address_of(given)
    if address is None:
        raise UsageError(
            "there is no session",
            id="ErrorSessionMissing",
            hint=f"give -Session one of {_FORMS}, or the name of a saved session",
        )
    name, text = address
    if name != "Session" or _URI.fullmatch(text) or text.lower() == "demo":
        fields, said = _ADDRESSES[name](text)
        return _connection(fields, _joined(said, given))
    saved = _canonical(_saved(text, folders))
    address = _address_of(saved)
    if address is None:
        raise UsageError(
            f"the saved session {text} has no address",
            id="ErrorSettingsUnreadable",
            target=text,
            hint=f"give it one of {', '.join(_ADDRESSES)} in {settings.FILE_NAME}",
        )
    fields, said = _ADDRESSES[address[0]](address[1])
    # What is said now wins over what was saved.
    return _connection(fields, {**_joined(said, saved), **given})


def _address_of(given: _Given) -> tuple[str, str] | None:
    """Take the one parameter that is an address out of what is given."""
    names = [name for name in _ADDRESSES if name in given]
    if not names:
        return None
    if len(names) > 1:
        raise _conflict(f"-{names[0]} and -{names[1]} say both where to", names[1])
    value = given.pop(names[0])
    if not isinstance(value, str) or not value:
        raise _wrong(names[0], "takes the address of one host")
    return names[0], value


def _saved(name: str, folders: Iterable[Path] | None) -> dict[str, Value]:
    sessions = settings.sessions(folders)
    for known, parameters in sessions.items():
        if known.lower() == name.lower():
            return parameters
    raise UsageError(
        f"there is no session called {name}{_near(name, ['demo', *sessions])}",
        id="ErrorSessionNotFound",
        target=name,
        hint=f"save it in {settings.FILE_NAME}, or give one of {_FORMS}",
    )


def _joined(said: _Given, given: _Given) -> _Given:
    for name, value in said.items():
        if name in given and _table()[name].read(name, value) != _table()[name].read(
            name, given[name]
        ):
            raise _conflict(f"-{name} is not what the address says", name)
    return {**said, **given}


# Addresses.

_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.*)", re.DOTALL)
_AUTHORITY = re.compile(r"(?:(.*)@)?(\[[^\]]*\]|[^:@\[\]]*)(?::([^:]*))?", re.DOTALL)
_HOST = re.compile(r"\w([\w.-]*\w)?\.?")
_ZONE = re.compile(r"[\w.-]+")


def _session(text: str) -> _Address:
    """A word or URI of ``-Session``."""
    match = _URI.fullmatch(text)
    if match is None:
        return {"kind": Kind.DEMO}, {}
    scheme = match[1].lower()
    read = _SCHEMES.get(scheme)
    if read is None:
        raise UsageError(
            f"there is no kind of session called {match[1]}:{_near(scheme, _SCHEMES)}",
            id="ErrorSessionSpec",
            target=f"{match[1]}:",
            hint=f"give one of {_FORMS}",
        )
    return read(text, match[2])


def _program(text: str, rest: str) -> _Address:
    path, _, query = rest.partition("?")
    return {"kind": Kind.LOCAL, "path": path}, _query(query)


def _file(kind: Kind) -> Callable[[str, str], _Address]:
    def read(text: str, rest: str) -> _Address:
        if not rest or "\0" in rest:
            raise _malformed(text, "names no file")
        return {"kind": kind, "path": rest}, {}

    return read


def _ssh(text: str, rest: str) -> _Address:
    host, path, said = _located(text, rest)
    if path.strip("/"):
        raise _malformed(text, "has a path, which ssh does not know")
    return {"kind": Kind.SSH, "host": host}, said


def _winrm(kind: Kind, use_ssl: bool) -> Callable[[str, str], _Address]:
    def read(text: str, rest: str) -> _Address:
        host, path, said = _located(text, rest)
        if path.lstrip("/"):
            said["ApplicationName"] = unquote(path.lstrip("/"))
        said["UseSSL"] = use_ssl
        return {"kind": kind, "host": host}, said

    return read


def _http(text: str, rest: str) -> _Address:
    fields, said = _connection_uri(urlunsplit(_split(text)._replace(query="")))
    return fields, {**said, **_query(_split(text).query)}


def _connection_uri(text: str) -> _Address:
    """An HTTP address as New-PSSession takes it: the query belongs to the host."""
    scheme, _, rest = text.partition(":")
    if scheme.lower() not in ("http", "https"):
        raise _wrong("ConnectionUri", "takes an http or https address")
    host, path, said = _located(text, rest, query=False)
    use_ssl = scheme.lower() == "https"
    said["UseSSL"] = use_ssl
    # Not 5985 and 5986: so does New-PSSession, and so are Exchange's servers.
    said.setdefault("Port", 443 if use_ssl else 80)
    said["ApplicationName"] = unquote(path.lstrip("/")) or "wsman"
    user = said.pop("UserName", None)
    if user is not None:
        said["Credential"] = user
        text = urlunsplit(_split(text)._replace(netloc=_authority(text).host))
    return {"kind": Kind.WSMAN, "host": host, "connection_uri": text}, said


def _computer_name(text: str) -> _Address:
    return {"kind": Kind.WSMAN, "host": _host(text, _bracketed(text))}, {}


def _host_name(text: str) -> _Address:
    """New-PSSession's -HostName may have a user and a port."""
    return _ssh(text, f"//{_bracketed(text)}")


class _Authority(NamedTuple):
    user: str
    host: str
    port: str | None


def _located(text: str, rest: str, *, query: bool = True) -> tuple[str, str, _Given]:
    """Host, path and parameters of ``//user@host:port/path?query``."""
    if not rest.startswith("//"):
        raise _malformed(text, "has no // before the host")
    parts = _split(f"scheme:{rest}")
    if parts.fragment:
        raise _malformed(text, "has a # that is not written as %23")
    said = _query(parts.query) if query else {}
    user, host, port = _authority(f"scheme:{rest}")
    if user:
        said = _joined({"UserName": user}, said)
    if port is not None:
        said = _joined({"Port": port}, said)
    return _host(text, host), parts.path, said


def _authority(text: str) -> _Authority:
    match = _AUTHORITY.fullmatch(_split(text).netloc)
    if match is None:
        raise _malformed(text, "has no valid host and port")
    user, host, port = match.groups()
    if user is not None and ":" in user:
        raise _password("a session address")
    return _Authority(unquote(user or ""), host, port)


def _host(text: str, host: str) -> str:
    if host.startswith("["):
        address, _, zone = unquote(host[1:-1]).partition("%")
        try:
            ipaddress.IPv6Address(address)
        except ValueError:
            raise _malformed(text, f"has {host}, which is no IPv6 address") from None
        if zone and not _ZONE.fullmatch(zone):
            raise _malformed(text, "has a strange zone")
        return f"{address}%{zone}" if zone else address
    host = unquote(host)
    # ssh would take a name that begins with a dash as an option.
    if not _HOST.fullmatch(host):
        raise _malformed(text, f"has {host!r} where a host's name should be")
    return host


def _bracketed(text: str) -> str:
    """A host as it stands in a URI, where a bare IPv6 address may stand here."""
    try:
        ipaddress.IPv6Address(text.partition("%")[0])
    except ValueError:
        return text
    return f"[{text}]"


def _split(text: str) -> Any:
    if any(character <= " " or character == "\x7f" for character in text):
        raise _malformed(text, "has blanks or control characters")
    try:
        return urlsplit(text)
    except ValueError:
        raise _malformed(text, "is no valid address") from None


def _query(query: str) -> _Given:
    """The parameters of a query string; one that comes again makes a list."""
    said: dict[str, Any] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        said.setdefault(name, []).append(value)
    return _canonical(
        {name: values if values[1:] else values[0] for name, values in said.items()}
    )


_ADDRESSES: dict[str, Callable[[str], _Address]] = {
    "Session": _session,
    "ComputerName": _computer_name,
    "ConnectionUri": _connection_uri,
    "HostName": _host_name,
}

_SCHEMES: dict[str, Callable[[str, str], _Address]] = {
    "pwsh": _program,
    "ssh": _ssh,
    "winrm": _winrm(Kind.WSMAN, False),
    "winrms": _winrm(Kind.WSMAN, True),
    "winrs": _winrm(Kind.WINRS, False),
    "winrss": _winrm(Kind.WINRS, True),
    "http": _http,
    "https": _http,
    "catalog": _file(Kind.CATALOG),
    "replay": _file(Kind.REPLAY),
}


# Parameters.


def _text(name: str, value: Value) -> str:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise _wrong(name, "takes a text of one line")
    return value


def _user(name: str, value: Value) -> str:
    text = _text(name, value)
    if text.startswith("-"):  # ssh would take it as an option
        raise _wrong(name, "takes a user's name, which does not begin with a dash")
    return text


def _texts(name: str, value: Value) -> tuple[str, ...]:
    values = [value] if isinstance(value, str | bool | int) else value
    return tuple(_text(name, one) for one in values)


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
    try:
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise ValueError
        return int(value)
    except ValueError:
        raise _wrong(name, "takes a whole number") from None


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
    raise _wrong(name, f"takes one of {', '.join(names)}{_near(str(value), names)}")


def _http_address(name: str, value: Value) -> str:
    text = _text(name, value)
    if not text.lower().startswith(("http://", "https://")):
        raise _wrong(name, "takes an http or https address")
    host = _authority(text).host
    _host(text, host)
    return text


class _Parameter(NamedTuple):
    """What a parameter sets, which kinds of session know it, and what it takes."""

    field: str
    kinds: frozenset[Kind]
    read: Callable[[str, Value], Any]


def _table() -> dict[str, _Parameter]:
    return _PARAMETERS


_WSMAN = frozenset({Kind.WSMAN})
_WEB = frozenset({Kind.WSMAN, Kind.WINRS})
_OVER_SSH = frozenset({Kind.SSH})
_LOCAL = frozenset({Kind.LOCAL})
_LIVE = _WEB | _OVER_SSH | _LOCAL

_PARAMETERS = {
    "UserName": _Parameter("user_name", _WEB | _OVER_SSH, _user),
    "Credential": _Parameter("user_name", _WEB, _user),
    "PasswordFile": _Parameter("password_file", _WEB, _text),
    "Port": _Parameter("port", _WEB | _OVER_SSH, _port),
    "UseSSL": _Parameter("use_ssl", _WEB, _switch),
    "ApplicationName": _Parameter("application_name", _WEB, _text),
    "ConfigurationName": _Parameter("configuration_name", _WSMAN, _text),
    "Authentication": _Parameter("authentication", _WEB, _authentication),
    "CertificatePem": _Parameter("certificate_pem", _WEB, _text),
    "CertificateKeyPem": _Parameter("certificate_key_pem", _WEB, _text),
    "CAFile": _Parameter("ca_file", _WEB, _text),
    "SkipCACheck": _Parameter("skip_ca_check", _WEB, _switch),
    "SkipCNCheck": _Parameter("skip_cn_check", _WEB, _switch),
    "ProxyUri": _Parameter("proxy_uri", _WEB, _http_address),
    "AllowRedirection": _Parameter("allow_redirection", _WSMAN, _switch),
    "KeyFilePath": _Parameter("key_file", _OVER_SSH, _text),
    "Subsystem": _Parameter("subsystem", _OVER_SSH, _text),
    "Options": _Parameter("options", _OVER_SSH, _options),
    "ConfigurationFile": _Parameter("configuration_file", _LOCAL, _text),
    "Argument": _Parameter("arguments", _LOCAL, _texts),
    "OperationTimeout": _Parameter("operation_timeout", _LIVE, _milliseconds),
    "OpenTimeout": _Parameter("open_timeout", _LIVE, _milliseconds),
}


def _canonical(given: Mapping[str, Value]) -> _Given:
    """The same parameters, with the names as they are written here."""
    known = {name.lower(): name for name in (*_ADDRESSES, *_PARAMETERS)}
    result: _Given = {}
    for name, value in given.items():
        if "password" in name.lower() and name.lower() != "passwordfile":
            raise _password("a session's parameters")
        if name.lower() not in known:
            raise UsageError(
                f"a session has no parameter {name}{_near(name, known.values())}",
                id="ErrorUnknownParameter",
                target=name,
                hint="see psexport -? for the parameters of sessions; a query that "
                "is the host's own goes into -ConnectionUri",
            )
        result[known[name.lower()]] = value
    return result


def _connection(fields: _Fields, given: _Given) -> Connection:
    kind: Kind = fields["kind"]
    for name, value in given.items():
        parameter = _PARAMETERS[name]
        if kind not in parameter.kinds:
            raise _conflict(f"-{name} means nothing to a {kind.value} session", name)
        read = parameter.read(name, value)
        if fields.get(parameter.field, read) != read:
            raise _conflict(f"-{name} is not what was said before", name)
        fields[parameter.field] = read
    if kind in _WEB:
        _complete(fields, given)
    return Connection(**fields)


def _complete(fields: _Fields, given: _Given) -> None:
    """Fill in what follows, and refuse what does not go together, for HTTP."""
    use_ssl = fields.setdefault("use_ssl", False)
    fields.setdefault("port", 5986 if use_ssl else 5985)
    for name in ("SkipCACheck", "SkipCNCheck", "CAFile", "CertificatePem"):
        if given.get(name) and not use_ssl:
            raise _conflict(f"-{name} needs TLS: winrms://, https:// or -UseSSL", name)
    if "CertificateKeyPem" in given and "CertificatePem" not in given:
        raise _conflict("-CertificateKeyPem needs -CertificatePem", "CertificateKeyPem")
    certified = "CertificatePem" in given
    if certified:
        fields.setdefault("authentication", Authentication.CERTIFICATE)
    logon = fields.get("authentication", Authentication.DEFAULT)
    if certified != (logon is Authentication.CERTIFICATE):
        raise _conflict(
            "-Authentication Certificate and -CertificatePem need each other",
            "Authentication",
        )


# Errors.


def _near(word: str, known: Iterable[str]) -> str:
    names = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), names, n=3, cutoff=0.6)
    return (
        f"; did you mean {' or '.join(names[one] for one in close)}?" if close else ""
    )


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


def _malformed(text: str, why: str) -> UsageError:
    # Not the text itself: a password may be in it, which is why it looks wrong.
    scheme = text.partition(":")[0] if _URI.fullmatch(text) else "host"
    return UsageError(
        f"the {scheme} address of the session {why}",
        id="ErrorSessionSpec",
        target=scheme,
        hint=f"give one of {_FORMS}; write special characters as %XX",
    )


def _password(where: str) -> UsageError:
    return UsageError(
        f"a password does not belong into {where}",
        id="ErrorPasswordInSession",
        hint="set PSEXPORT_PASSWORD, use -PasswordFile, or wait to be asked",
    )


__all__ = ["Authentication", "Connection", "Kind", "Value", "parse"]
