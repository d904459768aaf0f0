"""Laws that hold for every gateway and any bytes, text or status."""

import json
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from urllib.parse import unquote_to_bytes
from xml.etree import ElementTree as ET

import httpx
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from tests.support import recorded_cases
from worker.domain.enums import Outcome
from worker.gateways.base import Content, OutgoingSubmission
from worker.gateways.registry import gateway_classes
from worker.gateways.results import Result

ACCOUNTS = pytest.mark.parametrize(("name", "account"), recorded_cases.accounts())
GATEWAYS = pytest.mark.parametrize("name", recorded_cases.NAMES)
FEW = settings(max_examples=40, deadline=None, database=None, derandomize=True)

STATUSES = st.sampled_from([200, 200, 200, 204, 302, 400, 403, 408, 429, 500, 502])


def bodies(name: str) -> st.SearchStrategy[bytes]:
    """Draw any bytes, and recorded bodies with any bytes put in or with a part cut out."""
    known = [recorded_cases.body(case) for case in recorded_cases.book(name)["answers"]]
    known += [recorded_cases.body(case) for case in recorded_cases.book(name).get("pushes", [])]
    words = sorted({word for raw in known for word in re.findall(rb"\w{2,}", raw)})
    spliced = st.builds(
        lambda raw, at, drop, put: (
            raw[: at % (len(raw) + 1)] + put + raw[at % (len(raw) + 1) + drop :]
        ),
        st.sampled_from(known),
        st.integers(0, 10_000),
        st.integers(0, 40),
        st.binary(max_size=6) | st.sampled_from(words),
    )
    return st.binary(max_size=60) | spliced | documents([word.decode("latin-1") for word in words])


def documents(words: list[str]) -> st.SearchStrategy[bytes]:
    """Draw JSON of any shape, over the words that a gateway uses."""
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    leaves |= st.sampled_from(words)
    anything = st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(words), inner, max_size=5)
        ),
        max_leaves=12,
    )
    return anything.map(lambda drawn: json.dumps(drawn).encode())


def texts_in(value: Any) -> Iterator[str]:
    """Walk all texts of a value, and check its times on the way."""
    if isinstance(value, StrEnum):
        return
    if isinstance(value, str):
        yield value
    elif isinstance(value, datetime):
        assert value.utcoffset() is not None
    elif is_dataclass(value):
        for field in fields(value):
            yield from texts_in(getattr(value, field.name))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts_in(item)


def storable(value: Any) -> bool:
    """Tell whether a database takes each text of a value."""
    return all("\0" not in text and text.encode() is not None for text in texts_in(value))


@ACCOUNTS
@FEW
@given(data=st.data())
def test_no_answer_makes_a_reader_raise(name: str, account: str, data: st.DataObject) -> None:
    of = recorded_cases.gateway(name, account)
    raw, status = data.draw(bodies(name)), data.draw(STATUSES)
    for reader in recorded_cases.readers(of):
        read = recorded_cases.read(of, reader, httpx.Response(status, content=raw))
        assert storable(read)
        refusal = read if isinstance(read, Result) else read.refusal
        if status not in {200, 204}:
            assert refusal.outcome is not Outcome.ACCEPTED
            speaks = recorded_cases.book(name).get("refuses_by_status") and refusal.mapped
            if not speaks:
                assert refusal.outcome in {Outcome.UNKNOWN, Outcome.THROTTLED}
                assert refusal.code == f"HTTP {status}"
        elif not isinstance(read, Result) and refusal is not None:
            assert refusal.outcome is not Outcome.ACCEPTED or not refusal.mapped


@GATEWAYS
@FEW
@given(data=st.data())
def test_no_push_makes_a_reader_raise(name: str, data: st.DataObject) -> None:
    of = recorded_cases.gateway(name)
    if not recorded_cases.book(name).get("pushes"):
        return
    raw, query = data.draw(bodies(name)), data.draw(st.sampled_from(["", "?a=%FF&&=&b", "?{"]))
    method = data.draw(st.sampled_from(["GET", "POST"]))
    pushed = of.read_push(httpx.Request(method, f"https://h/p{query}", content=raw))
    assert storable(pushed)


HOSTILE = {
    "deep JSON": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": b'{"data":' * 50_000,
    "deep XML": b"<SubmitResult>" + b"<smsreport>" * 100_000,
    "closed deep XML": b"<Envelope>" * 50_000 + b"</Envelope>" * 50_000,
    "entities": b'<!DOCTYPE Envelope [<!ENTITY a "AAAAAAAA"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    b"]><Envelope><Body><r><return>&b;</return></r></Body></Envelope>",
    "a file's entity": b'<!DOCTYPE smsreport [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    b"<smsreport><psreport><mobile>&a;</mobile></psreport></smsreport>",
    "deep elements in SOAP": b"<Envelope><Body><r><return>"
    + b"<a>" * 3000
    + b"</a>" * 3000
    + b"</return></r></Body></Envelope>",
    "NULs": b"\0" * 10_000,
    "10,000 fields": b"&".join(b"f%d=%d" % (n, n) for n in range(10_000)),
    "10,000 JSON fields": b"{" + b",".join(b'"f%d":%d' % (n, n) for n in range(10_000)) + b"}",
    "a long number": b'{"code":' + b"1" * 100_000 + b"}",
    "a huge number": b'{"code":"00","sendCode":1e999,"data":{"balance":1e999}}',
    "open strings": b'{"a' * 20_000,
    "half a pair": rb'{"code":"\ud83d","sendCode":"\ud83d","message":"\ud83d"}',
    "open brackets": b"<" * 100_000,
    "open declarations": b"<?xml " * 50_000,
    "separators": b"100" + b"{&}" * 50_000,
    "more separators": b"100{&}13800138000" + b"||" * 50_000,
    "semicolons": b"success" + b";" * 100_000,
}


@pytest.mark.parametrize("hostile", HOSTILE)
@ACCOUNTS
def test_hostile_answers_are_no_success_and_no_error(name: str, account: str, hostile: str) -> None:
    """Nothing is expanded, nothing overflows, and nothing hostile says where a file is."""
    of = recorded_cases.gateway(name, account)
    for reader in recorded_cases.readers(of):
        read = recorded_cases.read(of, reader, httpx.Response(200, content=HOSTILE[hostile]))
        assert storable(read)
        assert "root:" not in repr(read)
        assert "AAAAAAAAAAAAAAAA" not in repr(read)
    of_pushes = httpx.Request("POST", "https://h/p", content=HOSTILE[hostile])
    if recorded_cases.book(name).get("pushes"):
        assert storable(of.read_push(of_pushes))


def values(request: httpx.Request, charset: str) -> list[str]:
    """Decode the values that a request carries, as a server would."""
    kind = request.headers.get("content-type", "")
    if kind.startswith("text/xml"):
        return [element.text or "" for element in ET.fromstring(request.content).iter()]
    if kind.startswith("application/json"):
        return list(leaves(json.loads(request.content)))
    pairs = (
        pair.partition(b"=")
        for raw in (request.url.query, request.content)
        for pair in raw.split(b"&")
    )
    written = [unquote_to_bytes(value.replace(b"+", b" ")).decode(charset) for _, _, value in pairs]
    return [*written, *(leaf for value in written for leaf in json_leaves(value))]


def json_leaves(value: str) -> Iterator[str]:
    """Walk the texts in the value of a field, where that is a JSON object or list."""
    try:
        parsed = json.loads(value) if value[:1] in {"{", "["} else None
    except ValueError:
        return
    yield from leaves(parsed)


def leaves(value: Any) -> Iterator[str]:
    """Walk the texts in a JSON value."""
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from leaves(inner)
    elif isinstance(value, str):
        yield value


def in_gbk(name: str, account: str) -> bool:
    """Tell whether an account's forms are written in GBK, so that some texts cannot be."""
    of = recorded_cases.gateway(name, account)
    request = of.submit_request(recorded_cases.parcel({"text": "a"}), recorded_cases.AT)
    return of.capabilities.charset == "gbk" and "xml" not in request.headers.get("content-type", "")


def texts(charset: str) -> st.SearchStrategy[str]:
    """Draw texts that a charset can say, marks and line breaks included."""
    return st.text(st.characters(codec=charset, exclude_characters="\0"), min_size=1, max_size=80)


@ACCOUNTS
@FEW
@given(data=st.data())
def test_a_text_arrives_as_it_was(name: str, account: str, data: st.DataObject) -> None:
    """Whatever an account's charset can say stands in the request, once and unchanged."""
    of = recorded_cases.gateway(name, account)
    text = data.draw(texts(of.capabilities.charset))
    content = recorded_cases.carrying(of, text)
    assume(not of.problems(content))
    parcel = OutgoingSubmission(("13800138000",), content, recorded_cases.REFERENCE)
    request = of.submit_request(parcel, recorded_cases.AT)
    assert text in values(request, of.capabilities.charset)
    if "form" in request.headers.get("content-type", "form"):
        carried = request.content or request.url.query
        assert re.fullmatch(rb"[A-Za-z0-9_.,=&+~-]*(?:%[0-9A-F]{2}[A-Za-z0-9_.,=&+~-]*)*", carried)
    assert request.read() == of.submit_request(parcel, recorded_cases.AT).read()


@pytest.mark.parametrize(
    ("name", "account"), [(n, a) for n, a in recorded_cases.accounts() if in_gbk(n, a)]
)
def test_what_a_charset_lacks_is_an_error_never_a_question_mark(name: str, account: str) -> None:
    of = recorded_cases.gateway(name, account)
    for lacking in ("😀", "€", "㐀"):
        parcel = OutgoingSubmission(
            ("13800138000",), Content(f"满{lacking}"), recorded_cases.REFERENCE
        )
        with pytest.raises(ValueError, match="character 2 cannot be written in gbk") as refused:
            of.submit_request(parcel, recorded_cases.AT)
        assert "满" not in str(refused.value)


@ACCOUNTS
def test_a_full_submission_carries_each_number_once(name: str, account: str) -> None:
    of = recorded_cases.gateway(name, account)
    numbers = tuple(str(13_800_000_000 + n) for n in range(of.capabilities.batch_cap))
    request = of.submit_request(
        OutgoingSubmission(numbers, recorded_cases.carrying(of, "测试"), recorded_cases.REFERENCE),
        recorded_cases.AT,
    )
    known = set(numbers)
    carried = [
        number
        for value in values(request, of.capabilities.charset)
        for written in value.split(",")
        if (number := written.removeprefix("+86")) in known
    ]
    assert carried == list(numbers)


@ACCOUNTS
def test_no_secret_and_no_whole_number_is_shown(name: str, account: str) -> None:
    """Neither the settings, the gateway nor what it reads gives away a password or a number."""
    of = recorded_cases.gateway(name, account)
    held = (getattr(of.settings, key) for key in type(of.settings).model_fields)
    secrets = [
        secret.get_secret_value()
        for secret in held
        if isinstance(secret, SecretStr) and len(secret.get_secret_value()) > 4
    ]
    echo = "failure;号码 13812345678 错误"
    result = recorded_cases.read(of, "results", recorded_cases.response({"text": echo}))
    request = of.submit_request(recorded_cases.parcel({}), recorded_cases.AT)
    shown = repr(of) + repr(of.settings) + repr(result)
    shown += repr(request) if request.content else ""
    for secret in [*secrets, "13812345678", "13800138000"]:
        assert secret not in shown


@pytest.mark.parametrize("name", sorted(gateway_classes()))
def test_a_gateway_is_one_module_of_its_name(name: str) -> None:
    kind = gateway_classes()[name]
    assert kind.__module__ == f"worker.gateways.adapters.{name}"
    assert kind.name == name
