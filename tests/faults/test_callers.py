"""I10, faults 26 and 27: what callers do, all at once, or while they die."""

import random
import signal
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from producer import KeyConflict, Producer, TooLate
from tests.faults.conftest import Build
from tests.faults.test_matrix import mute
from tests.support.faults.house import (
    CODE,
    TEXT,
    House,
    died,
    eventually,
    mobiles,
)
from worker.intake import campaigns


@pytest.mark.parametrize("place", ["commit.before", "commit.after"])
def test_i10_a_caller_that_dies_repeats_with_its_key(house: House, place: str) -> None:
    """Before its commit nothing is there, after it everything; repeated, it is one message."""
    words = {"key": "order-7", "message_class": "notice"}
    apart = house.enqueue_apart(mobiles(3), TEXT, points=f"{place}=kill", **words)
    assert died(apart) == -signal.SIGKILL
    assert house.states().total() == (0 if place == "commit.before" else 3)
    again = house.producer.enqueue(mobiles(3), TEXT, **words)
    assert again.repeated is (place == "commit.after")
    house.worker("notice")
    house.quiet()
    assert house.check().taken == 3


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_i10_a_campaign_whose_loader_dies_is_loaded_once(house: House, nth: int) -> None:
    """Nothing of it goes out before it is wholly loaded; loaded again by its key, it goes once."""
    apart = house.load_apart(mobiles(30), TEXT, "spring", points=f"commit.after=kill@{nth}")
    assert died(apart) == -signal.SIGKILL
    house.worker("marketing")
    assert not house.taken()
    house.producer.enqueue_campaign("spring", mobiles(30), TEXT, key="spring")
    eventually(lambda: house.taken().total() == 30)
    house.quiet()
    counts = house.check()
    assert counts.enqueued == counts.taken == 30


def test_fault_26_cancelled_in_a_race_with_the_claim(build: Build) -> None:
    """Cancelled and not in the ledger, or told "too late" and in it once."""
    house = build(accounts=mute())
    house.worker("notice")
    draw = random.Random(26)
    told: dict[str, bool] = {}
    for number in mobiles(60):
        accepted = house.producer.enqueue(number, TEXT)
        threading.Event().wait(draw.random() * 0.12)
        try:
            house.producer.cancel(accepted.ids[0])
            told[number] = True
        except TooLate:
            told[number] = False
    house.quiet()
    counts = house.check()
    taken = house.taken()
    assert {number: not cancelled for number, cancelled in told.items()} == {
        number: taken[number] == 1 for number in told
    }
    assert counts.states["cancelled"] == sum(told.values())
    assert 0 < sum(told.values()) < 60


def test_fault_26_a_campaign_cancelled_while_it_runs(build: Build) -> None:
    """What was handed over is in the ledger, once; what was not never is."""
    house = build(accounts=mute(max_batch=5, concurrency=2))
    house.sandbox.control.rule("latency", args={"seconds": 0.05})
    loaded = house.producer.enqueue_campaign("stop", mobiles(500), TEXT)
    house.worker("marketing")
    eventually(lambda: house.taken().total() >= 50)
    campaigns.cancel(house.engine, loaded.id)
    house.quiet()
    counts = house.check()
    assert counts.states["submitted"] == counts.taken
    assert counts.states["submitted"] + counts.states["cancelled"] == 500
    assert counts.states["cancelled"] > 0


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "mariadb"])
def test_fault_27_fifty_at_once_with_one_key(
    build: Build, kind: str, request: pytest.FixtureRequest
) -> None:
    """One message; those with another body are refused."""
    if kind == "sqlite":
        house = build(accounts=mute())
    else:
        server = request.getfixturevalue(f"own_{kind}")
        house = build(server.url(server.copied()), accounts=mute())
    producers = [Producer(house.settings) for _ in range(10)]
    together = threading.Barrier(50)

    def one(nth: int) -> str:
        together.wait()
        body = TEXT if nth % 5 else TEXT + "。"
        try:
            accepted = producers[nth % 10].enqueue(mobiles(1), body, key="one")
        except KeyConflict:
            return "refused"
        return accepted.ids[0]

    with ThreadPoolExecutor(50) as threads:
        said = list(threads.map(one, range(50)))
    for producer in producers:
        producer.close()
    ids = set(said) - {"refused"}
    assert len(ids) == 1
    assert said.count("refused") in {10, 40}
    house.worker("notice")
    house.quiet()
    assert house.check().taken == 1


def deployed(build: Build, times: int, grace: float) -> Counter[str]:
    """Put a new worker in an old one's place, again and again, under load; return the states."""
    house = build(accounts=mute(max_batch=5, concurrency=4))
    house.sandbox.control.rule("latency", args={"seconds": 0.1})
    house.producer.enqueue_campaign("deploys", mobiles(600), TEXT)
    house.producer.enqueue(mobiles(1, 5000), CODE, message_class="otp")
    old = house.worker()
    for nth in range(times):
        eventually(lambda much=50 * (nth + 1): house.taken().total() >= much)
        new = house.worker()
        house.deploy_over(old, grace)
        old = new
    house.quiet()
    counts = house.check()
    assert max(house.taken().values()) == 1
    return counts.states


def test_fault_20_deploys_with_grace(build: Build) -> None:
    """TERM: what is under way is finished and recorded, and nothing is unknown."""
    assert deployed(build, 8, 10.0) == {"submitted": 601}


def test_fault_20_deploys_without_grace(build: Build) -> None:
    """TERM, a moment, KILL: what was under way is unknown, and nothing else."""
    assert deployed(build, 2, 0.02)["unknown"] <= 2 * 2 * 4 * 5 + 1


def test_fault_19_three_sweepers_and_their_doorbells(build: Build) -> None:
    """Sweeping at once changes nothing: one unknown for one lease that ran out."""
    house = build(accounts=mute())
    house.producer.enqueue_campaign("sweep", mobiles(20), TEXT)
    house.producer.enqueue(mobiles(1, 50), CODE, message_class="otp")
    died(house.worker("marketing", points="call.after=kill"))
    died(house.worker("otp", points="call.after=kill"))
    for _ in range(3):
        house.worker("otp", "marketing")
    house.quiet()
    counts = house.check()
    assert counts.states == {"unknown": 20, "submitted": 1}
    assert counts.taken == 22


def test_fault_19_a_killed_sweep_is_not_waited_for(build: Build) -> None:
    """The next sweep comes within two of its turns, not when the dead one's lease is over."""
    house = build(accounts=mute())
    house.producer.enqueue_campaign("sweep", mobiles(20), TEXT)
    died(house.worker("marketing", points="call.after=kill"))
    eventually(lambda: died(house.worker("notice", points="sweep.before=kill")))
    house.worker("marketing")
    house.quiet(30)
    assert house.check().states == {"unknown": 20}


def test_fault_19_two_beats(build: Build, own_redis: object) -> None:
    """Beat rings, and rings twice; what is due is done by whichever process takes its row."""
    url = f"redis://127.0.0.1:{own_redis.port}/0"  # type: ignore[attr-defined]
    house = build(accounts=mute(), top={"broker_url": url})
    beats = [house.command("-m", "worker", "beat") for _ in range(2)]
    house.command("-m", "worker", "marketing", "ticks")
    house.producer.enqueue_campaign("beats", mobiles(20), TEXT)
    house.quiet()
    assert house.check().states == {"submitted": 20}
    assert all(beat.poll() is None for beat in beats)
