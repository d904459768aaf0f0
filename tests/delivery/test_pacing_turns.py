"""Turns: campaigns and singles of a class share what may begin; classes share an account."""

from collections import Counter

import pytest
from sqlalchemy import Engine, select

from tests.support.by_hand import (
    MARKETING,
    NOTICE,
    Hand,
    settings_of,
)
from tests.support.stage import TEXT, mobiles
from worker.config.settings import Settings
from worker.delivery.submit import CallAnswer, PreparedSubmission
from worker.domain.enums import (
    Advice,
    MessageClass,
    Outcome,
    SubmissionState,
)
from worker.gateways.base import Account
from worker.gateways.results import Result, Results
from worker.policy.gcra import SECOND_NS, PacingState
from worker.store.db.database import reading, writing
from worker.store.delivery import account_pace
from worker.store.schema.tables import request, submission

pytestmark = pytest.mark.parametrize("kind", ["sqlite"])


def answered(
    ready: PreparedSubmission, outcome: Outcome = Outcome.ACCEPTED, **more: object
) -> CallAnswer:
    """Answer one submission."""
    return CallAnswer(ready, Results(Result(outcome, "a code", **more)), 0.0)  # type: ignore[arg-type]


def test_two_campaigns_and_a_single_take_turns(engine: Engine) -> None:
    """Whoever waited longest is next; nobody has a second turn before the others had one."""
    hand = Hand(engine, settings_of(str(engine.url), jzy={"concurrency": 2, "max_batch": 10}))
    hand.campaign(mobiles(200), message_class=NOTICE)
    hand.campaign(mobiles(200, 1000), message_class=NOTICE)
    turns = []
    for nth in range(8):
        if nth == 3:
            hand.enqueue(mobiles(1, 5000), f"{TEXT}!")
        ready = hand.take()
        turns.append({one.lease.request_id for one in ready})
        hand.record(*(answered(one) for one in ready))
    first, second, *_ = turns
    assert first != second, "the other campaign has the second turn"
    counts = Counter(one for turn in turns for one in turn)
    assert len(counts) == 3, "the single had its turn among them"
    campaigns = sorted(counts.values())[1:]
    assert campaigns[1] - campaigns[0] <= 1


def test_codes_find_a_place_while_a_campaign_fills_the_account(engine: Engine) -> None:
    hand = Hand(engine, settings_of(str(engine.url), jzy={"concurrency": 4, "max_batch": 10}))
    hand.campaign(mobiles(500))
    assert len(hand.take(MARKETING)) == 3, "one place is left"
    assert hand.take(MARKETING) == []
    hand.enqueue(mobiles(1, 5000), f"{TEXT}1234", message_class=MessageClass.OTP)
    assert len(hand.take(MessageClass.OTP)) == 1


def test_who_gets_no_permit_is_written_nowhere(engine: Engine) -> None:
    """A moment's wait is the lane's memory: neither the request nor a submission changes."""
    limited = {"submissions_per_second": 5, "otp_reserve": 0}
    hand = Hand(engine, settings_of(str(engine.url), jzy=limited))
    accepted = hand.enqueue(mobiles(3), TEXT)

    def rows() -> list[object]:
        with reading(engine) as connection:
            requests = connection.execute(select(request.c.next_at, request.c.next_n)).all()
            return [*requests, *connection.execute(select(submission)).all()]

    with writing(engine) as connection:
        at = account_pace.lock(connection, ["jzy"])["jzy"].read_at
        full = PacingState(at, at - 10_000_000, {"submissions": SECOND_NS})
        account_pace.write(connection, "jzy", full, at + 60_000_000)
    before = rows()
    assert hand.take() == []
    assert rows() == before
    assert accepted.ids


def test_too_fast_loses_nothing_and_counts_no_attempt(engine: Engine) -> None:
    """And it slows the account once, however many were refused at the same time."""
    hand = Hand(engine, settings_of(str(engine.url), jzy={"max_batch": 1}))
    hand.campaign(mobiles(8), message_class=NOTICE)
    ready = hand.take()
    assert len(ready) == 8
    for part in (ready[:4], ready[4:]):
        hand.record(*(answered(one, Outcome.THROTTLED, advice=Advice.SLOW_DOWN) for one in part))
    with reading(engine) as connection:
        learned = account_pace.pacings(connection)["jzy"].learned
        again = connection.execute(
            select(submission).where(submission.c.state == SubmissionState.PLANNED.value)
        ).all()
    assert learned.refused_rate == 4, "the others were under way when the first four were refused"
    assert sum(one.size for one in again) == 8
    assert {one.attempts for one in again} == {0}


def test_what_a_refusal_teaches_is_what_was_taken_of_all_with_that_login(engine: Engine) -> None:
    """A gateway counts by login: an account of few messages does not pay for one of many."""
    first = settings_of(str(engine.url), jzy={"max_batch": 1})
    other = Account("codes", first.accounts["jzy"].gateway)
    both = Settings(first.top, {**first.accounts, "codes": other}, first.directory)
    hand = Hand(engine, both)
    hand.campaign(mobiles(8), message_class=NOTICE, account="jzy")
    hand.campaign(mobiles(2, 100), message_class=NOTICE, account="codes")
    ready = [*hand.take(), *hand.take()]
    few = [one for one in ready if one.lease.account == "codes"]
    assert (len(ready), len(few)) == (10, 2)
    hand.record(answered(few[0], Outcome.THROTTLED, advice=Advice.SLOW_DOWN))
    with reading(engine) as connection:
        standing = account_pace.pacings(connection)
    assert standing["codes"].learned.refused_rate == 9
    assert "jzy" not in standing, "each account goes at its own pace"


def test_an_account_that_asked_for_a_rest_gets_one(engine: Engine) -> None:
    hand = Hand(engine, settings_of(str(engine.url), jzy={"max_batch": 1}))
    hand.campaign(mobiles(8), message_class=NOTICE)
    (first, *others) = hand.take()
    hand.record(answered(first, Outcome.THROTTLED, advice=Advice.SLOW_DOWN, retry_after=120.0))
    hand.record(*(answered(one) for one in others))
    hand.enqueue(mobiles(1, 100), f"{TEXT}!")
    hand.enqueue(mobiles(1, 101), f"{TEXT}1234", message_class=MessageClass.OTP)
    for one in MessageClass:
        assert hand.take(one) == []
    with writing(engine) as connection:
        rest = account_pace.lock(connection, ["jzy"])["jzy"]
    assert 100 < rest.learned.rest_seconds(rest.now) <= 120
