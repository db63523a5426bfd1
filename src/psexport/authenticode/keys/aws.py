"""Keys in AWS KMS, through boto3.

``aws:arn:aws:kms:REGION:ACCOUNT:key/ID`` or ``aws:alias/NAME``. Who you are, and where
the service is, come from boto3's own configuration.
"""

from __future__ import annotations

from typing import Any

from ..algorithms import SignatureAlgorithm
from .hook import KeySource, Password, extra_missing, service_failed


class KmsKey:
    """A key that stays in KMS; ``client`` is boto3's."""

    def __init__(self, key_id: str, client: Any) -> None:
        self._key_id = key_id
        self._client = client

    def sign_digest(self, algorithm: SignatureAlgorithm, digest: bytes) -> bytes:
        """Sign as :class:`.hook.SigningKey` says."""
        from botocore.exceptions import BotoCoreError, ClientError

        family = "RSASSA_PKCS1_V1_5" if algorithm.family == "RSA" else "ECDSA"
        bits = algorithm.hash.name.removeprefix("SHA")
        try:
            answer = self._client.sign(
                KeyId=self._key_id,
                Message=digest,
                MessageType="DIGEST",
                SigningAlgorithm=f"{family}_SHA_{bits}",
            )
            return bytes(answer["Signature"])
        except (BotoCoreError, ClientError, KeyError) as error:
            raise service_failed(self._key_id, error) from None


def open_kms(address: str, password: Password | None = None) -> KeySource:
    """Open a key of KMS; its certificate comes from elsewhere.

    :param password: not used: KMS has none.
    :raises PSExportError: ``ErrorKeyService`` or ``ErrorKeyServiceNotInstalled``.
    """
    try:
        import boto3
        from botocore.exceptions import BotoCoreError
    except ImportError:
        raise extra_missing(address, "aws") from None
    key_id = address.partition(":")[2]
    region = key_id.split(":")[3] if key_id.count(":") >= 5 else None
    try:
        client = boto3.client("kms", region_name=region)
    except (BotoCoreError, ValueError) as error:
        raise service_failed(address, error) from None
    return KeySource(key=KmsKey(key_id, client))
