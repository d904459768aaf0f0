"""A campaign is paused, resumed and cancelled under real workers, also while one of them dies."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from multiprocessing.process import BaseProcess

import pytest
from sqlalchemy import select

from tests.faults.conftest import Build
from tests.faults.test_matrix import mute
from tests.support.faults.house import (
    TEXT,
    House,
    end,
    eventually,
    mobiles,
    stopped,
)
from tests.support.stage import LOGINS
from worker.intake import campaigns
from worker.store.db.database import reading
from worker.store.messages import message_view

#: Seconds after a pause has returned in which a submission may still begin.
BOUND = 2.0
#: How long a pause is looked at.
LOOKED = 1.5 * BOUND
#: What carries a campaign: batches, or one message a call from many places.
CARRIERS = {
    "batches": mute(max_batch=5, concurrency=4),
    "singles": {
        "codes": {**LOGINS["codes"], "reports": "none", "concurrency": 20, "per_msisdn": []}
    },
}
#: What a worker of batches may have under way: accounts, places, messages.
UNDER_WAY = 2 * 4 * 5
#: Within its transaction, after it, within its call, after it.
PLACES = ("write_ahead.before", "write_ahead.after", "call.sending", "record.before")
Make = Callable[..., House]


@pytest.fixture(params=["sqlite", "postgresql"])
def make(build: Build, request: pytest.FixtureRequest) -> Make:
    """Builds houses on each database in turn; their gateways take 50 ms for a call."""

    def one(carrier: str = "batches") -> House:
        words = {"accounts": CARRIERS[carrier]}
        if request.param == "postgresql":
            server = request.getfixturevalue("own_postgresql")
            house = build(server.url(server.copied()), **words)
        else:
            house = build(**words)
        house.sandbox.control.rule("latency", args={"seconds": 0.05})
        return house

    return one


def begun(house: House, after: float, before: float) -> list[float]:
    """Return when submissions arrived at the gateways between two moments."""
    return [one.at for one in house.sandbox.entries() if one.size and after < one.at < before]


def by_state(house: House) -> dict[str, set[str]]:
    """Return the numbers in each state."""
    found: dict[str, set[str]] = {}
    with reading(house.engine) as connection:
        for row in connection.execute(select(message_view.c.state, message_view.c.msisdn)):
            found.setdefault(row.state, set()).add(row.msisdn)
    return found


def hold(house: House, campaign: int, until: float = LOOKED) -> None:
    """Pause, look on for a while, and resume: nothing is begun meanwhile."""
    campaigns.pause(house.engine, campaign)
    paused, made = time.time(), house.submissions()
    # The law is about this very time.
    time.sleep(until)
    assert [one.id for one in house.submissions()] == [one.id for one in made]
    resumed = time.time()
    campaigns.run(house.engine, campaign)
    assert not begun(house, paused + min(until, BOUND), resumed)


@pytest.mark.parametrize("carrier", CARRIERS)
def test_fault_26_a_pause_holds_within_two_seconds_and_nothing_is_doubled_or_lost(
    make: Make, carrier: str
) -> None:
    """Once it has returned nothing new is handed out; what was under way begins in that time."""
    house = make(carrier)
    numbers = mobiles(1000)
    loaded = house.producer.enqueue_campaign("pause", numbers, TEXT)
    for _ in range(2):
        house.worker("marketing")
    for nth, until in enumerate((LOOKED, 0.1, 0.0), 1):
        eventually(lambda much=200 * nth: house.taken().total() >= much)
        hold(house, loaded.id, until)
    house.quiet()
    assert house.check().states == {"submitted": len(numbers)}
    assert house.taken() == dict.fromkeys(numbers, 1)


@pytest.mark.parametrize("carrier", CARRIERS)
def test_fault_26_a_cancelled_message_is_never_sent_and_another_is_sent_once(
    make: Make, carrier: str
) -> None:
    """Once it has returned nothing new is handed out, and no message is both or neither."""
    house = make(carrier)
    numbers = set(mobiles(1000))
    loaded = house.producer.enqueue_campaign("cancel", sorted(numbers), TEXT)
    for _ in range(2):
        house.worker("marketing")
    eventually(lambda: house.taken().total() >= 200)
    campaigns.cancel(house.engine, loaded.id)
    cancelled, made = time.time(), house.submissions()
    house.quiet()
    # The law is about this very time.
    time.sleep(max(0.0, cancelled + LOOKED - time.time()))
    assert [one.id for one in house.submissions()] == [one.id for one in made]
    assert not begun(house, cancelled + BOUND, time.time())
    house.check()
    found, taken = by_state(house), house.taken()
    assert set(found) == {"cancelled", "submitted"}
    assert taken == dict.fromkeys(found["submitted"], 1)
    assert found["cancelled"] == numbers - set(taken)


class Dying:
    """A worker that stands still at a place of its way, and is killed there."""

    def __init__(self, house: House, place: str) -> None:
        self.process = house.worker("marketing", points=f"{place}=stop@2", ticks=False)
        stopped(self.process.pid)

    def meanwhile(self, act: Callable[[], object]) -> None:
        """Begin to act while it stands there; it may hold what is needed until it is dead."""
        with ThreadPoolExecutor(1) as thread:
            acting: Future[object] = thread.submit(act)
            # It has ended, or waits for the one that stands still: of that there is no other sign.
            wait([acting], timeout=0.5)
            end(self.process)
            acting.result(20)


@pytest.mark.parametrize("place", PLACES)
def test_fault_26_a_worker_dies_while_its_campaign_is_paused_and_resumed(
    make: Make, place: str
) -> None:
    """What it had called may be unknown; all else is sent once, by others."""
    house = make()
    numbers = mobiles(100)
    loaded = house.producer.enqueue_campaign("dies", numbers, TEXT)
    dying = Dying(house, place)
    dying.meanwhile(lambda: campaigns.pause(house.engine, loaded.id))
    house.worker("marketing")
    campaigns.run(house.engine, loaded.id)
    house.quiet()
    counts = house.check()
    assert counts.states["unknown"] <= UNDER_WAY
    assert counts.states["submitted"] + counts.states["unknown"] == len(numbers)
    assert max(house.taken().values()) == 1


@pytest.mark.parametrize("place", PLACES)
def test_fault_26_a_worker_dies_while_its_campaign_is_cancelled(make: Make, place: str) -> None:
    """What it had called may be unknown; what is cancelled is not in the ledger."""
    house = make()
    numbers = set(mobiles(100))
    loaded = house.producer.enqueue_campaign("dies", sorted(numbers), TEXT)
    dying = Dying(house, place)
    dying.meanwhile(lambda: campaigns.cancel(house.engine, loaded.id))
    house.worker("marketing")
    house.quiet()
    house.check()
    found, taken = by_state(house), house.taken()
    assert len(found.get("unknown", ())) <= UNDER_WAY
    assert set(found) <= {"cancelled", "submitted", "unknown"}
    assert found["cancelled"].isdisjoint(taken)
    assert found.get("submitted", set()) <= set(taken)
    assert set(taken.values()) <= {1}


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [1, 2])
def test_fault_26_workers_are_killed_while_a_campaign_is_paused_and_resumed_again_and_again(
    make: Make, seed: int
) -> None:
    """Unknown is at most what was under way at the kills; nothing is lost or doubled."""
    house = make()
    draw = random.Random(seed)
    numbers = mobiles(3000)
    loaded = house.producer.enqueue_campaign("again", numbers, TEXT)
    workers = [house.worker("marketing") for _ in range(2)]
    did: Counter[str] = Counter()
    while (taken := house.taken().total()) < 0.8 * len(numbers):
        with ThreadPoolExecutor(1) as thread:
            pausing = thread.submit(campaigns.pause, house.engine, loaded.id)
            time.sleep(draw.uniform(0.0, 0.05))
            _replace(house, workers)
            pausing.result(20)
            did["paused"] += 1
            resuming = thread.submit(campaigns.run, house.engine, loaded.id)
            time.sleep(draw.uniform(0.0, 0.05))
            _replace(house, workers)
            resuming.result(20)
        did["killed"] += 2
        eventually(lambda more=taken + 100: house.taken().total() >= more)
    house.quiet()
    counts = house.check()
    assert counts.states["unknown"] <= did["killed"] * UNDER_WAY
    assert counts.states["unknown"] + counts.states["submitted"] == len(numbers)
    assert max(house.taken().values()) == 1
    assert did["paused"] > 3


def _replace(house: House, workers: list[BaseProcess]) -> None:
    """Kill the oldest worker, and start another."""
    dead = workers.pop(0)
    os.kill(dead.pid or 0, signal.SIGKILL)
    dead.join()
    workers.append(house.worker("marketing"))
