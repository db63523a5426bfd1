"""What signing and verifying give: frozen values that print as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from .algorithms import SHA1
from .certificates import issuer_of, subject


class Status(StrEnum):
    """Whether a file's signature holds, in Get-AuthenticodeSignature's words.

    ``NotTrusted`` is a publisher whom somebody has blocked on a Windows machine; we
    know of no such list and never say it.
    """

    VALID = "Valid"
    NOT_SIGNED = "NotSigned"
    HASH_MISMATCH = "HashMismatch"
    NOT_TRUSTED = "NotTrusted"
    NOT_SUPPORTED = "NotSupportedFileFormat"
    INCOMPATIBLE = "Incompatible"
    UNKNOWN_ERROR = "UnknownError"


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class CertificateInfo:
    """What a person wants to know of a certificate.

    :ivar thumbprint: SHA-1 of the certificate in hex, as Windows shows it.
    """

    subject: str
    issuer: str
    serial_number: str
    thumbprint: str
    not_before: datetime
    not_after: datetime

    @classmethod
    def of(cls, certificate: x509.Certificate) -> CertificateInfo:
        """Describe a certificate; names that cannot be read are said to be so."""
        return cls(
            subject=subject(certificate),
            issuer=issuer_of(certificate),
            serial_number=f"{certificate.serial_number:X}",
            thumbprint=SHA1.of(certificate.public_bytes(Encoding.DER)).hex().upper(),
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the value as JSON's types."""
        return {
            "subject": self.subject,
            "issuer": self.issuer,
            "serialNumber": self.serial_number,
            "thumbprint": self.thumbprint,
            "notBefore": _iso(self.not_before),
            "notAfter": _iso(self.not_after),
        }


@dataclass(frozen=True)
class TimestampInfo:
    """When a signature was made, and who says so."""

    time: datetime
    authority: CertificateInfo

    def to_json(self) -> dict[str, Any]:
        """Return the value as JSON's types."""
        return {"time": _iso(self.time), "authority": self.authority.to_json()}


@dataclass(frozen=True)
class FileSignature:
    """What a verifier found in one file.

    :ivar message: why the status is what it is, one sentence.
    :ivar hash_algorithm: e.g. ``SHA256``; ``None`` if it is not known.
    :ivar chain: from the signer to a trusted root; empty if there is no such chain.
    :ivar differs: what is not as it was when the file was signed, in words.
    """

    path: str
    status: Status
    message: str
    hash_algorithm: str | None = None
    signer: CertificateInfo | None = None
    chain: tuple[CertificateInfo, ...] = ()
    timestamp: TimestampInfo | None = None
    differs: tuple[str, ...] = ()

    @property
    def valid(self) -> bool:
        """Whether the status is ``Valid``."""
        return self.status is Status.VALID

    def to_json(self) -> dict[str, Any]:
        """Return the value as JSON's types."""
        return {
            "path": self.path,
            "status": self.status.value,
            "message": self.message,
            "hashAlgorithm": self.hash_algorithm,
            "signer": self.signer.to_json() if self.signer else None,
            "chain": [each.to_json() for each in self.chain],
            "timestamp": self.timestamp.to_json() if self.timestamp else None,
            "differs": list(self.differs),
        }


@dataclass(frozen=True)
class Problem:
    """Something wrong with a folder of files that no single signature shows."""

    path: str
    id: str
    message: str

    def to_json(self) -> dict[str, Any]:
        """Return the value as JSON's types."""
        return {"path": self.path, "id": self.id, "message": self.message}


@dataclass(frozen=True)
class Verification:
    """What a verifier found in files and folders.

    :ivar files: one for each file that can be signed, in the order of their names.
    :ivar problems: what is wrong between the files of a module.
    :ivar unprotected: files of folders that no signature speaks for.
    """

    files: tuple[FileSignature, ...]
    problems: tuple[Problem, ...] = ()
    unprotected: tuple[str, ...] = ()

    @property
    def valid(self) -> bool:
        """Whether there are signatures, all are valid, and nothing else is wrong."""
        signed = bool(self.files) and all(each.valid for each in self.files)
        return signed and not self.problems

    def to_json(self) -> dict[str, Any]:
        """Return the value as JSON's types."""
        return {
            "valid": self.valid,
            "files": [each.to_json() for each in self.files],
            "problems": [each.to_json() for each in self.problems],
            "unprotected": list(self.unprotected),
        }


@dataclass(frozen=True)
class SignedFile:
    """A file that was signed and verified on the disk.

    :ivar sha256: hash of the file's bytes, hexadecimal in lower case.
    :ivar replaced: whether the file had a signature before.
    :ivar signature: what the verifier found in the file after it was written. Whether
        this machine trusts the signer was not asked.
    """

    path: str
    length: int
    sha256: str
    replaced: bool
    signature: FileSignature

    def to_json(self) -> dict[str, Any]:
        """Return the value as JSON's types."""
        return {
            "path": self.path,
            "length": self.length,
            "sha256": self.sha256,
            "replaced": self.replaced,
            "signature": self.signature.to_json(),
        }


@dataclass(frozen=True)
class Signing:
    """What signing files and folders did.

    :ivar skipped: files of folders that cannot be signed.
    """

    files: tuple[SignedFile, ...]
    skipped: tuple[Problem, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the value as JSON's types."""
        return {
            "files": [each.to_json() for each in self.files],
            "skipped": [each.to_json() for each in self.skipped],
        }
