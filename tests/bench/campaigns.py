"""B1, B1' and B7: campaigns from their CSV file to the last recorded outcome."""

import random
import time
from pathlib import Path

from sqlalchemy import Engine, func, select, text

from tests.bench import bare, ceiling
from tests.bench.figures import Figure, Pair, figure, pair
from tests.bench.ground import Ground, engine, wait, worker
from worker.config.settings import Settings
from worker.domain.enums import MessageClass, SubmissionState
from worker.intake import campaigns
from worker.intake.enqueue_request import EnqueueRequest
from worker.intake.lists import reader
from worker.settlement import invariants
from worker.store.db import database
from worker.store.intake import campaigns as stored
from worker.store.schema.tables import submission

TEXT = "【信使】周年庆全场八折，详情见店 回T退订"
ACCOUNT = {"bulk": {"concurrency": 32}}


def b1(ground: Ground) -> list[Figure]:
    """B1: a campaign on PostgreSQL beside the bare script."""
    return [_beside_the_script(ground, "B1", "postgresql", 2.0)]


def b1_sqlite(ground: Ground) -> list[Figure]:
    """B1': the same on SQLite with `synchronous=FULL`."""
    return [_beside_the_script(ground, "B1'", "sqlite", 1.2)]


def _beside_the_script(ground: Ground, name: str, kind: str, bar: float) -> Figure:
    pairs, facts = [], {}
    for nth in range(ground.pairs):
        file = ground.folder / "recipients.csv"
        wanted = write_csv(file, ground.rows, seed=nth)
        with ground.database(kind) as url:
            seconds, parts = campaign(ground, url, file)
            facts = ground.sandbox.check(wanted) | parts
            script = bare.campaign(url, file, ground.sandbox.url("c123"), TEXT)
            ground.sandbox.check(wanted)
        pairs.append(pair(ground.rows / seconds, ground.rows / script))
    return figure(
        name,
        f"campaign of {ground.rows:,} on {kind}, c123 POST, beside the bare script",
        "recipients/s",
        pairs,
        at_least=bar,
        ceiling=ceiling.batches(ground.sandbox),
        facts=facts,
    )


def b7(ground: Ground) -> list[Figure]:
    """B7: time per recipient by the campaign's size, and beside a history of old messages."""
    sizes = [size for size in (10_000, 100_000, 1_000_000) if size <= ground.rows]
    pairs: dict[str, list[Pair]] = {}

    def compare(what: str, took: float, other: float) -> None:
        pairs.setdefault(what, []).append(pair(took, other))

    for nth in range(ground.pairs):
        with ground.database("postgresql") as url:
            empty = {size: _per_recipient(ground, url, size, nth) for size in sizes}
        with ground.database("postgresql") as url:
            age(url, ground.old)
            old = {size: _per_recipient(ground, url, size, nth) for size in sizes}
        for size in sizes[1:]:
            compare(f"{size:,}, beside 10,000", empty[size], empty[sizes[0]])
        # A small campaign is mostly what each costs, which would hide what a history does.
        for size in (sizes[0], sizes[-1]):
            compare(f"{size:,} with {ground.old:,} old, beside none", old[size], empty[size])
    return [
        figure("B7", f"time for each recipient: {what}", "µs", found, at_most=1.25)
        for what, found in pairs.items()
    ]


def _per_recipient(ground: Ground, url: str, rows: int, seed: int) -> float:
    """Send campaigns of a size, small ones several times; microseconds for each recipient."""
    times = max(1, min(5, 100_000 // rows))
    seconds = []
    for nth in range(times):
        file = ground.folder / "recipients.csv"
        wanted = write_csv(file, rows, seed=1000 * seed + nth)
        seconds.append(campaign(ground, url, file)[0])
        ground.sandbox.check(wanted)
    return sorted(seconds)[times // 2] / rows * 1e6


def write_csv(path: Path, rows: int, *, seed: int = 0, header: str = "msisdn") -> set[str]:
    """Write so many different numbers, in no order, and return them."""
    chance = random.Random(seed)
    # None of the sandbox's magic numbers.
    numbers = list(map(str, chance.sample(range(13_000_000_000, 19_000_000_000), rows)))
    path.write_text("\n".join([header, *numbers, ""]), "ascii")
    return set(numbers)


def campaign(ground: Ground, url: str, file: Path) -> tuple[float, dict[str, float]]:
    """Send a campaign through a worker process; how long it took, and what of it took how long.

    In seconds, from the file's opening to the last committed outcome.
    """
    config, settings = ground.configure(url, ACCOUNT)
    with engine(url) as connections, worker(config, [MessageClass.MARKETING]):
        began = time.perf_counter()
        one = load(connections, settings, file)
        loaded = time.perf_counter()
        ended = wait(lambda: drained(connections, one))
        check(connections, settings, one)
    return ended - began, {
        "loading_s": round(loaded - began, 2),
        "sending_s": round(ended - loaded, 2),
    }


def load(connections: Engine, settings: Settings, file: Path) -> int:
    """Load a file as `xinshi campaign create` does, and start it."""
    order = EnqueueRequest((), TEXT, MessageClass.MARKETING)
    with file.open("rb") as opened, reader.open_list(opened, TEXT) as found:
        return campaigns.create(connections, settings, "bench", order, found.rows).id


def drained(connections: Engine, one: int) -> float | None:
    """Say when a campaign was seen to have nothing left; None while it has."""
    seen = time.perf_counter()
    with database.reading(connections) as connection:
        return seen if stored.is_drained(connection, one) else None


def check(connections: Engine, settings: Settings, one: int) -> None:
    """Hold the database to its own laws; raises `AssertionError` when one is broken."""
    with database.reading(connections) as connection:
        broken = [one.law for one in invariants.check_database(connection, settings) if one.broken]
        states = connection.execute(
            select(submission.c.state, func.count())
            .where(submission.c.request_id == one)
            .group_by(submission.c.state)
        )
        found = {state for state, _ in states}
    if broken or found != {SubmissionState.ACCEPTED.value}:
        msg = f"the database is wrong: {broken}, {found}"
        raise AssertionError(msg)


def age(url: str, old: int) -> None:
    """Fill a PostgreSQL database with campaigns of 1,000,000 that were sent long ago."""
    with engine(url) as connections, connections.begin() as connection:
        for first in range(0, old, 1_000_000):
            connection.execute(_OLD["request"], {"of": 1_000_000_000 + first})
            for name in ("campaign", "message", "submission"):
                connection.execute(_OLD[name], {"of": 1_000_000_000 + first})
    with engine(url) as connections, connections.connect() as plain:
        plain.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM ANALYZE"))


_OLD = {
    "request": text(
        "INSERT INTO xinshi_request (id, sender, class, text, personal, kinds, total, next_n, rest,"
        " created_at, not_after) VALUES (:of, '', 'marketing', 'old', false, 'mobile', 1000000,"
        " 1000000, 'queued', now() - interval '90 days', now() - interval '89 days')"
    ),
    "campaign": text(
        "INSERT INTO xinshi_campaign (request_id, name, state) VALUES (:of, 'old', 'done')"
    ),
    "message": text(
        "INSERT INTO xinshi_message (request_id, n, msisdn)"
        " SELECT :of, g, (13000000000 + g)::text FROM generate_series(0, 999999) AS g"
    ),
    "submission": text(
        "INSERT INTO xinshi_submission (account, class, state, request_id, lo, hi, size, segments,"
        " fence, attempts, gateway_id, outcome, code, created_at, called_at, answered_at)"
        " SELECT 'bulk', 'marketing', 'accepted', :of, 2000 * g, 2000 * g + 2000, 2000, 1, 1, 1,"
        " 'old-' || :of || '-' || g, 'accepted', '100', now() - interval '90 days',"
        " now() - interval '90 days', now() - interval '90 days' FROM generate_series(0, 499) AS g"
    ),
}
