"""How the written module reaches its host again: a connection as runtime settings."""

from __future__ import annotations

from ..connection import Authentication, Connection, Kind
from ..pslang.render import LiteralValue

#: Where New-PSSession has another name for it, or none. A certificate's file means
#: nothing to Windows: the runtime asks for the thumbprint.
_AUTHENTICATION = {
    Authentication.DEFAULT: None,
    Authentication.NTLM: "Negotiate",
}


def endpoint(connection: Connection, *, secret: str = "") -> dict[str, LiteralValue]:
    """Return the entries of ``$PSExport.Endpoint``; only what is set is in there.

    :param secret: name of a SecretManagement secret that has the credential.
    """
    entries: dict[str, LiteralValue | None]
    match connection.kind:
        case Kind.WSMAN | Kind.WINRS:
            entries = {"Transport": "WSMan"} | _wsman(connection)
        case Kind.SSH:
            entries = {
                "Transport": "SSH",
                "HostName": connection.host,
                "Port": connection.port,
                "UserName": connection.user_name,
                "KeyFilePath": connection.key_file,
                "Subsystem": connection.subsystem,
                "Options": dict(one.partition("=")[::2] for one in connection.options),
            }
        case Kind.LOCAL:
            arguments = list(connection.arguments)
            if connection.configuration_file:
                arguments += ["-ConfigurationFile", connection.configuration_file]
            entries = {
                "Transport": "Process",
                "Path": connection.path,
                "Arguments": arguments,
            }
        case _:
            entries = {"Transport": "None"}
    if connection.open_timeout:
        entries["OpenTimeout"] = _milliseconds(connection.open_timeout)
    if secret:
        entries["Secret"] = secret
    return {key: value for key, value in entries.items() if value}


def _wsman(connection: Connection) -> dict[str, LiteralValue | None]:
    authentication = connection.authentication
    entries: dict[str, LiteralValue | None] = {
        "ConfigurationName": connection.configuration_name,
        "Authentication": _AUTHENTICATION.get(authentication, authentication.value),
        "UserName": connection.user_name,
        "AskCredential": bool(connection.user_name),
        "SkipCACheck": connection.skip_ca_check,
        "SkipCNCheck": connection.skip_cn_check,
        "NoEncryption": connection.no_encryption,
        "OperationTimeout": _milliseconds(connection.operation_timeout or 0),
    }
    if connection.proxy_uri and connection.use_ssl:
        # Windows knows proxies by where they are configured, not by address, and
        # only for HTTPS.
        entries["ProxyAccessType"] = "IEConfig"
    if connection.connection_uri:
        entries["ConnectionUri"] = connection.connection_uri
        entries["AllowRedirection"] = connection.allow_redirection
    else:
        entries["ComputerName"] = connection.host
        entries["Port"] = connection.port
        entries["UseSSL"] = connection.use_ssl
        if connection.application_name.lower() != "wsman":
            entries["ApplicationName"] = connection.application_name
    return entries


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
