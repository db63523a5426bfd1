"""JSON over HTTP with a bearer token: all that two of the key services need."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from ..net import Sender, SendError
from .hook import service_failed

#: Gives an access token for the service; asked anew for each request, because a
#: credential object knows when its token is old.
Token = Callable[[], str]
_TIMEOUT = 30.0
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def may_carry_token(url: str) -> bool:
    """Tell whether an access token may be sent there: only encrypted, or nowhere."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (
        parts.scheme == "http" and parts.hostname in _LOOPBACK
    )


def call(
    send: Sender,
    token: Token,
    url: str,
    body: Mapping[str, object] | None,
    target: str,
) -> dict[str, Any]:
    """Send a request and return the JSON object that answers it.

    :raises PSExportError: ``ErrorKeyService``.
    """
    headers = {
        "Authorization": f"Bearer {token()}",
        "Accept": "application/json",
        "Content-Type": "application/json",
    }
    encoded = None if body is None else json.dumps(body).encode()
    try:
        answer = json.loads(send(url, encoded, headers, _TIMEOUT))
    except SendError as error:
        raise service_failed(target, error) from None
    except ValueError:
        raise service_failed(target, "the answer is not JSON") from None
    if not isinstance(answer, dict):
        raise service_failed(target, "the answer is not a JSON object")
    return answer


def octets(answer: Mapping[str, Any], name: str, target: str) -> bytes:
    """Return a member of an answer that holds base64, in either alphabet.

    :raises PSExportError: ``ErrorKeyService`` if it does not.
    """
    value = answer.get(name)
    if isinstance(value, str):
        standard = value.rstrip("=").replace("-", "+").replace("_", "/")
        try:
            return base64.b64decode(
                standard + "=" * (-len(standard) % 4), validate=True
            )
        except binascii.Error:
            pass
    raise service_failed(target, f"the answer has no {name}")
