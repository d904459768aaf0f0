"""Campaigns that are the same as another one are found by their text and their list."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select, update

from tests.support.by_hand import Hand, settings_of
from tests.support.stage import mobiles
from worker.store.db.clock import later
from worker.store.db.database import reading, writing
from worker.store.intake import campaign_twins
from worker.store.schema.tables import campaign, request

AD = "【信使】周年庆 回T退订"


@pytest.fixture
def hand(engine: Any, database: str) -> Hand:
    return Hand(engine, settings_of(database, bulk={}))


def test_a_campaign_is_a_twin_of_those_with_its_text_and_list_that_were_started_lately(
    hand: Hand,
) -> None:
    started = hand.campaign(mobiles(4))
    hand.campaign(mobiles(4), start=False)
    hand.campaign(mobiles(5))
    hand.campaign(mobiles(4), "【店】另一条短信")
    old = hand.campaign(mobiles(4))
    with writing(hand.engine) as connection:
        connection.execute(
            update(campaign)
            .where(campaign.c.request_id == old.id)
            .values(started_at=later(-3 * 3600))
        )
    last = hand.campaign(mobiles(4), start=False)
    with reading(hand.engine) as connection:
        of_last = select(request.c.fingerprint).where(request.c.id == last.id)
        fingerprint = connection.execute(of_last).scalar_one()
        query = partial(campaign_twins.started_since, connection, fingerprint)
        twins = query(timedelta(hours=1))
        earlier_twins = query(timedelta(hours=4))
        assert query(timedelta(hours=4), before_id=old.id) == twins
        assert query(timedelta(hours=4), sender="shop") == []
    assert [twin.request_id for twin in twins] == [started.id]
    assert [twin.request_id for twin in earlier_twins] == [old.id, started.id]


def test_who_loads_a_twin_is_told_by_every_door_and_of_nobody_elses(hand: Hand) -> None:
    rows = mobiles(4)
    first = hand.campaign(rows, AD, key="first")
    assert first.warnings == ()
    (warning,) = hand.campaign(rows, AD).warnings
    assert str(warning).startswith(f"recipients: campaign {first.id} (test), started 20")
    assert hand.campaign(rows, AD, sender="shop").warnings == ()
    (own,) = hand.campaign(rows, AD, sender="shop").warnings
    assert str(first.id) not in own.what.split()
    # The call that is repeated is answered as it was the first time.
    assert hand.campaign(rows, AD, key="first").warnings == ()
    assert hand.campaign(rows[:3], AD).warnings == ()
