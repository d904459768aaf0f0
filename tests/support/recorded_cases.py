"""Recorded cases: one JSON file for each gateway in `recorded/`, so that a bug report is an entry.

A file has these parts, all but `accounts` lists of cases that each name their `law`:

- `accounts`: settings by name, the first of them the usual one;
- `settings`: settings that are refused, and the key that is named;
- `capabilities`: some of what an account can carry;
- `requests`: a call, and the method, URL, content type, body and some `headers` that it has to
  have, byte for byte;
- `problems`: a content, and where and how it is complained about;
- `answers`: what a gateway answered, to which call, and what it means;
- `pushes`: what a gateway pushed, and what it means; `push_answer` is what it is told;
- `codes`: how an answer says a code, with `{code}` in its place;
- `refuses_by_status`: true where refusals come with a status outside of 2xx, in its own language;
- `success`: a pattern that no answer lacks which says that messages were taken.

`front_ends.json` holds what any gateway's front end may answer, and what that means everywhere.

An answer's or a push's body is `text` (with `charset`, UTF-8 unless told) or `base64`.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support import roster
from tests.support.roster.adapters.roster import Roster
from worker.gateways.base import Content, Gateway, OutgoingSubmission, SentQuery
from worker.gateways.registry import gateway_classes

FOLDER = Path(__file__).parents[1] / "gateways" / "recorded"
#: The gateways of the product, and the tests' own, which tells of each recipient.
CLASSES: Mapping[str, type[Gateway]] = {**gateway_classes(), Roster.name: Roster}
NAMES = sorted(CLASSES)
REFERENCE = "0123456789abcdef0123456789abcdef"
AT = datetime.fromisoformat("2015-12-31T14:55:41+08:00")


@cache
def book(name: str) -> dict[str, Any]:
    """Return what is recorded of a gateway."""
    path = roster.FOLDER / "recorded.json" if name == roster.NAME else FOLDER / f"{name}.json"
    return json.loads(path.read_text("utf-8"))


@cache
def front_ends() -> list[dict[str, Any]]:
    """Return what any gateway's front end may answer."""
    return json.loads((FOLDER.parent / "front_ends.json").read_text("utf-8"))["answers"]


@cache
def gateway(name: str, account: str | None = None) -> Gateway:
    """Return the gateway of a recorded account, the first unless one is named."""
    accounts = book(name)["accounts"]
    return build(name, accounts[account or next(iter(accounts))])


def build(name: str, settings: Mapping[str, Any]) -> Gateway:
    """Return a gateway with these settings, as a configuration file would give them."""
    kind = CLASSES[name]
    return kind(kind.Settings.model_validate({"gateway": name, **settings}))


def every(part: str) -> Any:
    """Run a test once for each case of a part, of all gateways."""
    return pytest.mark.parametrize(
        ("name", "case"),
        [
            pytest.param(name, case, id=f"{name}: {case['law']}")
            for name in NAMES
            for case in book(name).get(part, [])
        ],
    )


def accounts() -> list[tuple[str, str]]:
    """Return each recorded account of each gateway."""
    return [(name, account) for name in NAMES for account in book(name)["accounts"]]


def content(case: Mapping[str, Any]) -> Content:
    """Return the content that a case describes."""
    return Content(
        case.get("text", "测试"),
        case.get("extension"),
        case.get("template"),
        case.get("variables", {}),
        case.get("options", {}),
        case.get("signature"),
    )


def carrying(of: Gateway, text: str) -> Content:
    """Return a content that carries a text: itself, or as a value where templates are all."""
    if of.capabilities.texts:
        return Content(text)
    return Content("", template="1110", variables={"1": text}, signature="信使")


def parcel(case: Mapping[str, Any]) -> OutgoingSubmission:
    """Return the parcel that a case describes."""
    to = tuple(case.get("to", ["13800138000"]))
    reference = case.get("reference", REFERENCE)
    return OutgoingSubmission(to, content(case), reference, tuple(case.get("values", ())))


def body(case: Mapping[str, Any]) -> bytes:
    """Return a case's body as it stood on the wire."""
    if "base64" in case:
        return base64.b64decode(case["base64"])
    return case["text"].encode(case.get("charset", "utf-8"))


def response(case: Mapping[str, Any]) -> httpx.Response:
    """Return the answer that a case describes."""
    return httpx.Response(case.get("status", 200), headers=case.get("headers"), content=body(case))


def request(of: Gateway, case: Mapping[str, Any]) -> httpx.Request | None:
    """Build the request that a case asks for."""
    at = datetime.fromisoformat(case["at"]) if "at" in case else AT
    match case.get("call", "submit"):
        case "submit":
            return of.submit_request(parcel(case), at)
        case "inbound":
            hour = case.get("hour")
            return of.inbound_request(at, datetime.fromisoformat(hour) if hour else None)
        case "password":
            return of.password_request(case["new_password"])
        case "query":
            return of.query_request(query(case), at)
        case call:
            return getattr(of, f"{call}_request")(at)


def query(case: Mapping[str, Any]) -> SentQuery:
    """Return the question that a case asks about a message."""
    (msisdn,) = case.get("to", ["13800138000"])
    called_at = datetime.fromisoformat(case["called_at"]) if "called_at" in case else AT
    return SentQuery(msisdn, called_at, case.get("reference", REFERENCE))


def read(
    of: Gateway, reader: str, answer: httpx.Response, case: Mapping[str, Any] | None = None
) -> Any:
    """Read an answer to a call, which is to the messages of a case."""
    if reader == "results":
        return of.read_results(answer, parcel(case or {})).default
    return getattr(of, f"read_{reader}")(answer)


def readers(of: Gateway) -> list[str]:
    """Name the reads that a gateway has."""
    names = ("results", "reports", "inbound", "balance", "sent_count", "query", "password")
    kind = type(of)
    return [n for n in names if getattr(kind, f"read_{n}") is not getattr(Gateway, f"read_{n}")]


def plain(value: Any) -> Any:
    """Return a value as JSON would hold it, without the fields that are as they usually are."""
    if is_dataclass(value):
        return {
            field.name: plain(getattr(value, field.name))
            for field in fields(value)
            if getattr(value, field.name) != field.default
        }
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value.isoformat() if isinstance(value, datetime) else value
