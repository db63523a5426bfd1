"""Keys and certificates from PEM files, and certificates from DER ones."""

from __future__ import annotations

import re
import ssl
from dataclasses import replace

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    load_der_private_key,
    load_pem_private_key,
    pkcs7,
)

from ..certificates import UNREADABLE, load_certificate
from .hook import KeySource, Password, ask_secret, unreadable, wrong_password
from .local import local_source

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)


def read_pem(data: bytes, target: str, password: Password | None) -> KeySource:
    """Return the certificates and the key that a PEM file holds, in its order.

    :raises PSExportError: ``ErrorCertificatePassword`` or
        ``ErrorCertificateUnreadable``.
    """
    source = KeySource()
    certificates: list[x509.Certificate] = []
    for match in _BLOCK.finditer(data):
        label, block = match[1].decode("ascii"), match[0]
        try:
            if label == "CERTIFICATE":
                certificates.append(load_certificate(_der(block)))
            elif label in ("PKCS7", "CMS"):
                certificates += pkcs7.load_pem_pkcs7_certificates(block)
            elif label.endswith("PRIVATE KEY") and source.key is None:
                source = _read_key(block, target, password)
        except UNREADABLE:
            raise unreadable(target, f"its {label} is damaged") from None
    return replace(source, certificates=tuple(certificates))


def _der(block: bytes) -> bytes:
    return ssl.PEM_cert_to_DER_cert(block.decode("ascii"))


def _read_key(block: bytes, target: str, password: Password | None) -> KeySource:
    # PKCS#8 says it in the label, the older form in a header: "Proc-Type: 4,ENCRYPTED".
    if b"ENCRYPTED" not in block:
        return local_source(load_pem_private_key(block, None), target)
    secret = ask_secret(password, target)
    try:
        return local_source(load_pem_private_key(block, secret), target)
    except (ValueError, TypeError):
        raise wrong_password(target) from None


def read_der(data: bytes, target: str, password: Password | None) -> KeySource:
    """Return what a DER file holds: a certificate, a PKCS#7 bundle, or a bare key.

    :raises PSExportError: ``ErrorCertificatePassword`` or
        ``ErrorCertificateUnreadable``.
    """
    try:
        return KeySource((load_certificate(data),))
    except ValueError:
        pass
    try:
        return KeySource(tuple(pkcs7.load_der_pkcs7_certificates(data)))
    except UNREADABLE:
        pass
    try:
        return local_source(load_der_private_key(data, None), target)
    except TypeError:  # it is encrypted
        secret = ask_secret(password, target)
    except UNREADABLE:
        raise unreadable(target, "it is no PFX, PEM or certificate file") from None
    try:
        return local_source(load_der_private_key(data, secret), target)
    except UNREADABLE:
        raise wrong_password(target) from None
