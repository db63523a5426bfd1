"""WS-Management envelopes: a request read into values, an answer built from elements.

Everything that knows XML namespaces of the protocol is here. The element names and
their order are those of Windows hosts, so that a client which leans on either is
tested against what it will meet.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from lxml import etree

from .wsman_fault import WsmanFaultError

NAMESPACES = {
    "s": "http://www.w3.org/2003/05/soap-envelope",
    "a": "http://schemas.xmlsoap.org/ws/2004/08/addressing",
    "x": "http://schemas.xmlsoap.org/ws/2004/09/transfer",
    "n": "http://schemas.xmlsoap.org/ws/2004/09/enumeration",
    "w": "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd",
    "p": "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd",
    "f": "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault",
    "rsp": "http://schemas.microsoft.com/wbem/wsman/1/windows/shell",
    "cfg": "http://schemas.microsoft.com/wbem/wsman/1/config",
    "pwsh": "http://schemas.microsoft.com/powershell",
    "wsmid": "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd",
    "wmi": "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/MSFT_WmiError",
}
ENVELOPE_NAMESPACES = {prefix: NAMESPACES[prefix] for prefix in ("s", "a", "w", "p")}
TRANSFER = NAMESPACES["x"] + "/"
ENUMERATION = NAMESPACES["n"] + "/"
SHELL = NAMESPACES["rsp"] + "/"
CONFIG = NAMESPACES["cfg"]
POWERSHELL = NAMESPACES["pwsh"] + "/"
CMD = SHELL + "cmd"
COMMAND = SHELL + "Command"
ANONYMOUS = NAMESPACES["a"] + "/role/anonymous"
WSMAN_FAULT_ACTION = "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault"
ADDRESSING_FAULT_ACTION = NAMESPACES["a"] + "/fault"
LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"


@dataclass(frozen=True)
class Request:
    """One envelope as a client sent it.

    `timeout` is in seconds, `max_envelope` in bytes; both are None when not said.
    """

    action: str
    message_id: str
    resource_uri: str
    selectors: Mapping[str, str]
    options: Mapping[str, str]
    timeout: float | None
    max_envelope: int | None
    session_id: str
    to: str
    locale: str
    body: etree._Element

    @property
    def operation(self) -> str:
        """The last word of the action: Create, Command, Receive, …"""
        return self.action.rsplit("/", 1)[-1]

    @property
    def is_identify(self) -> bool:
        return find(self.body, "wsmid:Identify") is not None


def tag(name: str) -> str:
    """`rsp:Shell` as lxml spells it."""
    prefix, local = name.split(":")
    return f"{{{NAMESPACES[prefix]}}}{local}"


def element(
    name: str,
    *children: etree._Element,
    text: str | None = None,
    attributes: Mapping[str, str] | None = None,
) -> etree._Element:
    """An element `prefix:local` with its children."""
    prefix = name.split(":")[0]
    # PowerShell's own elements are sent without a prefix, as Windows does.
    known_as = None if prefix == "pwsh" else prefix
    # (lxml's stubs do not know the None that stands for the default namespace.)
    nsmap = cast("dict[str, str]", {known_as: NAMESPACES[prefix]})
    node = etree.Element(tag(name), dict(attributes or {}), nsmap=nsmap)
    node.text = text
    node.extend(children)
    return node


def find(node: etree._Element, path: str) -> etree._Element | None:
    return node.find(path, NAMESPACES)


def text_of(node: etree._Element, path: str) -> str | None:
    found = find(node, path)
    return None if found is None else (found.text or "").strip()


def seconds(duration: str, relates_to: str = "") -> float:
    """An xs:duration such as PT20S, PT1M or P0DT0H0M5.5S, in seconds.

    Raises: WsmanFaultError, about the message `relates_to`, when it is none.
    """
    match = re.fullmatch(
        r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?", duration
    )
    if match is None:
        fault = WsmanFaultError.known(2150858767, f"Not a time-out: {duration}.")
        fault.relates_to = relates_to
        raise fault
    days, hours, minutes, rest = (float(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest


def duration(value: float) -> str:
    """Seconds in the shape that Windows gives ages of shells."""
    whole = int(value)
    return f"P{whole // 86400}DT{whole // 3600 % 24}H{whole // 60 % 60}M{whole % 60}S"


def parse_request(data: bytes) -> Request:
    """Read an envelope; WsmanFaultError when it is none."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise WsmanFaultError.known(2150858791, f"Not XML: {error.msg}.") from error
    body = find(root, "s:Body")
    if body is None:
        raise WsmanFaultError.known(2150858791)
    header = find(root, "s:Header")
    if header is None:
        header = etree.Element(tag("s:Header"))
    message_id = text_of(header, "a:MessageID") or ""
    timeout = text_of(header, "w:OperationTimeout")
    max_envelope = text_of(header, "w:MaxEnvelopeSize")
    locale = find(header, "w:Locale")
    return Request(
        action=text_of(header, "a:Action") or "",
        message_id=message_id,
        resource_uri=text_of(header, "w:ResourceURI") or "",
        selectors=_named(header, "w:SelectorSet/w:Selector"),
        options=_named(header, "w:OptionSet/w:Option"),
        timeout=seconds(timeout, message_id) if timeout else None,
        max_envelope=int(max_envelope) if max_envelope else None,
        session_id=text_of(header, "p:SessionId") or "",
        to=text_of(header, "a:To") or "",
        locale="en-US" if locale is None else locale.get(LANGUAGE, "en-US"),
        body=body,
    )


def answer(action: str, relates_to: str, body: Iterable[etree._Element] = ()) -> bytes:
    """The envelope of an answer."""
    header = element(
        "s:Header",
        element("a:Action", text=action),
        element("a:MessageID", text=f"uuid:{new_id()}"),
        element("p:ActivityId", text=new_id()),
        element("a:To", text=ANONYMOUS),
    )
    if relates_to:
        header.append(element("a:RelatesTo", text=relates_to))
    return _envelope(header, body)


def identify_answer(body: etree._Element) -> bytes:
    """Identify is answered without any addressing header."""
    return _envelope(element("s:Header"), [body])


def fault_answer(fault: WsmanFaultError, relates_to: str, machine: str) -> bytes:
    """The envelope of a fault, sent with HTTP status 500."""
    subcode_prefix = fault.subcode.split(":")[0]
    action = ADDRESSING_FAULT_ACTION if subcode_prefix == "a" else WSMAN_FAULT_ACTION
    detail = element("s:Detail")
    if fault.detail:
        detail.append(element("w:FaultDetail", text=fault.detail))
    detail.append(
        _wmi_error(fault) if fault.as_wmi_error else _wsman_fault(fault, machine)
    )
    code = element(
        "s:Code",
        element("s:Value", text=f"s:{fault.role}"),
        element("s:Subcode", element("s:Value", text=fault.subcode)),
    )
    reason = element(
        "s:Reason",
        element("s:Text", text=fault.reason, attributes={LANGUAGE: "en-US"}),
    )
    return answer(action, relates_to, [element("s:Fault", code, reason, detail)])


def new_id() -> str:
    """A fresh id in the upper case that Windows uses."""
    return str(uuid.uuid4()).upper()


def _named(header: etree._Element, path: str) -> dict[str, str]:
    return {
        node.get("Name", ""): node.text or ""
        for node in header.iterfind(path, NAMESPACES)
    }


def _envelope(header: etree._Element, body: Iterable[etree._Element]) -> bytes:
    envelope = etree.Element(
        tag("s:Envelope"), {LANGUAGE: "en-US"}, nsmap=ENVELOPE_NAMESPACES
    )
    envelope.append(header)
    envelope.append(element("s:Body", *body))
    etree.cleanup_namespaces(envelope, keep_ns_prefixes=list(ENVELOPE_NAMESPACES))
    return etree.tostring(envelope)


def _wsman_fault(fault: WsmanFaultError, machine: str) -> etree._Element:
    if fault.provider:
        provided = {"provider": fault.provider, "path": fault.provider_path}
        message = element(
            "f:Message",
            element("f:ProviderFault", text=fault.message, attributes=provided),
        )
    else:
        message = element("f:Message", text=fault.message)
    attributes = {"Code": str(fault.code), "Machine": machine}
    return element("f:WSManFault", message, attributes=attributes)


def _wmi_error(fault: WsmanFaultError) -> etree._Element:
    """How the operation quotas come: no WSManFault, the code in a CIM error."""
    return element(
        "wmi:MSFT_WmiError",
        element("wmi:CIMStatusCode", text="27"),
        element("wmi:Message", text=fault.message),
        element("wmi:MessageID", text=f"HRESULT 0x{fault.code:08x}"),
        element("wmi:error_Category", text="30"),
        element("wmi:error_Code", text=str(fault.code)),
        element("wmi:error_Type", text="HRESULT"),
        element("wmi:error_WindowsErrorMessage", text=fault.message),
    )
