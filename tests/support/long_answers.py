"""The longest answers that gateways could give, honest and hostile; and what reading one costs.

As a program it reads one from a file and prints by how many bytes the process grew meanwhile:
`python -m tests.support.long_answers NAME FILE`.
"""

import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import httpx

from tests.support import recorded_cases


class Form(NamedTuple):
    """A form of answer: who reads it, and what it is made of, in ASCII and in its order."""

    gateway: str
    account: str | None
    reader: str
    start: str
    #: Stands again and again, with a number where it has a place for one.
    unit: str
    end: str


_JSON = ("apiv1", None, "reports", '{"code":"00","data":[')
_JSON_REPORT = (
    '{"sendId":"0123456789abcdef0123456789abcdef","status":"DELIVRD",'
    '"times":"2019-04-12 17:57:08","mobile":"13%09d","extNo":""},'
)
_XML = ("jzyyun", None, "reports", "<smsreport>")
_XML_REPORT = (
    "<psreport><mobile>13%09d</mobile><username>admin</username><smslogid>66</smslogid>"
    "<status>1</status><sendtime>2012-08-16 01:04:07.5</sendtime></psreport>"
)
_SOAP_START = (
    '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>'
    '<n:getSmsReportResponse xmlns:n="http://x"><n:return>'
)
_SOAP_END = "</n:return></n:getSmsReportResponse></e:Body></e:Envelope>"
_SOAP = ("jzyyun", "soap", "reports")


def _escape(xml: str) -> str:
    return xml.replace("<", "&lt;").replace(">", "&gt;")


HONEST = {
    "reports in JSON": Form(*_JSON, _JSON_REPORT, '],"message":"\\u6210"}'),
    "reports in XML": Form(*_XML, _XML_REPORT, "</smsreport>"),
    "reports as a text in SOAP": Form(
        *_SOAP,
        f"{_SOAP_START}{_escape('<smsreport>')}",
        _escape(_XML_REPORT),
        f"{_escape('</smsreport>')}{_SOAP_END}",
    ),
    "reports as elements in SOAP": Form(
        *_SOAP, f"{_SOAP_START}<smsreport>", _XML_REPORT, f"</smsreport>{_SOAP_END}"
    ),
    "replies in a text": Form(
        *("c123", None, "inbound", "100"),
        "{&}13%09d||TD||2010-05-27 12:01:00||106811222728200",
        "",
    ),
}
HOSTILE = {
    "empty objects": Form(*_JSON, "{},", "{}]}"),
    "objects that end nowhere": Form(*_JSON, "{", ""),
    "objects without the field": Form(*_JSON, '{"a":1},', "{}]}"),
    "rows that are none": Form(*_JSON, '{"mobile"},', "]}"),
    "lists": Form(*_JSON, "[],", "[]]}"),
    "fields": Form("apiv1", None, "reports", '{"code":"00","data":{', '"a%d":1,', '"a":1}}'),
    "quotes": Form("apiv1", None, "reports", '{"code":"00","data":["', '\\"', ""),
    "a balance of objects": Form("apiv1", None, "balance", '{"code":"00","data":[', "{},", ""),
    "elements that end nowhere": Form(*_XML, "<a>", ""),
    "rows that end nowhere": Form(*_XML, "<psreport>", "</smsreport>"),
    "rows that hold nothing": Form(*_XML, "<psreport/>", "</smsreport>"),
    "rows that are damaged": Form(*_XML, "<psreport>&</psreport>", "</smsreport>"),
    "names": Form(*_XML, "<a%d/>", "</smsreport>"),
    "attributes": Form("jzyyun", None, "reports", "<smsreport ", 'a%d="" ', "></smsreport>"),
    "elements in SOAP that end nowhere": Form(*_SOAP, _SOAP_START, "<a>", ""),
    "separators": Form("c123", None, "inbound", "100", "{&}12345||", ""),
    "bars": Form("c123", None, "inbound", "100{&}13800138000", "||", ""),
}
FORMS = HONEST | HOSTILE


def body(form: Form, size: int) -> bytes:
    """Return an answer of a form, of nearly `size` bytes."""
    room = size - len(form.start) - len(form.end)
    units: list[str] = []
    while room > 0:
        unit = form.unit % len(units) if "%" in form.unit else form.unit
        units.append(unit)
        room -= len(unit)
    middle = "".join(units[:-1])
    return (
        form.start + (middle.rstrip(",") if form.end[:1] == "]" else middle) + form.end
    ).encode()


def reading(form: Form, answer: bytes) -> Callable[[], object]:
    """Return what reads an answer of a form."""
    gateway = recorded_cases.gateway(form.gateway, form.account)
    response = httpx.Response(200, content=answer)
    return lambda: recorded_cases.read(gateway, form.reader, response)


def _most_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    read = reading(FORMS[sys.argv[1]], Path(sys.argv[2]).read_bytes())
    before = _most_memory()
    page = read()
    sys.stdout.write(f"{_most_memory() - before} {len(getattr(page, 'items', ()))}")
