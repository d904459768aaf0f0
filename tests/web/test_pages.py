"""The pages by HTTP: who sees what, who may act, and that nothing comes in from elsewhere."""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import update

from producer.web.pages import chart, translations
from tests.support.stage import (
    TEXT,
    Stage,
    eventually,
    mobiles,
    section,
    turn_into_codes,
)
from tests.support.web_process import live
from tests.web.conftest import Served, make_key
from worker.domain.enums import Carrier, MessageClass, Scope
from worker.feedback import inbound
from worker.gateways.results import InboundMessage
from worker.intake import campaigns
from worker.policy.account_health import Health
from worker.sandbox import Sandbox
from worker.store import accounts, keys, sessions
from worker.store.db import database
from worker.store.delivery import stops
from worker.store.feedback import opt_outs
from worker.store.schema.tables import message
from worker.store.settlement import unknown

ADDRESSES = ["/", "/campaigns", "/messages", "/replies", "/templates", "/unknown"]
NUMBER = "13800138000"


@contextmanager
def visitor(served: Served, *scopes: Scope) -> Iterator[httpx.Client]:
    """Lend a browser's like, signed in when there are scopes; it follows no redirect."""
    english = {"accept-language": "en"}
    with httpx.Client(base_url=served.url, trust_env=False, headers=english) as client:
        if scopes:
            data = {"key": served.key("li", *scopes), "after": "/messages"}
            answer = client.post("/sign-in", data=data)
            assert (answer.status_code, answer.headers["location"]) == (303, "/messages")
        yield client


@pytest.fixture
def operator(served: Served) -> Iterator[httpx.Client]:
    """Somebody who may act."""
    with visitor(served, Scope.OPERATE) as client:
        yield client


def token(page: str) -> str:
    """The token of a page's first form."""
    found = re.search(r'name="token" value="([^"]+)"', page)
    assert found
    return found[1]


@pytest.mark.parametrize("address", ADDRESSES)
def test_nobody_sees_a_page_without_signing_in(served: Served, address: str) -> None:
    with visitor(served) as client:
        answer = client.get(address)
        assert answer.status_code == 303
        assert answer.headers["location"] == f"/sign-in?after={address}"


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_page_runs_nothing_but_our_own_files(operator: httpx.Client, address: str) -> None:
    answer = operator.get(address)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "style=" not in answer.text
    assert re.findall(r"<script[^>]*>", answer.text) == ['<script src="/static/live.js" defer>']
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("scope", [Scope.SEND, Scope.READ, Scope.CAMPAIGNS, Scope.INBOUND])
def test_a_key_of_an_application_opens_no_page(served: Served, scope: Scope) -> None:
    with visitor(served) as client:
        answer = client.post("/sign-in", data={"key": served.key("shop", scope)})
        assert answer.status_code == 403
        assert client.get("/").status_code == 303


@pytest.mark.parametrize("key", ["", "secret", "xinshi_live_" + "a" * 43])
def test_what_is_no_key_opens_nothing(served: Served, key: str) -> None:
    with visitor(served) as client:
        assert client.post("/sign-in", data={"key": key}).status_code == 403


def test_a_revoked_key_and_a_forged_cookie_are_out(served: Served) -> None:
    with visitor(served, Scope.LOOK) as client:
        assert client.get("/").status_code == 200
        with database.writing(served.stage.engine) as connection:
            (mine,) = keys.list_keys(connection, "li")
            keys.revoke(connection, mine.id)
        assert client.get("/").status_code == 303
    with visitor(served) as client:
        client.cookies.set("xinshi_session", "WzEsIDE4MDAwMDAwMDAsICJhIl0.AAAA")
        assert client.get("/").status_code == 303


def test_a_session_that_was_ended_opens_nothing_in_any_process(stage: Stage) -> None:
    """Whoever has a copy of the cookie is out too; another session of the same key is not."""
    key = make_key(stage, "li", Scope.LOOK)
    accounts = {"v1": section(stage.sandbox, "v1")}
    shared = {"session_secret": secrets.token_hex(32)}
    with (
        live(stage, accounts, **shared) as web,
        live(stage, accounts, **shared) as second,
        httpx.Client(base_url=web.url, trust_env=False, timeout=30) as client,
        httpx.Client(base_url=web.url, trust_env=False, timeout=30) as colleague,
        httpx.Client(trust_env=False, timeout=30) as thief,
    ):
        for browser in (client, colleague):
            assert browser.post("/sign-in", data={"key": key}).status_code == 303
        copied = {"cookie": f"xinshi_session={client.cookies['xinshi_session']}"}
        for url in (web.url, second.url):
            assert thief.get(url, headers=copied).status_code == 200
        assert client.post("/sign-out").status_code == 303
        assert "xinshi_session" not in client.cookies
        for url in (web.url, second.url):
            assert thief.get(url, headers=copied).status_code == 303
        assert thief.post(f"{web.url}/sign-out", headers=copied).status_code == 303
        assert colleague.get("/").status_code == 200


def test_ended_sessions_are_forgotten_when_their_cookies_are_too_old(served: Served) -> None:
    with database.writing(served.stage.engine) as connection:
        sessions.end(connection, "old", -1)
        assert sessions.is_ended(connection, "old")
        sessions.end(connection, "new", 60)
        sessions.end(connection, "new", 60)
        assert not sessions.is_ended(connection, "old")
        assert sessions.is_ended(connection, "new")


def test_a_sign_in_leads_nowhere_else(served: Served) -> None:
    for after in ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:1"]:
        with visitor(served) as client:
            key = served.key("li", Scope.LOOK)
            answer = client.post("/sign-in", data={"key": key, "after": after})
            assert answer.headers["location"] == "/"
            assert client.get(f"/language/en?after={after}").headers["location"] == "/"


def test_whoever_looks_sees_masked_numbers_and_no_text(served: Served) -> None:
    sent = served.stage.enqueue(NUMBER, TEXT)
    with visitor(served, Scope.LOOK) as client:
        for page in (client.get("/messages"), client.get(f"/messages/{sent.ids[0]}")):
            assert "138****8000" in page.text
            assert NUMBER not in page.text
            assert TEXT not in page.text


def test_whoever_operates_sees_numbers_and_texts_but_no_code(
    served: Served, operator: httpx.Client
) -> None:
    told = served.stage.enqueue(NUMBER, TEXT)
    code = served.stage.enqueue(NUMBER, "【信使】验证码 4711", message_class="otp")
    assert TEXT in operator.get(f"/messages/{told.ids[0]}").text
    page = operator.get(f"/messages/{code.ids[0]}").text
    assert NUMBER in page
    assert "4711" not in page


def test_a_number_is_found_by_a_form_and_stands_in_no_address(
    served: Served, operator: httpx.Client
) -> None:
    served.stage.enqueue([NUMBER, "13900000000"], TEXT)
    page = operator.post("/messages", data={"number": "+86 138-0013-8000"}).text
    assert NUMBER in page
    assert "13900000000" not in page
    assert not re.search(rf'href="[^"]*{NUMBER}', page)
    assert "wrong" in operator.post("/messages", data={"number": "138"}).text


def test_an_act_needs_the_scope_the_token_and_our_own_page(served: Served) -> None:
    sent = served.stage.enqueue(NUMBER, TEXT, not_before=datetime.now(UTC) + timedelta(hours=1))
    address = f"/messages/{sent.ids[0]}/cancel"
    with visitor(served, Scope.LOOK) as looking, visitor(served, Scope.OPERATE) as client:
        mine = token(client.get(f"/messages/{sent.ids[0]}").text)
        refused = [
            looking.post(address, data={"token": mine}),
            client.post(address),
            client.post(address, data={"token": "x"}),
            client.post(address, data={"token": mine}, headers={"origin": "https://evil.example"}),
            client.post(address, data={"token": mine}, headers={"sec-fetch-site": "cross-site"}),
        ]
        assert {answer.status_code for answer in refused} == {403}
        assert served.stage.states(sent) == {"queued": 1}
        assert client.post(address, data={"token": mine}).status_code == 303
        assert served.stage.states(sent) == {"cancelled": 1}
        late = client.post(address, data={"token": mine})
        assert late.status_code in {303, 409}


def test_a_campaign_is_run_paused_and_cancelled_by_its_page(
    served: Served, operator: httpx.Client
) -> None:
    loaded = served.stage.producer.enqueue_campaign("Sale", mobiles(50), TEXT, start=False)
    address = f"/campaigns/{loaded.id}"
    for act, state in [("run", "running"), ("pause", "paused"), ("cancel", "cancelled")]:
        mine = token(operator.get(address).text)
        assert operator.post(f"{address}/{act}", data={"token": mine}).status_code == 303
        assert f'class="state {state}"' in operator.get(f"{address}?part=now").text
    assert "<html" not in operator.get(f"{address}?part=now").text


def test_what_failed_of_a_campaign_is_sent_again_by_its_page(
    served: Served, operator: httpx.Client
) -> None:
    loaded = served.stage.producer.enqueue_campaign("Sale", mobiles(3), TEXT, start=False)
    address = f"/campaigns/{loaded.id}"
    assert f"{address}/retry" not in operator.get(address).text
    with database.writing(served.stage.engine) as connection:
        failed = message.c.request_id == loaded.id, message.c.n < 2
        connection.execute(update(message).where(*failed).values(state="rejected"))
    mine = token(operator.get(address).text)
    operator.post(f"{address}/cancel", data={"token": mine})
    assert f"{address}/retry" in operator.get(address).text
    sent = operator.post(f"{address}/retry", data={"token": mine})
    assert sent.status_code == 303
    again = campaigns.show(served.stage.engine, int(sent.headers["location"].rpartition("/")[2]))
    assert (again.retry_of, again.total) == (loaded.id, 2)


def test_the_text_of_a_campaign_of_codes_is_shown_to_nobody(
    served: Served, operator: httpx.Client
) -> None:
    """Earlier versions took such campaigns."""
    loaded = served.stage.producer.enqueue_campaign("Sale", mobiles(1), TEXT, start=False)
    address = f"/campaigns/{loaded.id}"
    assert TEXT in operator.get(address).text
    turn_into_codes(served.stage.engine, loaded.id)
    assert TEXT not in operator.get(address).text
    assert translations.speaker("en")("hidden_code") in operator.get(address).text


def test_a_campaign_s_file_is_for_whoever_operates(served: Served, operator: httpx.Client) -> None:
    loaded = served.stage.producer.enqueue_campaign("Sale", mobiles(3), TEXT, start=False)
    address = f"/campaigns/{loaded.id}"
    assert TEXT in operator.get(address).text
    exported = operator.get(f"{address}/export")
    assert exported.headers["cache-control"] == "no-store"
    assert exported.headers["x-content-type-options"] == "nosniff"
    lines = exported.text.splitlines()
    assert [line.split(",")[1] for line in lines[1:]] == mobiles(3)
    with visitor(served, Scope.LOOK) as looking:
        assert TEXT not in looking.get(address).text
        assert looking.get(f"{address}/export").status_code == 403


def test_an_account_is_held_with_a_reason_and_released(operator: httpx.Client) -> None:
    data = {"token": token(operator.get("/").text), "why": "contract under review"}
    assert operator.post("/accounts/v1/hold", data=data).status_code == 303
    page = operator.get("/").text
    assert "by hand contract under review" in page
    assert operator.post("/accounts/v1/release", data=data).status_code == 303
    assert "contract under review" not in operator.get("/").text
    assert operator.post("/accounts/nobody/hold", data=data).status_code == 404


def test_classes_are_stopped_after_a_question_and_let_go_on(
    served: Served, operator: httpx.Client
) -> None:
    data: dict[str, object] = {"token": token(operator.get("/").text)}
    asked = operator.post("/stop", data=data)
    assert asked.status_code == 200
    assert asked.text.count('name="class"') == len(MessageClass)
    assert "class_stopped" not in asked.text
    data |= {"class": ["otp", "marketing"], "why": "an <attack>"}
    with visitor(served, Scope.LOOK) as looking:
        assert looking.post("/stop", data=data).status_code == 403
        assert operator.post("/stop", data={**data, "class": ["fax"]}).status_code == 404
        assert "Stopped:" not in operator.get("/").text
        assert operator.post("/stop", data=data).status_code == 303
        for client, acts in ((looking, 0), (operator, 2)):
            page = client.get("/?part=now").text
            assert page.count("Stopped:") == 2
            assert "an &lt;attack&gt;" in page
            assert page.count('action="/resume/') == acts
    assert operator.post("/resume/otp", data=data).status_code == 303
    with database.reading(served.stage.engine) as connection:
        (stop,) = stops.current(connection).values()
    assert (stop.message_class, stop.who) == (MessageClass.MARKETING, "li")


def test_a_refused_login_that_is_still_the_same_is_asked_about_before_it_is_released(
    served: Served, operator: httpx.Client
) -> None:
    """As `xinshi account release` asks; with another login it goes on by itself."""
    logins = served.stage.settings.logins
    with database.writing(served.stage.engine) as connection:
        accounts.hold(
            connection, "bulk", "101", "wrong password", None, logins.fingerprints["bulk"]
        )
    data = {"token": token(operator.get("/").text)}
    asked = operator.post("/accounts/bulk/release", data=data)
    assert asked.status_code == 200
    assert "wrong password" in asked.text
    with database.reading(served.stage.engine) as connection:
        assert accounts.states(connection, logins)["bulk"].held
    answer = operator.post("/accounts/bulk/release", data=data | {"sure": "true"})
    assert answer.status_code == 303
    with database.reading(served.stage.engine) as connection:
        assert not accounts.states(connection, logins)["bulk"].held


def test_an_account_that_gets_less_traffic_says_why(served: Served, operator: httpx.Client) -> None:
    served.stage.prove()
    less = Health(0.5, 0.5, {Carrier.CHINA_MOBILE: 0.2}, "7 of 20 calls failed")
    with database.writing(served.stage.engine) as connection:
        accounts.write_health(connection, "v1", less)
    page = operator.get("/").text
    assert "7 of 20 calls failed" in page
    assert "50 %" in page
    assert "China Mobile 20 %" in page
    assert page.count('class="state ok"') == len(served.stage.settings.accounts) - 1


def test_an_unknown_submission_is_settled_with_a_name_and_a_reason(
    served: Served, operator: httpx.Client, sandbox: Sandbox
) -> None:
    stage = served.stage
    sandbox.control.rule("lose_reports", gateway="apiv1")
    sandbox.control.rule("take_then_close", gateway="apiv1", count=1)
    sent = stage.enqueue(NUMBER, TEXT, account="v1")
    with stage.working():
        eventually(lambda: stage.states(sent) == {"unknown": 1})
    page = operator.get("/unknown").text
    with database.reading(stage.engine) as connection:
        (one,) = unknown.unknown_submissions(connection)
    data = {"token": token(page), "act": "submitted", "why": ""}
    assert operator.post(f"/unknown/{one.id}", data=data).status_code == 422
    data["why"] = "in the vendor's console"
    assert operator.post(f"/unknown/{one.id}", data=data).status_code == 303
    assert stage.states(sent) == {"submitted": 1}
    assert "in the vendor&#39;s console" in operator.get(f"/messages/{sent.ids[0]}").text
    assert operator.post(f"/unknown/{one.id}", data=data).status_code == 409


def test_replies_are_a_conversation_with_what_we_said(
    served: Served, operator: httpx.Client
) -> None:
    stage: Stage = served.stage
    stage.enqueue(NUMBER, TEXT, account="v1")
    with stage.working():
        stage.sandbox.control.reply("apiv1", NUMBER, "<b>谢谢</b>")
        page = eventually(lambda: (found := operator.get("/replies").text).count("谢谢") and found)
    assert "<b>谢谢</b>" not in page
    address = re.search(r'href="(/replies/\d+)"', page)
    assert address
    talk = operator.get(address[1]).text
    assert "&lt;b&gt;谢谢" in talk
    assert TEXT in talk


def test_a_reply_that_is_near_to_an_opt_out_has_two_buttons(
    served: Served, operator: httpx.Client
) -> None:
    engine, settings = served.stage.engine, served.stage.settings
    texts = {"13800138001": "我要退订", "13800138002": "别发了", "13800138003": "T恤有货吗"}
    with database.writing(engine) as connection:
        replies = [(1, InboundMessage(number, text)) for number, text in texts.items()]
        inbound.take_pages(connection, settings, "v1", replies)
    page = operator.get("/replies").text
    dismissals = sorted(re.findall(r'action="(/replies/\d+)/dismiss"', page))
    assert len(dismissals) == 2
    first, second = dismissals
    data = {"token": token(page)}
    assert operator.post(f"{first}/opt-out", data=data).status_code == 303
    assert operator.post(f"{second}/dismiss", data=data).status_code == 303
    assert operator.post(f"{second}/dismiss", data=data).status_code == 422
    assert operator.post(f"{second}/nonsense", data=data).status_code == 404
    assert "/dismiss" not in operator.get("/replies").text
    with database.reading(engine) as connection:
        assert opt_outs.find(connection, list(texts)) == {"13800138001"}


def test_what_is_not_there_is_a_page_that_says_so(operator: httpx.Client) -> None:
    for address in ["/messages/99-0", "/messages/x", "/campaigns/99", "/replies/9", "/campaigns/x"]:
        answer = operator.get(address)
        assert answer.status_code == 404
        assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("address", ["/campaigns/", "/messages/", "/sign-in/", "/static"])
def test_no_page_leads_from_one_address_to_another_by_a_slash(
    operator: httpx.Client, address: str
) -> None:
    assert operator.get(address).status_code == 404


def test_every_word_stands_in_both_languages() -> None:
    for word, (chinese, english) in translations.WORDS.items():
        assert chinese, word
        assert english, word
        assert translations.speaker("zh")(word) == chinese
        assert translations.speaker("en")(word) == english
    assert translations.speaker("en")("a gateway's word") == "a gateway's word"


def test_the_language_is_the_browser_s_until_one_is_chosen(served: Served) -> None:
    with visitor(served) as client:
        assert "Sign in" in client.get("/sign-in").text
        assert "登录" in client.get("/sign-in", headers={"accept-language": "zh-CN,en"}).text
        client.get("/language/zh")
        assert "登录" in client.get("/sign-in").text


def test_a_chart_fits_what_it_shows() -> None:
    for top in (0, 1, 2, 3, 99, 101, 12_345):
        drawn = chart.draw({"taken": [0, top, 0]})
        assert drawn.marks[0].value == 0
        assert drawn.marks[-1].value >= top
        heights = [float(point.split(",")[1]) for point in drawn.lines[0].points.split()]
        assert min(heights) >= chart.TOP
        assert max(heights) <= chart.HEIGHT - chart.BOTTOM
