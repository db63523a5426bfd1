"""Keys and certificates from PKCS#12 files: ``.pfx``, ``.p12``."""

from __future__ import annotations

from dataclasses import replace

from asn1crypto import pkcs12 as asn1_pkcs12
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import pkcs12

from ..asn1 import reading
from ..der import MalformedError
from .hook import KeySource, Password, ask_secret, unreadable, wrong_password
from .local import local_source


def is_pfx(data: bytes) -> bool:
    """Tell whether ``data`` is a PKCS#12 structure, whatever its password."""
    try:
        with reading("the file"):
            pfx = asn1_pkcs12.Pfx.load(data, strict=True)
            return bool(pfx["version"].native == "v3" and pfx["auth_safe"].native)
    except MalformedError:
        return False


def read_pfx(data: bytes, target: str, password: Password | None) -> KeySource:
    """Return what a PKCS#12 file holds.

    :raises PSExportError: ``ErrorCertificatePassword`` or
        ``ErrorCertificateUnreadable``.
    """
    bundle = _open(data, target, None) or _open(data, target, b"")
    if bundle is None:
        secret = ask_secret(password, target)
        bundle = _open(data, target, secret)
    if bundle is None:
        raise wrong_password(target)
    first = [bundle.cert] if bundle.cert else []
    certificates: list[x509.Certificate] = [
        each.certificate for each in (*first, *bundle.additional_certs)
    ]
    source = KeySource() if bundle.key is None else local_source(bundle.key, target)
    return replace(source, certificates=tuple(certificates))


def _open(
    data: bytes, target: str, password: bytes | None
) -> pkcs12.PKCS12KeyAndCertificates | None:
    try:
        return pkcs12.load_pkcs12(data, password)
    except (TypeError, ValueError):
        return None  # the library says no more about a password that does not fit
    except UnsupportedAlgorithm as error:
        raise unreadable(target, str(error)) from None
