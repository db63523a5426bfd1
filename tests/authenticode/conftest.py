"""Keys made once for the session: making RSA keys is what takes time here."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from psexport.authenticode import Signer, Trust
from psexport.authenticode.keys.local import LocalKey

from . import pki


@pytest.fixture(scope="session")
def root() -> pki.Identity:
    return pki.issue("Test Root", ca=True)


@pytest.fixture(scope="session")
def intermediate(root: pki.Identity) -> pki.Identity:
    return pki.issue("Test Intermediate", root, ca=True)


@pytest.fixture(scope="session")
def leaf(intermediate: pki.Identity) -> pki.Identity:
    return pki.issue("Test Signer", intermediate)


@pytest.fixture(scope="session")
def tsa_root() -> pki.Identity:
    return pki.issue("Test Time Root", ca=True)


@pytest.fixture(scope="session")
def tsa(tsa_root: pki.Identity) -> pki.Identity:
    return pki.issue("Test Time Authority", tsa_root, usages=(pki.STAMP,))


@pytest.fixture(scope="session")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="session")
def identities(
    intermediate: pki.Identity, leaf: pki.Identity, rsa_key: rsa.RSAPrivateKey
) -> dict[str, pki.Identity]:
    """Code-signing identities by kind of key."""

    def on(curve: ec.EllipticCurve) -> pki.Identity:
        key = ec.generate_private_key(curve)
        return pki.issue(f"Signer {curve.name}", intermediate, key=key)

    return {
        "RSA-2048": pki.issue("Signer RSA", intermediate, key=rsa_key),
        "P-256": leaf,
        "P-384": on(ec.SECP384R1()),
        "P-521": on(ec.SECP521R1()),
    }


@pytest.fixture(scope="session")
def signer(leaf: pki.Identity) -> Signer:
    return signer_of(leaf)


@pytest.fixture(scope="session")
def trust(root: pki.Identity, tsa_root: pki.Identity) -> Trust:
    return Trust((root.certificate,), (tsa_root.certificate,))


def signer_of(identity: pki.Identity) -> Signer:
    return Signer(tuple(identity.chain), LocalKey(identity.key))
