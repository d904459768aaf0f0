"""How PostgreSQL finds what lanes ask for: by an index, whatever its statistics say."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from producer.web.database_metrics import FIGURES
from tests.support.by_hand import Hand, answer, by_person, settings_of
from tests.support.stage import mobiles
from worker.delivery import submit
from worker.domain.enums import MessageClass, OptOutScope, Outcome
from worker.feedback import inbound, opt_out_list
from worker.gateways.results import InboundMessage
from worker.intake import campaign_numbers
from worker.store import message_search, sender_pages
from worker.store.db.database import connect, reading, writing
from worker.store.feedback import inbound as replies
from worker.store.feedback import inbox, opt_outs
from worker.store.feedback.inbound import InboundFilter
from worker.store.intake import campaign_numbers as campaign_numbers_store
from worker.store.sender_pages import MessageFilters

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


#: What this transaction has read, row by row, of the tables that a search by number goes to.
ROWS_READ = """
SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables
WHERE relname LIKE 'xinshi_%'
"""
#: A statement may read so many rows beyond what it shows.
MAX_ROWS_BEYOND = 500


@pytest.mark.parametrize("kind", ["postgresql"])
def test_a_search_by_number_and_an_opt_out_s_look_up_read_few_rows_beyond_what_they_show(
    database: str,
) -> None:
    engine = connect(database, pool_size=1)
    hand = Hand(engine, settings_of(database, bulk={"max_batch": 2000}))
    numbers = mobiles(3000)
    campaign_ids = [hand.campaign(numbers).id for _ in range(2)]
    hand.record(*(answer(ready, Outcome.ACCEPTED) for ready in hand.take(MessageClass.MARKETING)))
    while campaign_numbers.store_part(engine):
        pass
    origin = by_person("test")
    opt_out_list.add(engine, mobiles(2000, 5000), OptOutScope.MARKETING, origin)
    with writing(engine) as connection:
        inbox_id = inbox.add_page(connection, "bulk", "inbound", b"")
        page = [(inbox_id, InboundMessage(number, "hello")) for number in numbers[:5]]
        inbound.take_pages(connection, hand.settings, "bulk", page)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # Versions of rows that are dead would count as read.
        connection.execute(text("VACUUM ANALYZE"))
    looks = _looks(numbers)
    rows_read = {}
    for name, look in looks.items():
        with engine.connect() as connection:
            before = connection.execute(text(ROWS_READ)).scalar_one()
            shown = look(connection)
            rows_read[name] = connection.execute(text(ROWS_READ)).scalar_one() - before
            if name in {"search", "page"}:
                assert [row.request_id for row in shown] == campaign_ids[::-1]
            if name == "replies":
                assert len(shown) == 5
                assert {row["answers"].partition("-")[0] for row in shown} == {str(campaign_ids[1])}
    engine.dispose()
    assert {name: count for name, count in rows_read.items() if count > MAX_ROWS_BEYOND} == {}


def _looks(numbers: list[str]) -> dict[str, Callable[[Connection], Any]]:
    """Return what is looked up, by name."""
    return {
        "search": lambda reader: message_search.search(reader, limit=20, msisdn=numbers[1500]),
        "page": lambda reader: sender_pages.messages(reader, "", MessageFilters(numbers[1500]), 20),
        "replies": lambda reader: replies.page(reader, InboundFilter({"bulk": ["bulk"]}), 20).rows,
        "unsearched": campaign_numbers_store.unsearched,
        "next": campaign_numbers_store.next_campaign,
        "opt-outs of all": lambda reader: opt_outs.find(reader, numbers[:1], [OptOutScope.ALL]),
        "opt-outs": lambda reader: opt_outs.find(reader, numbers[:1]),
        "an export": lambda reader: opt_outs.rows_after(reader, "", 100, list(OptOutScope)),
        "history": lambda reader: opt_outs.history_of(reader, numbers[0], 100),
        "suggestions": lambda reader: opt_outs.suggestions(reader, None, 100),
    }
