"""The hook for keys: what a key has to be able to do, and nothing about where it is.

A key service is one function, an :class:`Opener`, that takes the text after
``-Certificate`` or ``-CertificateKey`` and returns a :class:`KeySource`. To add one,
publish it as an entry point of the group ``psexport.keys``, named as the scheme of
its addresses; ``docs/signing.md`` has an example.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ...errors import PSExportError
from ..algorithms import SignatureAlgorithm

#: Gives the password of the thing that it is told the name of. It is only called
#: when a password is needed, and what it gives is kept nowhere.
Password = Callable[[str], str]

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


class SigningKey(Protocol):
    """A private key, wherever it is."""

    def sign_digest(self, algorithm: SignatureAlgorithm, digest: bytes) -> bytes:
        """Sign a digest.

        :param algorithm: ``family`` is ``RSA`` (PKCS#1 v1.5) or ``ECDSA``, and
            ``hash.name`` is ``SHA256``, ``SHA384`` or ``SHA512``.
        :param digest: the digest to sign, made with ``algorithm.hash``.
        :returns: for RSA the signature's octets, for ECDSA the DER of r and s.
        """


@dataclass(frozen=True)
class KeySource:
    """What a file, a token or a service gave: a key, certificates, or both.

    :ivar public_key: the key's public half, where the source can tell without
        signing; it picks the signer's certificate out of several. Without it the
        first certificate is the signer's.
    """

    certificates: tuple[x509.Certificate, ...] = ()
    key: SigningKey | None = field(default=None, repr=False)
    public_key: PublicKey | None = field(default=None, repr=False)


#: Opens what an address names. Raises :class:`psexport.PSExportError`.
Opener = Callable[[str, Password | None], KeySource]


def unreadable(target: str, why: str) -> PSExportError:
    """Error: there is no certificate or key to be had from ``target``."""
    return PSExportError(
        f"The certificate or key {target} cannot be read: {why}",
        id="ErrorCertificateUnreadable",
        target=target,
        hint="Give a PFX or PEM file, or the address of a key that is in reach.",
    )


def unsupported(target: str) -> PSExportError:
    """Error: the key of ``target`` is of a kind that Windows does not verify with."""
    return PSExportError(
        f"The key of {target} is of a kind that cannot sign scripts",
        id="ErrorCertificateKeyUnsupported",
        target=target,
        hint="Use RSA, or ECDSA on the curve P-256, P-384 or P-521.",
    )


def ask_password(password: Password | None, target: str) -> str:
    """Return the password of ``target``.

    :raises PSExportError: ``ErrorCertificatePassword`` if nobody can say it.
    """
    if password is None:
        raise PSExportError(
            f"{target} is protected by a password, and none is given",
            id="ErrorCertificatePassword",
            target=target,
            hint="Set PSEXPORT_CERTIFICATE_PASSWORD, or give -CertificatePasswordFile.",
        )
    return password(target)


def ask_secret(password: Password | None, target: str) -> bytes:
    """Return the password of ``target`` as UTF-8, or as the octets that it came in.

    :raises PSExportError: ``ErrorCertificatePassword`` if nobody can say it.
    """
    return ask_password(password, target).encode("utf-8", "surrogateescape")


def wrong_password(target: str) -> PSExportError:
    """Error: the password does not open ``target``."""
    return PSExportError(
        f"The password does not open {target}",
        id="ErrorCertificatePassword",
        target=target,
        hint="Check the password and the file that it belongs to.",
    )


def service_failed(target: str, why: object) -> PSExportError:
    """Error: a token or key service was asked and did not do it."""
    return PSExportError(
        f"The key {target} cannot be used: {why}",
        id="ErrorKeyService",
        target=target,
        hint="Check the address, your rights to sign with it, and the connection.",
    )


def extra_missing(target: str, extra: str) -> PSExportError:
    """Error: the libraries for this kind of key are not installed."""
    return PSExportError(
        f"The key {target} needs libraries that are not installed",
        id="ErrorKeyServiceNotInstalled",
        target=target,
        hint=f"Run: pip install 'psexport[{extra}]'",
    )
