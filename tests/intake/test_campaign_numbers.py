"""A campaign's messages are found by their numbers, once its numbers are stored in their order."""

import pytest
from sqlalchemy import Engine, select

from tests.support.by_hand import Hand, settings_of
from tests.support.stage import mobiles
from worker.domain.enums import MessageState
from worker.intake import campaign_numbers, campaigns, lookup
from worker.store import message_search, ticks
from worker.store.db.database import reading, writing
from worker.store.intake import campaign_numbers as number_store
from worker.store.schema.tables import campaign, number


@pytest.fixture
def hand(engine: Engine, database: str) -> Hand:
    return Hand(engine, settings_of(database))


def found_ids(engine: Engine, msisdn: str, **filters: object) -> list[str]:
    found = lookup.search(engine, 10, {"msisdn": msisdn, **filters})
    return [message.id for message in found]


def store_all(engine: Engine) -> int:
    """Run the tick until nothing is left; return how many parts it stored."""
    count = 0
    while campaign_numbers.store_part(engine):
        count += 1
    return count


def test_a_campaign_is_found_by_number_after_its_numbers_are_stored_and_said_to_lack_before(
    hand: Hand,
) -> None:
    numbers = mobiles(3)
    single = hand.enqueue(numbers[:1]).ids[0]
    campaign_id = hand.campaign(reversed(numbers)).id
    assert found_ids(hand.engine, numbers[0]) == [single]
    assert lookup.unsearched(hand.engine, {"msisdn": numbers[0]}).count == 1
    store_all(hand.engine)
    assert found_ids(hand.engine, numbers[0]) == [f"{campaign_id}-2", single]
    assert found_ids(hand.engine, numbers[2]) == [f"{campaign_id}-0"]
    assert found_ids(hand.engine, numbers[2], state=MessageState.DELIVERED.value) == []
    assert lookup.unsearched(hand.engine, {"msisdn": numbers[0]}).count == 0
    assert not campaign_numbers.has_work(hand.engine)


def test_a_filter_finds_older_campaigns_behind_newer_ones_that_do_not_fit(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(message_search, "KEYS_TOGETHER", 2)
    numbers = mobiles(2)
    oldest, *newer = [hand.campaign(numbers, start=False).id for _ in range(5)]
    for campaign_id in newer:
        campaigns.cancel(hand.engine, campaign_id, who="test")
    store_all(hand.engine)
    queued = MessageState.QUEUED.value
    assert found_ids(hand.engine, numbers[0], state=queued) == [f"{oldest}-0"]
    assert found_ids(hand.engine, numbers[0]) == [f"{n}-0" for n in [*reversed(newer), oldest]]


def test_a_campaign_of_many_parts_is_stored_part_by_part_and_each_message_once(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PART_MESSAGES", "FILE_PART_MESSAGES"):
        monkeypatch.setattr(number_store, name, 4)
    monkeypatch.setattr(number_store, "FILE_TRANSACTION_MESSAGES", 3)
    numbers = mobiles(10)
    older, newer = hand.campaign(numbers).id, hand.campaign(numbers[:5]).id
    campaign_numbers.store_part(hand.engine)
    with reading(hand.engine) as connection:
        stored = set(connection.execute(select(number.c.request_id)).scalars())
    assert stored == {newer}, "the newest campaign comes first"
    assert store_all(hand.engine) == 1 + 3
    with reading(hand.engine) as connection:
        rows = connection.execute(select(number).order_by(number.c.request_id, number.c.n)).all()
    expected = [(msisdn, older, n) for n, msisdn in enumerate(numbers)]
    expected += [(msisdn, newer, n) for n, msisdn in enumerate(numbers[:5])]
    assert [tuple(row) for row in rows] == expected


def test_a_campaign_that_was_begun_is_finished_before_a_newer_one(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PART_MESSAGES", "FILE_PART_MESSAGES"):
        monkeypatch.setattr(number_store, name, 2)
    numbers = mobiles(4)
    begun = hand.campaign(numbers).id
    campaign_numbers.store_part(hand.engine)
    newer = hand.campaign(numbers).id
    campaign_numbers.store_part(hand.engine)
    assert found_ids(hand.engine, numbers[3]) == [f"{begun}-3"]
    assert store_all(hand.engine) == 2
    assert found_ids(hand.engine, numbers[3]) == [f"{newer}-3", f"{begun}-3"]


def test_a_part_that_was_cut_off_is_stored_again_and_leaves_what_is_there(hand: Hand) -> None:
    numbers = mobiles(5)
    campaign_id = hand.campaign(numbers).id
    with writing(hand.engine) as connection:
        row = {"msisdn": numbers[2], "request_id": campaign_id, "n": 2}
        connection.execute(number.insert().values(row))
    store_all(hand.engine)
    assert [found_ids(hand.engine, msisdn) for msisdn in numbers] == [
        [f"{campaign_id}-{n}"] for n in range(5)
    ]


def test_a_part_that_another_process_stored_meanwhile_is_left_to_it(hand: Hand) -> None:
    campaign_id = hand.campaign(mobiles(5)).id
    with reading(hand.engine) as connection:
        part = campaign_numbers._next_part(connection)
    assert part is not None
    cursor = {"campaign": campaign_id, "n": 3}
    with writing(hand.engine) as connection:
        ticks.ensure(connection, {campaign_numbers.TICK_NAME})
        ticks.write_cursor(connection, campaign_numbers.TICK_NAME, cursor)
    with writing(hand.engine) as connection:
        campaign_numbers._finish(connection, part)
        assert ticks.read_cursor(connection, campaign_numbers.TICK_NAME) == cursor
    assert campaign_numbers.has_work(hand.engine)


def test_it_rests_long_while_messages_are_to_be_sent(hand: Hand) -> None:
    hand.campaign(mobiles(2000))
    store_all(hand.engine)
    with reading(hand.engine) as connection:
        assert number_store.is_sending(connection)
        late = ticks.late_seconds(connection, campaign_numbers.TICK_NAME)
    assert late is not None
    assert late < 0


def test_a_campaign_that_is_loading_waits(hand: Hand) -> None:
    hand.campaign(mobiles(2))
    with writing(hand.engine) as connection:
        connection.execute(campaign.update().values(state="loading"))
    assert not campaign_numbers.has_work(hand.engine)
    assert lookup.unsearched(hand.engine, {"msisdn": mobiles(1)[0]}).count == 1
