"""Keys in Google Cloud KMS, over the service's REST interface.

``google:projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/1``. Who you
are comes from google-auth: the application default credentials.
"""

from __future__ import annotations

import base64
import os
import re
from typing import Any

from ...errors import PSExportError
from ..algorithms import SignatureAlgorithm
from ..net import Sender, send
from .hook import KeySource, Password, extra_missing, service_failed
from .rest import Token, call, may_carry_token, octets

ENDPOINT = "https://cloudkms.googleapis.com"
#: Where gcloud lets its users say that the service is elsewhere.
ENDPOINT_VARIABLE = "CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS"
_SCOPE = "https://www.googleapis.com/auth/cloudkms"
_NAME = re.compile(
    r"projects/[^/?#]+/locations/[^/?#]+/keyRings/[^/?#]+"
    r"/cryptoKeys/[^/?#]+/cryptoKeyVersions/[0-9]+"
)


class KmsKey:
    """A key version that stays in KMS. It knows its own algorithm."""

    def __init__(self, name: str, endpoint: str, token: Token, sender: Sender) -> None:
        self._name = name
        self._url = f"{endpoint.rstrip('/')}/v1/{name}:asymmetricSign"
        self._token = token
        self._send = sender

    def sign_digest(self, algorithm: SignatureAlgorithm, digest: bytes) -> bytes:
        """Sign as :class:`.hook.SigningKey` says."""
        encoded = base64.b64encode(digest).decode()
        body = {"digest": {algorithm.hash.name.lower(): encoded}}
        answer = call(self._send, self._token, self._url, body, self._name)
        return octets(answer, "signature", self._name)


def open_kms(
    address: str,
    password: Password | None = None,
    *,
    token: Token | None = None,
    sender: Sender = send,
) -> KeySource:
    """Open a key version of KMS; its certificate comes from elsewhere.

    :param password: not used: KMS has none.
    :param token: gives access tokens; by default google-auth does.
    :raises PSExportError: ``ErrorKeyServiceAddress``, ``ErrorKeyService`` or
        ``ErrorKeyServiceNotInstalled``.
    """
    name = address.partition(":")[2]
    endpoint = os.environ.get(ENDPOINT_VARIABLE) or ENDPOINT
    if not _NAME.fullmatch(name) or not may_carry_token(endpoint):
        raise PSExportError(
            f"{address} is not the address of a key version in Cloud KMS",
            id="ErrorKeyServiceAddress",
            target=address,
            hint="Write google:projects/…/cryptoKeys/NAME/cryptoKeyVersions/1.",
        )
    key = KmsKey(name, endpoint, token or _identity(address), sender)
    return KeySource(key=key)


def _identity(address: str) -> Token:
    try:
        import google.auth
        from google.auth.exceptions import GoogleAuthError
        from google.auth.transport.requests import Request
    except ImportError:
        raise extra_missing(address, "google") from None
    credentials: Any
    try:
        credentials, _project = google.auth.default(scopes=[_SCOPE])
    except GoogleAuthError as error:
        raise service_failed(address, error) from None

    def token() -> str:
        try:
            if not credentials.valid:
                credentials.refresh(Request())
        except GoogleAuthError as error:
            raise service_failed(address, error) from None
        return str(credentials.token)

    return token
