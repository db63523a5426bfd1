"""What a WSMan host says when it says no: SOAP faults to causes and remedies.

Windows tells the cause as a number. It stands in a WSManFault element, or in that of a
WMI error, where the common libraries do not look.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ..connection import Connection
from ..errors import TransportError

_SOAP = "{http://www.w3.org/2003/05/soap-envelope}"
_FAULT = "{http://schemas.microsoft.com/wbem/wsman/1/wsmanfault}"
_WMI = "{http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/MSFT_WmiError}"
_MAX_TEXT = 500

TIMED_OUT = 2150858793
SHELL_NOT_FOUND = 2150858843
ABORTED = 995
ENVELOPE_TOO_LARGE = 2150858790
#: The host has no room for one more command of this user: nothing was begun.
BUSY = frozenset({2150859174, 2150859241, 2150859247})


class Fault(Exception):  # noqa: N818 - what SOAP calls it
    """A SOAP fault.

    :ivar code: Windows's number, ``None`` if there is none.
    :ivar subcode: SOAP's word, such as ``w:AccessDenied``.
    :ivar text: what the host says.
    """

    def __init__(self, code: int | None, subcode: str, text: str) -> None:
        super().__init__(code, subcode, text)
        self.code = code
        self.subcode = subcode
        self.text = text


def read(body: bytes) -> Fault | None:
    """The fault that an answer is; ``None`` if it is none."""
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):
        return None
    fault = None if root is None else root.find(f"{_SOAP}Body/{_SOAP}Fault")
    if fault is None:
        return None
    code = fault.find(f"{_SOAP}Code")
    detail = fault.find(f".//{_FAULT}WSManFault")
    number = None if detail is None else detail.get("Code")
    words = fault.findtext(f"{_SOAP}Reason/{_SOAP}Text")
    if detail is not None:
        message = detail.find(f"{_FAULT}Message")
        said = "" if message is None else " ".join(map(str, message.itertext()))
        words = said.strip() or words
    else:
        number = fault.findtext(f".//{_WMI}error_Code")
        words = fault.findtext(f".//{_WMI}Message") or words
    return Fault(
        int(number) if number and re.fullmatch("[0-9]{1,10}", number) else None,
        "" if code is None else code.findtext(f"{_SOAP}Subcode/{_SOAP}Value") or "",
        _plain(words or ""),
    )


def _plain(text: str) -> str:
    text = "".join(c if c.isprintable() else " " for c in text[: 4 * _MAX_TEXT])
    return " ".join(text.split())[:_MAX_TEXT]


class _Meaning(NamedTuple):
    """What a number means, and what to do; ``phase`` "" for the one it came in."""

    id: str
    message: str
    hint: str
    phase: str = ""


_NO_CONFIGURATION = _Meaning(
    "ErrorConfigurationNotFound",
    "the host has no session configuration {configuration}",
    "see the names with 'Get-PSSessionConfiguration' there, run "
    "'Enable-PSRemoting -Force' there, or use {winrs} if remoting is off on purpose",
    "open",
)
_ACCESS_DENIED = _Meaning(
    "ErrorAccessDenied",
    "the host knows you, but does not let you use {configuration}",
    "run 'Set-PSSessionConfiguration -Name {configuration} "
    "-ShowSecurityDescriptorUI' there, or add the user to its group Remote Management "
    "Users; a local administrator needs LocalAccountTokenFilterPolicy = 1",
)
_GONE = _Meaning(
    "ErrorSessionBroken",
    "the host has the session no more: it was restarted, or ended the session",
    "open a new session and try again",
)
_QUOTA = _Meaning(
    "ErrorHostQuota",
    "the host has no room for one more session or command of this user",
    "close other sessions ('Get-PSSession -ComputerName {host} | Remove-PSSession'), "
    "or raise MaxShellsPerUser ('Set-Item WSMan:\\localhost\\Shell\\MaxShellsPerUser "
    "50') there",
)
_DIED = _Meaning(
    "ErrorSessionBroken",
    "the host's PowerShell process ended unexpectedly",
    "look into the host's event log (Windows PowerShell, Windows Remote Management), "
    "then open a new session",
)
_TIMEOUT = _Meaning(
    "ErrorSessionTimeout",
    "the host did not manage it in time",
    "see whether the host is busy, or allow more with -OpenTimeout or "
    "-OperationTimeout",
)
_TOO_LARGE = _Meaning(
    "ErrorMessageTooLarge",
    "a message is larger than the host takes",
    "run 'Set-Item WSMan:\\localhost\\MaxEnvelopeSizekb 500' there, or ask for less "
    "at a time",
)
_TOO_OLD = _Meaning(
    "ErrorHostTooOld",
    "the host's PowerShell is too old for this protocol",
    "install Windows PowerShell 5.1 there (WMF 5.1), or use {winrs}",
    "open",
)
_CLIENT_CLOCK = _Meaning(
    "ErrorLogonFailed",
    "the host's clock and this one differ too much",
    "set both clocks: 'w32tm /resync' there",
    "logon",
)
_POLICY = _Meaning(
    "ErrorEncryptionRequired",
    "the host takes no messages that are not encrypted",
    "use winrms://, or an authentication that encrypts: Negotiate, Kerberos, Credssp",
    "logon",
)

_MEANINGS = {
    5: _ACCESS_DENIED,
    1311: _Meaning(
        "ErrorLogonFailed",
        "the host reaches no domain controller that could check the logon",
        "log on with a local account of the host (HOST\\user), or repair its domain",
        "logon",
    ),
    1326: _Meaning(
        "ErrorLogonFailed",
        "the host does not take the user name or the password",
        "check both; write DOMAIN\\user, user@domain, or HOST\\user",
        "logon",
    ),
    1398: _CLIENT_CLOCK,
    995: _GONE,
    1726: _DIED,
    2147942402: _Meaning(
        "ErrorPowerShellNotFound",
        "the host cannot find the program",
        "check that PowerShell is installed there and is on its PATH",
    ),
    2150858752: _NO_CONFIGURATION,
    2150858811: _NO_CONFIGURATION,
    2150859003: _NO_CONFIGURATION,
    2150858790: _TOO_LARGE,
    2150858793: _TIMEOUT,
    2150858843: _GONE,
    2150859173: _QUOTA,
    2150859174: _QUOTA,
    2150859204: _Meaning(
        "ErrorSessionBroken",
        "somebody disconnected the session",
        "open a new session and try again",
    ),
    2150859241: _QUOTA,
    2150859247: _QUOTA,
    2150859193: _POLICY,
    2152992672: _TOO_OLD,
}
_BY_SUBCODE = {
    "AccessDenied": _ACCESS_DENIED,
    "QuotaLimit": _QUOTA,
    "TimedOut": _TIMEOUT,
    "EncodingLimit": _TOO_LARGE,
}


def explain(fault: Fault, connection: Connection, phase: str) -> TransportError:
    """What a fault means for a person.

    :param phase: what was being done: ``open``, ``run`` or ``close``.
    """
    subcode = fault.subcode.rpartition(":")[2]
    meaning = _MEANINGS.get(fault.code or 0) or _BY_SUBCODE.get(subcode)
    if meaning is None:
        meaning = _Meaning(
            "ErrorSessionOpen" if phase == "open" else "ErrorSessionBroken",
            "the host reports a fault",
            "look up the number with 'winrm helpmsg' there, then try again",
        )
    scheme = "winrss" if connection.use_ssl else "winrs"
    words = {
        "host": connection.host,
        "winrs": f"{scheme}://{connection.host}",
        "configuration": connection.configuration_name or "Microsoft.PowerShell",
    }
    number = f" {fault.code}" if fault.code is not None else ""
    said = f" (WSMan fault{number}: {fault.text or subcode or 'no reason given'})"
    return TransportError(
        meaning.message.format_map(words) + said,
        id=meaning.id,
        phase=meaning.phase or phase,
        target=connection.name,
        hint=meaning.hint.format_map(words),
    )


__all__ = [
    "ABORTED",
    "BUSY",
    "ENVELOPE_TOO_LARGE",
    "SHELL_NOT_FOUND",
    "TIMED_OUT",
    "Fault",
    "explain",
    "read",
]
