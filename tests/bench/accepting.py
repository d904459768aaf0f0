"""B4: what `enqueue` costs its caller, with a broker that answers and with one that is frozen."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

from sqlalchemy import Column, Integer, MetaData, Table, Text, func, insert, select

from producer import Producer
from tests.bench.bodies import text
from tests.bench.codes import checked, quantile
from tests.bench.figures import Figure, Pair, figure, pair
from tests.bench.ground import Ground
from tests.support.faults import servers
from worker.runtime import pending_doorbells
from worker.store.schema.tables import message

#: The longest that the first call may take when the broker has frozen, in milliseconds.
MOST = 1200.0
WARM = 50
#: So many calls of each side are compared with a broker that answers.
CALLS = 1000
#: How long calls are compared after the first with a broker that is frozen, in seconds: it is
#: asked again after ten.
FROZEN = 8.0
_plain = Table(
    "plain_message",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("msisdn", Text, nullable=False),
    Column("text", Text, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Run:
    """What one run found, in milliseconds."""

    #: The medians, when each call rings.
    ringing: Pair
    #: The medians, when a doorbell is pending already.
    pending: Pair
    #: The first call after the broker has frozen, and the medians of those that follow.
    first: float
    frozen: Pair
    facts: Mapping[str, float]


def b4(ground: Ground) -> list[Figure]:
    """B4: `enqueue` of one message beside an INSERT and COMMIT, broker up and broker frozen."""
    return [one for kind in ("postgresql", "sqlite") for one in _on(ground, kind)]


def _on(ground: Ground, kind: str) -> list[Figure]:
    runs = [_run(ground, kind) for _ in range(ground.pairs)]
    what = f"enqueue of one message on {kind}, p50, beside an INSERT and COMMIT"
    worst = max(one.first for one in runs)
    first = [Pair(one.first, MOST, one.first / MOST) for one in runs]
    soon = f"the first enqueue on {kind} after the broker has frozen"
    ringing, pending = [one.ringing for one in runs], [one.pending for one in runs]
    frozen = [one.frozen for one in runs]
    return [
        figure("B4", f"{what}: each rings", "ms", ringing, at_most=2.0, facts=runs[-1].facts),
        figure("B4", f"{what}: a ring is pending", "ms", pending, at_most=2.0),
        Figure("B4", soon, "ms", first, "≤ 1.2 s", worst <= MOST),
        figure("B4", f"{what}: broker frozen", "ms", frozen, at_most=2.0),
    ]


def _run(ground: Ground, kind: str) -> Run:
    calls = min(CALLS, ground.rows)
    with ground.database(kind) as url, _broker() as redis:
        address = f"redis://127.0.0.1:{redis.port}/0"
        _, settings = ground.configure(url, {"codes": {}}, broker_url=address)
        sides = _Sides(Producer(settings))
        sides.compare(WARM, sides.forget)
        ringing = sides.compare(calls, sides.forget)
        pending = sides.compare(calls)
        redis.freeze()
        first, _ = sides.one()
        until = time.monotonic() + FROZEN
        frozen = sides.compare(calls, lambda: time.monotonic() < until)
        redis.thaw()
        sides.close()
    facts = {
        "p99 ms": quantile(ringing.ours, 0.99),
        "its baseline's": quantile(ringing.theirs, 0.99),
        "calls while frozen": len(frozen.ours),
    }
    rounded = {name: round(value, 2) for name, value in facts.items()}
    return Run(ringing.pair, pending.pair, first, frozen.pair, rounded)


@contextmanager
def _broker() -> Iterator[servers.Redis]:
    """Run a Redis that may be frozen without harm to anybody else."""
    with servers.folder() as folder:
        redis = servers.Redis(folder)
        redis.start()
        try:
            yield redis
        finally:
            redis.kill()


@dataclass(frozen=True, slots=True)
class _Took:
    """What the calls of both sides took, in milliseconds."""

    ours: Sequence[float]
    theirs: Sequence[float]

    @property
    def pair(self) -> Pair:
        """The medians."""
        return pair(quantile(self.ours, 0.5), quantile(self.theirs, 0.5))


class _Sides:
    """`enqueue`, and an INSERT and COMMIT through the same pool, by turns."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self._engine = producer.engine
        self._nth = count()
        _plain.create(self._engine)

    def one(self) -> tuple[float, float]:
        """Do one of each; the milliseconds that they took."""
        nth = next(self._nth)
        number, words = f"138{nth:08d}", text(nth)

        def plain() -> None:
            with self._engine.begin() as connection:
                connection.execute(insert(_plain).values(msisdn=number, text=words))

        ours = _timed(lambda: self._producer.enqueue(number, words))
        return ours, _timed(plain)

    def compare(self, most: int, before: Callable[[], bool] = lambda: True) -> _Took:
        """Do so many of each, as long as `before` says so before each."""
        took = []
        while len(took) < most and before():
            took.append(self.one())
        ours, theirs = zip(*took, strict=True)
        return _Took(ours, theirs)

    def forget(self) -> bool:
        """Let the last doorbell have been heard: the next call rings anew."""
        pending_doorbells.clear_mark(self._producer.settings, "notice")
        return True

    def close(self) -> None:
        """Check that each call left one message and one row."""
        done = next(self._nth)
        with self._engine.connect() as connection:
            for table in (message, _plain):
                stored = connection.execute(select(func.count()).select_from(table)).scalar_one()
                assert stored == done, f"{stored} rows of {done} in {table}"
        checked(self._producer, self._producer.settings)
        self._producer.close()


def _timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000
