"""Keys in Azure Key Vault and Managed HSM, over the service's REST interface.

``azure:https://VAULT.vault.azure.net/certificates/NAME[/VERSION]`` names a
certificate with its key, ``azure:https://VAULT.vault.azure.net/keys/NAME[/VERSION]``
a key alone. Who you are comes from azure-identity: environment, workload or managed
identity, or the ``az`` command.
"""

from __future__ import annotations

import base64
import re
from urllib.parse import urlsplit

from ...errors import PSExportError
from ..algorithms import SignatureAlgorithm, ecdsa_to_der
from ..certificates import load_certificate
from ..net import Sender, send
from .hook import KeySource, Password, extra_missing, service_failed
from .rest import Token, call, may_carry_token, octets

_VERSION = "api-version=7.4"
_ADDRESS = re.compile(
    r"(https?://[^/?#\s]+)/(keys|certificates)/([0-9A-Za-z-]+)(?:/([0-9A-Za-z]+))?/?"
)


class VaultKey:
    """A key that stays in its vault; ``url`` is its identifier with the version."""

    def __init__(self, url: str, token: Token, sender: Sender) -> None:
        self._url = url
        self._token = token
        self._send = sender

    def sign_digest(self, algorithm: SignatureAlgorithm, digest: bytes) -> bytes:
        """Sign as :class:`.hook.SigningKey` says."""
        family = "RS" if algorithm.family == "RSA" else "ES"
        body = {
            "alg": family + algorithm.hash.name.removeprefix("SHA"),
            "value": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        }
        url = f"{self._url}/sign?{_VERSION}"
        answer = call(self._send, self._token, url, body, self._url)
        signature = octets(answer, "value", self._url)
        return signature if family == "RS" else ecdsa_to_der(signature)


def open_vault(
    address: str,
    password: Password | None = None,
    *,
    token: Token | None = None,
    sender: Sender = send,
) -> KeySource:
    """Open a key, or a certificate with its key, of a vault.

    :param password: not used: a vault has none.
    :param token: gives access tokens; by default azure-identity does.
    :raises PSExportError: ``ErrorKeyServiceAddress``, ``ErrorKeyService`` or
        ``ErrorKeyServiceNotInstalled``.
    """
    match = _ADDRESS.fullmatch(address.partition(":")[2])
    if not match or not may_carry_token(match[1]):
        raise PSExportError(
            f"{address} is not the address of a key or certificate in a vault",
            id="ErrorKeyServiceAddress",
            target=address,
            hint="Write azure:https://VAULT.vault.azure.net/certificates/NAME.",
        )
    vault, kind, name, version = match.groups()
    url = f"{vault}/{kind}/{name}" + (f"/{version}" if version else "")
    token = token or _identity(address, vault)
    if kind == "keys" and version:
        return KeySource(key=VaultKey(url, token, sender))
    answer = call(sender, token, f"{url}?{_VERSION}", None, address)
    if kind == "keys":
        return KeySource(key=VaultKey(_key_url(answer, address), token, sender))
    try:
        leaf = load_certificate(octets(answer, "cer", address))
    except ValueError:
        raise service_failed(address, "the answer holds no certificate") from None
    return KeySource((leaf,), VaultKey(_key_url(answer, address), token, sender))


def _key_url(answer: dict[str, object], address: str) -> str:
    """Return the key's identifier: on the same vault, or nothing is sent there."""
    inner = answer.get("key")
    kid = inner.get("kid") if isinstance(inner, dict) else answer.get("kid")
    match = _ADDRESS.fullmatch(kid) if isinstance(kid, str) else None
    if not match or match[1] != address.partition(":")[2][: len(match[1])]:
        raise service_failed(address, "the answer names no key of this vault")
    return match[0]


def _identity(address: str, vault: str) -> Token:
    try:
        from azure.core.exceptions import AzureError
        from azure.identity import DefaultAzureCredential
    except ImportError:
        raise extra_missing(address, "azure") from None
    # contoso.vault.azure.net is reached with a token for vault.azure.net; so are the
    # vaults of national clouds and managed HSMs, under their own domains.
    service = (urlsplit(vault).hostname or "").partition(".")[2]
    credential = DefaultAzureCredential()

    def token() -> str:
        try:
            return str(credential.get_token(f"https://{service}/.default").token)
        except AzureError as error:
            raise service_failed(address, error) from None

    return token
