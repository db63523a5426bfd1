"""The counterparts as fixtures, each started once for a run of the tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from wsman_server import ADMIN, ServerTls

from . import kdc
from .certificates import Certificates, make_certificates


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """A certificate authority, server certificates, a client certificate for ADMIN."""
    return make_certificates(tmp_path_factory.mktemp("certificates"), ADMIN.name)


@pytest.fixture
def tls(certificates: Certificates) -> ServerTls:
    """TLS of a server with a right certificate, which asks for client ones."""
    pair = certificates.server
    return ServerTls(pair.certificate_file, pair.key_file, certificates.authority)


@pytest.fixture(scope="session")
def realm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kdc.Realm]:
    """A Kerberos realm that this process belongs to from now on."""
    reason = kdc.unavailable()
    if reason:
        pytest.skip(f"no Kerberos realm: {reason}")
    with kdc.Realm(tmp_path_factory.mktemp("realm")) as started:
        started.install()
        yield started
