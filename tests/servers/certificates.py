"""A certificate authority and what servers and clients may show: good and bad.

Made afresh for each run, kept in one folder as PEM files.
"""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAY = datetime.timedelta(days=1)
_USER_PRINCIPAL_NAME = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
KEY_PASSWORD = "key-Secret-5"


@dataclass(frozen=True)
class Pair:
    """A certificate (with its chain) and its key, as PEM files."""

    certificate_file: Path
    key_file: Path


@dataclass(frozen=True)
class Certificates:
    """Everything that was made.

    `server` is right for localhost, 127.0.0.1 and ::1; `client` says the account it
    is for as its user principal name, `client_locked` is the same with its key under
    `KEY_PASSWORD`.
    """

    authority: Path
    server: Pair
    expired: Pair
    not_yet_valid: Pair
    wrong_name: Pair
    self_signed: Pair
    client: Pair
    client_locked: Pair
    client_unknown: Pair
    client_foreign: Pair


class _Authority:
    def __init__(self, name: str) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = _common_name(name)
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        self.certificate = (
            _builder(self.name, self.name, self.key.public_key())
            .add_extension(constraints, critical=True)
            .add_extension(_authority_usage(), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()),
                critical=False,
            )
            .sign(self.key, hashes.SHA256())
        )

    def issue(
        self,
        subject: str,
        names: list[x509.GeneralName],
        purpose: x509.ObjectIdentifier,
        *,
        days: tuple[int, int] = (-1, 30),
    ) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_common_name(subject), self.name, key.public_key(), days)
        certificate = (
            builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(
                x509.BasicConstraints(ca=False, path_length=None), critical=True
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(
                    self.key.public_key()
                ),
                critical=False,
            )
            .sign(self.key, hashes.SHA256())
        )
        return certificate, key


def make_certificates(folder: Path, account: str) -> Certificates:
    """Make them all in `folder`; the client's is for `account`."""
    authority = _Authority("psexport test authority")
    foreign = _Authority("an authority nobody knows")
    authority_file = folder / "authority.pem"
    authority_file.write_bytes(authority.certificate.public_bytes(Encoding.PEM))

    def save(
        name: str,
        made: tuple[x509.Certificate, ec.EllipticCurvePrivateKey],
        encryption: KeySerializationEncryption | None = None,
    ) -> Pair:
        certificate, key = made
        pair = Pair(folder / f"{name}.pem", folder / f"{name}.key")
        pair.certificate_file.write_bytes(certificate.public_bytes(Encoding.PEM))
        pair.key_file.write_bytes(
            key.private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()
            )
        )
        return pair

    here = [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        x509.IPAddress(ipaddress.ip_address("::1")),
    ]
    elsewhere: list[x509.GeneralName] = [x509.DNSName("server01.psexport.test")]
    to_serve = ExtendedKeyUsageOID.SERVER_AUTH
    to_call = ExtendedKeyUsageOID.CLIENT_AUTH
    client = authority.issue(account, [_principal(account)], to_call)
    return Certificates(
        authority=authority_file,
        server=save("server", authority.issue("localhost", here, to_serve)),
        expired=save(
            "expired", authority.issue("localhost", here, to_serve, days=(-30, -1))
        ),
        not_yet_valid=save(
            "not-yet-valid", authority.issue("localhost", here, to_serve, days=(1, 30))
        ),
        wrong_name=save("wrong-name", authority.issue("server01", elsewhere, to_serve)),
        self_signed=save("self-signed", _self_signed("localhost", here)),
        client=save("client", client),
        client_locked=save(
            "client-locked", client, BestAvailableEncryption(KEY_PASSWORD.encode())
        ),
        client_unknown=save(
            "client-unknown", authority.issue("nobody", [_principal("nobody")], to_call)
        ),
        client_foreign=save(
            "client-foreign", foreign.issue(account, [_principal(account)], to_call)
        ),
    )


def _self_signed(
    subject: str, names: list[x509.GeneralName]
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _common_name(subject)
    certificate = (
        _builder(name, name, key.public_key())
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate, key


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    days: tuple[int, int] = (-1, 30),
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    first, last = days
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + first * _DAY)
        .not_valid_after(now + last * _DAY)
    )


def _authority_usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _principal(account: str) -> x509.OtherName:
    text = f"{account}@localhost".encode()
    utf8_string = bytes([0x0C, len(text)]) + text
    return x509.OtherName(_USER_PRINCIPAL_NAME, utf8_string)
