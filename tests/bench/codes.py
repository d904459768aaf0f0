"""B3: how long a code takes from `enqueue` to the gateway, when nothing else is to do.

The workers are those of the Procfile, started by `celery -A worker`, so that doorbells ring; they
look by themselves once a second. A code's time begins with the call of `enqueue` and ends when its
request has arrived, by the sandbox's ledger.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from producer import Producer
from tests.bench import onetask, tasks
from tests.bench.arrivals import Arrivals
from tests.bench.bodies import text
from tests.bench.figures import Figure, figure, pair
from tests.bench.ground import Ground, process
from tests.support.stage import mobiles
from worker.config.settings import Settings
from worker.settlement import invariants
from worker.store import accounts
from worker.store.db import database
from worker.store.delivery import account_doubts

#: The worker looks by itself as seldom as in use: else a doorbell that is lost would not show.
TOP = {"look_every": "1s"}
#: Codes that go before anything is measured.
WARM = 20


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
        for name, login in settings.logins.fingerprints.items():
            accounts.ensure(connection, name)
            account_doubts.prove_login(connection, name, login)


def checked(producer: Producer, settings: Settings) -> None:
    """Hold the database to its own laws; raises `AssertionError` when one is broken."""
    with database.reading(producer.engine) as connection:
        broken = [one.law for one in invariants.check_database(connection, settings) if one.broken]
    assert not broken, broken


def quantile(values: Sequence[float], part: float) -> float:
    """Return the value that so large a part is not above."""
    return sorted(values)[min(len(values) - 1, round(len(values) * part))]
