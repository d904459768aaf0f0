"""Kills and lost databases beside a gateway that tells of each recipient: nothing twice or lost."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.conftest import Build
from tests.support import roster
from tests.support.faults.failpoint_listener import Told
from tests.support.faults.house import House, died, eventually, mobiles
from tests.support.faults.proxy import Proxy
from tests.support.faults.servers import PostgreSQL
from worker.domain.enums import MessageClass
from worker.intake import campaigns
from worker.intake.enqueue_request import EnqueueRequest
from worker.intake.recipient_rows import Row
from worker.store.db.database import reading
from worker.store.delivery import submission_details

COUNT = 100
REFUSED, WAITING = mobiles(COUNT)[3:33], mobiles(COUNT)[40:60]


@pytest.fixture(autouse=True)
def _installed() -> Iterator[None]:
    with roster.installed():
        yield


def section(**more: Any) -> dict[str, dict[str, Any]]:
    """Return the section of one account at the tests' own gateway, without reports."""
    return {"one": {**roster.LOGIN, "reports": "none", "max_batch": 50, **more}}


def load(house: House) -> int:
    """Let the gateway refuse 30 numbers and keep 20 waiting, and load a personal campaign."""
    house.sandbox.control.options(roster.NAME, refused=REFUSED, waiting=WAITING)
    rows = (Row(n, msisdn, {"name": f"客{n}"}) for n, msisdn in enumerate(mobiles(COUNT), 1))
    request = EnqueueRequest((), "【信使】{name}，演练", message_class=MessageClass.NOTICE)
    return campaigns.create(house.engine, house.settings, "p", request, rows, start=True).id


def check(house: House, unknown: int = 0) -> None:
    """Compare the database with what the gateway took, and each message's id with the ledger's."""
    house.quiet()
    counts = house.check()
    assert max(house.taken().values()) == 1
    assert counts.states["unknown"] == unknown
    if not unknown:
        assert counts.states == {"submitted": COUNT - len(REFUSED), "rejected": len(REFUSED)}
        assert house.taken() == Counter(set(mobiles(COUNT)) - set(REFUSED))


@pytest.mark.parametrize("point", ["call.before", "call.sending", "call.after", "record.before"])
def test_a_worker_is_killed_between_write_ahead_and_outcome(build: Build, point: str) -> None:
    """What was in flight is unknown, at most; nothing goes twice, and the rest goes on."""
    house = build(accounts=section(concurrency=1, batches_beside_otp=True))
    load(house)
    assert died(house.worker("notice", points=f"{point}=kill@1")) == -signal.SIGKILL
    house.worker("notice")
    check(house, unknown=50)


def test_a_worker_is_killed_once_the_outcome_is_recorded(build: Build) -> None:
    """Each message has its own end already, and the limited ones wait for their turn."""
    house = build(accounts=section(concurrency=1, batches_beside_otp=True))
    load(house)
    assert died(house.worker("notice", points="record.after=kill@1")) == -signal.SIGKILL
    house.worker("notice")
    check(house)


def test_results_per_recipient_survive_a_dead_worker_s_spool(
    build: Build, own_postgresql: PostgreSQL, postgresql: str
) -> None:
    """The database is away when the answers come, and the worker is killed: nothing is lost."""
    with Proxy(own_postgresql.port) as proxy:
        # One call at a time: of another one the kill might come before the answer.
        one_place = section(concurrency=1, batches_beside_otp=True)
        house = build(own_postgresql.url(postgresql, proxy.port), accounts=one_place)
        campaign_id = load(house)
        with Told(proxy.refuse) as told:
            worker = house.worker("notice", points=f"record.before=tell:{told.port}@1")
            told.wait()
        spool = house.settings.state_folder / "spool"
        eventually(lambda: any(path.stat().st_size for path in spool.glob("*.jsonl")))
        written = "".join(path.read_text("utf-8") for path in spool.glob("*.jsonl"))
        assert not any(number in written for number in mobiles(COUNT))
        assert worker.pid
        os.kill(worker.pid, signal.SIGKILL)
        proxy.heal()
        house.worker("notice")
        check(house)
        with reading(house.engine) as connection:
            ids = [row.id for row in house.submissions()]
            kept = submission_details.gateway_ids_of(connection, ids)
    assert len(kept) == COUNT - len(REFUSED)
    assert {request_id for request_id, _ in kept} == {campaign_id}
