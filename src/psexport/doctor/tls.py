"""Does the host speak TLS, and is its certificate one to trust?

Three questions about a certificate, each by itself, so that all answers are known: who
issued it (OpenSSL says, told to look at neither name nor date), whose it is, and when
it is good.
"""

from __future__ import annotations

import datetime
import http.client
import ipaddress
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..connection import Connection
from .findings import Finding, Outcome, fault, ok, warning
from .http import ProxyRefusalError, Route, stream
from .visit import Visit

if TYPE_CHECKING:
    from cryptography import x509

_SECONDS = 8.0
#: A certificate that ends within this time is worth a word.
_SOON = datetime.timedelta(days=30)
#: X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which Python has no name for.
_NO_CHECK_TIME = 0x200000
#: X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT of OpenSSL, likewise.
_SELF_SIGNED = 18

#: Errors of OpenSSL, by a word of theirs, that mean: this is no TLS.
_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH")
_OLD_TLS = ("UNSUPPORTED_PROTOCOL", "PROTOCOL_VERSION", "NO_PROTOCOLS_AVAILABLE")
_NO_CIPHER = ("HANDSHAKE_FAILURE", "NO_SHARED_CIPHER", "DH_KEY_TOO_SMALL")


def handshake(visit: Visit) -> Iterator[Finding]:
    """Speak TLS with the host, whoever it may be."""
    route = visit.route
    assert route is not None
    unusable = list(_own_files(visit))
    if unusable:
        yield from unusable
        return
    try:
        protocol, cipher, _ = _shake(route, permissive())
    except ssl.SSLError as error:
        yield _no_handshake(error)
    except TimeoutError:
        yield fault("TlsSilent", "the host accepts connections and then says nothing")
    except (OSError, http.client.HTTPException, ProxyRefusalError) as error:
        text = f"the host cuts the connection when TLS begins ({type(error).__name__})"
        yield fault("TlsCut", text)
    else:
        yield ok(f"{protocol} with {cipher}", protocol=protocol, cipher=cipher)


def certificate(visit: Visit) -> Iterator[Finding]:
    """Judge the certificate that the host shows."""
    from cryptography import x509

    route = visit.route
    assert route is not None
    connection = visit.connection
    _, _, der = _shake(route, permissive())
    try:
        shown = _read(x509.load_der_x509_certificate(der))
    except ValueError as error:
        text = f"the host's certificate cannot be read ({error})"
        yield fault("CertificateUnreadable", text)
        return
    now = datetime.datetime.now(datetime.UTC)
    issuer = _issuer_fault(route, connection)
    found = [
        *(
            [_softened(issuer, connection.skip_ca_check, "-SkipCACheck")]
            if issuer
            else ()
        ),
        *(
            # OpenSSL checks the date with the issuer, the transport with the name.
            _softened(
                one,
                connection.skip_ca_check and connection.skip_cn_check,
                "-SkipCACheck with -SkipCNCheck",
            )
            for one in _dates(shown, now)
        ),
        *(
            _softened(one, connection.skip_cn_check, "-SkipCNCheck")
            for one in _names(shown, connection.host)
        ),
    ]
    yield from found
    if not any(one.outcome is Outcome.FAULT for one in found):
        yield ok(
            f"{shown.subject}, issued by {shown.issuer}, good until "
            f"{shown.until:%Y-%m-%d}",
            subject=shown.subject,
            issuer=shown.issuer,
            names=list(shown.names),
            notBefore=shown.since.isoformat(),
            notAfter=shown.until.isoformat(),
        )


@dataclass(frozen=True)
class Shown:
    """What a certificate says."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    since: datetime.datetime
    until: datetime.datetime


def _read(parsed: x509.Certificate) -> Shown:
    from cryptography import x509

    names: list[str] = []
    try:
        alternative = parsed.extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        ).value
        names += alternative.get_values_for_type(x509.DNSName)
        names += map(str, alternative.get_values_for_type(x509.IPAddress))
    except (x509.ExtensionNotFound, ValueError):
        pass
    return Shown(
        subject=parsed.subject.rfc4514_string(),
        issuer=parsed.issuer.rfc4514_string(),
        names=tuple(names),
        since=parsed.not_valid_before_utc,
        until=parsed.not_valid_after_utc,
    )


def _dates(shown: Shown, now: datetime.datetime) -> Iterator[Finding]:
    if now > shown.until:
        text = f"the certificate has expired on {shown.until:%Y-%m-%d %H:%M} UTC"
        yield fault("CertificateExpired", text, notAfter=shown.until.isoformat())
    elif now < shown.since:
        text = f"the certificate is not valid before {shown.since:%Y-%m-%d %H:%M} UTC"
        yield fault("CertificateNotYetValid", text, notBefore=shown.since.isoformat())
    elif shown.until - now < _SOON:
        text = f"the certificate expires on {shown.until:%Y-%m-%d}"
        yield warning("CertificateExpires", text, notAfter=shown.until.isoformat())


def _names(shown: Shown, host: str) -> Iterator[Finding]:
    if not is_for(host, shown.names):
        told = ", ".join(shown.names[:5]) or "no host at all"
        text = f"the certificate is for {told}, not for {host}"
        yield fault("CertificateName", text, name=host, names=list(shown.names))


def is_for(host: str, names: Sequence[str]) -> bool:
    """Whether a certificate with these alternative names speaks for a host.

    A wildcard stands for one whole label, the first; an address is only itself.
    """
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        wanted = host.rstrip(".").lower()
        try:
            wanted = wanted.encode("idna").decode("ascii")
        except UnicodeError:
            return False
        _, _, rest = wanted.partition(".")
        known = {name.rstrip(".").lower() for name in names}
        return wanted in known or ("." in rest and f"*.{rest}" in known)
    return str(address) in names


def _issuer_fault(route: Route, connection: Connection) -> Finding | None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VerifyFlags(_NO_CHECK_TIME)
    if connection.ca_file:
        context.load_verify_locations(connection.ca_file)
    else:
        context.load_default_certs()
    try:
        _shake(route, context)
    except ssl.SSLCertVerificationError as error:
        code = error.verify_code
        who = connection.ca_file or "what this machine trusts"
        if code == _SELF_SIGNED:
            text = "the certificate is signed by itself, and is not trusted"
            return fault("CertificateSelfSigned", text, trusted=who)
        text = f"the certificate's issuer is not trusted ({error.verify_message})"
        return fault("CertificateIssuer", text, trusted=who)
    return None


def _softened(found: Finding, unchecked: bool, parameter: str) -> Finding:
    """A fault that is not looked at, because somebody said so, is a warning."""
    if not unchecked:
        return found
    text = f"{found.text}, which {parameter} overlooks"
    return warning("NotChecked", text, parameter=parameter)


def _own_files(visit: Visit) -> Iterator[Finding]:
    """The files on this side that are no good."""
    connection = visit.connection
    for parameter, path in (
        ("CAFile", connection.ca_file),
        ("CertificatePem", connection.certificate_pem),
    ):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            if path and parameter == "CAFile":
                context.load_verify_locations(path)
            elif path:
                context.load_cert_chain(
                    path,
                    connection.certificate_key_pem or None,
                    # Without one, OpenSSL would ask at the terminal.
                    password=visit.password or "",
                )
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            why = getattr(error, "strerror", None) or str(error)
            yield fault(
                "OwnFileUnusable",
                f"-{parameter} {path} cannot be used ({why})",
                parameter=f"-{parameter}",
                file=path,
            )


def permissive() -> ssl.SSLContext:
    """A context that trusts everybody: to ask what is public, and to look around."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def speaks_tls(route: Route) -> bool:
    """Whether TLS is what a port speaks that was taken for another."""
    try:
        _shake(replace(route, use_ssl=True), permissive())
    except (OSError, http.client.HTTPException, ProxyRefusalError):
        return False
    return True


def _shake(route: Route, context: ssl.SSLContext) -> tuple[str, str, bytes]:
    """Protocol, cipher and the host's certificate, after a handshake."""
    with (
        stream(route, _SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=route.name) as channel,
    ):
        cipher = channel.cipher()
        der = channel.getpeercert(binary_form=True)
        return channel.version() or "", cipher[0] if cipher else "", der or b""


def _no_handshake(error: ssl.SSLError) -> Finding:
    reason = error.reason or str(error)
    said = reason.upper()
    if any(word in said for word in _NO_TLS):
        return fault("NotTls", "the port is open, but what is there speaks no TLS")
    if any(word in said for word in _OLD_TLS):
        text = f"the host and this machine have no version of TLS in common ({reason})"
        return fault("TlsVersion", text)
    if any(word in said for word in _NO_CIPHER):
        text = f"the host and this machine have no cipher in common ({reason})"
        return fault("TlsVersion", text)
    if "EOF" in said:
        return fault("TlsCut", "the host cuts the connection when TLS begins")
    return fault("TlsFailed", f"no TLS with the host ({reason})")


__all__ = ["certificate", "handshake", "is_for", "permissive", "speaks_tls"]
