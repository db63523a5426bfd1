"""Signing and verifying PowerShell text files as Windows does, on every platform.

How it hangs together, from the file inwards: :mod:`.envelope` finds the block and the
text's digest, :mod:`.spc` is the statement about the digest, :mod:`.cms` the signature
over the statement, :mod:`.timestamp` the time stamp over the signature, :mod:`.trust`
the chain above the signer. :mod:`.sign` goes out, :mod:`.verify` comes in,
:mod:`.module` looks at folders. Keys are behind a hook, :mod:`.keys.hook`.

Everything works on bytes; the clock, the network and randomness are arguments.
"""

from __future__ import annotations

from .envelope import kind_of, needs_bom
from .keys import KeySource, Opener, Password, SigningKey
from .keys.password import password_from
from .module import verify_paths
from .results import (
    CertificateInfo,
    FileSignature,
    Problem,
    SignedFile,
    Signing,
    Status,
    TimestampInfo,
    Verification,
)
from .sign import require_signable_encoding, require_signed, sign_bytes, sign_paths
from .signer import Signer, load_signer
from .timestamp import TimestampClient
from .trust import Trust, load_trust
from .verify import verify_bytes, verify_integrity

__all__ = [
    "CertificateInfo",
    "FileSignature",
    "KeySource",
    "Opener",
    "Password",
    "Problem",
    "SignedFile",
    "Signer",
    "Signing",
    "SigningKey",
    "Status",
    "TimestampClient",
    "TimestampInfo",
    "Trust",
    "Verification",
    "can_be_signed",
    "load_signer",
    "load_trust",
    "needs_bom",
    "password_from",
    "require_signable_encoding",
    "require_signed",
    "sign_bytes",
    "sign_paths",
    "verify_bytes",
    "verify_integrity",
    "verify_paths",
]


def can_be_signed(name: str) -> bool:
    """Tell whether PowerShell can check a signature in a file of this name."""
    return kind_of(name) is not None
