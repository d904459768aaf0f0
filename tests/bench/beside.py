"""B3': how long a code takes to the gateway while a campaign runs on the same account.

Codes begin at fixed times, whatever became of those before. A code's time begins when it was due
and ends when its request has arrived, by the sandbox's ledger.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from producer import Producer
from tests.bench import campaigns
from tests.bench.arrivals import Arrivals
from tests.bench.bodies import text
from tests.bench.codes import checked, quantile, working
from tests.bench.figures import Figure, figure, pair
from tests.bench.ground import Ground, wait
from tests.support.stage import mobiles
from worker.domain.enums import MessageClass, SubmissionState
from worker.intake import campaigns as running
from worker.sandbox.client import ControlClient
from worker.store.db import database
from worker.store.schema.tables import submission

#: How many codes begin in a second.
RATE = 10
#: The account that both use, and what its gateway needs to answer, in seconds.
ACCOUNT: dict[str, Any] = {
    "classes": ["otp", "marketing"],
    "submissions_per_second": 50,
    "concurrency": 8,
    "max_batch": 100,
}
LATENCY = 0.05


@dataclass(frozen=True, slots=True)
class Run:
    """What codes took in milliseconds, and what the campaign had a second meanwhile."""

    alone: Sequence[float]
    beside: Sequence[float]
    submissions: float
    messages: float
    #: How many of the campaign's numbers were taken in all.
    taken: int = 0

    def facts(self) -> dict[str, Any]:
        """Say what belongs to the figure."""
        return {
            "p50 ms": round(quantile(self.beside, 0.5), 1),
            "alone, p50 ms": round(quantile(self.alone, 0.5), 1),
            "slowest ms": round(max(self.beside)),
            "account": ACCOUNT | {"answers_after": f"{LATENCY}s"},
            "campaign's submissions a second meanwhile": round(self.submissions, 1),
            "its messages a second": round(self.messages),
            "its numbers taken": self.taken,
            "doubled": 0,
            "lost": 0,
        }


def b3_beside(ground: Ground) -> list[Figure]:
    """B3': codes at 10 per second on the account of a running campaign, beside codes alone."""
    runs = [_run(ground, nth) for nth in range(ground.pairs)]
    pairs = [pair(quantile(one.beside, 0.99), quantile(one.alone, 0.99)) for one in runs]
    what = (
        f"{ground.codes:,} codes at {RATE} a second beside a campaign of {ground.rows:,} on the"
        " account, p99: when due to arrival, beside the same alone"
    )
    return [figure("B3'", what, "ms", pairs, at_most=2.0, facts=runs[-1].facts())]


def _run(ground: Ground, seed: int) -> Run:
    file = ground.folder / "recipients.csv"
    crowd = campaigns.write_csv(file, ground.rows, seed=seed)
    codes = [one for one in mobiles(2 * ground.codes, 90_000_000) if one not in crowd]
    wanted, alone = codes[: ground.codes], codes[-max(2, ground.codes // 4) :]
    with (
        ground.database("postgresql") as url,
        _slow(ground),
        working(ground, url, {"bulk": ACCOUNT}, "otp", "marketing") as producer,
    ):
        found = _measured(producer, Arrivals(ground.sandbox), file, alone, wanted)
        settled(producer)
        checked(producer, producer.settings)
    taken = ground.sandbox.taken()
    assert set(taken.values()) == {1}, "a number was taken twice"
    assert taken.keys() >= {*alone, *wanted}, "a code is lost"
    assert taken.keys() <= {*alone, *wanted, *crowd}, "a number was taken that nobody gave"
    return Run(*found, taken=len(taken.keys() & crowd))


def _measured(
    producer: Producer,
    arrivals: Arrivals,
    file: Path,
    alone: Sequence[str],
    wanted: Sequence[str],
) -> tuple[Sequence[float], Sequence[float], float, float]:
    """Send codes alone, then so many while a campaign runs; the campaign is cancelled then."""
    idle = _steadily(producer, arrivals, alone)
    one = campaigns.load(producer.engine, producer.settings, file)
    producer.ring(MessageClass.MARKETING)
    begun = _counted(arrivals)[0] + 5
    wait(lambda: _counted(arrivals)[0] >= begun, within=60.0)
    first, began = _counted(arrivals), time.monotonic()
    beside = _steadily(producer, arrivals, wanted)
    last, seconds = _counted(arrivals), time.monotonic() - began
    drained = campaigns.drained(producer.engine, one) is not None
    assert not drained, "the campaign ended before the codes did: give it more rows"
    running.cancel(producer.engine, one)
    submissions, messages = (after - before for after, before in zip(last, first, strict=True))
    rates = (submissions - len(wanted)) / seconds, (messages - len(wanted)) / seconds
    return idle, beside, *rates


@contextmanager
def _slow(ground: Ground) -> Iterator[None]:
    """Let the gateway take its time with every submission."""
    control = ControlClient(ground.sandbox.url(""))
    rule = control.rule("latency", gateway="c123", call="submit", args={"seconds": LATENCY})
    try:
        yield
    finally:
        control.clear(rule)


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
    query = select(func.count()).where(submission.c.state == SubmissionState.IN_FLIGHT.value)

    def none() -> bool:
        with database.reading(producer.engine) as connection:
            return connection.execute(query).scalar_one() == 0

    wait(none, within=60.0, every=0.1)
