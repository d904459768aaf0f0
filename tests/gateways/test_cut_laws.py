"""A page that is cut off anywhere: what is read of it is what would have been read, but less.

No row that was cut in its middle counts, whatever is left of its number, its text or its status.
"""

import json
from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import recorded_cases
from worker.feedback import raw_pages
from worker.gateways.base import Account
from worker.gateways.page_contents import CUT_HEADER, PageContents

CUTS = settings(max_examples=60, deadline=None, database=None, derandomize=True)
TIME = "2026-11-27 10:00:00"
#: Texts that look like what stands around them in some format, and a character of each length.
TEXTS = st.lists(
    st.sampled_from(
        [
            *(
                "TD",
                "退订",
                "好的，谢谢",
                "a||b",
                "x||y||10690000",
                "{&}13800138009||",
                '"}',
                "{",
                "}",
            ),
            *(
                '{"mobile":"13900000000","status":"DELIVRD","content":"TD"}',
                "\\",
                "]",
                "<b>",
                "&amp;",
            ),
            *("</psrerecv>", "é", "1", " ", "\n"),
        ]
    ),
    max_size=4,
).map("".join)
NUMBERS = st.integers(13_000_000_000, 19_999_999_999).map(str)
ROWS = st.lists(st.tuples(NUMBERS, TEXTS), min_size=1, max_size=4)
Rows = Sequence[tuple[str, str]]


class Form(NamedTuple):
    """A form of page: whose it is, of which kind, and how its rows are written."""

    gateway: str
    account: str | None
    kind: str
    write: Callable[[Rows], bytes]


def json_reports(rows: Rows) -> bytes:
    return _json([{"sendId": "7", "status": "DELIVRD", "mobile": number} for number, _ in rows])


def json_replies(rows: Rows) -> bytes:
    return _json(
        [
            {"mobile": number, "content": text, "times": TIME, "extNo": "12345"}
            for number, text in rows
        ]
    )


def _json(rows: list[dict[str, Any]]) -> bytes:
    return json.dumps({"code": "00", "data": rows, "message": "成功"}, ensure_ascii=False).encode()


def status_rows(rows: Rows) -> bytes:
    """Write reports as Tencent Cloud's pull returns them."""
    pulled = [
        {"PhoneNumber": f"+86{number}", "SerialNo": "7", "ReportStatus": "SUCCESS"}
        for number, _ in rows
    ]
    return json.dumps({"Response": {"PullSmsSendStatusSet": pulled, "RequestId": "1"}}).encode()


def reply_rows(rows: Rows) -> bytes:
    pulled = [
        {"ReplyContent": text, "PhoneNumber": f"+86{number}", "ReplyTime": 1620734188}
        for number, text in rows
    ]
    response = {"RequestId": "1", "PullSmsReplyStatusSet": pulled}
    return json.dumps({"Response": response}, ensure_ascii=False).encode()


def json_replies_in_gbk(rows: Rows) -> bytes:
    return json_replies(rows).decode().encode("gbk", "replace")


def odd_json_replies(rows: Rows) -> bytes:
    """Write them as document 003 prints them: a list in bare braces, a comma missing."""
    listed = json.dumps(
        [{"content": text, "mobile": number} for number, text in rows], ensure_ascii=False
    )
    return f'{{"code":"00","data":{{{listed}}}"message":"好"}}'.encode()


def xml_reports(rows: Rows) -> bytes:
    return _xml_reports(rows).encode("gbk")


def _xml_reports(rows: Rows) -> str:
    written = "".join(
        f"<psreport><mobile>{number}</mobile><smslogid>8001</smslogid><status>1</status></psreport>"
        for number, _ in rows
    )
    return f"<smsreport>{written}</smsreport>"


def xml_replies(rows: Rows) -> bytes:
    written = "".join(
        f"<psrerecv><mobile>{number}</mobile>"
        f"<content>{b64encode(text.encode('gbk', 'replace')).decode()}</content></psrerecv>"
        for number, text in rows
    )
    return f"<?xml version='1.0' encoding='GBK'?><smsrerecv>{written}</smsrerecv>".encode("gbk")


def _in_soap(inside: str) -> bytes:
    start = '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>'
    returned = f'<n:r xmlns:n="http://x"><n:return>{inside}</n:return></n:r>'
    return f"{start}{returned}</e:Body></e:Envelope>".encode()


def separated_replies(rows: Rows) -> bytes:
    written = "".join(f"{{&}}{number}||{text}||{TIME}||10680001" for number, text in rows)
    return f"100{written}".encode("gbk", "replace")


FORMS = {
    "status rows": Form("tencent", None, "reports", status_rows),
    "reply rows": Form("tencent", None, "inbound", reply_rows),
    "JSON reports": Form("apiv1", None, "reports", json_reports),
    "JSON replies": Form("apiv1", None, "inbound", json_replies),
    "JSON replies in GBK": Form("apiv1", None, "inbound", json_replies_in_gbk),
    "odd JSON replies": Form("apiv1", None, "inbound", odd_json_replies),
    "XML reports": Form("jzyyun", None, "reports", xml_reports),
    "XML replies": Form("jzyyun", None, "inbound", xml_replies),
    "reports as a text in SOAP": Form(
        *("jzyyun", "soap", "reports"), lambda rows: _in_soap(escape(_xml_reports(rows)))
    ),
    "reports as elements in SOAP": Form(
        *("jzyyun", "soap", "reports"), lambda rows: _in_soap(_xml_reports(rows))
    ),
    "reports as CDATA in SOAP": Form(
        *("jzyyun", "soap", "reports"),
        lambda rows: _in_soap(f"<![CDATA[{_xml_reports(rows)}]]>"),
    ),
    "separated replies": Form("c123", None, "inbound", separated_replies),
}


def read(form: Form, page: bytes, headers: dict[str, str] | None = None) -> PageContents:
    account = Account("any", recorded_cases.gateway(form.gateway, form.account))
    return raw_pages.read_page(
        account, form.kind, httpx.Response(200, headers=headers, content=page)
    )


def rows_of(contents: PageContents) -> list[Any]:
    return [*contents.reports, *contents.inbound]


@pytest.mark.parametrize("name", FORMS)
@CUTS
@given(rows=ROWS, data=st.data())
def test_the_rows_of_a_page_that_is_cut_anywhere_are_the_first_of_the_whole_page(
    name: str, rows: Rows, data: st.DataObject
) -> None:
    page = FORMS[name].write(rows)
    whole = read(FORMS[name], page)
    end = data.draw(st.integers(0, len(page) - 1), label="end")
    cut = read(FORMS[name], page[:end], {CUT_HEADER: "Disconnected"})
    assert rows_of(cut) == rows_of(whole)[: cut.rows]
    assert cut.damaged >= 1
    assert cut.cut == "Disconnected"


@pytest.mark.parametrize("name", [name for name in FORMS if name != "separated replies"])
@CUTS
@given(rows=ROWS, data=st.data())
def test_also_where_nobody_says_that_it_was_cut(name: str, rows: Rows, data: st.DataObject) -> None:
    """As when a server says a length that is too small. Rows in a bare text have no such end."""
    page = FORMS[name].write(rows)
    whole = read(FORMS[name], page)
    end = data.draw(st.integers(0, len(page) - 1), label="end")
    cut = read(FORMS[name], page[:end])
    assert rows_of(cut) == rows_of(whole)[: cut.rows]


@pytest.mark.parametrize("name", FORMS)
def test_a_cut_within_a_character_changes_no_row_before_it(name: str) -> None:
    """Read in another charset, what was cut could be whole: each byte is tried as the end."""
    page = FORMS[name].write(
        [("13800138000", "好的"), ("13800138001", "谢谢，退订"), ("13", "é信")]
    )
    whole = rows_of(read(FORMS[name], page))
    for end in range(len(page)):
        cut = rows_of(read(FORMS[name], page[:end], {CUT_HEADER: "x"}))
        assert cut == whole[: len(cut)]


@pytest.mark.parametrize("name", FORMS)
def test_a_page_that_is_cut_behind_a_row_gives_that_row(name: str) -> None:
    """Of rows in a bare text the last one is left: nothing shows that it had come to its end."""
    rows = [("13800138000", "好的"), ("13800138001", "TD"), ("13800138002", "退订")]
    page = FORMS[name].write(rows)
    last = page.index(b"13800138002")
    whole, cut = read(FORMS[name], page), read(FORMS[name], page[:last], {CUT_HEADER: "x"})
    assert whole.rows == 3
    assert rows_of(cut) == rows_of(whole)[: 1 if name == "separated replies" else 2]


@pytest.mark.parametrize("refusal", [b"101", b"failure;x", b'{"code":"01"}'])
@pytest.mark.parametrize("name", FORMS)
def test_the_start_of_a_page_is_no_refusal(name: str, refusal: bytes) -> None:
    """What a cut page seems to refuse says nothing of the account."""
    contents = read(FORMS[name], refusal, {CUT_HEADER: "Disconnected"})
    assert contents.refusal is not None
    assert (contents.refusal.code, contents.refusal.words) == (
        "unreadable",
        "cut off: Disconnected",
    )
