"""How PostgreSQL finds what lanes ask for: by an index, whatever its statistics say."""

from typing import Any

import pytest
from sqlalchemy import Engine, text

from producer.web.database_metrics import FIGURES
from tests.support.by_hand import Hand, answer, settings_of
from tests.support.stage import mobiles
from worker.delivery import submit
from worker.domain.enums import MessageClass, Outcome
from worker.store.db.database import connect, reading, writing

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


#: Old rows of each large table, as a month leaves them: ended, matched, read.
OLD_ROWS = (
    """INSERT INTO xinshi_request
    (sender, class, text, kinds, personal, total, next_n, rest, created_at)
    SELECT '', 'notice', 'x', 'mobile', false, 1, 1, 'queued', now()
    FROM generate_series(1, 30000)""",
    """INSERT INTO xinshi_submission
    (account, class, state, request_id, size, segments, fence, attempts, created_at, called_at)
    SELECT 'bulk', 'notice', 'accepted', n, 1, 1, 1, 1, now(), now()
    FROM generate_series(1, 30000) AS n""",
    """INSERT INTO xinshi_inbox (account, kind, body, received_at, parsed_at)
    SELECT 'bulk', 'reports', '', now(), now() FROM generate_series(1, 30000)""",
    """INSERT INTO xinshi_report
    (account, msisdn, status, code, digest, inbox_id, received_at, request_id, n)
    SELECT 'bulk', '', 'delivered', '', n::text, 1, now(), n, 0
    FROM generate_series(1, 30000) AS n""",
)
#: What this transaction has read of a large table without an index, and with one.
READ_OF_LARGE = """
SELECT relname, seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables
WHERE seq_tup_read + coalesce(idx_tup_fetch, 0) > 1000
AND relname IN ('xinshi_request', 'xinshi_submission', 'xinshi_inbox', 'xinshi_report')
"""


@pytest.mark.parametrize("kind", ["postgresql"])
def test_no_metric_of_the_database_reads_what_has_ended(database: str, engine: Engine) -> None:
    settings = settings_of(database, bulk={})
    with writing(engine) as connection:
        for statement in OLD_ROWS:
            connection.execute(text(statement))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    with reading(engine) as connection:
        for figure in FIGURES:
            figure.read(connection, settings)
        assert not connection.execute(text(READ_OF_LARGE)).all()
