"""`/docs` shows the API to whoever asks, by our own files alone, and nothing of who runs it."""

import html
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from producer.web.app import create
from tests.feedback.test_callbacks import ALLOWED
from tests.support.stage import Stage
from tests.web.conftest import Served
from worker.config.settings import parse


@pytest.fixture
def stage(stage: Stage) -> Stage:
    """The stage, where callbacks can be signed."""
    stage.configure("v1", "bulk", "codes", **ALLOWED)
    return stage


def page_of(served: Served, language: str = "en", query: str = "") -> httpx.Response:
    headers = {"Accept-Language": language}
    return httpx.get(f"{served.url}/docs{query}", headers=headers, trust_env=False)


def described(served: Served) -> dict[str, Any]:
    document: dict[str, Any] = httpx.get(f"{served.url}/openapi.json", trust_env=False).json()
    return document


@pytest.mark.parametrize("language", ["en", "zh"])
def test_it_is_open_and_runs_nothing_but_our_own_files(served: Served, language: str) -> None:
    answer = page_of(served, language)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.findall(r"style=|<style| on[a-z]+=", answer.text)
    assert re.findall(r"<script[^>]*>", answer.text) == ['<script src="/static/live.js" defer>']
    assert not re.findall(r"(?:src|href)=\"https?:", answer.text)


def test_every_call_is_shown_with_its_fields_scopes_and_errors(served: Served) -> None:
    text, document = html.unescape(page_of(served).text), described(served)
    cards = dict(
        re.findall(r'<section class="card call" id="(\w+)"(.*?)</section>', text, re.DOTALL)
    )
    told = document["paths"] | document["webhooks"]
    operations = [operation for methods in told.values() for operation in methods.values()]
    assert cards.keys() == {operation["operationId"] for operation in operations}
    for operation in operations:
        card = cards[operation["operationId"]]
        words = [operation["summary"], *operation["responses"]]
        words += [parameter["name"] for parameter in operation.get("parameters", ())]
        words += [scope for need in operation.get("security", ()) for scope in need["key"]]
        assert [word for word in words if word not in card] == []
    fields = {
        name
        for schema in document["components"]["schemas"].values()
        for name in schema.get("properties", ())
    }
    assert {name for name in fields if f"<code>{name}</code>" not in text} == set()


def test_every_limit_of_a_new_message_is_told(served: Served) -> None:
    text = page_of(served).text
    for words in ("at most 10000 characters", "otp, notice, marketing", "at most 16 entries"):
        assert words in text


def test_every_link_on_it_leads_somewhere(served: Served) -> None:
    text = page_of(served).text
    ids = re.findall(r'id="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', text)) <= set(ids)


def test_it_says_nothing_of_this_installation(stage: Stage) -> None:
    unconfigured = parse({}, Path(), {})
    assert create(stage.settings).openapi() == create(unconfigured).openapi()


def test_no_query_leaves_a_part_of_it_to_the_next_reader(served: Served) -> None:
    part = page_of(served, query="?part=content")
    assert part.text == page_of(served).text
    assert "</html>" in part.text


def test_every_line_of_curl_is_a_call_that_the_api_takes(served: Served) -> None:
    if shutil.which("curl") is None:
        pytest.skip("there is no curl on the PATH")
    lines = re.findall(r"<pre[^>]*><code>(curl.*?)</code></pre>", page_of(served).text, re.DOTALL)
    assert len(lines) == sum(len(methods) for methods in described(served)["paths"].values())
    prelude = f"export XINSHI_URL={served.url} XINSHI_KEY={served.key()}\n"
    # The examples name an account of their own, as they know nothing of this installation.
    account = next(iter(served.stage.settings.accounts))
    for shown in map(html.unescape, lines):
        line = shown.replace('"account": "main"', f'"account": "{account}"')
        ask = f"{line} --silent --output /dev/null --write-out '%{{http_code}}'"
        done = subprocess.run(
            ["bash", "-c", prelude + ask], capture_output=True, text=True, check=False, timeout=30
        )
        # What is asked for by an id may not be there.
        assert done.stdout in {"200", "201", "202", "204", "404"}, (line, done.stdout, done.stderr)
