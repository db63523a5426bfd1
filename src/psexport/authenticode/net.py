"""One HTTP request over the standard library: the default way out of this package.

Time-stamp servers and key services are spoken to through a :class:`Sender`, so a
caller or a test can put another in its place.
"""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Protocol
from urllib.parse import urlsplit

#: Nothing that we ask for is longer; a longer answer is not read to its end.
MAXIMUM_ANSWER = 1 << 20


class SendError(Exception):
    """No usable answer. ``passing`` tells whether asking again may help."""

    def __init__(self, message: str, *, passing: bool) -> None:
        super().__init__(message)
        self.passing = passing


class Sender(Protocol):
    """Sends a request (a POST if there is a body) and returns the answer's body."""

    def __call__(
        self,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str],
        timeout: float,
    ) -> bytes:
        """Send; ``timeout`` in seconds. Raises :class:`SendError`."""


def is_http(url: str) -> bool:
    """Tell whether ``url`` is an absolute http or https address."""
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and url.isascii()
        named = bool(parts.hostname) and parts.username is None
        return known and named and parts.port != 0
    except ValueError:
        return False


class _NoRedirection(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """Let a redirection be the error that its status is."""


def _said(error: urllib.error.HTTPError) -> str:
    """Return where an answer points to, or the beginning of its text."""
    if moved := error.headers.get("Location"):
        return f"it has moved to {moved}"
    try:
        with error:
            detail: bytes = error.read(2000)
    except (OSError, http.client.HTTPException):  # its status says enough
        return ""
    return " ".join(detail.decode("utf-8", "replace").split())


def send(
    url: str, body: bytes | None, headers: Mapping[str, str], timeout: float
) -> bytes:
    """Send by :mod:`urllib`, which honours the proxy variables of the environment.

    Redirections are not followed: what is sent, a token may be in it, is for ``url``.
    """
    request = urllib.request.Request(url, data=body, headers=dict(headers))
    deadline = time.monotonic() + timeout
    content = b""
    try:
        opener = urllib.request.build_opener(_NoRedirection)
        with opener.open(request, timeout=timeout) as answer:
            while len(content) <= MAXIMUM_ANSWER and (part := answer.read1(1 << 16)):
                content += part
                if time.monotonic() > deadline:  # it comes in drops
                    raise TimeoutError("timed out")
    except urllib.error.HTTPError as error:
        said = _said(error)
        raise SendError(
            f"HTTP status {error.code}{': ' + said if said else ''}",
            passing=error.code >= 500 or error.code in (408, 429),
        ) from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise SendError(str(reason) or type(error).__name__, passing=True) from None
    if len(content) > MAXIMUM_ANSWER:
        raise SendError("the answer is too long", passing=False)
    return content
