"""Keys in a PKCS#11 token, named by an RFC 7512 address.

``pkcs11:token=Build;object=signing?module-path=/usr/lib/softhsm/libsofthsm2.so``

The module may also come from the variable ``PKCS11_MODULE``. The PIN comes from
``pin-source``, else from where passwords come from; ``pin-value`` is refused.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

from cryptography import x509

from ...errors import PSExportError
from ..algorithms import SignatureAlgorithm, digest_info, ecdsa_to_der
from ..certificates import load_certificate
from .hook import (
    KeySource,
    Password,
    ask_password,
    extra_missing,
    service_failed,
    unreadable,
    wrong_password,
)

MODULE_VARIABLE = "PKCS11_MODULE"
#: Parts that are octets; all others are text.
_OCTETS = frozenset({"id", "serial"})
#: Parts that say which token it is, and what the library calls them.
_OF_TOKEN = {"token": "label", "manufacturer": "manufacturer_id", "model": "model"}
_ATTRIBUTES = frozenset({*_OF_TOKEN, "serial", "object", "id", "type"})
_QUERY = frozenset({"module-path", "pin-source"})


class TokenKey:
    """A private key that stays in its token.

    Its session lasts as long as the process: to end one is to log out all of them.
    """

    def __init__(self, key: Any, target: str) -> None:
        self._key = key
        self._target = target

    def sign_digest(self, algorithm: SignatureAlgorithm, digest: bytes) -> bytes:
        """Sign as :class:`.hook.SigningKey` says."""
        import pkcs11

        rsa = algorithm.family == "RSA"
        mechanism = pkcs11.Mechanism.RSA_PKCS if rsa else pkcs11.Mechanism.ECDSA
        to_sign = digest_info(algorithm.hash, digest) if rsa else digest
        try:
            signature = bytes(self._key.sign(to_sign, mechanism=mechanism))
        except pkcs11.PKCS11Error as error:
            raise service_failed(self._target, _reason(error)) from None
        return signature if rsa else ecdsa_to_der(signature)


def open_token(address: str, password: Password | None) -> KeySource:
    """Open the key that ``address`` names, with all certificates of its token.

    :raises PSExportError: the address names no key, the PIN is wrong, …
    """
    wanted = _parse(address)
    module = _text(wanted, "module-path") or os.environ.get(MODULE_VARIABLE)
    if not module:
        raise _bad_address(address, "it names no module-path")
    try:
        import pkcs11
    except ImportError:
        raise extra_missing(address, "pkcs11") from None
    try:
        token = _find(pkcs11.lib(module), wanted, address)
        session = _log_in(token, _pin(wanted, token.label, password))
        try:
            return _read(session, wanted, address)
        except BaseException:
            session.close()
            raise
    except (pkcs11.PinIncorrect, pkcs11.PinLenRange, UnicodeEncodeError):
        raise wrong_password(address) from None
    except pkcs11.PKCS11Error as error:
        raise service_failed(address, _reason(error)) from None
    except (RuntimeError, ValueError) as error:
        raise service_failed(address, error) from None


def _find(library: Any, wanted: dict[str, bytes], address: str) -> Any:
    """Return the one token that is wanted."""
    import pkcs11

    fitting = [
        token
        for token in library.get_tokens(
            token_serial=wanted.get("serial"),
            token_flags=pkcs11.TokenFlag.TOKEN_INITIALIZED,
        )
        if all(
            _text(wanted, part) == getattr(token, name)
            for part, name in _OF_TOKEN.items()
            if part in wanted
        )
    ]
    if not fitting:
        raise service_failed(address, "there is no such token")
    if len(fitting) > 1:
        names = ", ".join(sorted(f"token={each.label}" for each in fitting))
        raise service_failed(address, f"it may be any of {names}")
    return fitting[0]


def _log_in(token: Any, pin: str) -> Any:
    import pkcs11

    try:
        return token.open(user_pin=pin)
    except pkcs11.UserAlreadyLoggedIn:
        return token.open()  # being logged in is the process's state, not a session's


def _read(session: Any, wanted: dict[str, bytes], address: str) -> KeySource:
    """Return the one private key that is wanted, and the token's certificates."""
    import pkcs11

    kind, value = pkcs11.Attribute.CLASS, pkcs11.Attribute.VALUE
    template: dict[Any, Any] = {kind: pkcs11.ObjectClass.PRIVATE_KEY}
    if "object" in wanted:
        template[pkcs11.Attribute.LABEL] = _text(wanted, "object")
    if "id" in wanted:
        template[pkcs11.Attribute.ID] = wanted["id"]
    keys = list(session.get_objects(template))
    if len(keys) != 1:
        raise _bad_address(address, f"it names {len(keys)} private keys, not one")
    [key] = keys
    certificates: list[x509.Certificate] = []
    for each in session.get_objects({kind: pkcs11.ObjectClass.CERTIFICATE}):
        certificate = load_certificate(bytes(each[value]))
        own = each[pkcs11.Attribute.ID] == key[pkcs11.Attribute.ID]
        certificates.insert(0 if own else len(certificates), certificate)
    return KeySource(tuple(certificates), TokenKey(key, address))


def _pin(wanted: dict[str, bytes], label: str, password: Password | None) -> str:
    if "pin-source" not in wanted:
        return ask_password(password, f"token {label}")
    path = _text(wanted, "pin-source").removeprefix("file://").removeprefix("file:")
    try:
        return Path(path).read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        raise unreadable(path, "it should hold the PIN") from None


def _parse(address: str) -> dict[str, bytes]:
    """Return the attributes of an RFC 7512 address, percent-decoded."""
    path, _, query = address.partition(":")[2].partition("?")
    found: dict[str, bytes] = {}
    for text, separator, known in ((path, ";", _ATTRIBUTES), (query, "&", _QUERY)):
        for part in filter(None, text.split(separator)):
            name, equals, value = part.partition("=")
            if name == "pin-value":
                shown = address.partition("pin-value")[0].rstrip("?;&")
                raise _bad_address(shown, "it carries a PIN")
            if not equals or name not in known:
                raise _bad_address(address, f"it has an unknown part {name}")
            found[name] = unquote_to_bytes(value)
    for name in found.keys() - _OCTETS:
        try:
            _text(found, name)
        except UnicodeDecodeError:
            raise _bad_address(address, f"its {name} is not UTF-8") from None
    return found


def _text(wanted: dict[str, bytes], name: str) -> str:
    return wanted.get(name, b"").decode()


def _bad_address(address: str, why: str) -> PSExportError:
    return PSExportError(
        f"The PKCS#11 address {address} cannot be used: {why}",
        id="ErrorKeyServiceAddress",
        target=address,
        hint="Write pkcs11:token=…;object=…?module-path=…, as RFC 7512 says.",
    )


def _reason(error: Exception) -> str:
    """Say what went wrong: the library's exceptions often have a name only."""
    return str(error) or type(error).__name__
