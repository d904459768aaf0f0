"""What is found in a text reaches its caller by every door: refused, or as a warning."""

from collections.abc import Iterator
from contextlib import closing
from io import BytesIO
from typing import Any

import pytest
from sqlalchemy import Engine, select

from tests.support.by_hand import MARKETING, Hand, answer, settings_of
from tests.support.doorbell_listener import Listening
from tests.support.stage import TEXT, mobiles
from worker.config.settings import Settings
from worker.domain.enums import Outcome
from worker.domain.errors import Refused
from worker.intake import campaign_retry, celery_door
from worker.intake.recipient_rows import Row
from worker.store.db.database import reading
from worker.store.schema.tables import request

pytestmark = pytest.mark.parametrize("kind", ["sqlite"])
AD = "【信使】{name}，周年庆 回T退订"


@pytest.fixture
def settings(database: str) -> Settings:
    return settings_of(database, bulk={"added_signature": "【信使】"}, v1={})


@pytest.fixture
def producer(settings: Settings) -> Iterator[Listening]:
    with closing(Listening(settings)) as listening:
        yield listening


@pytest.fixture
def hand(engine: Engine, settings: Settings) -> Hand:
    return Hand(engine, settings)


def texts(hand: Hand) -> list[str]:
    """Return the stored texts."""
    with reading(hand.engine) as connection:
        return list(connection.execute(select(request.c.text).order_by(request.c.id)).scalars())


@pytest.mark.parametrize(
    ("text", "variables", "said"),
    [
        ("【信使】您好{name}", None, "variables.name: the text names it; give a value"),
        ("【信使】您好{name}{code}", {"x": "1"}, "variables.code"),
        ("【信使】您好{ name }", {"name": "小明"}, "“{ name }”"),
        ("【信使】您好${name}", {"name": "小明"}, "“${name}”"),
        ("【信使】您好[name]", {"name": "小明"}, "“[name]”"),
        ("【信使】您好{name}", {"name": "小\u200b明"}, "U+200B (zero width space) at character 8"),
        ("\ufeff【信使】您好", None, "U+FEFF"),
    ],
)
def test_what_cannot_be_meant_is_refused_for_accounts_of_every_charset(
    hand: Hand, producer: Listening, text: str, variables: Any, said: str
) -> None:
    for account in (None, "bulk", "v1"):
        with pytest.raises(Refused) as refused:
            producer.enqueue(mobiles(1), text, variables=variables, account=account)
        assert said in str(refused.value)
    assert texts(hand) == []


def test_the_celery_door_refuses_a_name_without_a_value(hand: Hand) -> None:
    payload = {"version": 1, "key": "k", "to": mobiles(1), "text": "【信使】您好{name}"}
    celery_door.accept(hand.settings, payload)
    assert texts(hand) == []
    celery_door.accept(hand.settings, payload | {"variables": {"name": "小明"}})
    assert texts(hand) == ["【信使】您好小明"]


def test_a_warning_holds_nothing_up_and_is_returned_again_for_the_same_key(
    producer: Listening,
) -> None:
    text = "点 https://a.cn/x，退订"
    accepted = producer.enqueue(mobiles(1), text, account="v1", variables={"x": "1"}, key="k")
    said = [str(warning) for warning in accepted.warnings]
    assert [warning.split("; ")[0] for warning in said] == [
        "text: has no signature 【…】, and none is known that the account would add",
        "text: has “，” directly behind a link, at character 17: handsets may take it to the link",
        "variables.x: the text names it nowhere",
    ]
    again = producer.enqueue(mobiles(1), text, account="v1", variables={"x": "1"}, key="k")
    assert again.repeated
    assert again.warnings == accepted.warnings
    assert producer.enqueue(mobiles(1), TEXT, account="v1").warnings == ()
    (two,) = producer.enqueue(mobiles(1), TEXT, account="bulk").warnings
    assert "beside 【信使】, which the account adds" in two.what


def test_a_brace_is_written_twice_and_sent_once(hand: Hand) -> None:
    hand.enqueue(mobiles(1), "【信使】{{a} {b}", variables={"b": "{{c}"})
    assert texts(hand) == ["【信使】{a} {{c}"]


@pytest.mark.parametrize(
    ("rows", "text", "sent"),
    [
        ([Row(1, "13800000001")], "【信使】{{code} 回T退订", "【信使】{code} 回T退订"),
        ([Row(1, "13800000001", {"name": "小明"})], "{{x}" + AD, "{x}" + AD.format(name="小明")),
    ],
)
def test_a_campaign_and_its_retry_send_the_same_braces(
    hand: Hand, rows: list[Row], text: str, sent: str
) -> None:
    loaded = hand.campaign(rows, text, account="v1")
    (ready,) = hand.take(MARKETING)
    assert ready.outgoing.content.text == sent
    hand.record(answer(ready, Outcome.REJECTED))
    again = campaign_retry.retry(hand.engine, hand.settings, loaded.id)
    assert again is not None
    hand.make_due()
    (ready,) = hand.take(MARKETING)
    assert ready.outgoing.content.text == sent


def test_a_campaign_says_what_is_doubtful(hand: Hand) -> None:
    loaded = hand.campaign(mobiles(3), "【信使】周年庆", account="v1")
    assert loaded.total == 3
    (warning,) = loaded.warnings
    assert "no way out" in warning.what


@pytest.mark.parametrize("name", ["[name]", "#name#", "｛name｝", "{ name }", "${name}"])
def test_a_lists_column_between_other_marks_is_refused_before_a_row_is_stored(
    hand: Hand, producer: Listening, name: str
) -> None:
    text = f"【信使】{name}您好，回T退订"
    with pytest.raises(Refused):
        producer.enqueue_campaign("x", iter([{"msisdn": mobiles(1)[0], "name": "小明"}]), text)
    file = BytesIO("msisdn,name\n13800000001,小明\n".encode())
    with pytest.raises(Refused):
        producer.enqueue_campaign("x", file, text)
    assert texts(hand) == []


def test_rare_han_go_where_no_emoji_goes(hand: Hand) -> None:
    settings = settings_of(str(hand.engine.url), bulk={"charset": "utf-8"})
    with closing(Listening(settings)) as other:
        other.enqueue(mobiles(1), "【信使】𠮷野𬭊䶮㛃⻋您好")
        for text in ("【信使】好✅", "【信使】☎️", "【信使】⌚", "【信使】1️⃣"):
            with pytest.raises(Refused, match="takes no emoji"):
                other.enqueue(mobiles(1), text)


def test_a_gbk_account_says_what_looks_the_same(producer: Listening) -> None:
    with pytest.raises(Refused, match=r"cannot say “¥” .*“￥” \(U\+FFE5\) looks the same"):
        producer.enqueue(mobiles(1), f"{TEXT}¥5", account="bulk")
