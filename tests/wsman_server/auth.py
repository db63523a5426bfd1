"""Logging on to one connection: Basic, Negotiate, Kerberos, CredSSP, certificate.

As on Windows, Negotiate, Kerberos and CredSSP log on the connection, not the request:
the tokens of one handshake come over one connection, and the context that they end in
seals and opens the messages of that connection and no other.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

import spnego
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from spnego import ContextReq
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import InvalidTokenError, NegotiateOptions, SpnegoError

from .accounts import find_account
from .encryption import SealingContext

AuthMethod = Literal["basic", "ntlm", "negotiate", "kerberos", "credssp", "certificate"]
ChannelBinding = Literal["none", "relaxed", "strict"]
MUTUAL_TLS = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual"
_USER_PRINCIPAL_NAME = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
_NTLM_AUTHENTICATE = b"NTLMSSP\0\x03\0\0\0"
_AV_CHANNEL_BINDINGS = 10


@dataclass(frozen=True)
class Identity:
    """Who has logged on and how.

    `scheme` is the word of the Authorization header in lower case, `mechanism` what
    was negotiated inside it (`ntlm`, `kerberos`; the scheme itself where there is no
    choice). `delegated` says that the client's credentials came along.
    """

    name: str
    scheme: str
    mechanism: str
    delegated: bool = False


@dataclass(frozen=True)
class Verdict:
    """What the Authorization header of a request came to.

    Either an `identity`, or none and the request is answered with 401. `headers` are
    the WWW-Authenticate values to send in both cases.
    """

    identity: Identity | None
    headers: tuple[str, ...] = ()


class ConnectionAuth:
    """The state of logging on of one connection."""

    def __init__(
        self,
        methods: Collection[AuthMethod],
        *,
        allow_unencrypted: bool,
        channel_binding: ChannelBinding,
        server_certificate: bytes | None,
        client_certificate: bytes | None,
    ) -> None:
        self._methods = frozenset(methods)
        self._tls = server_certificate is not None
        self._allow_unencrypted = allow_unencrypted
        self._strict = channel_binding == "strict"
        self._bindings = (
            _endpoint_bindings(server_certificate)
            if server_certificate and channel_binding != "none"
            else None
        )
        self._client_certificate = client_certificate
        self._context: spnego.ContextProxy | None = None
        self.identity: Identity | None = None

    @property
    def sealing_context(self) -> SealingContext | None:
        """The context that encrypts messages, once one is established."""
        established = self._context is not None and self._context.complete
        return self._context if established else None

    @property
    def offers(self) -> tuple[str, ...]:
        """The WWW-Authenticate values of a 401, in the order Windows has them."""
        offers = []
        if {"negotiate", "ntlm"} & self._methods:
            offers.append("Negotiate")
        if "kerberos" in self._methods:
            offers.append("Kerberos")
        if self._basic_allowed:
            offers.append('Basic realm="WSMAN"')
        if "credssp" in self._methods:
            offers.append("CredSSP")
        return tuple(offers)

    def check(self, authorization: str | None) -> Verdict:
        """Judge a request by its Authorization header."""
        if authorization is None:
            # Basic is said again with every request; the others hold on.
            if self.identity and self.identity.scheme != "basic":
                return Verdict(self.identity)
            return self._refuse()
        if authorization.strip() == MUTUAL_TLS:
            return self._check_certificate()
        scheme, _, credentials = authorization.partition(" ")
        match scheme.lower():
            case "basic":
                return self._check_basic(credentials)
            case "negotiate" | "ntlm" | "kerberos" | "credssp" as name:
                return self._check_token(scheme, name, credentials)
        return self._refuse()

    @property
    def _basic_allowed(self) -> bool:
        protected = self._tls or self._allow_unencrypted
        return "basic" in self._methods and protected

    def _refuse(self) -> Verdict:
        self._context = None
        self.identity = None
        return Verdict(None, self.offers)

    def _accept(self, identity: Identity, headers: tuple[str, ...] = ()) -> Verdict:
        self.identity = identity
        return Verdict(identity, headers)

    def _check_basic(self, credentials: str) -> Verdict:
        try:
            raw = base64.b64decode(credentials, validate=True)
        except binascii.Error:
            return self._refuse()
        if not self._basic_allowed:
            return self._refuse()
        for encoding in ("utf-8", "latin-1"):
            try:
                name, _, password = raw.decode(encoding).partition(":")
            except UnicodeDecodeError:
                continue
            account = find_account(name)
            if account and account.password == password:
                return self._accept(Identity(account.logon_name, "basic", "basic"))
        return self._refuse()

    def _check_certificate(self) -> Verdict:
        if "certificate" not in self._methods or self._client_certificate is None:
            return self._refuse()
        name = principal_name(self._client_certificate)
        account = find_account(name.partition("@")[0]) if name else None
        if account is None:
            return self._refuse()
        return self._accept(Identity(account.logon_name, "certificate", "certificate"))

    def _check_token(self, scheme: str, name: str, credentials: str) -> Verdict:
        if scheme.lower() not in {offer.lower() for offer in self.offers}:
            return self._refuse()
        try:
            token = base64.b64decode(credentials, validate=True)
            if self._context is None or self._context.complete:
                self._context = self._new_context(name)
                self.identity = None
            reply = self._context.step(
                token, channel_bindings=self._expected_bindings(token)
            )
        # A wrong password, an expired ticket, nonsense: the host says 401 to all,
        # and the libraries below raise a dozen types for them.
        except Exception:
            return self._refuse()
        headers = (f"{scheme} {base64.b64encode(reply).decode()}",) if reply else ()
        if not self._context.complete:
            return Verdict(None, headers) if headers else self._refuse()
        mechanism = self._context.negotiated_protocol or name
        if not self._mechanism_allowed(name, mechanism):
            return self._refuse()
        principal = self._context.client_principal or ""
        delegated = name == "credssp" or bool(
            self._context.context_attr & ContextReq.delegate
        )
        return self._accept(Identity(principal, name, mechanism, delegated), headers)

    def _mechanism_allowed(self, scheme: str, mechanism: str) -> bool:
        if scheme == "credssp" or "negotiate" in self._methods:
            return True
        return mechanism in self._methods

    def _new_context(self, scheme: str) -> spnego.ContextProxy:
        if scheme == "credssp":
            inner = _PlainRefusal(spnego.server(protocol="negotiate"))
            return spnego.server(protocol="credssp", credssp_negotiate_context=inner)
        protocol = "kerberos" if scheme == "kerberos" else "negotiate"
        return spnego.server(protocol=protocol, options=NegotiateOptions.wrapping_winrm)

    def _expected_bindings(self, token: bytes) -> GssChannelBindings | None:
        """Bindings to insist on in this step.

        A relaxed host checks the bindings of a client that sends some and forgives
        one that does not. MIT Kerberos does that by itself, NTLM has to be asked.
        """
        position = token.find(_NTLM_AUTHENTICATE)
        if position < 0 or self._strict:
            return self._bindings
        return self._bindings if _ntlm_is_bound(token[position:]) else None


class _PlainRefusal:
    """A context inside CredSSP that refuses every wrong log on in the same way.

    CredSSP tells the client why. A host says "log on denied" to an unknown user as to
    a wrong password; NTLM's acceptor has an error of its own for the former.
    """

    def __init__(self, context: spnego.ContextProxy) -> None:
        self._context = context

    def step(self, token: bytes | None = None) -> bytes | None:
        try:
            return self._context.step(token)
        except SpnegoError as error:
            raise InvalidTokenError(context_msg="log on denied") from error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)


def principal_name(certificate: bytes) -> str | None:
    """The user principal name of a client certificate (DER), as Windows maps it."""
    parsed = x509.load_der_x509_certificate(certificate)
    try:
        names = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return None
    for other in names.value.get_values_for_type(x509.OtherName):
        if other.type_id == _USER_PRINCIPAL_NAME:
            # A DER UTF8String shorter than 128 bytes: tag, length, text.
            return other.value[2:].decode()
    return None


def _endpoint_bindings(certificate: bytes) -> GssChannelBindings:
    """RFC 5929's tls-server-end-point for a server certificate (DER)."""
    algorithm = x509.load_der_x509_certificate(certificate).signature_hash_algorithm
    if algorithm is None or algorithm.name in ("md5", "sha1"):
        algorithm = hashes.SHA256()
    digest = hashes.Hash(algorithm)
    digest.update(certificate)
    return GssChannelBindings(
        application_data=b"tls-server-end-point:" + digest.finalize()
    )


def _ntlm_is_bound(message: bytes) -> bool:
    """Whether an NTLM AUTHENTICATE message carries channel bindings."""
    length, _, offset = struct.unpack_from("<HHI", message, 20)
    response = message[offset : offset + length]
    position = 16 + 28  # the proof, then the fixed head of the client challenge
    while position + 4 <= len(response):
        name, size = struct.unpack_from("<HH", response, position)
        if name == _AV_CHANNEL_BINDINGS:
            return True
        if name == 0:
            return False
        position += 4 + size
    return False
