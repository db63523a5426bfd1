"""What a WinRM service says to somebody who has not logged on."""

from __future__ import annotations

import email.utils
import html
import http.client
import re
import time
from collections.abc import Generator, Iterator

from ..connection import Authentication
from .findings import Finding, fault, ok, skipped, warning
from .http import Answer, ProxyRefusalError, Route, post
from .network import refused_by_proxy
from .tls import permissive, speaks_tls
from .visit import Visit

_SECONDS = 10.0
_SOAP_TYPE = "application/soap+xml;charset=UTF-8"
#: The question who is there, which starts nothing on the host.
IDENTIFY = (
    b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" '
    b'xmlns:i="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd">'
    b"<s:Header/><s:Body><i:Identify/></s:Body></s:Envelope>"
)
_TOLD = re.compile(rb"<(?:[\w.-]+:)?(ProductVendor|ProductVersion)>([^<]{1,200})<")

#: Kerberos takes five minutes; HTTP dates have whole seconds.
KERBEROS_SKEW = 300.0
_WORTH_A_WORD = 30.0

#: The word of WWW-Authenticate for each way of logging on; a certificate has none.
_SCHEMES = {
    Authentication.DEFAULT: ("Negotiate", "Kerberos"),
    Authentication.NEGOTIATE: ("Negotiate",),
    Authentication.NTLM: ("Negotiate", "NTLM"),
    Authentication.KERBEROS: ("Kerberos", "Negotiate"),
    Authentication.BASIC: ("Basic",),
    Authentication.CREDSSP: ("CredSSP",),
}
_MAX_OFFERS = 10


def identify(visit: Visit) -> Iterator[Finding]:
    """Ask who is there, which WinRM tells everybody."""
    answer = yield from _asked(visit, IDENTIFY, {"WSMANIDENTIFY": "unauthenticated"})
    if answer is None:
        return
    told = product(answer.body)
    vendor, version = told.get("ProductVendor"), told.get("ProductVersion")
    if answer.status == 200 and b"IdentifyResponse" in answer.body:
        yield ok(
            f"WinRM of {vendor or 'nobody'}, {version or 'no version told'}",
            vendor=vendor,
            version=version,
        )
    elif answer.status == 401:
        yield ok("the service tells who it is only after a log on", status=401)
    elif answer.status in (301, 302, 303, 307, 308):
        yield _redirected(visit, answer)
    elif answer.status == 503:
        text = "the host is up, but nothing serves that address now (HTTP 503)"
        yield fault("ServiceUnavailable", text, status=503)
    elif answer.status == 404:
        assert visit.route is not None
        text = f"there is no WinRM at {visit.route.path} on that port (HTTP 404)"
        yield fault("NotWinRm", text, status=404, path=visit.route.path)
    else:
        server = answer.header("Server")
        name = f", its server is called {server}" if server else ""
        text = f"what answers is no WinRM: HTTP {answer.status}{name}"
        yield fault("NotWinRm", text, status=answer.status, server=server or None)


def product(body: bytes) -> dict[str, str]:
    """ProductVendor and ProductVersion of an answer to :data:`IDENTIFY`."""
    return {
        name.decode(): html.unescape(text.decode("utf-8", "replace"))
        for name, text in _TOLD.findall(body)
    }


def clock(visit: Visit) -> Iterator[Finding]:
    """Compare the clocks, as far as HTTP tells."""
    if visit.skew is None:
        yield skipped("the host's answer has no date")
        return
    seconds = round(visit.skew)
    told = f"the host's clock is {_spoken(seconds)}"
    if abs(seconds) < _WORTH_A_WORD:
        yield ok("both clocks agree", skew=seconds)
    elif abs(seconds) >= KERBEROS_SKEW:
        if visit.connection.authentication is Authentication.KERBEROS:
            yield fault("ClockSkew", f"{told}, more than Kerberos allows", skew=seconds)
        else:
            text = f"{told}, more than Kerberos would allow"
            yield warning("ClockSkew", text, skew=seconds)
    else:
        yield warning("ClockDiffers", told, skew=seconds)


def _spoken(seconds: int) -> str:
    """A difference of clocks in words."""
    amount = abs(seconds)
    size, name = next(
        (size, name)
        for size, name in (
            (86400, "days"),
            (3600, "hours"),
            (60, "minutes"),
            (1, "seconds"),
        )
        if amount >= 2 * size or size == 1
    )
    return f"{amount // size} {name} {'ahead' if seconds > 0 else 'behind'}"


def methods(visit: Visit) -> Iterator[Finding]:
    """Ask for something without logging on: the refusal names the ways to do it."""
    answer = yield from _asked(visit, b"", {})
    if answer is None:
        return
    chosen = visit.connection.authentication
    if answer.status != 401:
        text = f"the host names no ways to log on (HTTP {answer.status})"
        yield skipped(text)
        return
    offers = []
    for value in answer.every("WWW-Authenticate"):
        # A list of challenges in one header is what HTTP allows and WinRM never does.
        word = re.match(r"[A-Za-z][\w-]{0,30}", value)
        if word and word[0] not in offers:
            offers.append(word[0])
    visit.offers = tuple(offers[:_MAX_OFFERS])
    named = ", ".join(visit.offers) or "none"
    wanted = _SCHEMES.get(chosen)
    known = {offer.lower() for offer in visit.offers}
    if wanted is None or known & {word.lower() for word in wanted}:
        yield ok(f"the host offers {named}", offers=list(visit.offers))
    elif chosen is Authentication.BASIC and not visit.connection.use_ssl:
        text = f"the host does not take Basic without TLS; it offers {named}"
        yield fault("BasicUnencrypted", text, offers=list(visit.offers))
    else:
        text = f"the host does not offer {chosen.value}; it offers {named}"
        cause = "MethodOff" if chosen in _SWITCHES else "MethodNotOffered"
        yield fault(cause, text, offers=list(visit.offers), method=chosen.value)


#: Ways of logging on that a host has a switch for, called the same.
_SWITCHES = frozenset(
    {
        Authentication.BASIC,
        Authentication.CREDSSP,
        Authentication.KERBEROS,
        Authentication.NEGOTIATE,
    }
)


def _asked(
    visit: Visit, body: bytes, headers: dict[str, str]
) -> Generator[Finding, None, Answer | None]:
    """Post something; what went wrong is found, and what came back is returned."""
    route = visit.route
    assert route is not None
    sent = time.time()
    try:
        answer = post(
            route,
            body,
            {"Content-Type": _SOAP_TYPE, "User-Agent": "psexport doctor", **headers},
            context=permissive(),
            seconds=_SECONDS,
        )
    except ProxyRefusalError as refusal:
        yield refused_by_proxy(refusal.status, route)
    except TimeoutError:
        text = f"the host takes the question and says nothing for {_SECONDS:g} s"
        yield fault("HostSilent", text)
    except (OSError, http.client.HTTPException, ValueError) as error:
        yield _no_answer(route, error)
    else:
        _note_clock(visit, answer, (sent + time.time()) / 2)
        if _is_proxys(route, answer):
            yield refused_by_proxy(answer.status, route)
            return None
        return answer
    return None


def _no_answer(route: Route, error: Exception) -> Finding:
    if not route.use_ssl and speaks_tls(route):
        return fault("TlsExpected", "the port is open, and what is there speaks TLS")
    if isinstance(error, http.client.RemoteDisconnected):
        return fault("HostCuts", "the host takes the question and hangs up")
    if isinstance(error, OSError):
        why = error.strerror or type(error).__name__
        return fault("HostCuts", f"the host breaks the connection ({why})")
    text = f"what is there speaks no HTTP ({type(error).__name__})"
    return fault("NotHttp", text)


def _is_proxys(route: Route, answer: Answer) -> bool:
    """Whether a proxy answers in the host's place, as far as one can tell."""
    if route.proxy is None or route.use_ssl or answer.header("WWW-Authenticate"):
        return False
    return answer.status in (403, 407, 502, 503, 504)


def _redirected(visit: Visit, answer: Answer) -> Finding:
    to = answer.header("Location") or "nowhere"
    text = f"the host sends to {to} (HTTP {answer.status})"
    if visit.connection.allow_redirection:
        return warning("Redirected", text, status=answer.status, location=to)
    return fault("Redirected", text, status=answer.status, location=to)


def _note_clock(visit: Visit, answer: Answer, now: float) -> None:
    try:
        said = email.utils.parsedate_to_datetime(answer.header("Date")).timestamp()
    except (ValueError, OverflowError, OSError):
        return
    visit.skew = said - now


__all__ = ["IDENTIFY", "clock", "identify", "methods", "product"]
