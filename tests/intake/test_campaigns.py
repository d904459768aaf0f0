"""Campaigns: wholly loaded first, cut by what an account takes, stopped when a person says so."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.by_hand import (
    MARKETING,
    Hand,
    answer,
    settings_of,
)
from tests.support.stage import (
    Stage,
    eventually,
    mobiles,
    section,
    turn_into_codes,
)
from worker.domain.enums import CampaignState, MessageClass, Outcome
from worker.domain.errors import (
    KeyConflict,
    NotFound,
    Refused,
    TooLate,
)
from worker.intake import campaign_retry, campaigns
from worker.intake.enqueue_request import EnqueueRequest
from worker.intake.recipient_rows import Row
from worker.runtime import maintenance
from worker.store.db import database
from worker.store.db.database import reading
from worker.store.intake import campaign_rows, requests
from worker.store.intake import campaigns as stored
from worker.store.intake.campaign_progress import CampaignProgress
from worker.store.schema.tables import request
from worker.store.settlement import unknown

TEXT = "【信使】周年庆全场八折 回T退订"
#: Account, settings, messages, submissions.
CUTS = [
    ("bulk", {}, 10_000, 5),
    ("bulk", {"method": "GET"}, 10_000, 200),
    ("bulk", {"max_batch": 700}, 10_000, 15),
    ("v1", {}, 10_000, 4),
    ("jzy", {}, 10_000, 1),
    ("codes", {"concurrency": 50}, 300, 300),
    ("me", {"max_batch": 100}, 1000, 10),
]


def done(stage: Stage, campaign_id: int) -> CampaignProgress | None:
    """Return a campaign once it is done."""
    found = campaigns.show(stage.engine, campaign_id)
    return found if found.state is CampaignState.DONE else None


@pytest.mark.parametrize("kind", ["sqlite"])
@pytest.mark.parametrize(
    ("account", "settings", "messages", "submissions"),
    CUTS,
    ids=["-".join([cut[0], *map(str, cut[1].values())]) for cut in CUTS],
)
def test_a_campaign_takes_as_few_submissions_as_its_account_allows(
    stage: Stage, account: str, settings: dict[str, Any], messages: int, submissions: int
) -> None:
    stage.configure(accounts={account: section(stage.sandbox, account, reports="none", **settings)})
    stage.prove()
    loaded = stage.producer.enqueue_campaign("sale", mobiles(messages), TEXT, account=account)
    assert loaded.total == messages
    with stage.working(MARKETING):
        found = eventually(lambda: done(stage, loaded.id), within=60)
    assert found.states == {"submitted": messages}
    assert len(stage.lines()) == submissions
    taken = stage.taken()
    assert set(taken) == set(mobiles(messages))
    assert set(taken.values()) == {1}
    assert {line.text for line in stage.lines()} == {TEXT}


def test_a_campaign_of_ten_thousand_goes_out_once_each(stage: Stage) -> None:
    stage.configure("bulk")
    stage.prove()
    loaded = stage.producer.enqueue_campaign("sale", mobiles(10_000), TEXT)
    with stage.working():
        found = eventually(lambda: done(stage, loaded.id), within=60)
    assert found.states == {"submitted": 10_000}
    assert set(stage.taken().values()) == {1}
    assert len(stage.taken()) == 10_000
    assert len(stage.lines()) == 5


@pytest.mark.parametrize("kind", ["sqlite"])
def test_reports_of_a_whole_campaign_come_home(stage: Stage) -> None:
    stage.configure("jzy")
    numbers = [*mobiles(2000), "19999990101", "19999990201"]
    loaded = stage.producer.enqueue_campaign("sale", numbers, TEXT)
    wanted = {"delivered": 2000, "undelivered": 1, "submitted": 1}
    with stage.working():
        eventually(lambda: campaigns.show(stage.engine, loaded.id).states == wanted, within=30)


@pytest.fixture
def hand(engine: Any, database: str) -> Hand:
    return Hand(engine, settings_of(database, bulk={"max_batch": 5}))


def test_nothing_is_sent_before_a_campaign_is_started(hand: Hand) -> None:
    loaded = hand.campaign(mobiles(7), start=False)
    assert hand.take(MARKETING) == []
    assert campaigns.show(hand.engine, loaded.id).state is CampaignState.READY
    campaigns.run(hand.engine, loaded.id)
    assert sum(len(one.outgoing.msisdns) for one in hand.take(MARKETING)) == 7


def test_a_bad_row_keeps_a_campaign_from_starting(hand: Hand) -> None:
    """Each bad row is named by its line and never by its whole number."""
    rows = ["13800000001", "123", "13800000001", "+86 139 0000 0002", "1380000000a"]
    loaded = hand.campaign(rows)
    assert (loaded.total, loaded.repeated, loaded.invalid) == (2, 1, 2)
    assert [problem.where for problem in loaded.bad_rows] == ["row 2", "row 5"]
    assert "1380000000a" not in str(loaded.bad_rows)
    assert campaigns.show(hand.engine, loaded.id).state is CampaignState.READY
    assert hand.take(MARKETING) == []


def test_a_campaign_whose_order_is_at_fault_stores_nothing(hand: Hand) -> None:
    with pytest.raises(Refused, match="text: is empty"):
        hand.campaign(mobiles(2), " ")
    with pytest.raises(Refused, match="U\\+1F600"):
        hand.campaign(mobiles(2), "促销😀")
    assert hand.number_of(request) == 0


def test_each_recipient_gets_the_text_with_its_own_values(hand: Hand) -> None:
    rows = [Row(1, "13800000001", {"name": "张三"}), Row(2, "13800000002", {"name": "李四"})]
    loaded = hand.campaign(rows, "您好{name}")
    ready = hand.take(MARKETING)
    assert [(one.outgoing.msisdns, one.outgoing.content.text) for one in ready] == [
        (("13800000001",), "您好张三"),
        (("13800000002",), "您好李四"),
    ]
    assert campaigns.show(hand.engine, loaded.id).total == 2


def test_a_recipient_without_a_value_or_with_one_that_cannot_be_said_is_a_bad_row(
    hand: Hand,
) -> None:
    rows = [
        Row(1, "13800000001", {"name": "张三"}),
        Row(2, "13800000002", {"nome": "李四"}),
        Row(3, "13800000003", {"name": "😀"}),
    ]
    loaded = hand.campaign(rows, "您好{name}")
    assert [problem.where for problem in loaded.bad_rows] == ["row 2", "row 3"]


def test_the_same_key_and_rows_are_the_same_campaign_and_others_are_refused(hand: Hand) -> None:
    first = hand.campaign(mobiles(3), key="may")
    again = hand.campaign(mobiles(3), key="may")
    assert again.id == first.id
    with pytest.raises(KeyConflict):
        hand.campaign(mobiles(4), key="may")
    assert hand.count(first.id) == {"queued": 3}


def test_pausing_hands_out_no_more_and_resuming_goes_on(hand: Hand) -> None:
    loaded = hand.campaign(mobiles(12))
    # One place, besides the one that is kept for codes.
    hand.settings.accounts["bulk"].settings.__dict__["concurrency"] = 2
    (first,) = hand.take(MARKETING)
    campaigns.pause(hand.engine, loaded.id)
    assert hand.take(MARKETING) == []
    hand.record(answer(first, Outcome.ACCEPTED))
    assert hand.take(MARKETING) == []
    campaigns.run(hand.engine, loaded.id)
    assert len(hand.take(MARKETING)) == 1
    assert hand.count(loaded.id) == {"submitted": 5, "submitting": 5, "queued": 2}


def test_what_waits_of_a_paused_campaign_waits_alike(hand: Hand) -> None:
    """Past its validity neither its rest nor what came back expires; resumed, it wants a time."""
    loaded = hand.campaign(mobiles(12))
    # One place, besides the one that is kept for codes.
    hand.settings.accounts["bulk"].settings.__dict__["concurrency"] = 2
    (first,) = hand.take(MARKETING)
    campaigns.pause(hand.engine, loaded.id)
    hand.record(answer(first, Outcome.DEFERRED))
    with database.writing(hand.engine) as connection:
        requests.extend(connection, loaded.id, datetime.now(UTC) - timedelta(hours=1))
    maintenance.expire(hand.engine)
    assert hand.count(loaded.id) == {"queued": 12}
    with pytest.raises(TooLate):
        campaigns.run(hand.engine, loaded.id)
    campaigns.run(hand.engine, loaded.id, datetime.now(UTC) + timedelta(hours=1))
    hand.make_due()
    assert len(hand.take(MARKETING)) == 1


def test_cancelling_ends_what_was_not_handed_over(hand: Hand) -> None:
    loaded = hand.campaign(mobiles(12))
    # One place, besides the one that is kept for codes.
    hand.settings.accounts["bulk"].settings.__dict__["concurrency"] = 2
    (first,) = hand.take(MARKETING)
    assert campaigns.cancel(hand.engine, loaded.id).states == {"cancelled": 7, "submitting": 5}
    hand.record(answer(first, Outcome.ACCEPTED))
    assert hand.count(loaded.id) == {"cancelled": 7, "submitted": 5}
    for move in (campaigns.pause, campaigns.run, campaigns.cancel):
        with pytest.raises(TooLate):
            move(hand.engine, loaded.id)
    with pytest.raises(NotFound):
        campaigns.pause(hand.engine, loaded.id + 1)


def test_a_retry_sends_the_failed_again_once_and_never_the_unknown(hand: Hand) -> None:
    loaded = hand.campaign(mobiles(15))
    first, second, third = hand.take(MARKETING)
    hand.record(
        answer(first, Outcome.REJECTED),
        answer(second, Outcome.UNKNOWN),
        answer(third, Outcome.ACCEPTED),
    )
    again = campaign_retry.retry(hand.engine, hand.settings, loaded.id)
    assert again is not None
    assert again.total == 5
    hand.make_due()
    numbers = {number for one in hand.take(MARKETING) for number in one.outgoing.msisdns}
    assert numbers == set(first.outgoing.msisdns)
    assert campaign_retry.retry(hand.engine, hand.settings, loaded.id) is None


def test_a_second_retry_takes_what_failed_since(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many are looked at together, or kept in memory; each with its own values."""
    monkeypatch.setattr(campaign_retry, "MESSAGES_READ_TOGETHER", 4)
    monkeypatch.setattr(campaign_retry, "MAX_BYTES_IN_MEMORY", 50)
    rows = [Row(nth, one, {"name": f"n{nth // 5}"}) for nth, one in enumerate(mobiles(15))]
    order = EnqueueRequest((), "【信使】{name}", MARKETING)
    loaded = campaigns.create(hand.engine, hand.settings, "named", order, rows)
    for so_far, one in enumerate(hand.take(MARKETING), 1):
        hand.record(answer(one, Outcome.REJECTED))
        again = campaign_retry.retry(hand.engine, hand.settings, loaded.id)
        assert again is not None
        with reading(hand.engine) as connection:
            kept = campaign_rows.stored_messages(connection, again.id, 0, 99)
            held = stored.retry_totals(connection, loaded.id)
        assert sorted(kept.msisdns) == sorted(one.outgoing.msisdns)
        assert set(kept.variables or ()) == {(("name", f"n{so_far - 1}"),)}
        assert len(held) == so_far
    assert campaign_retry.retry(hand.engine, hand.settings, loaded.id) is None
    assert not list(hand.settings.state_folder.glob("*"))


@pytest.mark.parametrize("outcome", [Outcome.DEFERRED, Outcome.NOT_SENT, Outcome.UNKNOWN])
def test_what_comes_back_of_a_cancelled_campaign_is_cancelled(hand: Hand, outcome: Outcome) -> None:
    """Whether its call says so itself, or its doubt ends by proof that nothing was taken."""
    loaded = hand.campaign(mobiles(5))
    (only,) = hand.take(MARKETING)
    assert campaigns.cancel(hand.engine, loaded.id).states == {"submitting": 5}
    hand.record(answer(only, outcome))
    if outcome is Outcome.UNKNOWN:
        assert hand.count(loaded.id) == {"unknown": 5}
        with database.writing(hand.engine) as connection:
            assert unknown.end_as_not_taken(connection, only.lease.id, only.lease.fence)
    assert hand.count(loaded.id) == {"cancelled": 5}
    hand.make_due()
    assert hand.take(MARKETING) == []


def test_a_cancel_that_broke_off_holds_and_the_sweep_ends_it(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits is ended a part at a time; none of it is handed out in between."""
    monkeypatch.setattr(campaigns, "MAX_ENDED_TOGETHER", 1)
    monkeypatch.setattr(campaigns, "MAX_ENDED_TOGETHER_ON_SQLITE", 1)
    loaded = hand.campaign(mobiles(15))
    hand.record(*(answer(one, Outcome.DEFERRED) for one in hand.take(MARKETING)))
    assert hand.count(loaded.id) == {"queued": 15}
    with monkeypatch.context() as patch:
        patch.setattr(
            unknown, "withdraw_resends", _dies_at_the_second_time(unknown.withdraw_resends)
        )
        with pytest.raises(KeyboardInterrupt):
            campaigns.cancel(hand.engine, loaded.id)
    assert hand.count(loaded.id) == {"cancelled": 5, "queued": 10}
    hand.make_due()
    assert hand.take(MARKETING) == []
    maintenance.sweep(hand.engine, hand.settings, "a test")
    found = campaigns.show(hand.engine, loaded.id)
    assert found.states == {"cancelled": 15}
    assert found.finished_at is not None


def _dies_at_the_second_time(work: Callable[..., None]) -> Callable[..., None]:
    calls = iter(range(10))

    def run(*words: Any) -> None:
        if next(calls) == 1:
            raise KeyboardInterrupt
        work(*words)

    return run


def test_a_code_is_for_one_person_and_no_campaign_s(hand: Hand) -> None:
    with pytest.raises(Refused, match="for one person") as refusal:
        hand.campaign(mobiles(2), message_class=MessageClass.OTP)
    assert [problem.where for problem in refusal.value.problems] == ["message_class"]
    assert hand.number_of(request) == 0


def test_a_campaign_of_codes_that_an_earlier_version_took_goes_on_and_ends(hand: Hand) -> None:
    """It is not sent again: a retry would be a new campaign of codes."""
    otp = MessageClass.OTP
    loaded = hand.campaign(mobiles(2), start=False)
    turn_into_codes(hand.engine, loaded.id)
    campaigns.run(hand.engine, loaded.id)
    campaigns.pause(hand.engine, loaded.id)
    assert hand.take(otp) == []
    campaigns.run(hand.engine, loaded.id)
    for ready in hand.take(otp):
        hand.record(answer(ready, Outcome.REJECTED))
    assert campaigns.finish_drained(hand.engine) == [loaded.id]
    assert hand.count(loaded.id) == {"rejected": 2}
    with pytest.raises(Refused, match="for one person"):
        campaign_retry.retry(hand.engine, hand.settings, loaded.id)
