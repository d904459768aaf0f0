"""A campaign for later is scheduled, can be moved, and begins when its time has come."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.by_hand import MARKETING, Hand, settings_of
from tests.support.stage import eventually, mobiles
from worker.domain.enums import CampaignState
from worker.domain.errors import Refused, TooLate
from worker.intake import campaigns
from worker.store import events
from worker.store.db.database import reading
from worker.store.intake.campaign_progress import CampaignProgress

HOUR = timedelta(hours=1)


@pytest.fixture
def hand(engine: Any, database: str) -> Hand:
    return Hand(engine, settings_of(database, bulk={"max_batch": 5}))


def scheduled(hand: Hand, at: datetime, **more: Any) -> int:
    """Load and start a campaign for a time; return its id."""
    return hand.campaign(mobiles(7), not_before=at, **more).id


def span(campaign: CampaignProgress) -> timedelta:
    """Return how long a campaign is valid."""
    assert campaign.not_before is not None
    assert campaign.not_after is not None
    return campaign.not_after - campaign.not_before


def event_details(hand: Hand, name: str) -> Sequence[Any]:
    with reading(hand.engine) as connection:
        return [row["detail"] for row in events.newest(connection, 9, {"name": name})]


def test_until_its_time_it_is_scheduled_and_not_begun(hand: Hand) -> None:
    campaign = scheduled(hand, datetime.now(UTC) + HOUR)
    shown = campaigns.show(hand.engine, campaign)
    assert (shown.state, shown.started_at) == (CampaignState.SCHEDULED, None)
    assert hand.take(MARKETING) == []


def test_it_begins_at_its_time(hand: Hand) -> None:
    at = datetime.now(UTC) + timedelta(seconds=1)
    campaign = scheduled(hand, at)
    assert eventually(lambda: hand.take(MARKETING))
    shown = campaigns.show(hand.engine, campaign)
    assert shown.state is CampaignState.RUNNING
    assert shown.started_at == shown.not_before


def test_moved_ahead_it_is_sent_then_and_is_valid_as_long(hand: Hand) -> None:
    campaign = scheduled(hand, datetime.now(UTC) + 24 * HOUR)
    before = campaigns.show(hand.engine, campaign)
    at = datetime.now(UTC) + timedelta(seconds=0.5)
    moved = campaigns.reschedule(hand.engine, campaign, at, who="ann", why="weather")
    assert span(moved) == span(before)
    assert len(eventually(lambda: hand.take(MARKETING))) == 2
    assert [detail["why"] for detail in event_details(hand, "campaign.rescheduled")] == ["weather"]


def test_moved_back_it_waits(hand: Hand) -> None:
    campaign = scheduled(hand, datetime.now(UTC) + timedelta(seconds=0.5))
    later, end = datetime.now(UTC) + HOUR, datetime.now(UTC) + 2 * HOUR
    moved = campaigns.reschedule(hand.engine, campaign, later, end)
    assert moved.state is CampaignState.SCHEDULED
    assert (moved.not_before, moved.not_after) == (later, end)
    assert hand.take(MARKETING) == []


@pytest.mark.parametrize("state", [CampaignState.READY, CampaignState.PAUSED])
def test_one_that_waits_for_a_person_still_does(hand: Hand, state: CampaignState) -> None:
    campaign = hand.campaign(
        mobiles(7), not_before=datetime.now(UTC) + HOUR, start=state is not CampaignState.READY
    ).id
    if state is CampaignState.PAUSED:
        campaigns.pause(hand.engine, campaign)
    moved = campaigns.reschedule(hand.engine, campaign, datetime.now(UTC))
    assert moved.state is state
    assert hand.take(MARKETING) == []
    campaigns.run(hand.engine, campaign)
    assert hand.take(MARKETING)


def test_what_has_begun_or_ended_is_not_moved(hand: Hand) -> None:
    begun = hand.campaign(mobiles(7)).id
    hand.take(MARKETING)
    cancelled = scheduled(hand, datetime.now(UTC) + HOUR)
    campaigns.cancel(hand.engine, cancelled)
    for campaign in (begun, cancelled):
        with pytest.raises(TooLate, match="cannot be moved"):
            campaigns.reschedule(hand.engine, campaign, datetime.now(UTC) + HOUR)


def test_an_end_before_its_beginning_is_refused(hand: Hand) -> None:
    campaign = scheduled(hand, datetime.now(UTC) + HOUR)
    with pytest.raises(Refused, match="not later"):
        campaigns.reschedule(hand.engine, campaign, datetime.now(UTC) + 2 * HOUR, datetime.now(UTC))
