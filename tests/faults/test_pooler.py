"""Faults 15 and 16 behind a transaction pooler: it dies, the server dies, a commit is cut off.

With `XINSHI_TEST_THROUGH_POOLER=1` all faults of the suite's PostgreSQL run behind one.
"""

from collections.abc import Iterator

import pytest

from tests.faults.conftest import Build
from tests.faults.test_databases import small
from tests.faults.test_matrix import mute
from tests.support.faults import servers
from tests.support.faults.house import TEXT, eventually, mobiles
from tests.support.faults.pooled_postgresql import wants_pooler
from tests.support.faults.proxy import Proxy
from tests.support.faults.servers import PostgreSQL
from tests.support.pgbouncer import PgBouncer, prepared
from worker.store.db import pooler_probe
from worker.store.db.database import connect

pytestmark = pytest.mark.slow

POOLED = {"database_pooler": True}


@pytest.mark.skipif(not wants_pooler(), reason="for runs of the suite through its pooler")
def test_the_suite_s_own_server_is_behind_a_pooler(
    own_postgresql: PostgreSQL, postgresql: str
) -> None:
    for url, is_pooled in (
        (own_postgresql.url(postgresql), True),
        (own_postgresql.direct_url(postgresql), False),
    ):
        engine = connect(url, pooler=True)
        try:
            assert pooler_probe.stands_before(engine) is is_pooled
        finally:
            engine.dispose()


@pytest.fixture
def pooler(own_postgresql: PostgreSQL, postgresql: str) -> Iterator[PgBouncer]:
    """A pooler before a database of the suite's own server; it may be killed."""
    with servers.folder() as folder:
        made = prepared(folder, own_postgresql.direct_url(postgresql), pool_size=20)
        made.start()
        yield made
        made.kill()


@pytest.mark.parametrize("dying", ["pooler", "server"])
def test_fault_15_killed_and_restarted_under_load(
    build: Build, own_postgresql: PostgreSQL, pooler: PgBouncer, dying: str
) -> None:
    house = build(pooler.url, accounts=small(), top=POOLED)
    house.sandbox.control.rule("latency", args={"seconds": 0.05})
    house.producer.enqueue_campaign("load", mobiles(400), TEXT)
    for _ in range(2):
        house.worker("marketing")
    victim = pooler if dying == "pooler" else own_postgresql
    eventually(lambda: house.taken().total() >= 60)
    victim.restart()
    eventually(lambda: house.taken().total() >= 200)
    victim.restart()
    house.quiet()
    counts = house.check()
    assert max(house.taken().values()) == 1
    # A claim that was committed when its answer was lost is never called.
    assert counts.states["unknown"] <= 2 * 2 * 2 * 4 * 5


@pytest.mark.parametrize(
    "words", [b"INSERT INTO xinshi_submission", b"words="], ids=["write_ahead", "record"]
)
def test_fault_16_committed_and_nobody_told_the_worker(
    build: Build, pooler: PgBouncer, words: bytes
) -> None:
    with Proxy(pooler.port) as proxy:
        cut = pooler.url.replace(f":{pooler.port}/", f":{proxy.port}/")
        house = build(cut, accounts=mute(), top=POOLED)
        proxy.eat_commit(words)
        house.producer.enqueue_campaign("cut", mobiles(20), TEXT)
        house.worker("marketing")
        house.quiet()
        assert proxy.eaten >= 1
        assert house.check().states == {"submitted": 20}
