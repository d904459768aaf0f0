"""Writes and reads SOAP by document 004 (part two, `/services/userApi`): envelopes out, text back.

The document names operations and arguments, and refers to the WSDL for the rest, above all for the
namespace, which no public source prints. None is invented here: until the account's settings name
it (`soap_namespace`, the WSDL's `targetNamespace`) the operation is sent in no namespace, which
servers that dispatch on the local name take, and others refuse with a fault that says so. Services
of the kind that public client code shows (Axis2, document/literal) qualify the arguments too;
`soap_qualified = false` leaves them bare. Envelopes are UTF-8.
"""

import re
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr, unescape

import httpx

from worker.gateways.formats import xml_elements, xml_reader

_HEADERS = httpx.Headers({"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'})
_ENVELOPE_START = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
)
_ENVELOPE_END = "</soapenv:Body></soapenv:Envelope>"
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


class SoapFault(ValueError):
    """The server refused the call as such; the message is its own."""


class SoapEndpoint:
    """A SOAP service of an account; writes its calls."""

    def __init__(self, url: httpx.URL, namespace: str, *, qualified: bool) -> None:
        self._url = url
        prefix = "" if qualified or not namespace else "api:"
        declared = f" xmlns{':api' if prefix else ''}={quoteattr(namespace)}" if namespace else ""
        self._begin = f"{_ENVELOPE_START}<{prefix}%s{declared}>"
        self._end = f"</{prefix}%s>{_ENVELOPE_END}"

    def request(self, operation: str, arguments: Mapping[str, str]) -> httpx.Request:
        """Build a call with its arguments in their order (SOAP 1.1, document/literal)."""
        inside = "".join(f"<{name}>{_escape(value)}</{name}>" for name, value in arguments.items())
        envelope = f"{self._begin % operation}{inside}{self._end % operation}"
        return httpx.Request("POST", self._url, headers=_HEADERS, content=envelope.encode("utf-8"))


def fits_xml(text: str) -> bool:
    """Tell whether XML can hold `text`: it has no control characters but tabs and line breaks."""
    return _UNWRITABLE.search(text) is None


def read_return(text: str) -> str:
    """Return the value that a call returned: its text, or the whole `text` where it is elements.

    Raises `SoapFault` with the server's words, and `ValueError` when `text` is no envelope.
    """
    answer = _Answer()
    xml_elements.read(xml_reader.element(text, "Envelope"), answer.keep)
    if answer.name is None:
        msg = "no envelope with a body"
        raise ValueError(msg)
    if answer.name == "Fault":
        raise SoapFault(answer.fields.get("faultstring") or "".join(answer.fields.values()))
    if answer.has_elements:
        return text
    return next(iter(answer.fields.values()), answer.text)


def damaged_return(text: str) -> str:
    """Return what may be a page in an envelope that is damaged or cut off, rows as elements.

    A page travels as a text, whose marks are escaped, or as elements or CDATA, which are not.
    """
    is_escaped = "&lt;/" in text
    return unescape(text, {"&quot;": '"', "&apos;": "'"}) if is_escaped else text


class _Answer:
    """What the first element in an envelope's body holds: a text, or children with texts."""

    def __init__(self) -> None:
        self.name: str | None = None
        self.text = ""
        self.fields: dict[str, str] = {}
        #: Whether there is more in it than a text, or one child with a text.
        self.has_elements = False

    def keep(self, path: Sequence[str], text: str) -> None:
        """Take an element that ended; those behind the first one in the body do not count."""
        if self.name is not None or "Body" not in path:
            return
        inside = path[path.index("Body") + 1 :]
        if len(inside) == 1:
            self.name, self.text = inside[0], text
        elif len(inside) == 2:
            self.has_elements |= bool(self.fields)
            self.fields.setdefault(inside[1], text)
        elif len(inside) > 2:
            self.has_elements = True


def _escape(value: str) -> str:
    return escape(value, {"\r": "&#13;"})
