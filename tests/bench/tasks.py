"""What one Celery task for each recipient carries, beside a campaign of B1."""

import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg

from tests.bench import campaigns, onetask
from tests.bench.bodies import PATH
from tests.bench.figures import Figure, pair
from tests.bench.ground import Ground, process, wait
from tests.support.stage import mobiles

#: As many processes as the campaign's worker and its gateway have cores here.
PROCESSES = 2
MESSAGES = 3000


def b1(ground: Ground) -> list[Figure]:
    """B1: a campaign on PostgreSQL beside the bare script, and one Celery task per recipient."""
    found = campaigns.b1(ground)
    ours = statistics.median(one.ours for one in found[0].pairs)
    return [*found, _each(ground, ours)]


def _each(ground: Ground, ours: float) -> Figure:
    """Measure the other way of sending; it is no bar, but people ask."""
    count = min(MESSAGES, ground.rows)
    pairs = []
    for _ in range(ground.pairs):
        with ground.database("postgresql") as url, running(ground, url, PROCESSES) as connection:
            wanted = mobiles(count)
            theirs = count / _send(ground, connection, wanted)
        pairs.append(pair(ours, theirs))
    what = f"the campaign of B1 beside one Celery task for each of {count:,} recipients"
    facts = {"processes of the task's worker": PROCESSES}
    return Figure("B1", what, "recipients/s", pairs, "", reached=True, facts=facts)


def _send(ground: Ground, connection: psycopg.Connection, numbers: Sequence[str]) -> float:
    """Return the seconds from the first `delay` to the last UPDATE."""
    prepare(ground, connection, numbers)
    began = time.perf_counter()
    for n, number in enumerate(numbers):
        onetask.send.delay(n, number)
    wait(lambda: submitted(connection) == len(numbers), every=0.05)
    ended = time.perf_counter()
    ground.sandbox.check(set(numbers))
    return ended - began


@contextmanager
def running(ground: Ground, url: str, processes: int) -> Iterator[psycopg.Connection]:
    """Run a Celery worker for the tasks, and lend a connection to their database."""
    onetask.app.conf.broker_url = ground.redis
    environment = {
        "BENCH_BROKER": ground.redis,
        "BENCH_DATABASE": url,
        "BENCH_GATEWAY": ground.sandbox.url("ihuyi") + PATH,
    }
    words = ("-m", "celery", "-A", "tests.bench.onetask", "worker", "--loglevel", "WARNING")
    log = ground.folder / "tasks.log"
    with onetask.connect(url) as connection:
        connection.execute(onetask.TABLE)
        more = ("--concurrency", str(processes))
        with process(*words, *more, log=log, **environment):
            yield connection


def prepare(ground: Ground, connection: psycopg.Connection, numbers: Sequence[str]) -> None:
    """Store the recipients, and warm the worker, its client, its connection and our publisher."""
    warm = mobiles(20, 99_000_000)
    rows = [*enumerate(numbers), *enumerate(warm, len(numbers))]
    with connection.cursor().copy("COPY task_message (n, msisdn) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
    for n, number in rows[len(numbers) :]:
        onetask.send.delay(n, number)
    wait(lambda: submitted(connection) == len(warm), within=60.0)
    ground.sandbox.check(set(warm))
    connection.execute("DELETE FROM task_message WHERE n >= %s", (len(numbers),))


def submitted(connection: psycopg.Connection) -> Any:
    """Count what was taken."""
    query = "SELECT count(*) FROM task_message WHERE state = 'submitted'"
    return (connection.execute(query).fetchone() or [0])[0]
