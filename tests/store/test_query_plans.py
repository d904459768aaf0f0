"""How PostgreSQL finds what lanes ask for: by an index, whatever its statistics say."""

from typing import Any

import pytest
from sqlalchemy import text

from tests.support.by_hand import Hand, answer, settings_of
from tests.support.stage import mobiles
from worker.delivery import submit
from worker.domain.enums import MessageClass, Outcome
from worker.store.db.database import connect, writing

#: What this transaction has read of a table without an index; accounts are few.
READ_WHOLE = """
SELECT relname, seq_tup_read FROM pg_stat_xact_user_tables WHERE seq_tup_read > 0
AND relname IN ('xinshi_message', 'xinshi_submission', 'xinshi_request', 'xinshi_recipient')
"""


@pytest.mark.parametrize("kind", ["postgresql"])
def test_a_lane_reads_no_whole_table_though_its_plans_were_made_while_all_were_empty(
    database: str,
) -> None:
    lanes = connect(database, pool_size=1, by_index=True)
    hand = Hand(lanes, settings_of(database, bulk={"max_batch": 100, "per_msisdn": ["9/day"]}))
    classes = [MessageClass.NOTICE, MessageClass.MARKETING]
    for nth in range(8):
        # So often that the driver and the server keep their plans.
        hand.enqueue(mobiles(1, nth))
        hand.campaign(mobiles(2, 100 + 2 * nth))
        for one in classes:
            hand.record(*(answer(ready, Outcome.ACCEPTED) for ready in hand.take(one)))
    hand.campaign(mobiles(5000, 1000))
    hand.enqueue(mobiles(1, 50))
    read: list[Any] = []
    for one in classes:
        with writing(lanes) as connection:
            leases = hand.claim_in(connection, one)
            assert submit.write_ahead(connection, hand.settings, leases)
            read += connection.execute(text(READ_WHOLE)).all()
    lanes.dispose()
    assert not read
