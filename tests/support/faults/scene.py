"""Where the long runs play: gateways, a Redis, a database and a house, with proxies between them.

What they report is put together here, so that all of them say the same things.
"""

import argparse
import bisect
import contextlib
import json
import os
import platform
import secrets
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from tests.faults.conftest import _template
from tests.support.faults import servers
from tests.support.faults.house import House
from tests.support.faults.proxy import Proxy
from tests.support.faults.servers import (
    MariaDB,
    PostgreSQL,
    Redis,
    wait_for,
)
from worker.sandbox import Sandbox, read
from worker.settlement import invariants
from worker.settlement import ledger as ledger_module
from worker.store.db.database import reading
from worker.store.schema.tables import submission


@dataclass
class Scene:
    """What a run plays with, and how often it did what."""

    house: House
    redis: Redis
    to_redis: Proxy
    server: PostgreSQL | MariaDB | None
    to_database: Proxy | None
    did: Counter[str] = field(default_factory=Counter)
    #: How many messages may be unknown, by what was done.
    bound: Counter[str] = field(default_factory=Counter)
    #: The processes that were killed, stopped or ended.
    hit: set[int | None] = field(default_factory=set)

    def under_way(self, pid: int | None = None) -> int:
        """Count the messages in flight, all or those of one worker, once the database can say."""
        self.hit.add(pid)
        mine = [] if pid is None else [submission.c.owner.like(f"%-{pid}-%")]
        query = select(func.coalesce(func.sum(submission.c.size), 0)).where(
            submission.c.state == "in_flight", *mine
        )

        def count() -> tuple[int]:
            with reading(self.house.engine) as connection:
                return (int(connection.execute(query).scalar_one()),)

        (counted,) = wait_for(count)
        return int(counted)


def parser(what: str, description: str | None) -> argparse.ArgumentParser:
    """Return what all long runs are told."""
    made = argparse.ArgumentParser(prog=f"python -m tests.faults.{what}", description=description)
    made.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    made.add_argument(
        "--database", choices=["sqlite", "postgresql", "mariadb"], default="postgresql"
    )
    made.add_argument("--keep", type=Path, help="write the report there as JSON, too")
    return made


def build(
    stack: contextlib.ExitStack,
    database: str,
    accounts: Mapping[str, Mapping[str, Any]],
    *,
    latency: float,
    **top: Any,
) -> Scene:
    """Start everything but workers; it ends with the stack."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="xinshi-scene-")))
    ledger = folder / "ledger.jsonl"
    ledger.touch()
    sandbox = stack.enter_context(
        Sandbox(ledger=ledger, fsync="none", report_delay=0.2, limits=False, latency=latency)
    )
    redis = Redis(stack.enter_context(servers.folder()))
    redis.start()
    stack.callback(redis.kill)
    to_redis = stack.enter_context(Proxy(redis.port))
    server: PostgreSQL | MariaDB | None = None
    to_database = None
    url = "sqlite:///house.db"
    if database == "sqlite":
        (folder / "house.db").write_bytes(_template())
    else:
        kind = PostgreSQL if database == "postgresql" else MariaDB
        server = kind(stack.enter_context(servers.folder()))
        stack.callback(server.kill)
        server.prepare()
        to_database = stack.enter_context(Proxy(server.port))
        url = server.url(server.copied(), to_database.port)
    broker = {"broker_url": f"redis://127.0.0.1:{to_redis.port}/0"}
    house = House(
        folder,
        url,
        sandbox,
        {name: dict(account) for name, account in accounts.items()},
        {**broker, **top},
    )
    stack.callback(house.end)
    return Scene(house, redis, to_redis, server, to_database)


def busiest(house: House) -> int:
    """Return the most submissions that any second saw at one gateway, whatever it did with them."""
    at: dict[str, list[float]] = defaultdict(list)
    for entry in read(house.ledger):
        if entry.size:
            at[entry.gateway].append(entry.at)
    return max(
        (
            bisect.bisect_left(times, one + 1.0) - nth
            for times in map(sorted, at.values())
            for nth, one in enumerate(times)
        ),
        default=0,
    )


def report(
    scene: Scene, what: str, options: argparse.Namespace, *, enqueued: int, quiet: bool
) -> dict[str, Any]:
    """Check everything, and say what was found; `broken` is empty when every law holds."""
    house = scene.house
    with reading(house.engine) as connection:
        findings = invariants.check_database(connection, house.settings)
        counts, more = ledger_module.compare(connection, house.settings, house.ledger)
    broken: dict[str, list[Any]] = {
        f"{one.name}: {one.law}": [one.broken, *one.rows[:5]]
        for one in (*findings, *more)
        if one.broken
    }
    bound = scene.bound.total()
    if not quiet:
        broken["I5: after healing nothing hangs"] = [str(dict(house.states()))]
    if enqueued != counts.enqueued:
        broken["I10: what was accepted is there"] = [enqueued, counts.enqueued]
    if counts.unknown > bound:
        broken["unknown is no more than what was under way"] = [counts.unknown, bound]
    try:
        house.check_secrets()
    except AssertionError as error:
        broken["I8: no number, text or secret in a log"] = [str(error).partition("\n")[0]]
    return {
        "what": what,
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "seed": options.seed,
        "database": options.database,
        "versions": {
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in ("celery", "httpx", "redis", "sqlalchemy")},
        },
        "faults": dict(sorted(scene.did.items())),
        "enqueued": counts.enqueued,
        "taken": counts.taken,
        "rejected": counts.rejected,
        "unknown": counts.unknown,
        "unknown at the most": bound,
        "under way": dict(sorted(scene.bound.items())),
        "doubled": counts.doubled,
        "lost": counts.lost,
        "states": dict(counts.states),
        "broken": broken,
    }


def tell(said: dict[str, Any], house_log: Path, keep: Path | None) -> int:
    """Print a report, and keep it; 1 when a law is broken, with the workers' log kept beside."""
    if said["broken"]:
        kept = Path(tempfile.mkdtemp(prefix="xinshi-broken-")) / "house.log"
        kept.write_bytes(house_log.read_bytes())
        said["log"] = os.fspath(kept)
    text = json.dumps(said, ensure_ascii=False, indent=2)
    sys.stdout.write(text + "\n")
    if keep:
        keep.write_text(text + "\n", "utf-8")
    return 1 if said["broken"] else 0
