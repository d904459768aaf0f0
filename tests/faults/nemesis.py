"""The nemesis: random faults under random load, then healing, then the checker.

    python -m tests.faults.nemesis --seed 7 --minutes 30 --database postgresql

What is decided follows from the seed; when it hits is the machine's. It ends with a report and, if
any invariant is broken, with exit code 1.
"""

import argparse
import contextlib
import json
import os
import platform
import random
import secrets
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from tests.faults import servers
from tests.faults.conftest import _template
from tests.faults.house import ACCOUNTS, CODE, TEXT, House, end
from tests.faults.proxy import Proxy
from tests.faults.servers import MariaDB, PostgreSQL, Redis
from worker import comparing, verifying
from worker.database import reading
from worker.errors import TooLate, XinshiError
from worker.sandbox import Sandbox

#: What gateways do to submissions, and for how long at a time.
MISDEEDS = (
    *("take_then_close", "take_then_reset", "take_then_502", "take_then_hang"),
    *("take_then_garbage", "not_taken_502", "not_taken_close", "take_then_half_header"),
)
WORKERS = 3
BATCH, CONCURRENCY = 20, 4
#: The most submissions that one worker may have under way: two accounts, and their probes.
UNDER_WAY = 2 * CONCURRENCY + 2


@dataclass
class Nemesis:
    """One run: what it decided, what it did, and what came of it."""

    seed: int
    house: House
    redis: Redis
    to_redis: Proxy
    server: PostgreSQL | MariaDB | None
    to_database: Proxy | None
    did: Counter[str] = field(default_factory=Counter)
    enqueued: int = 0
    refused: int = 0
    #: How many messages may be unknown for what was done.
    bound: int = 0

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)
        self.workers = [self.house.worker() for _ in range(WORKERS)]
        self.numbers = iter(f"13{n:09d}" for n in range(900_000_000))
        self.ids: list[str] = []

    def run(self, seconds: float) -> None:
        """Break things for so long, then heal all."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.load()
            if self.draw.random() < 0.5:
                self.strike()
            time.sleep(self.draw.uniform(0.05, 0.6))
        self.heal()

    def load(self) -> None:
        """Enqueue something, as callers do: with a key, repeated when it failed."""
        kind = self.draw.choices(["otp", "notice", "campaign", "cancel"], [4, 4, 1, 1])[0]
        key = f"{self.seed}-{sum(self.did.values())}-{self.enqueued}-{self.draw.random()}"
        if kind == "cancel":
            with contextlib.suppress(TooLate, XinshiError):
                if self.ids:
                    self.house.producer.cancel(self.draw.choice(self.ids[-20:]))
            return
        size = {
            "otp": 1,
            "notice": self.draw.randint(1, 30),
            "campaign": self.draw.randint(50, 600),
        }
        to = [next(self.numbers) for _ in range(size[kind])]
        for _ in range(40):
            try:
                self._enqueue(kind, to, key)
            except XinshiError:
                self.refused += 1
                time.sleep(0.25)
            else:
                self.enqueued += len(to)
                return
        msg = "the database did not come back"
        raise RuntimeError(msg)

    def _enqueue(self, kind: str, to: list[str], key: str) -> None:
        producer = self.house.producer
        if kind == "campaign":
            producer.enqueue_campaign(key, to, TEXT, key=key)
            return
        text = CODE if kind == "otp" else TEXT
        self.ids += producer.enqueue(to, text, message_class=kind, key=key).ids

    def strike(self) -> None:
        """Do one of the things that go wrong."""
        deeds: list[Callable[[], None]] = [
            self.kill,
            self.kill,
            self.stop,
            self.deploy,
            self.misdeed,
        ]
        deeds += [self.kill_redis, self.cut_redis]
        if self.server is not None:
            deeds += [self.kill_database, self.cut_database, self.eat]
        deed = self.draw.choice(deeds)
        self.did[deed.__name__] += 1
        deed()

    def kill(self) -> None:
        """SIGKILL to a worker."""
        self.bound += UNDER_WAY * BATCH
        end(self.workers.pop(0))
        self.workers.append(self.house.worker())

    def stop(self) -> None:
        """SIGSTOP to a worker, for up to three leases."""
        process = self.workers[0]
        seconds = self.draw.uniform(0.2, 4.2)
        self.bound += UNDER_WAY * BATCH
        if process.pid:
            os.kill(process.pid, signal.SIGSTOP)
            time.sleep(seconds)
            os.kill(process.pid, signal.SIGCONT)

    def deploy(self) -> None:
        """TERM, a grace, KILL."""
        grace = self.draw.choice([0.05, 8.0])
        self.bound += UNDER_WAY * BATCH
        self.workers.append(self.house.worker())
        self.house.deploy_over(self.workers.pop(0), grace)

    def misdeed(self) -> None:
        """A gateway misbehaves for some submissions."""
        count = self.draw.randint(1, 6)
        gateway = self.draw.choice(["jzyyun", "apiv1", None])
        more = {} if gateway is None else {"gateway": gateway}
        self.bound += count * BATCH
        what = self.draw.choice(MISDEEDS)
        self.house.sandbox.control.rule(what, call="submit", count=count, **more)

    def kill_redis(self) -> None:
        """Redis is killed, and comes back empty."""
        self.redis.kill()
        time.sleep(self.draw.uniform(0.0, 0.5))
        self.redis.start()

    def cut_redis(self) -> None:
        """The connections to Redis fall silent, or are cut."""
        self.to_redis.silence()
        time.sleep(self.draw.uniform(0.1, 1.0))
        self.to_redis.heal()

    def kill_database(self) -> None:
        """The database is killed and started again."""
        assert self.server is not None
        self.bound += WORKERS * UNDER_WAY * BATCH
        self.server.kill()
        time.sleep(self.draw.uniform(0.0, 1.0))
        self.server.start()

    def cut_database(self) -> None:
        """All connections to the database are reset."""
        assert self.to_database is not None
        self.bound += WORKERS * UNDER_WAY * BATCH
        self.to_database.cut()

    def eat(self) -> None:
        """The answers to some commits are lost."""
        assert self.to_database is not None
        self.bound += UNDER_WAY * BATCH
        words = self.draw.choice([b"called_at=", b"words=", b"INSERT INTO xinshi_request"])
        self.to_database.eat_commit(words)

    def heal(self) -> None:
        """Nothing fails any more."""
        self.to_redis.heal()
        if self.to_database is not None:
            self.to_database._times = 0
            self.to_database.heal()
        self.house.sandbox.control.clear()
        for process in self.workers:
            with contextlib.suppress(ProcessLookupError, TypeError):
                os.kill(process.pid, signal.SIGCONT)  # type: ignore[arg-type]
        self.workers += [self.house.worker() for _ in range(2)]

    def settle(self, within: float) -> bool:
        """Wait for quiet, and a moment longer for reports; False when it does not come."""
        until = time.monotonic() + within
        while time.monotonic() < until:
            if self.house.is_quiet():
                time.sleep(1.0)
                if self.house.is_quiet():
                    return True
            time.sleep(0.1)
        return False


def _report(run: Nemesis, options: argparse.Namespace, *, quiet: bool) -> dict[str, Any]:
    house = run.house
    with reading(house.engine) as connection:
        findings = verifying.database(connection, house.settings)
        counts, more = comparing.ledger(connection, house.settings, house.ledger)
    broken = {
        f"{one.name}: {one.law}": [one.broken, *one.rows[:5]]
        for one in (*findings, *more)
        if one.broken
    }
    if not quiet:
        broken["I5: after healing nothing hangs"] = [1, str(dict(house.states()))]
    if run.enqueued != counts.enqueued:
        broken["I10: what was accepted is there"] = [abs(run.enqueued - counts.enqueued)]
    if counts.unknown > run.bound:
        broken["unknown is no more than what was under way"] = [counts.unknown]
    try:
        house.check_secrets()
    except AssertionError as error:
        broken["I8: no number, text or secret in a log"] = [1, str(error).partition(chr(10))[0]]
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "seed": run.seed,
        "minutes": options.minutes,
        "database": options.database,
        "versions": {
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in ("celery", "httpx", "redis", "sqlalchemy")},
        },
        "faults": dict(sorted(run.did.items())),
        "enqueued": counts.enqueued,
        "taken": counts.taken,
        "rejected": counts.rejected,
        "unknown": counts.unknown,
        "unknown at the most": run.bound,
        "doubled": counts.doubled,
        "lost": counts.lost,
        "states": dict(counts.states),
        "broken": broken,
    }


def main(words: Sequence[str] | None = None) -> int:
    """Run once; 1 when an invariant is broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.nemesis", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--database", choices=["sqlite", "postgresql", "mariadb"], default="sqlite")
    parser.add_argument("--keep", type=Path, help="write the report there as JSON, too")
    options = parser.parse_args(words)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="xinshi-nemesis-")))
        ledger = folder / "ledger.jsonl"
        ledger.touch()
        sandbox = stack.enter_context(
            Sandbox(ledger=ledger, fsync="none", report_delay=0.2, limits=False, latency=0.02)
        )
        redis = Redis(stack.enter_context(servers.folder()))
        redis.start()
        stack.callback(redis.kill)
        to_redis = stack.enter_context(Proxy(redis.port))
        server: PostgreSQL | MariaDB | None = None
        to_database = None
        url = "sqlite:///house.db"
        (folder / "house.db").write_bytes(_template())
        if options.database != "sqlite":
            kind = PostgreSQL if options.database == "postgresql" else MariaDB
            server = kind(stack.enter_context(servers.folder()))
            stack.callback(server.kill)
            server.prepare()
            to_database = stack.enter_context(Proxy(server.port))
            url = server.url(server.copied(), to_database.port)
        house = House(
            folder,
            url,
            sandbox,
            {n: {**a, "max_batch": BATCH, "concurrency": CONCURRENCY} for n, a in ACCOUNTS.items()},
            {"broker_url": f"redis://127.0.0.1:{to_redis.port}/0", "valid_otp": "10m"},
        )
        stack.callback(house.end)
        run = Nemesis(options.seed, house, redis, to_redis, server, to_database)
        run.run(options.minutes * 60)
        quiet = run.settle(240.0)
        report = _report(run, options, quiet=quiet)
        if report["broken"]:
            kept = Path(tempfile.mkdtemp(prefix="xinshi-broken-")) / "house.log"
            kept.write_bytes(house.log.read_bytes())
            report["log"] = str(kept)
    text = json.dumps(report, ensure_ascii=False, indent=2)
    sys.stdout.write(text + "\n")
    if options.keep:
        options.keep.write_text(text + "\n", "utf-8")
    return 1 if report["broken"] else 0


if __name__ == "__main__":
    sys.exit(main())
