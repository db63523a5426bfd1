"""TLS to a WSMan host: whom to trust, what to show, and what a refusal means."""

from __future__ import annotations

import datetime
import ipaddress
import ssl

from ..connection import Connection
from ..errors import TransportError, UsageError
from ..secret import Secret

#: OpenSSL's verification codes, and what they mean.
_UNTRUSTED = {
    9: "is not valid yet",
    10: "has expired",
    18: "is signed by nobody but itself",
    19: "comes from an authority that is not trusted here",
    20: "comes from an authority that is not known here",
    21: "comes from an authority that is not known here",
    62: "is for another name",
    64: "is for another address",
}
_NAMES = frozenset({62, 64})
_DATES = frozenset({9, 10})

#: Parts of OpenSSL's reasons that mean: the server did not like our certificate.
_ABOUT_OURS = (
    "CERTIFICATE_REQUIRED",
    "UNKNOWN_CA",
    "BAD_CERTIFICATE",
    "CERTIFICATE_EXPIRED",
    "CERTIFICATE_REVOKED",
    "CERTIFICATE_UNKNOWN",
    "ACCESS_DENIED",
)


def context(connection: Connection, secret: Secret) -> ssl.SSLContext:
    """What a connection wants of TLS: verified, unless the user said otherwise.

    The authorities are the system's, or those of ``-CAFile`` alone.

    :param secret: opens the client certificate's key, if that is locked.
    :raises UsageError: a file cannot be used (id ``ErrorCertificateUnreadable``).
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if connection.skip_ca_check:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    else:
        made.check_hostname = not connection.skip_cn_check
        _load(made, connection)
    if connection.certificate_pem:
        try:
            made.load_cert_chain(
                connection.certificate_pem,
                connection.certificate_key_pem or None,
                password=secret.reveal,
            )
        except (OSError, ValueError) as error:
            failure = _unreadable(
                "the client certificate or its key cannot be used",
                connection.certificate_pem,
                error,
                "give PEM files of a certificate and the key that belongs to it; a "
                "locked key needs its password (PSEXPORT_PASSWORD or -PasswordFile)",
            )
        else:
            return made
        raise failure
    return made


def _load(made: ssl.SSLContext, connection: Connection) -> None:
    if not connection.ca_file:
        made.load_default_certs()
        return
    try:
        made.load_verify_locations(connection.ca_file)
    except (OSError, ValueError) as error:
        failure = _unreadable(
            "the file of authorities cannot be used",
            connection.ca_file,
            error,
            "give -CAFile a PEM file with the certificates of the authorities",
        )
    else:
        return
    raise failure


def check(made: ssl.SSLSocket, connection: Connection) -> None:
    """Check what :func:`context` could not: name and dates where no issuer counts.

    :raises TransportError: the certificate is for another host, or out of date.
    """
    if not connection.skip_ca_check or connection.skip_cn_check:
        return
    from cryptography import x509

    der = made.getpeercert(binary_form=True)
    try:
        shown = x509.load_der_x509_certificate(der or b"")
        first, last = shown.not_valid_before_utc, shown.not_valid_after_utc
        matches = _is_for(shown, connection.host)
    except ValueError:
        raise _distrust(connection, "cannot be read", named=False) from None
    now = datetime.datetime.now(datetime.UTC)
    if not first <= now <= last:
        raise _distrust(connection, _UNTRUSTED[10 if now > last else 9], named=False)
    if not matches:
        raise _distrust(connection, _UNTRUSTED[62], named=True)


def _is_for(shown: object, host: str) -> bool:
    from cryptography import x509

    assert isinstance(shown, x509.Certificate)
    try:
        names = shown.extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        ).value
    except x509.ExtensionNotFound:
        return False
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        known = names.get_values_for_type(x509.DNSName)
        return any(_covers(name.lower(), host.lower().rstrip(".")) for name in known)
    return address in names.get_values_for_type(x509.IPAddress)


def _covers(pattern: str, host: str) -> bool:
    first, _, rest = pattern.partition(".")
    return pattern == host or (first == "*" and rest == host.partition(".")[2] != "")


def explain(error: ssl.SSLError, connection: Connection, phase: str) -> TransportError:
    """What went wrong with TLS, for a person."""
    if isinstance(error, ssl.SSLCertVerificationError):
        code = error.verify_code
        why = _UNTRUSTED.get(code, f"is not trusted: {error.verify_message}")
        return _distrust(connection, why, named=code in _NAMES, dated=code in _DATES)
    reason = error.reason or str(error)
    if connection.certificate_pem and any(word in reason for word in _ABOUT_OURS):
        return TransportError(
            f"the host does not take the client certificate ({reason})",
            id="ErrorLogonFailed",
            phase="logon",
            target=connection.name,
            hint="show one whose issuer the host trusts (Cert:\\LocalMachine\\Root "
            "there), which is for client authentication and has not expired",
        )
    no_tls = any(word in reason for word in ("WRONG_VERSION", "HTTP_REQUEST", "RECORD"))
    return TransportError(
        f"no TLS connection can be made ({reason})",
        id="ErrorTls",
        phase="tls" if phase in ("connect", "tls") else phase,
        target=connection.name,
        hint="that port speaks no TLS: use winrm://, or the port of the HTTPS listener "
        "('winrm enumerate winrm/config/listener' there)"
        if no_tls
        else "check the host's certificate and its TLS versions; 1.2 is the least",
    )


def _distrust(
    connection: Connection, why: str, *, named: bool, dated: bool = False
) -> TransportError:
    if named:
        hint = (
            "use the name that the certificate is for, or -SkipCNCheck if you are "
            "sure whom you talk to"
        )
    elif dated or "valid" in why or "expired" in why:
        hint = (
            "check this machine's clock, or give the host a new certificate: "
            f"'New-SelfSignedCertificate -DnsName {connection.host}' there, and a new "
            "HTTPS listener"
        )
    else:
        hint = (
            "give its authority with -CAFile, or -SkipCACheck if you are sure whom "
            "you talk to"
        )
    return TransportError(
        f"the certificate of {connection.name} {why}",
        id="ErrorCertificate",
        phase="tls",
        target=connection.name,
        hint=hint,
    )


def _unreadable(what: str, path: str, error: Exception, hint: str) -> UsageError:
    why = getattr(error, "strerror", None) or getattr(error, "reason", None) or error
    return UsageError(
        f"{what}: {why}", id="ErrorCertificateUnreadable", target=path, hint=hint
    )


__all__ = ["check", "context", "explain"]
