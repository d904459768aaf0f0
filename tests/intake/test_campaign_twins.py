"""Campaigns that are the same as another one are found by their text and their list."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from tests.support.by_hand import Hand, settings_of
from tests.support.stage import mobiles
from worker.store.db.clock import later
from worker.store.db.database import reading, writing
from worker.store.intake import campaign_twins
from worker.store.schema.tables import campaign


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
        twins = campaign_twins.started_since(connection, last.id, timedelta(hours=1))
        earlier_twins = campaign_twins.started_since(connection, last.id, timedelta(hours=4))
    assert [twin.request_id for twin in twins] == [started.id]
    assert [twin.request_id for twin in earlier_twins] == [old.id, started.id]
