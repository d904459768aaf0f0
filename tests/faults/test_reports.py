"""Faults 22 to 25 and 28: reports in every order, pages that a crash left unread, "too fast"."""

import os
import signal
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from tests.faults.conftest import Build
from tests.faults.test_matrix import mute
from tests.support.faults.failpoint_listener import Told
from tests.support.faults.house import (
    ACCOUNTS,
    CODE,
    TEXT,
    House,
    died,
    eventually,
    mobiles,
)
from tests.support.faults.proxy import Proxy
from tests.support.faults.servers import PostgreSQL, Redis
from tests.support.stage import LOGINS
from worker.store.db.database import reading
from worker.store.schema.tables import inbox, report

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess


def delivered(house: House, count: int) -> None:
    """Wait until so many are delivered."""
    eventually(lambda: house.states()["delivered"] == count, 30)


@pytest.mark.parametrize("account", ["first", "second"])
def test_fault_22_reports_early_doubled_and_out_of_order(build: Build, account: str) -> None:
    """They come before the answer, ten times, in any order: each message is delivered once."""
    house = build(accounts={account: ACCOUNTS[account]})
    control = house.sandbox.control
    control.rule("latency", call="submit", args={"seconds": 0.5})
    control.rule("double_reports", args={"times": 10, "spread": 0.5})
    control.rule("reorder_reports", args={"spread": 0.5})
    house.producer.enqueue_campaign("reports", mobiles(200), TEXT)
    house.worker("marketing")
    delivered(house, 200)
    house.quiet()
    counts = house.check()
    assert counts.states == {"delivered": 200}
    with reading(house.engine) as connection:
        rows = connection.execute(select(report.c.request_id, report.c.n)).all()
    assert len(rows) >= 200


def test_fault_22_a_report_ends_the_doubt(build: Build) -> None:
    """What was taken and never answered is settled by its report, under an id nobody knew."""
    house = build(accounts={"soap": {**ACCOUNTS["first"], "transport": "soap"}})
    house.producer.enqueue_campaign("doubt", mobiles(20), TEXT)
    died(house.worker("marketing", points="call.after=kill"))
    house.worker("marketing")
    delivered(house, 20)
    house.quiet()
    counts = house.check()
    assert counts.taken == 20


def test_fault_22_reports_of_an_unknown_id_change_nothing(build: Build) -> None:
    """They are kept; the messages stay submitted, and no other message is touched."""
    house = build(accounts={"second": ACCOUNTS["second"]})
    house.sandbox.control.rule("unknown_id_reports", args={"id": "987654321"})
    house.producer.enqueue_campaign("strangers", mobiles(20), TEXT)
    house.worker("marketing")

    def kept() -> bool:
        with reading(house.engine) as connection:
            return len(connection.execute(select(report.c.id)).all()) >= 20

    eventually(kept)
    house.quiet()
    assert house.check().states == {"submitted": 20}


def test_fault_22_three_days_late(build: Build) -> None:
    """A report that comes after the close-out still counts."""
    house = build(accounts={"second": ACCOUNTS["second"]}, top={"close_out_after": "0.5s"})
    house.sandbox.control.rule("lose_reports")
    house.producer.enqueue(mobiles(1), TEXT)
    house.worker("notice")
    house.quiet()
    eventually(lambda: any(line.taken for line in house.sandbox.entries()))
    line = next(line for line in house.sandbox.entries() if line.taken)
    late = datetime.now(UTC) + timedelta(days=3)
    house.sandbox.control.report(
        "apiv1", mobiles(1), id=line.reference, at=late.timestamp(), account="demo"
    )
    delivered(house, 1)
    house.check()


def test_fault_24_too_fast_for_a_while_loses_nothing(build: Build, own_redis: Redis) -> None:
    """What is refused as too fast goes later, once; codes go on."""
    broker = {"broker_url": f"redis://127.0.0.1:{own_redis.port}/0"}
    house = build(accounts=mute(max_batch=10), top=broker)
    house.sandbox.control.rule("throttled", call="submit", seconds=1.5, args={"status": 429})
    house.producer.enqueue_campaign("fast", mobiles(100), TEXT)
    house.producer.enqueue(mobiles(1, 500), CODE, message_class="otp")
    house.worker()
    house.quiet()
    counts = house.check()
    assert counts.states == {"submitted": 101}
    assert max(house.taken().values()) == 1


def test_fault_24_a_gateway_with_a_limit_of_its_own_is_met_and_not_fought(
    build: Build, own_redis: Redis
) -> None:
    """Its "too fast" halves the rate once for all workers; few are refused, and all goes out."""
    bulk = {**LOGINS["bulk"], "reports": "none", "max_batch": 1, "concurrency": 16}
    broker = {"broker_url": f"redis://127.0.0.1:{own_redis.port}/0"}
    house = build(accounts={"bulk": bulk}, top=broker)
    house.sandbox.control.rule("throttle", gateway="c123", call="submit", args={"rate": 20})
    house.producer.enqueue_campaign("fast", mobiles(240), TEXT)
    workers = [house.worker("marketing") for _ in range(2)]
    eventually(lambda: house.taken().total() == 240, 60)
    assert all(one.is_alive() for one in workers)
    house.quiet()
    house.check()
    lines = list(house.sandbox.entries())
    refused = sum(line.size > 0 and not line.taken for line in lines)
    # The first burst of each process, before anything is learned, and some probing upward.
    assert refused <= 2 * 16 + 0.1 * len(lines)
    assert max(house.taken().values()) == 1


def test_fault_28_a_page_that_a_crash_left_unread(build: Build) -> None:
    """The gateway has it no more, the inbox has: it is read later, nothing is lost."""
    house = build(accounts={"first": ACCOUNTS["first"]})
    house.producer.enqueue_campaign("pages", mobiles(50), TEXT)
    killed: list[BaseProcess] = []

    def look() -> None:
        with reading(house.engine) as connection:
            query = (
                select(inbox.c.body).where(inbox.c.kind == "reports").order_by(inbox.c.id.desc())
            )
            page = connection.execute(query).scalars().first() or b""
        if mobiles(1)[0].encode() in page:
            os.kill(killed[0].pid or 0, signal.SIGKILL)

    with Told(look) as told:
        points = f"collect.page_stored=tell:{told.port}"
        killed.append(house.worker("marketing", points=points))
        assert died(killed[0]) == -signal.SIGKILL
    house.worker("marketing")
    delivered(house, 50)
    house.quiet()
    counts = house.check()
    assert counts.states == {"delivered": 50}


def test_fault_28_the_database_is_away_when_a_page_comes(
    build: Build, own_postgresql: PostgreSQL, postgresql: str
) -> None:
    """The gateway has forgotten it: it waits on the disk, outlives its process, and is read."""
    with Proxy(own_postgresql.port) as proxy:
        address = own_postgresql.url(postgresql, proxy.port)
        house = build(address, accounts={"first": ACCOUNTS["first"]})
        house.producer.enqueue_campaign("pages", mobiles(50), TEXT)
        spool = house.settings.state_folder / "spool"

        def look() -> None:
            queued = house.sandbox.control.state()["waiting"]["reports"]
            if house.taken().total() == 50 and not any(queued.values()):
                proxy.refuse()

        with Told(look) as told:
            worker = house.worker("marketing", points=f"collect.answered=tell:{told.port}")
            eventually(lambda: list(spool.glob("*.page")))
        assert worker.pid
        os.kill(worker.pid, signal.SIGKILL)
        proxy.heal()
        house.worker("marketing")
        delivered(house, 50)
        house.quiet()
        counts = house.check()
        assert counts.states == {"delivered": 50}
        assert not list(spool.glob("*.page"))
