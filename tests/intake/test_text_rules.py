"""A rule that refuses keeps an account from a text, by every door and until it is submitted."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.support.by_hand import MARKETING, NOTICE, Hand, settings_of
from tests.support.doorbell_listener import Listening
from tests.support.stage import mobiles
from worker.config.settings import Settings
from worker.domain.enums import NumberKind
from worker.domain.errors import Problem, Refused
from worker.gateways.base import Content
from worker.intake import campaign_preview, enqueue, send_preview
from worker.intake.enqueue_request import EnqueueRequest
from worker.intake.recipient_rows import Row
from worker.policy import routing
from worker.policy.eligibility import AccountStatus, Exclusion, RoutingQuery

pytestmark = pytest.mark.parametrize("kind", ["sqlite"])
LINK = "【信使】点 https://a.cn/x 看，回T退订"
FOUND = "has a link at character 7; leave it out, or use a text that is registered with it"
REFUSED = [Problem("text", FOUND)]
WARN, REFUSE = {"texts": {"link": "warn"}}, {"texts": {"link": "refuse"}}


@pytest.fixture
def settings(database: str) -> Settings:
    """Return two accounts, of which the one with the higher priority takes no link."""
    return settings_of(database, bulk={"priority": 2, **REFUSE}, v1=WARN)


@pytest.fixture
def hand(engine: Engine, settings: Settings) -> Hand:
    return Hand(engine, settings)


@pytest.fixture
def producer(settings: Settings) -> Iterator[Listening]:
    with closing(Listening(settings)) as listening:
        yield listening


def marketing(text: str = LINK, account: str | None = None) -> EnqueueRequest:
    return EnqueueRequest(mobiles(1), text, MARKETING, account)


def excluded(settings: Settings, content: Content, account: str | None = None) -> dict[str, Any]:
    """Return why routing leaves accounts out, as `xinshi route` shows it."""
    query = RoutingQuery(
        MARKETING, content, [NumberKind.MOBILE], datetime.now(UTC), account, single=True
    )
    options = routing.explain(settings.accounts.values(), query, lambda _: AccountStatus())
    return {
        option.account.name: list(option.problems)
        for option in options
        if option.exclusion is Exclusion.CANNOT
    }


def test_every_door_says_the_same_of_a_text_that_one_account_refuses(
    engine: Engine, hand: Hand, producer: Listening
) -> None:
    settings, request = hand.settings, marketing()
    warned = (Problem("text", FOUND),)
    assert enqueue.check(settings, request).warnings == warned
    preview = send_preview.preview_request(hand.engine, settings, request)
    assert (preview.problems, preview.warnings) == ((), warned)
    assert {shown.account.name: shown.problems for shown in preview.accounts} == {
        "bulk": REFUSED,
        "v1": [],
    }
    assert excluded(settings, Content(LINK)) == {"bulk": REFUSED}
    listed = EnqueueRequest((), LINK, MARKETING)
    list_preview = campaign_preview.preview(engine, settings, listed, [Row(1, mobiles(1)[0])])
    shown = campaign_preview.preview_json(engine, settings, listed, list_preview)
    assert {one["name"]: one["problems"] for one in shown["accounts"]} == {
        "bulk": [FOUND],
        "v1": [],
    }
    assert list_preview.loaded.warnings == warned
    file = BytesIO(f"msisdn\n{mobiles(1)[0]}\n".encode())
    assert producer.enqueue_campaign("x", file, LINK).warnings == warned
    assert producer.enqueue(mobiles(1), LINK, message_class=MARKETING).warnings == warned


def test_every_door_refuses_a_text_that_no_account_carries(
    engine: Engine, hand: Hand, producer: Listening
) -> None:
    settings = hand.settings
    with pytest.raises(Refused) as refused:
        enqueue.check(settings, marketing(account="bulk"))
    assert list(refused.value.problems) == REFUSED
    preview = send_preview.preview_request(hand.engine, settings, marketing(account="bulk"))
    assert list(preview.problems) == REFUSED
    assert preview.warnings == ()
    with pytest.raises(Refused, match="has a link"):
        producer.enqueue(mobiles(1), LINK, message_class=MARKETING, account="bulk")
    rows = [Row(1, mobiles(1)[0])]
    with pytest.raises(Refused, match="has a link"):
        hand.campaign(mobiles(1), LINK, account="bulk")
    with pytest.raises(Refused, match="has a link"):
        campaign_preview.preview(
            engine, settings, EnqueueRequest((), LINK, MARKETING, "bulk"), rows
        )


def test_where_the_other_account_cannot_carry_it_either_both_reasons_are_said(
    database: str,
) -> None:
    settings = settings_of(database, bulk={}, v1=REFUSE)
    with pytest.raises(Refused) as refused:
        enqueue.check(settings, marketing(f"{LINK}€"))
    assert ["“€”" in problem.what for problem in refused.value.problems] == [True, False]
    assert refused.value.problems[1] == REFUSED[0]


def test_a_text_goes_to_the_account_that_does_not_refuse_it(hand: Hand) -> None:
    hand.enqueue(mobiles(1), LINK)
    hand.enqueue(mobiles(1), "【信使】您的订单已发货")
    taken = {ready.outgoing.content.text: ready.account.name for ready in hand.take(NOTICE)}
    assert taken == {LINK: "v1", "【信使】您的订单已发货": "bulk"}


def test_a_level_that_was_raised_holds_for_what_is_queued(engine: Engine, database: str) -> None:
    before = Hand(engine, settings_of(database, bulk=WARN))
    stored = before.enqueue(mobiles(1), LINK)
    after = Hand(engine, settings_of(database, bulk=REFUSE))
    assert after.take(NOTICE) == []
    assert after.count(stored.request_id) == {"queued": 1}


def test_a_class_has_its_levels_and_no_other_class_has_them(database: str) -> None:
    settings = settings_of(database, bulk={"texts": {"marketing": {"link": "refuse"}}})
    assert enqueue.check(settings, EnqueueRequest(mobiles(1), LINK)).warnings == ()
    with pytest.raises(Refused):
        enqueue.check(settings, marketing())


def test_a_row_whose_text_an_account_refuses_is_a_bad_one(hand: Hand) -> None:
    rows = [
        Row(1, "13800000001", {"where": "a.cn"}),
        Row(2, "13800000002", {"where": "店里"}),
    ]
    loaded = hand.campaign(rows, "【信使】请看{where} ，回T退订", start=False)
    assert loaded.total == 1
    (bad_row,) = loaded.bad_rows
    assert bad_row.where == "row 1"
    assert bad_row.what.startswith("has a link at character 7;")


def test_the_suffix_is_asked_for_and_never_added(database: str, engine: Engine) -> None:
    suffix = "拒收请回复R"
    rules = {"texts": {"marketing": {"way_out": "refuse", "suffix": suffix}}}
    hand = Hand(engine, settings_of(database, bulk=rules))
    with pytest.raises(Refused, match=f"does not end in “{suffix}”"):
        hand.enqueue(mobiles(1), "【信使】周年庆，回T退订", message_class=MARKETING)
    text = f"【信使】周年庆，{suffix}"
    assert hand.enqueue(mobiles(1), text, message_class=MARKETING).warnings == ()
    (ready,) = hand.take(MARKETING)
    assert ready.outgoing.content.text == text


def test_the_extension_decides_which_signature_an_account_carries(database: str) -> None:
    belonging = {"texts": {"extension": "refuse"}, "extensions": {"1": "信使", "2": "商城"}}
    settings = settings_of(database, v1=belonging)
    request = EnqueueRequest(mobiles(1), "【信使】您的订单已发货", extension="1")
    assert enqueue.check(settings, request).warnings == ()
    other = EnqueueRequest(mobiles(1), "【信使】您的订单已发货", extension="2")
    with pytest.raises(Refused, match="extension: belongs to 【商城】"):
        enqueue.check(settings, other)
    content = Content("【信使】您的订单已发货", extension="2")
    assert excluded(settings, content).keys() == {"v1"}


def test_a_gateways_template_has_no_text_for_rules(database: str) -> None:
    rules = {"texts": {"signature": "refuse", "parts": "refuse", "max_parts": 1}}
    settings = settings_of(database, codes=rules)
    request = EnqueueRequest(mobiles(1), template="1", variables={"1": "4711"})
    assert enqueue.check(settings, request).warnings == ()
