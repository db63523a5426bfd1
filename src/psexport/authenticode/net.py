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
        return known and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def send(
    url: str, body: bytes | None, headers: Mapping[str, str], timeout: float
) -> bytes:
    """Send by :mod:`urllib`, which honours the proxy variables of the environment."""
    request = urllib.request.Request(url, data=body, headers=dict(headers))
    deadline = time.monotonic() + timeout
    content = b""
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            while len(content) <= MAXIMUM_ANSWER and (part := answer.read1(1 << 16)):
                content += part
                if time.monotonic() > deadline:  # it comes in drops
                    raise TimeoutError("timed out")
    except urllib.error.HTTPError as error:
        with error:
            detail = error.read(2000).decode("utf-8", "replace")
        said = " ".join(detail.split())
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
