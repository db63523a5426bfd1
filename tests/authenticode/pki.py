"""Certificates for the tests: small authorities that live as long as the test run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CODE = ExtendedKeyUsageOID.CODE_SIGNING
STAMP = ExtendedKeyUsageOID.TIME_STAMPING
LIFETIME = x509.ObjectIdentifier("1.3.6.1.4.1.311.10.3.13")
NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class Identity:
    """A certificate, its key, and the identities above it."""

    certificate: x509.Certificate
    key: Key
    issuer: Identity | None = None

    @property
    def chain(self) -> list[x509.Certificate]:
        return [self.certificate, *(self.issuer.chain if self.issuer else [])]

    @property
    def root(self) -> x509.Certificate:
        return self.chain[-1]

    def pem(self, *, key: bool = False, password: bytes | None = None) -> bytes:
        certificates = b"".join(each.public_bytes(Encoding.PEM) for each in self.chain)
        return certificates + (self.key_pem(password) if key else b"")

    def key_pem(
        self,
        password: bytes | None = None,
        form: PrivateFormat = PrivateFormat.PKCS8,
    ) -> bytes:
        lock = BestAvailableEncryption(password) if password else NoEncryption()
        return self.key.private_bytes(Encoding.PEM, form, lock)

    def pfx(self, password: bytes | None = None) -> bytes:
        lock = BestAvailableEncryption(password) if password else NoEncryption()
        return pkcs12.serialize_key_and_certificates(
            b"test", self.key, self.certificate, self.chain[1:], lock
        )


def name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def issue(
    common: str,
    issuer: Identity | None = None,
    *,
    key: Key | None = None,
    ca: bool = False,
    cert_sign: bool | None = None,
    usages: tuple[x509.ObjectIdentifier, ...] = (CODE,),
    digital_signature: bool | None = True,
    begins: datetime = NOW - DAY,
    ends: datetime = NOW + 365 * DAY,
) -> Identity:
    """Issue a certificate: a leaf for code signing unless told otherwise."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(common))
        .issuer_name(issuer.certificate.subject if issuer else name(common))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca, None), critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
        )
    )
    if usages and not ca:
        critical = STAMP in usages
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical)
    if digital_signature is not None:
        bits = dict.fromkeys(
            (
                "content_commitment",
                "key_encipherment",
                "data_encipherment",
                "key_agreement",
                "encipher_only",
                "decipher_only",
            ),
            False,
        )
        usage = x509.KeyUsage(
            digital_signature=digital_signature,
            key_cert_sign=ca if cert_sign is None else cert_sign,
            crl_sign=ca,
            **bits,
        )
        builder = builder.add_extension(usage, critical=True)
    signing = issuer.key if issuer else key
    return Identity(builder.sign(signing, hashes.SHA256()), key, issuer)


def revoke(
    issuer: Identity,
    *revoked: x509.Certificate,
    at: datetime = NOW - timedelta(hours=1),
    current: bool = True,
) -> x509.CertificateRevocationList:
    """Return a revocation list of ``issuer``."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(NOW - 30 * DAY)
        .next_update(NOW + DAY if current else NOW - DAY)
    )
    for certificate in revoked:
        entry = (
            x509.RevokedCertificateBuilder()
            .serial_number(certificate.serial_number)
            .revocation_date(at)
            .build()
        )
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(issuer.key, hashes.SHA256())


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path
