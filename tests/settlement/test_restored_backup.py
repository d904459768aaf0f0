"""What a restored backup forgot is unknown, message by message; nothing of it goes by itself."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from tests.support.by_hand import (
    MARKETING,
    NOTICE,
    Hand,
    answer,
    settings_of,
)
from tests.support.stage import mobiles
from worker.domain.enums import Outcome, ReportStatus
from worker.feedback import reports, unnamed_reports
from worker.gateways.results import Report
from worker.intake import campaigns
from worker.settlement import restored_backup
from worker.store.db.database import reading, writing
from worker.store.settlement import unknown


@pytest.fixture
def hand(engine: Engine, database: str) -> Hand:
    return Hand(engine, settings_of(database, v1={"max_batch": 5, "reports": "pull"}))


def put_aside(hand: Hand, **more: bool) -> restored_backup.PutAside:
    later = datetime.now(UTC) + timedelta(minutes=1)
    return restored_backup.put_aside(
        hand.engine, hand.settings, later, who="me", reason="a test", **more
    )


def test_whatever_waited_or_was_under_way_is_unknown(hand: Hand) -> None:
    """Queued, planned, in flight, paused and never started; what has ended stays as it is."""
    accepted = hand.enqueue(mobiles(5))
    (ready,) = hand.take(NOTICE)
    hand.record(answer(ready, Outcome.ACCEPTED))
    hand.enqueue(mobiles(5, 100))
    (flying,) = hand.take(NOTICE)
    hand.enqueue(mobiles(5, 200))
    paused = hand.campaign(mobiles(12, 300))
    campaigns.pause(hand.engine, paused.id)
    waiting = hand.campaign(mobiles(3, 400), start=False)
    tomorrow = hand.enqueue(mobiles(2, 500), not_before=datetime.now(UTC) + timedelta(days=1))
    assert put_aside(hand, act=False).messages == 5 + 5 + 12 + 3
    assert put_aside(hand).messages == 5 + 5 + 12 + 3
    assert hand.count(accepted.request_id) == {"submitted": 5}
    assert hand.count(tomorrow.request_id) == {"queued": 2}
    for one in (paused, waiting):
        assert set(hand.count(one.id)) == {"unknown"}
        campaigns.run(hand.engine, one.id)
    hand.make_due()
    assert hand.take(NOTICE) == []
    assert hand.take(MARKETING) == []
    # What the lost worker knew of it is evidence still.
    hand.record(answer(flying, Outcome.ACCEPTED))
    assert hand.count(flying.lease.request_id) == {"submitted": 5}
    assert put_aside(hand).messages == 0


def test_a_report_settles_its_own_message_only(hand: Hand) -> None:
    """What stands for a rest was never one submission: the others of it stay unknown."""
    loaded = hand.campaign(mobiles(12))
    put_aside(hand)
    for nth, name in ((2, "77001"), (7, "77002"), (3, "77001")):
        report = Report(
            msisdn=mobiles(12)[nth],
            status=ReportStatus.DELIVERED,
            code="DELIVRD",
            gateway_id=name,
        )
        with writing(hand.engine) as connection:
            reports.take_page(connection, ["v1"], nth, [report])
    unnamed_reports.adopt_ids(hand.engine, hand.settings)
    assert hand.count(loaded.id) == {"delivered": 3, "unknown": 9}
    with reading(hand.engine) as connection:
        (one,) = unknown.unknown_submissions(connection)
        assert one.size == 12
        assert unknown.repeatable(connection, "v1", 10) == []
