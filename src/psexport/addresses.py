"""Reading where a host is: the URIs of ``-Session``, and what stands for one.

An address gives the kind of session, a few facts, and parameters that it says itself:
the user, the port, the query. What the parameters mean is not known here. A password
in an address is refused, and no message repeats an address, for there may be one in it.
"""

from __future__ import annotations

import enum
import ipaddress
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit, urlunsplit

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


#: Parameters by name, as they come; a name may come again.
Said = tuple[tuple[str, str | bool | int], ...]


class Address(NamedTuple):
    """What an address says.

    :ivar host: name or IP address, without brackets; "" where there is none.
    :ivar path: file of a local session.
    :ivar connection_uri: the address itself, of one that New-PSSession would take.
    :ivar said: parameters that it says.
    """

    kind: Kind
    host: str = ""
    path: str = ""
    connection_uri: str = ""
    said: Said = ()


FORMS = (
    "demo, pwsh:, pwsh:/path, ssh://user@host, winrm://host, winrms://host, "
    "https://host:5986/wsman, winrs://host, winrss://host, catalog:FILE, replay:FILE"
)

_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.*)", re.DOTALL)
_AUTHORITY = re.compile(r"(?:(.*)@)?(\[[^\]]*\]|[^:@\[\]]*)(?::([^:]*))?", re.DOTALL)
#: ssh would take a name that begins with a dash as an option.
_HOST = re.compile(r"\w([\w.-]*\w)?\.?")
_ZONE = re.compile(r"[\w.-]+")


def of_session(text: str) -> Address | None:
    """What ``-Session`` takes; ``None`` for a word, which is the name of a session.

    :raises UsageError: there is no such kind of session, or the address is malformed.
    """
    if text.lower() == "demo":
        return Address(Kind.DEMO)
    match = _URI.fullmatch(text)
    if match is None:
        return None
    scheme = match[1].lower()
    read = _SCHEMES.get(scheme)
    if read is None:
        raise UsageError(
            f"there is no kind of session called {match[1]}:{near(scheme, _SCHEMES)}",
            id="ErrorSessionSpec",
            target=f"{match[1]}:",
            hint=f"give one of {FORMS}",
        )
    return read(text, match[2])


def of_computer(name: str) -> Address:
    """New-PSSession's ``-ComputerName``."""
    host = _bracketed(name)
    if not host.startswith("[") and set(host) & set(":/"):
        raise UsageError(
            "-ComputerName takes the name or the address of a host, and no more",
            id="ErrorSessionSpec",
            target="ComputerName",
            hint="give a port with -Port, and a whole address with -ConnectionUri",
        )
    return Address(Kind.WSMAN, _host(host))


def of_connection_uri(uri: str) -> Address:
    """New-PSSession's ``-ConnectionUri``: its query belongs to the host."""
    parts = _split(uri)
    if parts.scheme not in ("http", "https"):
        raise malformed("is neither http nor https")
    user, host, port = _authority(parts)
    use_ssl = parts.scheme == "https"
    said: list[tuple[str, str | bool | int]] = [
        ("UseSSL", use_ssl),
        # Not 5985 and 5986: so does New-PSSession, and so are Exchange's servers.
        ("Port", port or (443 if use_ssl else 80)),
        ("ApplicationName", unquote(parts.path.lstrip("/")) or "wsman"),
    ]
    if user:
        said.append(("Credential", user))
    plain = parts._replace(netloc=parts.netloc.rpartition("@")[2])
    return Address(
        Kind.WSMAN, _host(host), connection_uri=urlunsplit(plain), said=tuple(said)
    )


def of_host(name: str) -> Address:
    """New-PSSession's ``-HostName``, which may have a user and a port."""
    return _ssh(name, f"//{_bracketed(name)}")


def _program(text: str, rest: str) -> Address:
    path, _, query = rest.partition("?")
    return Address(Kind.LOCAL, path=path, said=_query(query))


def _file(kind: Kind) -> Callable[[str, str], Address]:
    def read(text: str, rest: str) -> Address:
        if not rest or "\0" in rest:
            raise malformed("names no file")
        return Address(kind, path=rest)

    return read


def _ssh(text: str, rest: str) -> Address:
    host, path, said = _located(rest)
    if path.strip("/"):
        raise malformed("has a path, which ssh does not know")
    return Address(Kind.SSH, host, said=said)


def _winrm(kind: Kind, use_ssl: bool) -> Callable[[str, str], Address]:
    def read(text: str, rest: str) -> Address:
        host, path, said = _located(rest)
        application = unquote(path.lstrip("/"))
        named = (("ApplicationName", application),) if application else ()
        # Without the s nothing is said of TLS: -UseSSL may still ask for it.
        secured = (("UseSSL", True),) if use_ssl else ()
        return Address(kind, host, said=(*secured, *named, *said))

    return read


def _http(text: str, rest: str) -> Address:
    parts = _split(text)
    address = of_connection_uri(urlunsplit(parts._replace(query="")))
    return address._replace(said=(*address.said, *_query(parts.query)))


_SCHEMES: dict[str, Callable[[str, str], Address]] = {
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


def _located(rest: str) -> tuple[str, str, Said]:
    """Host, path and parameters of ``//user@host:port/path?query``."""
    if not rest.startswith("//"):
        raise malformed("has no // before the host")
    parts = _split(rest)
    user, host, port = _authority(parts)
    said: list[tuple[str, str | bool | int]] = []
    if user:
        said.append(("UserName", user))
    if port:
        said.append(("Port", port))
    return _host(host), parts.path, (*said, *_query(parts.query))


def _authority(parts: SplitResult) -> tuple[str, str, str]:
    """User, host in its brackets, and port, each "" where not told."""
    if parts.fragment:
        raise malformed("has a # that is not written as %23")
    match = _AUTHORITY.fullmatch(parts.netloc)
    if match is None:
        raise malformed("has no valid host and port")
    user, host, port = match.groups()
    if user is not None and ":" in user:
        raise password_refused("address")
    return unquote(user or ""), host, port or ""


def _host(host: str) -> str:
    host = unquote(host)
    if host.startswith("["):
        address, _, zone = host[1:-1].partition("%")
        try:
            ipaddress.IPv6Address(address)
        except ValueError:
            raise malformed("has no IPv6 address inside its brackets") from None
        if zone and not _ZONE.fullmatch(zone):
            raise malformed("has a strange zone in its IPv6 address")
        return f"{address}%{zone}" if zone else address
    if not _HOST.fullmatch(host):
        raise malformed("has no valid name of a host")
    return host


def _bracketed(text: str) -> str:
    """A host as it stands in a URI, where a bare IPv6 address may stand here."""
    address, _, zone = text.partition("%")
    try:
        ipaddress.IPv6Address(address)
    except ValueError:
        return text
    return f"[{address}%25{zone}]" if zone else f"[{address}]"


def _split(text: str) -> SplitResult:
    # urlsplit drops some of these without a word.
    if any(character <= " " or character == "\x7f" for character in text):
        raise malformed("has blanks or control characters")
    try:
        return urlsplit(text)
    except ValueError:
        raise malformed("is not a valid one") from None


def _query(query: str) -> Said:
    return tuple(parse_qsl(query, keep_blank_values=True))


def near(word: str, known: Iterable[str]) -> str:
    """What somebody may have meant, to be put after a sentence; "" if nothing."""
    import difflib

    names = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), names, n=3, cutoff=0.6)
    return (
        f"; did you mean {' or '.join(names[one] for one in close)}?" if close else ""
    )


def malformed(why: str) -> UsageError:
    """The error for an address that makes no sense."""
    return UsageError(
        f"the address of the session {why}",
        id="ErrorSessionSpec",
        hint=f"give one of {FORMS}; write special characters as %XX",
    )


def password_refused(where: str) -> UsageError:
    """The error for a password where none belongs."""
    return UsageError(
        f"a password does not belong into the {where} of a session",
        id="ErrorPasswordInSession",
        hint="set PSEXPORT_PASSWORD, use -PasswordFile, or wait to be asked",
    )


__all__ = [
    "FORMS",
    "Address",
    "Kind",
    "malformed",
    "near",
    "of_computer",
    "of_connection_uri",
    "of_host",
    "of_session",
    "password_refused",
]
