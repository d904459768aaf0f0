"""What may be tried with the pages: forged cookies, forms of other sites, scripts as texts."""

import base64
import json
import re
from html import escape
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

from tests.support.stage import TEXT
from tests.web.conftest import Served
from tests.web.test_pages import ADDRESSES, NUMBER, token, visitor
from worker.domain.enums import Scope

XSS = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
ACTS = ("/messages/1-0/cancel", "/campaigns/1/cancel", "/campaigns/1/pause", "/accounts/v1/hold")


def _signed(text: bytes, mac: str = "AAAA") -> str:
    return base64.urlsafe_b64encode(text).decode().rstrip("=") + "." + mac


_FORGED = (
    *("", ".", "x", "AAAA.AAAA", "W10.", "a" * 8000, "é.é"),
    _signed(json.dumps([1, 1800000000, "a"]).encode()),
    _signed(b'[1, 1e400, "a"]'),
    _signed(b"[" * 2000),
    _signed(b"null", ""),
)


def test_a_cookie_that_we_did_not_sign_opens_nothing(served: Served) -> None:
    served.key("li", Scope.LOOK)
    for cookie in _FORGED:
        shown = {"Cookie": f"xinshi_session={cookie}".encode()}
        answer = httpx.get(f"{served.url}/", headers=shown, trust_env=False)
        assert answer.status_code == 303, cookie


def test_a_cookie_is_cut_from_our_own_cloth_alone(served: Served) -> None:
    """A letter changed in it, or another session's half beside it, and it is none."""
    with visitor(served, Scope.LOOK) as first, visitor(served, Scope.OPERATE) as second:
        own, other = (client.cookies["xinshi_session"] for client in (first, second))
    forged = [own[:-2], other.partition(".")[0] + "." + own.partition(".")[2], own.swapcase()]
    for cookie in forged:
        shown = {"Cookie": f"xinshi_session={cookie}"}
        answer = httpx.get(f"{served.url}/", headers=shown, trust_env=False)
        assert answer.status_code == 303


def test_a_sign_in_makes_a_cookie_of_its_own_whatever_was_there(served: Served) -> None:
    with visitor(served) as client:
        client.cookies.set("xinshi_session", "fixed")
        key = served.key("li", Scope.LOOK)
        answer = client.post("/sign-in", data={"key": key})
        words = answer.headers["set-cookie"]
    assert "fixed" not in words
    assert "HttpOnly" in words
    assert "samesite=strict" in words.lower()


@pytest.mark.parametrize("web", [{"public_url": "https://sms.example.com"}])
def test_behind_tls_a_cookie_is_for_tls_alone(served: Served) -> None:
    with visitor(served) as client:
        key = served.key("li", Scope.LOOK)
        words = client.post("/sign-in", data={"key": key}).headers["set-cookie"]
    assert "Secure" in words


_ELSEWHERE = (
    *("//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil"),
    *("https:evil.example", "https:/evil.example", "HTTPS://evil.example", "/%0a/evil.example"),
    *("javascript:alert(1)", "data:text/html,x", "/\r\nSet-Cookie: a=b", "/../\\evil.example"),
    *("/@evil.example/..//evil.example", ".evil.example", "/\u200b/evil.example"),
)


def test_a_sign_in_stays_on_our_own_pages(served: Served) -> None:
    """A browser that goes where it is sent is still here, by its own rules for addresses."""
    key = served.key("li", Scope.LOOK)
    for after in _ELSEWHERE:
        with visitor(served) as client:
            answers = (
                client.post("/sign-in", data={"key": key, "after": after}),
                client.get("/language/en", params={"after": after}),
            )
        for answer in answers:
            where = answer.headers["location"]
            assert urlsplit(urljoin(f"{served.url}/", where)).netloc in served.url, after
            assert not re.match(r"/?[\s/\\]{2}|[^/]", where), after
            assert "a=b" not in answer.headers.get("set-cookie", "")


def test_no_other_site_acts_in_a_person_s_name(served: Served) -> None:
    with visitor(served, Scope.OPERATE) as client:
        own = token(client.get("/").text)
        for path in ACTS:
            assert client.get(path).status_code in {404, 405}, path
            for headers in (
                {"Origin": "https://evil.example"},
                {"Origin": "null"},
                {"Origin": served.url.replace("127.0.0.1", "127.0.0.1.evil.example")},
                {"Sec-Fetch-Site": "cross-site"},
                {"Sec-Fetch-Site": "same-site"},
            ):
                answer = client.post(path, data={"token": own}, headers=headers)
                assert answer.status_code == 403, (path, headers)
            for words in ({}, {"token": ""}, {"token": own[:-1]}, {"token": "x" * 5000}):
                assert client.post(path, data=words).status_code == 403, (path, words)
            assert client.post(path, data={"token": own}).status_code in {303, 404}, path


def test_a_page_is_framed_kept_and_guessed_by_nobody(served: Served) -> None:
    with visitor(served, Scope.OPERATE) as client:
        for address in (*ADDRESSES, "/sign-in", "/messages/9-9"):
            words = client.get(address).headers
            assert "frame-ancestors 'none'" in words["content-security-policy"], address
            assert words["x-content-type-options"] == "nosniff", address
            assert words["referrer-policy"] in {"no-referrer", "same-origin"}, address
            assert words["cache-control"] == "no-store", address


def test_what_others_wrote_is_text_on_every_page(served: Served) -> None:
    client = served.client()
    sent = client.post("/v1/messages", json={"to": NUMBER, "text": XSS}).json()["ids"][0]
    fields = {"name": XSS, "text": TEXT, "recipients": [NUMBER], "start": False}
    campaign = client.post("/v1/campaigns", json=fields).json()["id"]
    with visitor(served, Scope.OPERATE) as person:
        pages = [
            person.get(path)
            for path in (*ADDRESSES, f"/messages/{sent}", f"/campaigns/{campaign}", f"/{XSS}")
        ]
        pages += [
            person.post("/messages", data={"number": XSS}),
            person.get("/sign-in", params={"after": XSS}),
            person.get("/replies", params={"before": XSS}),
        ]
    assert escape(XSS.partition("</")[0]) in pages[len(ADDRESSES)].text
    for page in pages:
        assert "<script>alert" not in page.text, page.url
        assert "<img src=x" not in page.text, page.url
