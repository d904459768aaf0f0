"""Reads and writes jzyyun's SOAP (document 004, second part) as Axis2: document/literal, strings.

The document gives signatures, not the namespace: it is an option of the side, published in the
WSDL. Requests are accepted in any namespace or none, arguments by name, or else by position.
"""

from typing import Final
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from worker.sandbox.exchange import GatewayCall, SandboxAnswer, SandboxRequest
from worker.sandbox.side import split_numbers

ENVELOPE_11 = "http://schemas.xmlsoap.org/soap/envelope/"
ENVELOPE_12 = "http://www.w3.org/2003/05/soap-envelope"

#: Arguments in the order of the document's signatures; the seventh of `sendSms` is what a
#: generated client of a reseller passes (gateways.md §4).
OPERATIONS: Final[dict[str, tuple[str, ...]]] = {
    "sendSms": (
        "username",
        "password",
        "smstype",
        "content",
        "mobile",
        "isLongSms",
        "extenno",
    ),
    "getRestMoney": ("username", "password"),
    "getSmsReport": ("username", "password"),
    "getRecvSMS": ("username", "password"),
}
_INTEGERS = {"smstype", "isLongSms"}


def read(request: SandboxRequest) -> GatewayCall:
    """Read an envelope into the call that it carries."""
    if request.method == "GET":
        wants_wsdl = request.query.lower().startswith(b"wsdl")
        return GatewayCall("wsdl", "", "GET", request.at, {}, form="wsdl" if wants_wsdl else "")
    operation, version = _operation(request.body)
    name = "" if operation is None else _local_name(operation.tag)
    fields = {} if operation is None else _arguments(operation)
    fields["envelope"] = version
    return GatewayCall(
        name,
        fields.get("username", b"").decode(),
        request.method,
        request.at,
        fields,
        split_numbers(fields.get("mobile", b"")) if name == "sendSms" else [],
        submits=name == "sendSms",
        form="soap",
    )


def _operation(body: bytes) -> tuple[ET.Element | None, bytes]:
    """Find the first element in the envelope's body, and the envelope's namespace."""
    if b"<!DOCTYPE" in body:
        return None, ENVELOPE_11.encode()
    try:
        envelope = ET.fromstring(body)  # noqa: S314 - from loopback, and without a DTD
    except ET.ParseError:
        return None, ENVELOPE_11.encode()
    namespace = envelope.tag.partition("}")[0].lstrip("{")
    operation = envelope.find(f"{{{namespace}}}Body/*")
    return operation, namespace.encode()


def _arguments(operation: ET.Element) -> dict[str, bytes]:
    """Return the arguments by their own names, or by their position where no name is known."""
    names = OPERATIONS.get(_local_name(operation.tag), ())
    children = [(_local_name(child.tag), (child.text or "").encode()) for child in operation]
    if any(name in names for name, _ in children):
        return dict(children)
    return dict(zip(names, (value for _, value in children), strict=False))


def _local_name(tag: str) -> str:
    return tag.rpartition("}")[2]


def format_result(call: GatewayCall, code: str, text: str, namespace: str) -> SandboxAnswer:
    """Return an answer with a string result in an envelope."""
    name = f"{call.name}Response"
    body_xml = (
        f'<ns:{name} xmlns:ns="{namespace}"><ns:return>{escape(text)}</ns:return></ns:{name}>'
    )
    return _envelope(call, code, body_xml, 200)


def unknown_operation(call: GatewayCall) -> SandboxAnswer:
    """Return the fault for an operation that is not offered, or for no envelope at all."""
    reason = f"The endpoint reference (EPR) for the Operation {call.name} is not found"
    if call.fields.get("envelope") == ENVELOPE_12.encode():
        body_xml = (
            "<soapenv:Fault><soapenv:Code><soapenv:Value>soapenv:Receiver</soapenv:Value>"
            f'</soapenv:Code><soapenv:Reason><soapenv:Text xml:lang="en-US">{escape(reason)}'
            "</soapenv:Text></soapenv:Reason></soapenv:Fault>"
        )
    else:
        body_xml = (
            "<soapenv:Fault><faultcode>soapenv:Server</faultcode>"
            f"<faultstring>{escape(reason)}</faultstring><detail/></soapenv:Fault>"
        )
    return _envelope(call, "fault", body_xml, 500)


def _envelope(call: GatewayCall, code: str, body_xml: str, status: int) -> SandboxAnswer:
    version = call.fields.get("envelope", ENVELOPE_11.encode()).decode()
    xml = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<soapenv:Envelope xmlns:soapenv="{version}"><soapenv:Body>{body_xml}'
        "</soapenv:Body></soapenv:Envelope>"
    )
    content_type = "application/soap+xml" if version == ENVELOPE_12 else "text/xml"
    return SandboxAnswer(code, xml.encode(), f"{content_type}; charset=UTF-8", status)


def wsdl(namespace: str, address: str) -> SandboxAnswer:
    """Return the service's description, in the shape that Axis2 generates."""
    parts = "".join(_WSDL_TYPES.format(name=name, arguments=_elements(name)) for name in OPERATIONS)
    messages = "".join(_WSDL_MESSAGES.format(name=name) for name in OPERATIONS)
    ports = "".join(_WSDL_PORT.format(name=name) for name in OPERATIONS)
    bindings = "".join(_WSDL_BINDING.format(name=name) for name in OPERATIONS)
    xml = _WSDL.format(
        namespace=escape(namespace, {'"': "&quot;"}),
        address=address,
        types=parts,
        messages=messages,
        ports=ports,
        bindings=bindings,
    )
    return SandboxAnswer("wsdl", xml.encode(), "text/xml; charset=UTF-8")


def _elements(name: str) -> str:
    return "".join(
        f'<xs:element minOccurs="0" name="{argument}" type="xs:int"/>'
        if argument in _INTEGERS
        else f'<xs:element minOccurs="0" name="{argument}" nillable="true" type="xs:string"/>'
        for argument in OPERATIONS[name]
    )


_WSDL_TYPES = (
    '<xs:element name="{name}"><xs:complexType><xs:sequence>{arguments}</xs:sequence>'
    '</xs:complexType></xs:element>\n<xs:element name="{name}Response"><xs:complexType>'
    '<xs:sequence><xs:element minOccurs="0" name="return" nillable="true" type="xs:string"/>'
    "</xs:sequence></xs:complexType></xs:element>\n"
)
_WSDL_MESSAGES = (
    '<wsdl:message name="{name}Request"><wsdl:part name="parameters" element="ns:{name}"/>'
    '</wsdl:message>\n<wsdl:message name="{name}Response">'
    '<wsdl:part name="parameters" element="ns:{name}Response"/></wsdl:message>\n'
)
_WSDL_PORT = (
    '<wsdl:operation name="{name}"><wsdl:input message="ns:{name}Request"/>'
    '<wsdl:output message="ns:{name}Response"/></wsdl:operation>\n'
)
_WSDL_BINDING = (
    '<wsdl:operation name="{name}"><soap:operation soapAction="urn:{name}" style="document"/>'
    '<wsdl:input><soap:body use="literal"/></wsdl:input>'
    '<wsdl:output><soap:body use="literal"/></wsdl:output></wsdl:operation>\n'
)
_WSDL = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" '
    'xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" '
    'xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:ns="{namespace}" '
    'targetNamespace="{namespace}">\n<wsdl:types><xs:schema elementFormDefault="qualified" '
    'targetNamespace="{namespace}">\n{types}</xs:schema></wsdl:types>\n{messages}'
    '<wsdl:portType name="userApiPortType">\n{ports}</wsdl:portType>\n'
    '<wsdl:binding name="userApiSoap11Binding" type="ns:userApiPortType">'
    '<soap:binding transport="http://schemas.xmlsoap.org/soap/http" style="document"/>\n'
    '{bindings}</wsdl:binding>\n<wsdl:service name="userApi">'
    '<wsdl:port name="userApiHttpSoap11Endpoint" binding="ns:userApiSoap11Binding">'
    '<soap:address location="{address}"/></wsdl:port></wsdl:service>\n'
    "</wsdl:definitions>\n"
)
