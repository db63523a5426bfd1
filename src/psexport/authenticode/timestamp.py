"""Time stamps: asking an authority for one (RFC 3161), and reading what it said.

A stamp says that a signature existed at a time, so that the signature outlives its
certificate. Asking and reading share one check, so a token that we accept into a file
is one that we accept from a file. Old PKCS#9 countersignatures are read too.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar

from asn1crypto import core, tsp
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from ..errors import PSExportError, UsageError
from .algorithms import HASHES_BY_OID, SHA1, Hash
from .asn1 import UnsupportedError, reading
from .certificates import subject, usage_problem
from .cms import (
    SIGNING_TIME,
    BadSignatureError,
    SignedData,
    read_countersigner,
    read_signed_data,
)
from .der import MalformedError
from .net import Sender, SendError, is_http, send

TST_INFO = "1.2.840.113549.1.9.16.1.4"
SIGNING_CERTIFICATE = "1.2.840.113549.1.9.16.2.12"
SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.47"
DATA = "1.2.840.113549.1.7.1"

_HEADERS = {
    "Content-Type": "application/timestamp-query",
    "Accept": "application/timestamp-reply",
}


@dataclass(frozen=True)
class Stamp:
    """A time stamp whose own signature holds; its authority is yet to be trusted."""

    time: datetime
    authority: x509.Certificate
    certificates: tuple[x509.Certificate, ...]
    nonce: int | None = None


def read_token(der: bytes, signature: bytes) -> Stamp:
    """Read a time-stamp token, and check that it is a good one for ``signature``.

    :raises MalformedError: it is no token.
    :raises UnsupportedError: it is made with an algorithm that we do not compute.
    :raises BadSignatureError: it is for something else, or its signature is wrong.
    """
    data = read_signed_data(der)
    if data.content_type != TST_INFO:
        raise MalformedError("it is not a time stamp")
    authority = data.check()
    _check_signing_certificate(data, authority)
    _check_usage(authority)
    with reading("the time stamp"):
        info = tsp.TSTInfo.load(data.content, strict=True)
        oid = info["message_imprint"]["hash_algorithm"]["algorithm"].dotted
        imprint = info["message_imprint"]["hashed_message"].native
        moment = info["gen_time"].native
        nonce = info["nonce"].native
    if oid not in HASHES_BY_OID:
        raise UnsupportedError(f"hash algorithm {oid}")
    if not hmac.compare_digest(imprint, HASHES_BY_OID[oid].of(signature)):
        raise BadSignatureError("the time stamp is for another signature")
    return Stamp(moment, authority, data.certificates, nonce)


def _check_signing_certificate(data: SignedData, authority: x509.Certificate) -> None:
    """Check that the token's signed attributes name the authority's certificate."""
    signed = data.signer.signed
    algorithm = SHA1
    with reading("the time stamp's signing certificate"):
        if SIGNING_CERTIFICATE_V2 in signed:
            value = data.signer.value(SIGNING_CERTIFICATE_V2)
            named = tsp.SigningCertificateV2.load(value, strict=True)["certs"][0]
            oid = named["hash_algorithm"]["algorithm"].dotted
            if oid not in HASHES_BY_OID:
                raise UnsupportedError(f"hash algorithm {oid}")
            algorithm = HASHES_BY_OID[oid]
        else:
            value = data.signer.value(SIGNING_CERTIFICATE)
            named = tsp.SigningCertificate.load(value, strict=True)["certs"][0]
        expected = named["cert_hash"].native
    actual = algorithm.of(authority.public_bytes(Encoding.DER))
    if not hmac.compare_digest(expected, actual):
        raise BadSignatureError("the time stamp names another certificate")


def _check_usage(authority: x509.Certificate) -> None:
    if problem := usage_problem(authority, ExtendedKeyUsageOID.TIME_STAMPING):
        raise BadSignatureError(f"its certificate is not for time stamps: {problem}")


def read_countersignature(
    der: bytes, signature: bytes, certificates: Sequence[x509.Certificate]
) -> Stamp:
    """Read a PKCS#9 countersignature: the time stamp of the years before RFC 3161.

    :param certificates: those of the signature, among them the authority's.
    :raises MalformedError: it is none.
    :raises UnsupportedError: it is made with an algorithm that we do not compute.
    :raises BadSignatureError: it is for something else, or its signature is wrong.
    """
    signer = read_countersigner(der)
    authority = signer.find_certificate(certificates)
    signer.check(authority, DATA, signature)
    _check_usage(authority)
    with reading("the signing time"):
        value = core.load(signer.value(SIGNING_TIME), strict=True)
        if not isinstance(value, core.UTCTime | core.GeneralizedTime):
            raise MalformedError("the signing time is no time")
        moment: datetime = value.native
    return Stamp(moment.astimezone(UTC), authority, tuple(certificates))


class _Reply(core.Sequence):  # type: ignore[misc]
    """TimeStampResp; asn1crypto's own insists on a token, a refusal has none."""

    _fields: ClassVar = [
        ("status", tsp.PKIStatusInfo),
        ("token", core.Any, {"optional": True}),
    ]


class _RefusedError(Exception):
    """A server answered, and the answer is of no use; asking again is none either."""


def _random_nonce() -> int:
    return secrets.randbits(64)


@dataclass(frozen=True)
class TimestampClient:
    """Asks time-stamp servers, one after the other, until one gives a good token.

    A server that gave none is asked last from then on: files are many, waiting is long.

    :ivar servers: http or https addresses, the preferred one first.
    :ivar sender: sends a request; see :class:`.net.Sender`.
    :ivar nonce: gives the number that ties an answer to its question.
    :ivar pause: waits for a number of seconds between two attempts.
    :ivar attempts: how often a server is asked that does not answer.
    :ivar timeout: seconds to wait for an answer.
    """

    servers: tuple[str, ...]
    sender: Sender = send
    nonce: Callable[[], int] = _random_nonce
    pause: Callable[[float], None] = time.sleep
    attempts: int = 3
    timeout: float = 20.0
    _failed: set[str] = field(default_factory=set, init=False, repr=False)

    def __post_init__(self) -> None:
        for server in self.servers or ("",):
            if not is_http(server):
                raise UsageError(
                    f"{server or 'Nothing'} is not a time-stamp server's address",
                    id="ErrorTimestampServerAddress",
                    target=server,
                    hint="Give an http:// or https:// address.",
                )

    def stamp(
        self, signature: bytes, algorithm: Hash, certificate: x509.Certificate
    ) -> bytes:
        """Return the DER of a checked token for ``signature``.

        :param algorithm: the hash to send the signature under.
        :param certificate: the signer's: a stamp from outside its life is no use.
        :raises PSExportError: ``ErrorTimestampServer`` if no server gave one.
        """
        failures = []
        for server in sorted(self.servers, key=self._failed.__contains__):
            try:
                return self._ask(server, signature, algorithm, certificate)
            except (SendError, _RefusedError) as error:
                self._failed.add(server)
                failures.append(f"{server}: {error}")
        raise PSExportError(
            f"No time-stamp server gave a time stamp: {'; '.join(failures)}",
            id="ErrorTimestampServer",
            target=self.servers[0],
            hint="Check the address and the network, or name another server.",
        )

    def _ask(
        self,
        server: str,
        signature: bytes,
        algorithm: Hash,
        certificate: x509.Certificate,
    ) -> bytes:
        nonce = self.nonce()
        query = build_query(signature, algorithm, nonce)
        reply = self._send(server, query)
        try:
            token = read_reply(reply)
            stamp = read_token(token, signature)
        except (MalformedError, UnsupportedError, BadSignatureError) as error:
            raise _RefusedError(error) from None
        if stamp.nonce != nonce:
            raise _RefusedError("the answer is to another question")
        for each in (stamp.authority, certificate):
            if not each.not_valid_before_utc <= stamp.time <= each.not_valid_after_utc:
                raise _RefusedError(
                    f"at {stamp.time:%Y-%m-%d %H:%M} UTC, its time, the certificate of"
                    f" {subject(each)} is not valid"
                )
        return token

    def _send(self, server: str, query: bytes) -> bytes:
        attempt = 1
        while True:
            try:
                return self.sender(server, query, _HEADERS, self.timeout)
            except SendError as error:
                if not error.passing or attempt >= self.attempts:
                    raise
            self.pause(2.0 ** (attempt - 1))
            attempt += 1


def build_query(signature: bytes, algorithm: Hash, nonce: int) -> bytes:
    """Return the DER of a TimeStampReq for ``signature``."""
    query = tsp.TimeStampReq(
        {
            "version": "v1",
            "message_imprint": {
                "hash_algorithm": {
                    "algorithm": algorithm.oid,
                    "parameters": core.Null(),
                },
                "hashed_message": algorithm.of(signature),
            },
            "nonce": nonce,
            "cert_req": True,
        }
    )
    return bytes(query.dump())


def read_reply(der: bytes) -> bytes:
    """Return the DER of the token in a TimeStampResp.

    :raises MalformedError: it is none, or the authority refused.
    """
    with reading("the answer"):
        reply = _Reply.load(der, strict=True)
        status = reply["status"]
        if status["status"].native not in ("granted", "granted_with_mods"):
            said = status["status_string"].native or [status["status"].native]
            raise MalformedError(f"refused: {', '.join(map(str, said))}")
        return bytes(reply["token"].dump())
