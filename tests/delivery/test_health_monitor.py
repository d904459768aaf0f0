"""The health tick on all three databases: what it counts, what it writes, and what it leaves."""

from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from tests.support.by_hand import Hand, answer, settings_of
from tests.support.stage import mobiles
from worker.delivery import health_monitor
from worker.domain.enums import Carrier, Outcome, ReportStatus
from worker.feedback import reports
from worker.gateways.results import Report
from worker.policy.account_health import HEALTHY, Health
from worker.store import accounts, ticks
from worker.store.db.clock import later
from worker.store.db.database import reading, writing
from worker.store.delivery import account_doubts, health_samples
from worker.store.feedback import inbox as inbox_store
from worker.store.schema.tables import event, submission

UNICOM = [f"130{nth:08d}" for nth in range(100)]


@pytest.fixture
def hand(engine: Engine, database: str) -> Hand:
    made = Hand(engine, settings_of(database, v1={"max_batch": 1}, jzy={"max_batch": 1}))
    with writing(engine) as connection:
        ticks.ensure(connection, {health_monitor.TICK_NAME})
    examine(made)
    return made


def examine(hand: Hand) -> None:
    """Let the tick run."""
    health_monitor.examine(hand.engine, hand.settings, "hand")


def healths(hand: Hand) -> dict[str, Health]:
    """Return the accounts that do not get all of their traffic."""
    with reading(hand.engine) as connection:
        return accounts.healths(connection)


def written(hand: Hand) -> list[Any]:
    """Return the events of shares."""
    with reading(hand.engine) as connection:
        rows = connection.execute(select(event).where(event.c.name == "account.share"))
        return [(row.account, row.detail["share"]) for row in rows]


def call(hand: Hand, account: str, count: int, *outcomes: Outcome, **more: Any) -> None:
    """Let an account be called so often, the outcomes in turn."""
    hand.enqueue(mobiles(count), account=account)
    for nth, one in enumerate(hand.take()):
        hand.record(answer(one, outcomes[nth % len(outcomes)], **more))


def remembered(hand: Hand) -> dict[str, Any]:
    """Return what the tick remembers."""
    with reading(hand.engine) as connection:
        return dict(ticks.read_cursor(connection, health_monitor.TICK_NAME))


@pytest.mark.parametrize("failure", sorted(health_samples.FAILED_OUTCOMES))
def test_an_account_that_fails_half_goes_down_a_step_at_each_look(
    hand: Hand, failure: Outcome
) -> None:
    for share in (0.8, 0.5):
        call(hand, "v1", 20, Outcome.ACCEPTED, failure)
        with writing(hand.engine) as connection:
            account_doubts.clear(connection, "v1")
            # What waits to be tried again is not what this is about.
            connection.execute(
                update(submission).where(submission.c.state == "planned").values(state="not_sent")
            )
        examine(hand)
        assert healths(hand)["v1"].share == share
        assert healths(hand)["v1"].reason == "10 of 20 calls failed"
    assert written(hand) == [("v1", 0.8), ("v1", 0.5)]
    assert "jzy" not in healths(hand)


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Outcome.REJECTED, "3"),
        (Outcome.THROTTLED, "107"),
        (Outcome.UNKNOWN, "lease"),
        (Outcome.NOT_SENT, "late"),
    ],
)
def test_what_no_account_is_to_blame_for_does_not_count(
    hand: Hand, outcome: Outcome, code: str
) -> None:
    for nth in range(20):
        hand.enqueue([mobiles(20)[nth]], account="v1")
        for one in hand.take():
            hand.record(answer(one, outcome, code=code))
        with writing(hand.engine) as connection:
            account_doubts.clear(connection, "v1")
    examine(hand)
    assert healths(hand) == {}


def test_a_call_that_ends_after_a_look_is_counted_at_the_next(hand: Hand) -> None:
    hand.enqueue(mobiles(20), account="v1")
    under_way = hand.take()
    examine(hand)
    assert len(remembered(hand)["open"]) == 20
    hand.record(*(answer(one, Outcome.REJECTED, code="1") for one in under_way[:8]))
    hand.record(*(answer(one, Outcome.DEFERRED) for one in under_way[8:]))
    examine(hand)
    assert healths(hand)["v1"].reason == "12 of 20 calls failed"
    assert len(remembered(hand)["open"]) == 12, "those that go on from them"


def test_nothing_is_counted_twice(hand: Hand) -> None:
    call(hand, "v1", 10, Outcome.DEFERRED)
    for _ in range(5):
        examine(hand)
    assert written(hand) == [("v1", 0.8)]


def test_history_from_before_the_first_look_is_not_read(engine: Engine, database: str) -> None:
    hand = Hand(engine, settings_of(database, v1={"max_batch": 1}))
    call(hand, "v1", 30, Outcome.DEFERRED)
    with writing(engine) as connection:
        ticks.ensure(connection, {health_monitor.TICK_NAME})
    examine(hand)
    examine(hand)
    assert healths(hand) == {}


def test_whoever_was_overtaken_writes_nothing(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    call(hand, "v1", 10, Outcome.DEFERRED)
    look = health_samples.newest_submission

    def overtaken(connection: Any) -> Any:
        monkeypatch.setattr(health_samples, "newest_submission", look)
        examine(hand)
        return look(connection)

    monkeypatch.setattr(health_samples, "newest_submission", overtaken)
    examine(hand)
    assert written(hand) == [("v1", 0.8)]


def test_a_share_that_nobody_remembers_the_reason_of_is_given_back(hand: Hand) -> None:
    with writing(hand.engine) as connection:
        accounts.write_health(connection, "v1", Health(0.05, 0.05, reason="long ago"))
    examine(hand)
    assert healths(hand) == {}


def deliver(hand: Hand, numbers: list[str], status: ReportStatus | None) -> None:
    """Let messages be taken by an account, long ago, and be reported so, or not at all."""
    hand.enqueue(numbers, account="jzy")
    ready = hand.take()
    hand.record(
        *(answer(one, Outcome.ACCEPTED, gateway_id=one.outgoing.msisdns[0]) for one in ready)
    )
    examine(hand)
    with writing(hand.engine) as connection:
        connection.execute(
            update(submission)
            .where(submission.c.id.in_([one.lease.id for one in ready]))
            .values(called_at=later(-hand.settings.top.reports_within - 1))
        )
        if status is not None:
            inbox = inbox_store.add_page(connection, "jzy", "reports", b"")
            said = [Report(one, status, "x", gateway_id=one) for one in numbers]
            reports.take_page(connection, ["jzy"], inbox, said)


def ripen(hand: Hand) -> None:
    """Let the time that reports have be over."""
    kept = remembered(hand)
    past = hand.settings.top.reports_within + 1
    kept["marks"] = [[kept["at"] - past, kept["last"]]]
    with writing(hand.engine) as connection:
        ticks.write_cursor(connection, health_monitor.TICK_NAME, kept)
    examine(hand)


@pytest.mark.parametrize("status", [ReportStatus.UNDELIVERED, None], ids=["bad", "none"])
def test_bad_reports_and_missing_ones_move_an_account_at_its_carrier(
    hand: Hand, status: ReportStatus | None
) -> None:
    deliver(hand, UNICOM[:20], status)
    deliver(hand, mobiles(60), ReportStatus.DELIVERED)
    examine(hand)
    assert healths(hand) == {}, "their time is not over"
    ripen(hand)
    found = healths(hand)["jzy"]
    assert found.share == 1.0
    assert found.carrier_shares == {Carrier.CHINA_MOBILE: 1.0, Carrier.CHINA_UNICOM: 0.8}
    assert found.reason == "china_unicom: 20 of 20 reports bad or late"
    ripen(hand)
    assert healths(hand)["jzy"].carrier_shares[Carrier.CHINA_UNICOM] == 0.8, "counted once"


def test_an_account_without_reports_is_not_blamed_for_their_want(
    engine: Engine, database: str
) -> None:
    hand = Hand(engine, settings_of(database, jzy={"max_batch": 1, "reports": "none"}))
    with writing(engine) as connection:
        ticks.ensure(connection, {health_monitor.TICK_NAME})
    examine(hand)
    deliver(hand, mobiles(60), None)
    ripen(hand)
    assert healths(hand) == {}


def test_an_account_that_is_well_has_no_row_of_health(hand: Hand) -> None:
    call(hand, "v1", 50, Outcome.ACCEPTED)
    examine(hand)
    assert healths(hand) == {}
    assert HEALTHY.as_json() is None


def test_what_is_remembered_stays_small(hand: Hand) -> None:
    for _ in range(5):
        examine(hand)
    assert len(remembered(hand)["marks"]) <= 2
