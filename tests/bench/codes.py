"""B3 and B3': how long a code takes from `enqueue` to the gateway, alone and beside a campaign.

The workers are those of the Procfile, started by `celery -A worker`, so that doorbells ring; they
look by themselves once a second. A code's time begins with the call of `enqueue` (B3': with the
moment at which it was due) and ends when its request has arrived, by the sandbox's ledger.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from producer import Producer
from tests.bench import campaigns, onetask, tasks
from tests.bench.arrivals import Arrivals
from tests.bench.bodies import text
from tests.bench.figures import Figure, figure, pair
from tests.bench.ground import Ground, process, wait
from tests.stage import mobiles
from worker import campaigns as running
from worker import database, verifying
from worker.sandbox.client import Control
from worker.settings import Settings
from worker.store import accounts
from worker.tables import submission
from worker.terms import SubmissionState

#: The worker looks by itself as seldom as in use: else a doorbell that is lost would not show.
TOP = {"look_every": "1s"}
#: Codes that go before anything is measured.
WARM = 20
#: How many codes begin in a second beside a campaign.
RATE = 10
#: The account that both use, and what its gateway needs to answer, in seconds.
SHARED: dict[str, Any] = {
    "classes": ["otp", "marketing"],
    "submissions_per_second": 50,
    "concurrency": 8,
    "max_batch": 100,
}
LATENCY = 0.05


def b3(ground: Ground) -> list[Figure]:
    """B3: a code through ihuyi, idle, from `enqueue` to its arrival, beside `task.delay()`."""
    runs = [_alternating(ground, max(2, ground.codes // 2)) for _ in range(ground.pairs)]
    return [
        figure(
            "B3",
            f"a code, idle, {name} of {len(runs[0][0])}: enqueue to arrival, beside task.delay()",
            "ms",
            [pair(quantile(ours, part), quantile(theirs, part)) for ours, theirs, _ in runs],
            at_most=1.5,
            facts=runs[-1][2],
        )
        for name, part in (("p50", 0.5), ("p99", 0.99))
    ]


def _alternating(
    ground: Ground, count: int
) -> tuple[Sequence[float], Sequence[float], Mapping[str, Any]]:
    """Send a code and then a task, again and again, each when nothing else is under way.

    Returns what each took in milliseconds.
    """
    wanted, others = mobiles(count), mobiles(count, 50_000_000)
    calls: list[float] = []
    with ExitStack() as stack:
        url = stack.enter_context(ground.database("postgresql"))
        connection = stack.enter_context(tasks.running(ground, url, 1))
        tasks.prepare(ground, connection, others)
        producer = stack.enter_context(working(ground, url, {"codes": {}}, "otp"))
        arrivals = Arrivals(ground.sandbox)

        def enqueue(nth: int) -> str:
            began = time.perf_counter()
            producer.enqueue(wanted[nth], text(nth), message_class="otp")
            calls.append((time.perf_counter() - began) * 1000)
            return wanted[nth]

        def delay(nth: int) -> str:
            onetask.send.delay(nth, others[nth])
            return others[nth]

        ours, theirs = [], []
        for nth in range(count):
            ours.append(_timed(arrivals, enqueue, nth))
            theirs.append(_timed(arrivals, delay, nth))
        checked(producer, producer.settings)
    counts = ground.sandbox.check({*wanted, *others})
    facts = {"of it the call of enqueue, p50 ms": round(quantile(calls, 0.5), 2)}
    return ours, theirs, counts | facts


def _timed(arrivals: Arrivals, send: Callable[[int], str], nth: int) -> float:
    """Return the milliseconds until a message arrived, and leave time for what follows it."""
    began = time.time()
    arrived = arrivals.of(send(nth))
    # Its outcome is recorded, and all is idle again; at no beat of anybody's clock.
    time.sleep(random.uniform(0.05, 0.08))
    return (arrived - began) * 1000


@contextmanager
def working(
    ground: Ground, url: str, sections: dict[str, dict[str, Any]], *classes: str
) -> Iterator[Producer]:
    """Run a worker of the Procfile for each class, and lend a producer, when both are warm."""
    config, settings = ground.configure(url, sections, **TOP)
    producer = Producer(settings)
    with ExitStack() as stack:
        stack.callback(producer.close)
        prove(producer, settings)
        for name in classes:
            stack.enter_context(_celery(config, name))
        warm = mobiles(WARM, 98_000_000)
        arrivals = Arrivals(ground.sandbox)
        for nth, number in enumerate(warm):
            producer.enqueue(number, text(nth), message_class="otp")
            arrivals.of(number)
        ground.sandbox.check(set(warm))
        yield producer


def _celery(config: Path, name: str) -> Any:
    words = ("-m", "celery", "-A", "worker", "worker", "--queues", name, "--concurrency", "1")
    log = config.with_name(f"celery-{name}.log")
    return process(*words, log=log, XINSHI_CONFIG=str(config))


def prove(producer: Producer, settings: Settings) -> None:
    """Let all logins have been accepted before."""
    with database.writing(producer.engine) as connection:
        for name, login in settings.logins.of.items():
            accounts.ensure(connection, name)
            accounts.prove(connection, name, login)


def checked(producer: Producer, settings: Settings) -> None:
    """Hold the database to its own laws; raises `AssertionError` when one is broken."""
    with database.reading(producer.engine) as connection:
        broken = [one.law for one in verifying.database(connection, settings) if one.broken]
    assert not broken, broken


def quantile(values: Sequence[float], part: float) -> float:
    """Return the value that so large a part is not above."""
    return sorted(values)[min(len(values) - 1, round(len(values) * part))]


def b3_beside(ground: Ground) -> list[Figure]:
    """B3': codes at 10 per second on the account of a running campaign, beside codes alone."""
    found = []
    for nth in range(ground.pairs):
        beside, idle, facts = _beside_a_campaign(ground, nth)
        found.append((pair(quantile(beside, 0.99), quantile(idle, 0.99)), facts))
    what = (
        f"{ground.codes:,} codes at {RATE} a second beside a campaign of {ground.rows:,} on the"
        " account, p99: when due to arrival, beside the same alone"
    )
    pairs, facts = [one for one, _ in found], found[-1][1]
    return [figure("B3'", what, "ms", pairs, at_most=2.0, facts=facts)]


def _beside_a_campaign(
    ground: Ground, seed: int
) -> tuple[Sequence[float], Sequence[float], Mapping[str, Any]]:
    """Send codes alone, then so many while a campaign runs; returns what each took in ms."""
    file = ground.folder / "recipients.csv"
    crowd = campaigns.write_csv(file, ground.rows, seed=seed)
    codes = [one for one in mobiles(2 * ground.codes, 90_000_000) if one not in crowd]
    wanted, alone = codes[: ground.codes], codes[-max(2, ground.codes // 4) :]
    with ExitStack() as stack:
        url = stack.enter_context(ground.database("postgresql"))
        slow = _slow(ground)
        stack.callback(slow.clear)
        classes = ("otp", "marketing")
        with working(ground, url, {"bulk": SHARED}, *classes) as producer:
            arrivals = Arrivals(ground.sandbox)
            idle = _steadily(producer, arrivals, alone)
            one = campaigns.load(producer.engine, producer.settings, file)
            producer.ring("marketing")
            before = _counted(arrivals)
            wait(lambda: _counted(arrivals)[0] >= before[0] + 5, within=60.0)
            first, began = _counted(arrivals), time.monotonic()
            beside = _steadily(producer, arrivals, wanted)
            last, seconds = _counted(arrivals), time.monotonic() - began
            drained = campaigns.drained(producer.engine, one) is not None
            if not drained:
                running.cancel(producer.engine, one)
            settled(producer)
            checked(producer, producer.settings)
    taken = ground.sandbox.taken()
    assert not drained, "the campaign ended before the codes did: give it more rows"
    assert set(taken.values()) == {1}, "a number was taken twice"
    assert taken.keys() >= {*alone, *wanted}, "a code is lost"
    facts = {
        "p50 ms": round(quantile(beside, 0.5), 1),
        "alone, p50 ms": round(quantile(idle, 0.5), 1),
        "account": SHARED | {"answers_after": f"{LATENCY}s"},
        "campaign's submissions a second meanwhile": round(
            (last[0] - first[0] - len(wanted)) / seconds, 1
        ),
        "and messages": round((last[1] - first[1] - len(wanted)) / seconds),
        "of its numbers taken": len(taken.keys() & crowd),
        "doubled": 0,
        "lost": 0,
    }
    return beside, idle, facts


def _slow(ground: Ground) -> Control:
    """Let the gateway take its time with every submission."""
    control = Control(ground.sandbox.url(""))
    control.rule("latency", gateway="c123", call="submit", args={"seconds": LATENCY})
    return control


def _steadily(producer: Producer, arrivals: Arrivals, numbers: Sequence[str]) -> Sequence[float]:
    """Send codes at their times, whatever became of those before; each's milliseconds since."""
    due, begun = {}, time.time()
    for nth, number in enumerate(numbers):
        due[number] = begun + nth / RATE
        time.sleep(max(0.0, due[number] - time.time()))
        producer.enqueue(number, text(nth), message_class="otp")
        arrivals.look()
    return [(arrivals.of(number) - at) * 1000 for number, at in due.items()]


def _counted(arrivals: Arrivals) -> tuple[int, int]:
    """Return how many requests and messages have come so far."""
    arrivals.look()
    return arrivals.requests, arrivals.messages


def settled(producer: Producer) -> None:
    """Wait until nothing is under way."""
    held = (SubmissionState.LEASED.value, SubmissionState.IN_FLIGHT.value)
    query = select(func.count()).where(submission.c.state.in_(held))

    def none() -> bool:
        with database.reading(producer.engine) as connection:
            return connection.execute(query).scalar_one() == 0

    wait(none, within=60.0, every=0.1)
