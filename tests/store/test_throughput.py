"""How many messages wait: all that nobody has handed over, whoever looks at them meanwhile."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, update

from tests.support.by_hand import Hand, settings_of
from tests.support.stage import mobiles
from worker.store import throughput
from worker.store.db.clock import later
from worker.store.db.database import reading, writing
from worker.store.schema.tables import request


@pytest.fixture
def hand(engine: Engine, database: str) -> Hand:
    return Hand(engine, settings_of(database, bulk={"max_batch": 3}))


def waiting(hand: Hand) -> dict[str, int]:
    with reading(hand.engine) as connection:
        return throughput.waiting_by_class(connection)


def test_what_a_claim_holds_back_waits_all_the_same(hand: Hand) -> None:
    """A claim says when others may look again, and so does an account in doubt."""
    hand.enqueue(mobiles(7))
    assert waiting(hand) == {"notice": 7}
    with writing(hand.engine) as connection:
        connection.execute(update(request).values(next_at=later(600.0)))
    assert waiting(hand) == {"notice": 7}
    hand.make_due()
    taken = sum(len(prepared.outgoing.msisdns) for prepared in hand.take())
    assert waiting(hand) == {"notice": 7 - taken}


def test_what_is_wanted_later_does_not_wait_yet(hand: Hand) -> None:
    hand.enqueue(mobiles(2), not_before=datetime.now(UTC) + timedelta(hours=1))
    assert waiting(hand) == {}
