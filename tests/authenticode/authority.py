"""A real time-stamp authority: OpenSSL's, answering one query a call."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from . import pki
from .loopback import Answer, Request

CONFIGURATION = """
[tsa]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
certs = {folder}/chain.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1
ess_cert_id_chain = no
ess_cert_id_alg = {ess}
"""


class Authority:
    def __init__(self, folder: Path, identity: pki.Identity, ess: str = "sha256"):
        if shutil.which("openssl") is None:
            pytest.skip("there is no openssl command to be a time-stamp authority")
        self.folder = folder
        leaf, *rest = identity.chain
        (folder / "tsa.pem").write_bytes(leaf.public_bytes(Encoding.PEM))
        chain = b"".join(each.public_bytes(Encoding.PEM) for each in rest or [leaf])
        (folder / "chain.pem").write_bytes(chain)
        (folder / "tsa.key").write_bytes(identity.key_pem())
        (folder / "serial").write_text("01\n")
        text = CONFIGURATION.format(folder=folder, ess=ess)
        (folder / "tsa.cnf").write_text(text)

    def reply(self, query: bytes) -> bytes:
        (self.folder / "query").write_bytes(query)
        command = ["openssl", "ts", "-reply", "-section", "tsa"]
        files = ["-queryfile", "query", "-config", "tsa.cnf", "-out", "reply"]
        done = subprocess.run(
            [*command, *files], cwd=self.folder, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return (self.folder / "reply").read_bytes()

    def answer(self, request: Request) -> Answer:
        assert request.headers["content-type"] == "application/timestamp-query"
        return Answer(
            self.reply(request.body), content_type="application/timestamp-reply"
        )
