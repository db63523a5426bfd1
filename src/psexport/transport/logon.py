"""Logging on over HTTP: who one is, and how a host is convinced of it.

Basic and client certificates are said with every request. Negotiate, NTLM, Kerberos and
CredSSP are a conversation, after which the connection is logged on and the context
that came of it seals messages. pyspnego leads all of these conversations.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..connection import Authentication, Connection
from ..errors import PSExportError, TransportError, UsageError
from ..secret import Secret, is_open_to_others

if TYPE_CHECKING:
    from spnego import ContextProxy
    from spnego.channel_bindings import GssChannelBindings

_MUTUAL_TLS = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual"
_SERVICE = "host"
_MAX_QUOTE = 300
#: The whole of a challenge: a scheme, and a token or parameters after it.
_CHALLENGE = re.compile(r'\s*([A-Za-z][\w-]*)(?:\s+((?:"[^"]*"|[^,"])*))?\s*(?:,|$)')

#: Schemes of WWW-Authenticate that will do, the best first, with pyspnego's protocol.
_SCHEMES = {
    Authentication.DEFAULT: (
        ("negotiate", "negotiate"),
        ("kerberos", "kerberos"),
        ("ntlm", "ntlm"),
    ),
    Authentication.KERBEROS: (("negotiate", "kerberos"), ("kerberos", "kerberos")),
    Authentication.NTLM: (("negotiate", "ntlm"), ("ntlm", "ntlm")),
    Authentication.CREDSSP: (("credssp", "credssp"),),
}
_SCHEMES[Authentication.NEGOTIATE] = _SCHEMES[Authentication.DEFAULT]

_NEEDS_PASSWORD = frozenset(
    {Authentication.BASIC, Authentication.NTLM, Authentication.CREDSSP}
)

#: Without a password, a ticket may be there.
_TICKET_WILL_DO = frozenset(
    {Authentication.DEFAULT, Authentication.NEGOTIATE, Authentication.KERBEROS}
)

#: The line that makes a Windows host offer what it does not.
_ENABLE = {
    Authentication.BASIC: "Set-Item WSMan:\\localhost\\Service\\Auth\\Basic $true",
    Authentication.KERBEROS: "Set-Item WSMan:\\localhost\\Service\\Auth\\Kerberos "
    "$true",
    Authentication.CREDSSP: "Enable-WSManCredSSP -Role Server -Force",
    Authentication.CERTIFICATE: "Set-Item "
    "WSMan:\\localhost\\Service\\Auth\\Certificate $true",
}
_ENABLE_NEGOTIATE = "Set-Item WSMan:\\localhost\\Service\\Auth\\Negotiate $true"


class _Cause(NamedTuple):
    pattern: re.Pattern[str]
    id: str
    message: str
    hint: str


def _cause(pattern: str, id: str, message: str, hint: str) -> _Cause:
    return _Cause(re.compile(pattern, re.IGNORECASE), id, message, hint)


#: What the libraries say (MIT Kerberos, Heimdal, pyspnego), and what it means.
_CAUSES = (
    _cause(
        r"clock skew|skew too great",
        "ErrorLogonFailed",
        "the clocks of this machine and of the domain differ too much",
        "set both clocks; Kerberos forgives five minutes",
    ),
    _cause(
        r"expired|no longer valid",
        "ErrorLogonFailed",
        "the Kerberos ticket or the password has expired",
        "get a new ticket with kinit, or change the password",
    ),
    _cause(
        r"not yet valid",
        "ErrorLogonFailed",
        "the Kerberos ticket is not valid yet",
        "set this machine's clock, or get a new ticket with kinit",
    ),
    _cause(
        r"not found in kerberos database|server not found|unknown server",
        "ErrorLogonFailed",
        "the domain knows no such user, or no such host under that name",
        "use the host's full name as in the domain, or name its service with "
        "-ServicePrincipalName; see 'setspn -L HOST' there",
    ),
    _cause(
        r"preauthentication failed|password incorrect|decrypt integrity|8009030c"
        r"|c000006d|LOGON_FAILURE|logon.denied",
        "ErrorLogonFailed",
        "the user name or the password is wrong",
        "check both; write DOMAIN\\user, or user@REALM for Kerberos",
    ),
    _cause(
        r"cannot contact any KDC|cannot find KDC|unable to reach any KDC"
        r"|no KDC|cannot resolve .*realm|realm not local|configuration file does not",
        "ErrorLogonFailed",
        "no Kerberos server of the domain can be reached",
        "check /etc/krb5.conf and the domain's DNS, or use -Authentication NTLM",
    ),
    _cause(
        r"keytab|key table",
        "ErrorLogonFailed",
        "the keytab cannot be used",
        "check -KeytabFile, and with 'klist -k' that the user is in it",
    ),
    _cause(
        r"no credentials|no kerberos credentials|credentials cache|no applicable"
        r"|credentials were supplied|no ticket|matching credential",
        "ErrorCredentialMissing",
        "there is no Kerberos ticket and no password",
        "run kinit, or give -UserName and a password (PSEXPORT_PASSWORD)",
    ),
    _cause(
        r"requires the python gssapi|No module named|cannot import|not available"
        r"|spnego.*none of|unable to negotiate",
        "ErrorAuthenticationUnavailable",
        "this installation cannot log on that way",
        "install Kerberos with: pip install 'psexport[kerberos]', or use "
        "-Authentication NTLM",
    ),
)


_MINOR = re.compile(r"Minor \(\d+\): ([^,]+)")


@dataclass(frozen=True, slots=True)
class Conversation:
    """A logon under way.

    :ivar scheme: the word of the Authorization header.
    :ivar context: pyspnego's; when complete, it seals messages.
    """

    scheme: str
    context: ContextProxy


def says_password(connection: Connection) -> bool:
    """Whether the password itself goes to the host, readable for who is between."""
    return connection.authentication is Authentication.BASIC


def is_conversation(connection: Connection) -> bool:
    """Whether logging on is a conversation, and so belongs to a connection."""
    return connection.authentication in _SCHEMES


def seals(connection: Connection) -> bool:
    """Whether messages are to be encrypted by us, since nothing else does it."""
    return (
        is_conversation(connection)
        and not connection.use_ssl
        and not connection.no_encryption
    )


def check(connection: Connection) -> None:
    """Refuse what must not be sent, or cannot work, before anything is sent.

    :raises UsageError: ids ``ErrorEncryptionRequired``, ``ErrorCredentialMissing``.
    """
    if (
        says_password(connection)
        and not connection.use_ssl
        and not connection.no_encryption
    ):
        raise UsageError(
            "Basic would send the password and all else readable for everybody",
            id="ErrorEncryptionRequired",
            target=connection.name,
            hint="use winrms:// or -UseSSL, or -Authentication Negotiate; "
            "-NoEncryption sends it all the same",
        )
    if connection.authentication in _NEEDS_PASSWORD and not connection.user_name:
        raise UsageError(
            f"{connection.authentication.value} needs a user name",
            id="ErrorCredentialMissing",
            target=connection.name,
            hint="give -UserName, and the password with PSEXPORT_PASSWORD, "
            "-PasswordFile or when asked",
        )


def wants_password(connection: Connection) -> bool:
    """Whether a password is of use, be it for logging on or for one's own key."""
    if connection.authentication is Authentication.CERTIFICATE:
        return has_locked_key(connection)
    return bool(connection.user_name) and not connection.keytab_file


def has_locked_key(connection: Connection) -> bool:
    """Whether the key of the client certificate has a password."""
    path = connection.certificate_key_pem or connection.certificate_pem
    try:
        return b"ENCRYPTED" in Path(path).read_bytes()[: 64 * 1024]
    except OSError:
        return False  # which whoever reads it will say


def ask_now(connection: Connection, secret: Secret) -> None:
    """Have the password at hand before anything waits for the host.

    A person who types takes time that is not the host's; and Ctrl-C must find that
    person's terminal in the hands of the thread that it reaches.

    :raises PSExportError: there is none, and none will not do.
    """
    if wants_password(connection):
        try:
            secret.reveal()
        except UsageError as error:
            needed = connection.authentication not in _TICKET_WILL_DO
            if needed or error.id != "ErrorPasswordMissing":
                raise


def warnings(connection: Connection) -> tuple[str, ...]:
    """What a user should know who allowed something that is not safe."""
    found: list[str] = []
    if connection.skip_ca_check and connection.use_ssl:
        found.append(
            f"Who issued the certificate of {connection.name} was not checked: "
            "anybody between here and there can read and change what is sent."
        )
    if connection.skip_cn_check and connection.use_ssl:
        found.append(
            f"Whether the certificate of {connection.name} is for that name was not "
            "checked: another host can answer in its place."
        )
    if connection.no_encryption and not connection.use_ssl:
        found.append(
            f"What is sent to {connection.name} is not encrypted: anybody between "
            "here and there can read and change it."
        )
    if is_open_to_others(connection.password_file):
        found.append(
            f"Others on this machine can read {connection.password_file}, which has a "
            "password: let only its owner do so (chmod 600)."
        )
    return tuple(found)


def header(connection: Connection, secret: Secret, encoding: str = "utf-8") -> str:
    """The Authorization header that every request has; "" if none does."""
    if connection.authentication is Authentication.CERTIFICATE:
        return _MUTUAL_TLS
    if connection.authentication is not Authentication.BASIC:
        return ""
    both = f"{connection.user_name}:{secret.reveal()}".encode(encoding, "replace")
    return f"Basic {base64.b64encode(both).decode()}"


def has_other_spelling(connection: Connection, secret: Secret) -> bool:
    """Whether Basic could mean two things: old hosts read Latin-1, new ones UTF-8."""
    if connection.authentication is not Authentication.BASIC:
        return False
    both = connection.user_name + secret.reveal()
    return not both.isascii() and both.encode("latin-1", "replace") != both.encode()


def offers(values: Iterable[str]) -> dict[str, bytes]:
    """What WWW-Authenticate headers offer: schemes in lower case, and their tokens."""
    found: dict[str, bytes] = {}
    for value in values:
        for match in _CHALLENGE.finditer(value):
            token = (match[2] or "").strip()
            try:
                data = base64.b64decode(token, validate=True)
            except ValueError:  # parameters, such as Basic's realm
                data = b""
            scheme = match[1].lower()
            found[scheme] = data or found.get(scheme, b"")
    return found


def begin(
    connection: Connection,
    secret: Secret,
    offered: Iterable[str],
    certificate: bytes | None,
) -> Conversation:
    """Begin the conversation that the host offers and the user wants.

    :param certificate: the host's own (DER), which the logon is bound to.
    :raises TransportError: the host offers none that will do (id
        ``ErrorAuthenticationNotOffered``), or this machine cannot.
    """
    known = set(offered)
    usable = [one for one in _SCHEMES[connection.authentication] if one[0] in known]
    if not usable:
        raise not_offered(connection, known)
    scheme, protocol = usable[0]
    try:
        return Conversation(
            _SPELLED[scheme], _context(connection, secret, protocol, certificate)
        )
    except PSExportError:
        raise
    except Exception as error:  # spnego, krb5, gssapi and their import errors
        failure = failed(connection, error)
    raise failure


_SPELLED = {
    "negotiate": "Negotiate",
    "kerberos": "Kerberos",
    "ntlm": "NTLM",
    "credssp": "CredSSP",
}


def _context(
    connection: Connection, secret: Secret, protocol: str, certificate: bytes | None
) -> ContextProxy:
    import spnego

    service, _, host = connection.service_principal.rpartition("/")
    requirements = spnego.ContextReq.default
    if connection.allow_delegation:
        requirements |= spnego.ContextReq.delegate
    # CredSSP binds to its own TLS, not to the one around it.
    bind = certificate is not None and protocol != "credssp"
    return spnego.client(
        _credential(connection, secret),
        hostname=host or connection.host,
        service=service or _SERVICE,
        channel_bindings=_bindings(certificate) if certificate and bind else None,
        context_req=requirements,
        protocol=protocol,
        options=spnego.NegotiateOptions.wrapping_winrm
        if seals(connection) and protocol != "credssp"
        else spnego.NegotiateOptions.none,
    )


def _credential(connection: Connection, secret: Secret) -> Any:
    """Who one is, for pyspnego; ``None`` for whoever has a ticket here."""
    import spnego

    if connection.keytab_file:
        return spnego.KerberosKeytab(
            connection.keytab_file, connection.user_name or None
        )
    if not connection.user_name:
        return None
    try:
        password = secret.reveal()
    except UsageError as error:
        if (
            connection.authentication in _NEEDS_PASSWORD
            or error.id != "ErrorPasswordMissing"
        ):
            raise
        password = ""
    if password:
        return spnego.Password(connection.user_name, password)
    if connection.authentication in _NEEDS_PASSWORD:
        raise UsageError(
            "the password is empty",
            id="ErrorPasswordMissing",
            target=connection.name,
            hint="type it, or see what PSEXPORT_PASSWORD is set to",
        )
    # A ticket must do, and it says itself whose it is.
    return None


def _bindings(certificate: bytes) -> GssChannelBindings:
    """RFC 5929's tls-server-end-point of a certificate."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from spnego.channel_bindings import GssChannelBindings

    parsed = x509.load_der_x509_certificate(certificate)
    try:
        algorithm = parsed.signature_hash_algorithm
    except UnsupportedAlgorithm:
        algorithm = None
    if algorithm is None or algorithm.name in ("md5", "sha1"):
        algorithm = hashes.SHA256()
    digest = hashes.Hash(algorithm)
    digest.update(certificate)
    return GssChannelBindings(
        application_data=b"tls-server-end-point:" + digest.finalize()
    )


def step(
    conversation: Conversation, token: bytes | None, connection: Connection
) -> bytes:
    """The next token to send; empty when there is nothing to say.

    :raises TransportError: the conversation failed (phase ``logon``).
    """
    try:
        return conversation.context.step(token) or b""
    except Exception as error:  # spnego, krb5, gssapi, ssl, struct: all mean no
        failure = failed(connection, error)
    raise failure


def failed(connection: Connection, error: Exception) -> TransportError:
    """The error for a logon that went wrong on this side."""
    words = " ".join(str(error).split())[:_MAX_QUOTE] or type(error).__name__
    status = getattr(error, "nt_status", None)
    if isinstance(status, int):
        words = f"{words}, status 0x{status & 0xFFFFFFFF:08X}"
    for cause in _CAUSES:
        if cause.pattern.search(words):
            # GSSAPI puts what matters last, behind much that does not.
            said = (_MINOR.findall(words) or [words])[-1].strip()
            return _failure(
                connection, cause.id, f"{cause.message} ({said})", cause.hint
            )
    return _failure(
        connection,
        "ErrorLogonFailed",
        f"logging on failed ({words})",
        "check user name, password and -Authentication",
    )


def refused(connection: Connection, offered: Iterable[str]) -> TransportError:
    """The error for a host that took the logon and said no."""
    wanted = connection.authentication
    known = set(offered)
    if wanted is Authentication.BASIC and known and "basic" not in known:
        return not_offered(connection, known)
    if wanted is Authentication.CERTIFICATE:
        return _failure(
            connection,
            "ErrorLogonFailed",
            "the host does not take the client certificate",
            "check that it is mapped to a user there (dir "
            "WSMan:\\localhost\\ClientCertificate) and that "
            "WSMan:\\localhost\\Service\\Auth\\Certificate is true",
        )
    if wanted is Authentication.KERBEROS or not connection.user_name:
        return _failure(
            connection,
            "ErrorLogonFailed",
            "the host does not take the Kerberos ticket",
            "use the host's full name as in the domain, check its clock, and give "
            "-ServicePrincipalName HTTP/name if the service runs under an account",
        )
    return _failure(
        connection,
        "ErrorLogonFailed",
        f"the host does not take the user name or the password ({wanted.value})",
        "check both; write DOMAIN\\user, user@domain, or HOST\\user for a local one",
    )


def not_offered(connection: Connection, offered: Iterable[str]) -> TransportError:
    """The error for a host that has no logon of the kind that is wanted."""
    wanted = connection.authentication
    there = ", ".join(sorted(_SPELLED.get(one, one.title()) for one in offered))
    enable = _ENABLE.get(wanted, _ENABLE_NEGOTIATE)
    return _failure(
        connection,
        "ErrorAuthenticationNotOffered",
        f"the host does not offer {wanted.value}; it offers {there or 'nothing'}",
        f"use another -Authentication, or run '{enable}' there",
    )


def _failure(
    connection: Connection, id: str, message: str, hint: str
) -> TransportError:
    return TransportError(
        message, id=id, phase="logon", target=connection.name, hint=hint
    )


__all__ = [
    "Conversation",
    "ask_now",
    "begin",
    "check",
    "failed",
    "has_locked_key",
    "has_other_spelling",
    "header",
    "is_conversation",
    "not_offered",
    "offers",
    "refused",
    "says_password",
    "seals",
    "step",
    "wants_password",
    "warnings",
]
