"""Rows that no table can hold, from a gateway, in pages, pushes and answers."""

import base64
import json
import random
from collections.abc import Iterator
from typing import Any

from tests.attack import wire
from tests.attack.kinds.base import Field, Kind

ACCOUNTS = ("odd", "soap")
#: What may stand anywhere in a row of JSON; of each kind that is no usual value.
_VALUES: tuple[Any, ...] = (
    *("9" * 21, "9" * 33, "9" * 5000, "x" * 70_000, "\x00", "a\x00b", "\ud800", "\udfff\ud800"),
    *("9999-12-31 23:59:59", "0001-01-01 00:00:00", "2026-13-45 99:99:99", "٢٠٢٦-١١-٢٧ ١٠:٠٠:٠٠"),
    *(None, True, -1, 0, 10**30, 1e308, [], {}, [["x"] * 9], {"mobile": "13800138000"}),
    *("'); DROP TABLE xinshi_message; --", "\u202e退订", "😀" * 300, "\r\nX-Evil: 1"),
)
_FIELDS = ("mobile", "content", "times", "extNo", "sendId", "status")
#: How deep a document is nested: below what a parser refuses, and above.
_DEPTHS = (200, 3000, 20_000)


def opted_out() -> Iterator[str]:
    """Return the numbers that write TD in good rows among odd ones: each has to be heeded."""
    return (f"1358{nth:07d}" for nth in range(10_000_000))


def row(draw: random.Random, *, inbound: bool) -> dict[str, Any]:
    """Return a row that is good but for one or two of its fields."""
    good: dict[str, Any] = {
        "mobile": f"13500{draw.randrange(1_000_000):06d}",
        "times": "2026-11-27 10:00:00",
        "extNo": str(draw.randrange(1, 99)),
    }
    good |= {"content": "好"} if inbound else {"sendId": f"{draw.getrandbits(128):032x}"}
    good |= {} if inbound else {"status": "DELIVRD"}
    return good | {name: draw.choice(_VALUES) for name in draw.sample(_FIELDS, draw.randint(1, 2))}


def page(draw: random.Random, numbers: Iterator[str], *, inbound: bool) -> bytes:
    """Return a page of odd rows; of replies, with one good TD among them."""
    rows = [row(draw, inbound=inbound) for _ in range(draw.randint(1, 20))]
    if inbound:
        good = {"mobile": next(numbers), "content": "TD", "times": "2026-11-27 10:00:00"}
        rows.insert(draw.randrange(len(rows) + 1), good | {"extNo": "1"})
    return json.dumps({"code": "00", "data": rows, "message": "成功"}).encode("utf-8")


def deep_soap(draw: random.Random) -> bytes:
    """Return an envelope whose value is nested deeply."""
    depth = draw.choice(_DEPTHS)
    name = draw.choice(("getSmsReport", "getRecvSMS"))
    value = (
        "<a>" * depth + draw.choice(("", "1", "&#0;")) + "</a>" * draw.choice((depth, depth - 1))
    )
    return soap(f"<{name}Return>{value}</{name}Return>", f"{name}Response")


def soap(value: str, response: str = "sendSmsResponse") -> bytes:
    """Return an envelope with a value."""
    begin = '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>'
    return f"{begin}<{response}>{value}</{response}></soap:Body></soap:Envelope>".encode()


def soap_page(draw: random.Random) -> bytes:
    """Return an envelope with a page of odd rows."""
    text = base64.b64encode(draw.choice((b"TD\x00", b"\xff\xfe", "好".encode("gbk")))).decode()
    time = draw.choice(("9999-12-31 23:59:59", "0000-00-00", "x" * 500))
    inside = f"<mobile>13500000001</mobile><content>{text}</content><sendtime>{time}</sendtime>"
    inside += f"<smslogid>{'9' * draw.choice((10, 65, 5000))}</smslogid><status>1</status>"
    rows = f"<smsrerecv><psrerecv>{inside}</psrerecv></smsrerecv>"
    rows += f"<smsreport><psreport>{inside}</psreport></smsreport>"
    return soap(f"<return>{rows}</return>", "getRecvSMSResponse")


def answer(draw: random.Random) -> bytes:
    """Return an odd answer to a submission that was taken."""
    odd = draw.choice(_VALUES)
    return json.dumps(
        draw.choice(
            (
                {"code": "00", "data": {"taskId": odd}, "message": odd},
                {"code": odd, "data": odd, "message": odd},
                {"code": "00", "data": [odd] * 3},
                odd,
            )
        )
    ).encode("utf-8")


async def _odd(field: Field, draw: random.Random) -> str:
    if draw.random() < 0.7:
        return await field.send(account=draw.choice(ACCOUNTS))
    rows = [row(draw, inbound=draw.random() < 0.5) for _ in range(draw.randint(1, 50))]
    body = json.dumps(rows).encode("utf-8")
    path = f"/push/odd/{field.tokens['odd']}"
    words = ("Content-Type: application/json",)
    return str((await wire.call(field.web, "POST", path, body, headers=words))[0])


ODD_ROWS = Kind(
    "odd-rows", "rows that no table holds, from a hostile gateway", _odd, 2.0, accounts=ACCOUNTS
)
