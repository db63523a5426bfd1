"""Does the host's name lead anywhere, and does anybody listen there?"""

from __future__ import annotations

import errno
import http.client
import ipaddress
import socket
from collections.abc import Iterator

from .findings import Finding, fault, ok, skipped, warning
from .http import ProxyRefusalError, Route, stream
from .visit import Visit

#: Seconds for a connection to each address, and how many addresses are tried.
_CONNECT = 4.0
_MAX_ADDRESSES = 4
#: WinRM's ports, and what each speaks.
_SIBLINGS = {5985: (5986, "winrms://"), 5986: (5985, "winrm://")}

#: Ways of not finding a name that may pass.
_FOR_NOW = {getattr(socket, "EAI_AGAIN", None)}


def resolve(visit: Visit) -> Iterator[Finding]:
    """Look the name up: the host's, or the proxy's if one is on the way."""
    route = _route(visit)
    host, port = route.next_hop
    if _is_address(host):
        yield ok(f"{host} is an address", addresses=[host])
        return
    try:
        addresses = _addresses(host, port)
    except (OSError, UnicodeError) as error:
        if route.proxy is not None:
            text = f"the name of the proxy {host} is not known"
            yield fault("ProxyUnreachable", text, proxy=route.proxy_name)
        elif getattr(error, "errno", None) in _FOR_NOW:
            text = f"no name server answers for {host}"
            yield fault("NameServerSilent", text, name=host)
        else:
            yield fault("NameUnknown", f"nobody knows a host called {host}", name=host)
        return
    yield ok(f"{host} is {', '.join(addresses)}", addresses=addresses)


def reach(visit: Visit) -> Iterator[Finding]:
    """Connect to each address: to the host, or to the proxy if one is on the way."""
    route = _route(visit)
    host, port = route.next_hop
    reached: list[str] = []
    failures: list[tuple[str, str]] = []
    for address in _addresses(host, port)[:_MAX_ADDRESSES]:
        try:
            with socket.create_connection((address, port), timeout=_CONNECT):
                reached.append(address)
        except OSError as error:
            failures.append((address, _cause(error)))
    if not reached:
        yield _unreachable(route, failures)
        return
    whose = "the proxy " if route.proxy else ""
    for address, _ in failures:
        yield warning(
            "AddressDead",
            f"{address} does not answer on port {port}, {reached[0]} does",
            address=address,
            port=port,
        )
    yield ok(f"{whose}{host} accepts connections on port {port}", port=port)


def proxy(visit: Visit) -> Iterator[Finding]:
    """Ask the proxy for a way to the host."""
    route = _route(visit)
    if route.proxy is None:
        yield skipped("no proxy is on the way")
        return
    name = route.proxy_name
    if not route.use_ssl:
        yield ok(f"requests go through {name}", proxy=name)
        return
    try:
        with stream(route, _CONNECT * 2):
            pass
    except ProxyRefusalError as refusal:
        yield refused_by_proxy(refusal.status, route)
    except (OSError, http.client.HTTPException) as error:
        yield fault(
            "ProxyBroken",
            f"{name} does not answer as a proxy does ({type(error).__name__})",
            proxy=name,
        )
    else:
        yield ok(f"{name} leads to {route.authority}", proxy=name)


def refused_by_proxy(status: int, route: Route) -> Finding:
    """What a proxy means by a status of its own."""
    name = route.proxy_name
    if status == 407:
        cause, text = "ProxyAuthentication", f"the proxy {name} wants a log on"
    elif status in (502, 503, 504):
        cause = "ProxyCannotReach"
        text = f"the proxy {name} does not reach {route.authority}"
    else:
        cause = "ProxyRefuses"
        text = f"the proxy {name} refuses to connect to {route.authority}"
    return fault(cause, f"{text} (HTTP {status})", proxy=name, status=status)


def _unreachable(route: Route, failures: list[tuple[str, str]]) -> Finding:
    host, port = route.next_hop
    causes = {cause for _, cause in failures}
    told = ", ".join(f"{address}: {_WORDS[cause]}" for address, cause in failures)
    if route.proxy is not None:
        text = f"the proxy {host}:{port} cannot be reached ({told})"
        return fault("ProxyUnreachable", text, proxy=f"{host}:{port}")
    cause = "PortRefused" if "PortRefused" in causes else failures[0][1]
    text = f"{host} cannot be reached on port {port} ({told})"
    sibling, scheme = _SIBLINGS.get(port, (0, ""))
    if sibling and _listens(failures[0][0], sibling):
        text += f", but port {sibling} is open"
        return fault("OtherPort", text, port=port, other=sibling, scheme=scheme)
    return fault(cause, text, port=port)


def _listens(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=1.0):
            return True
    except OSError:
        return False


_WORDS = {
    "PortRefused": "connection refused",
    "PortSilent": "no answer",
    "NetworkUnreachable": "no way there",
}


def _cause(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "PortSilent"
    if error.errno == errno.ECONNREFUSED:
        return "PortRefused"
    return "NetworkUnreachable"


def _addresses(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(info[4][0]) for info in found))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _route(visit: Visit) -> Route:
    assert visit.route is not None
    return visit.route


__all__ = ["proxy", "reach", "refused_by_proxy", "resolve"]
