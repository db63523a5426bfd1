"""Where keys are: one module per kind, behind the hook in :mod:`.hook`."""

from __future__ import annotations

import re
from functools import partial
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from ...errors import PSExportError
from .hook import (
    KeySource,
    Opener,
    Password,
    SigningKey,
    service_failed,
    unreadable,
)
from .pem import read_der, read_pem
from .pfx import is_pfx, read_pfx

__all__ = ["KeySource", "Opener", "Password", "SigningKey", "open_source"]

#: Key services that come with the package: scheme to function. Their libraries are
#: extras, so a module is imported when its scheme is used.
_SERVICES = {
    "pkcs11": ("pkcs11", "open_token"),
    "azure": ("azure", "open_vault"),
    "aws": ("aws", "open_kms"),
    "google": ("google", "open_kms"),
}
ENTRY_POINTS = "psexport.keys"

#: One letter before the colon is a drive.
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(?!\\)")
_MAXIMUM_FILE = 1 << 22


def open_source(address: str, password: Password | None = None) -> KeySource:
    """Open a key or certificate file, a token, or a key of a service.

    :param address: ``scheme:…`` with the scheme of a key service, else a path.
    :raises PSExportError: ``ErrorCertificateUnreadable``,
        ``ErrorCertificatePassword``, ``ErrorKeyServiceUnknown``,
        ``ErrorKeyServiceNotInstalled`` or ``ErrorKeyService``.
    """
    scheme = _SCHEME.match(address)
    if scheme:
        return _opener(scheme[1].lower(), address)(address, password)
    return _open_file(address, password)


def _opener(scheme: str, address: str) -> Opener:
    if scheme in _SERVICES:
        module, function = _SERVICES[scheme]
        found: Opener = getattr(import_module(f".{module}", __name__), function)
        return found
    for point in entry_points(group=ENTRY_POINTS, name=scheme):
        return partial(_open_foreign, point)
    raise PSExportError(
        f"No key service is known for {scheme}:",
        id="ErrorKeyServiceUnknown",
        target=address,
        hint=f"Use a file, or one of {', '.join(f'{each}:' for each in _SERVICES)}.",
    )


def _open_foreign(
    point: EntryPoint, address: str, password: Password | None
) -> KeySource:
    """Open a key by somebody else's code, and say whose fault it is."""
    try:
        source = point.load()(address, password)
    except PSExportError:
        raise
    except Exception as error:
        why = f"{point.value} failed: {type(error).__name__}: {error}"
        raise service_failed(address, why) from error
    if not isinstance(source, KeySource):
        raise service_failed(address, f"{point.value} did not give a KeySource")
    return source


def _open_file(address: str, password: Password | None) -> KeySource:
    try:
        with Path(address).open("rb") as file:
            data = file.read(_MAXIMUM_FILE)
    except (OSError, ValueError) as error:
        raise unreadable(
            address, getattr(error, "strerror", "") or str(error)
        ) from None
    if b"-----BEGIN " in data:
        return read_pem(data, address, password)
    if is_pfx(data):
        return read_pfx(data, address, password)
    return read_der(data, address, password)
