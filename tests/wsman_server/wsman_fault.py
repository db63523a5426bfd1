"""The faults of WS-Management by their Windows code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Self

_DETAIL = "http://schemas.dmtf.org/wbem/wsman/1/wsman/faultDetail/"


class _Known(NamedTuple):
    role: str
    subcode: str
    reason: str
    detail: str = ""
    as_wmi_error: bool = False


_UNKNOWN = _Known("Receiver", "w:InternalError", "The service met an internal error.")

# The wording is ours; code, role, subcode and detail are what Windows sends.
_KNOWN: dict[int, _Known] = {
    5: _Known("Sender", "w:AccessDenied", "Access is denied."),
    87: _Known(
        "Sender",
        "w:InvalidParameter",
        "The parameter is incorrect.",
        _DETAIL + "InvalidValue",
    ),
    995: _Known(
        "Receiver", "w:InternalError", "The operation was aborted: the shell is closed."
    ),
    1726: _Known(
        "Receiver", "w:InternalError", "The host process of the shell went away."
    ),
    2147942402: _Known(
        "Receiver", "w:InternalError", "The system cannot find the file specified."
    ),
    2150858752: _Known(
        "Sender",
        "a:DestinationUnreachable",
        "Nothing has that resource URI and those selectors.",
        _DETAIL + "InvalidResourceURI",
    ),
    2150858767: _Known(
        "Sender", "a:InvalidMessageInformationHeader", "A SOAP header is invalid."
    ),
    2150858771: _Known(
        "Sender", "a:ActionNotSupported", "The resource does not support the action."
    ),
    2150858790: _Known(
        "Sender",
        "w:EncodingLimit",
        "The answer is larger than the largest envelope allowed.",
        _DETAIL + "MaxEnvelopeSize",
    ),
    2150858791: _Known(
        "Sender", "w:SchemaValidationError", "The request has no valid SOAP body."
    ),
    2150858793: _Known(
        "Receiver", "w:TimedOut", "The operation took longer than OperationTimeout."
    ),
    2150858811: _Known(
        "Sender",
        "a:DestinationUnreachable",
        "The host has no session configuration of that resource URI.",
        _DETAIL + "InvalidResourceURI",
    ),
    2150858843: _Known(
        "Sender",
        "w:InvalidSelectors",
        "The request has invalid selectors for the resource.",
        _DETAIL + "UnexpectedSelectors",
    ),
    2150859173: _Known(
        "Receiver", "w:QuotaLimit", "The user has too many concurrent shells."
    ),
    2150859174: _Known(
        "Receiver",
        "w:InternalError",
        "The user has too many concurrent operations.",
        as_wmi_error=True,
    ),
    2150859204: _Known(
        "Receiver", "w:InternalError", "The shell has been disconnected."
    ),
    2150859215: _Known(
        "Sender", "w:InvalidParameter", "The shell cannot be disconnected now."
    ),
    2150859216: _Known(
        "Sender", "w:InvalidParameter", "The shell is not disconnected."
    ),
    2150859241: _Known(
        "Receiver",
        "w:InternalError",
        "The shell has too many concurrent commands.",
        as_wmi_error=True,
    ),
    2152992672: _Known(
        "Receiver", "w:InternalError", "The client's protocol version is too new."
    ),
}


@dataclass(eq=False)
class WsmanFaultError(Exception):
    """A fault to answer with: SOAP role and subcode, Windows code, texts.

    `relates_to` is the message it is about, where whoever raises it alone knows.
    """

    code: int
    role: str
    subcode: str
    reason: str
    message: str
    detail: str = ""
    as_wmi_error: bool = False
    provider: str = ""
    provider_path: str = ""
    relates_to: str = ""

    @classmethod
    def known(cls, code: int, message: str = "", provider: str = "") -> Self:
        """The fault of a code as Windows shapes it, with an own `message`.

        An unknown code becomes an internal error that carries it.
        """
        known = _KNOWN.get(code, _UNKNOWN)
        reason = known.reason if code in _KNOWN else message or known.reason
        path = r"%systemroot%\system32\pwrshplugin.dll" if provider else ""
        return cls(
            code=code,
            role=known.role,
            subcode=known.subcode,
            reason=reason,
            message=message or known.reason,
            detail=known.detail,
            as_wmi_error=known.as_wmi_error,
            provider=provider,
            provider_path=path,
        )

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"
