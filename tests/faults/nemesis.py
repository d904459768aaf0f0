"""The nemesis: random faults under random load, then healing, then the checker.

    python -m tests.faults.nemesis --seed 7 --minutes 30 --database postgresql

What is decided follows from the seed; when it hits is the machine's. It ends with a report and, if
any invariant is broken, with exit code 1.
"""

import contextlib
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from tests.support import roster
from tests.support.faults import scene
from tests.support.faults.house import (
    ACCOUNTS,
    CODE,
    TEXT,
    end,
)
from tests.support.faults.scene import Scene
from worker.domain.errors import TooLate, XinshiError
from worker.store.db.database import reading
from worker.store.schema.tables import submission

#: What gateways do to submissions, and for how long at a time.
MISDEEDS = (
    *("take_then_close", "take_then_reset", "take_then_502", "take_then_hang"),
    *("take_then_garbage", "not_taken_502", "not_taken_close", "take_then_half_header"),
)
WORKERS = 3
BATCH, CONCURRENCY = 20, 4
#: Submissions a second of each account, and how many any second may see: the burst of a fifth, one,
#: and what a worker had under way that was stopped between its permit and its call.
RATE = 12
MOST = int(RATE * 1.2) + 1 + CONCURRENCY


@dataclass
class Nemesis:
    """One run: what it decided, what it did, and what came of it."""

    seed: int
    scene: Scene
    enqueued: int = 0
    refused: int = 0

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)
        self.house, self.redis, self.server = self.scene.house, self.scene.redis, self.scene.server
        self.to_redis, self.to_database = self.scene.to_redis, self.scene.to_database
        self.did, self.bound = self.scene.did, self.scene.bound
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
        kinds = ["otp", "notice", "campaign", "personal", "cancel"]
        kind = self.draw.choices(kinds, [4, 4, 1, 1, 1])[0]
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
            "personal": self.draw.randint(50, 300),
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
        if kind == "personal":
            rows = [{"to": number, "name": f"客{number[-4:]}"} for number in to]
            text = f"{TEXT}，{{name}}"
            producer.enqueue_campaign(key, rows, text, key=key, account="roster")
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
        dead = self.workers.pop(0)
        end(dead)
        self.bound["kills"] += self.scene.under_way(dead.pid)
        self.workers.append(self.house.worker())

    def stop(self) -> None:
        """SIGSTOP to a worker, for up to three leases."""
        process = self.workers[0]
        seconds = self.draw.uniform(0.2, 4.2)
        if process.pid:
            os.kill(process.pid, signal.SIGSTOP)
            self.bound["stops"] += self.scene.under_way(process.pid)
            time.sleep(seconds)
            os.kill(process.pid, signal.SIGCONT)

    def deploy(self) -> None:
        """TERM, a grace, KILL."""
        grace = self.draw.choice([0.05, 8.0])
        old = self.workers.pop(0)
        self.workers.append(self.house.worker())
        self.house.deploy_over(old, grace)
        self.bound["deploys"] += self.scene.under_way(old.pid)

    def misdeed(self) -> None:
        """A gateway misbehaves for some submissions."""
        count = self.draw.randint(1, 6)
        gateway = self.draw.choice(["jzyyun", "apiv1", roster.NAME, None])
        more = {} if gateway is None else {"gateway": gateway}
        self.bound["calls that gateways spoiled"] += count * BATCH
        what = self.draw.choice(MISDEEDS)
        # For some seconds at the most: what nobody calls would add up to an outage without end.
        seconds = self.draw.uniform(0.5, 4.0)
        self.house.sandbox.control.rule(what, call="submit", count=count, seconds=seconds, **more)

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
        self.server.kill()
        time.sleep(self.draw.uniform(0.0, 1.0))
        self.server.start()
        self.bound["cuts of the database"] += self.scene.under_way()

    def cut_database(self) -> None:
        """All connections to the database are reset."""
        assert self.to_database is not None
        self.to_database.cut()
        self.bound["cuts of the database"] += self.scene.under_way()

    def eat(self) -> None:
        """The answers to some commits are lost."""
        assert self.to_database is not None
        self.bound["cuts of the database"] += self.scene.under_way()
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


def _strays(run: Nemesis) -> list[str]:
    """Name the submissions whose lease ran out though nothing was done to their worker.

    Where the database was cut any worker may have lost a claim that it had committed.
    """
    if run.bound["cuts of the database"]:
        return []
    query = select(submission.c.id, submission.c.owner).where(
        submission.c.state == "unknown", submission.c.code == "lease"
    )
    with reading(run.house.engine) as connection:
        rows = connection.execute(query).all()
    return [
        str(row.id) for row in rows if not any(f"-{pid}-" in row.owner for pid in run.scene.hit)
    ]


def main(words: Sequence[str] | None = None) -> int:
    """Run once; 1 when an invariant is broken."""
    parser = scene.parser("nemesis", __doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    options = parser.parse_args(words)
    more: dict[str, Any] = {
        "max_batch": BATCH,
        "concurrency": CONCURRENCY,
        "submissions_per_second": RATE,
    }
    accounts = {name: {**one, **more} for name, one in ACCOUNTS.items()}
    # A gateway that tells of each recipient, for personal texts; it serves no class by itself.
    accounts["roster"] = {**roster.LOGIN, **more, "classes": []}
    with contextlib.ExitStack() as stack:
        stack.enter_context(roster.installed())
        here = scene.build(
            stack, options.database, accounts, latency=0.15, valid_otp="10m", lease="2s"
        )
        run = Nemesis(options.seed, here)
        run.run(options.minutes * 60)
        quiet = run.settle(240.0)
        what = f"the nemesis for {options.minutes:g} minutes"
        said = scene.report(here, what, options, enqueued=run.enqueued, quiet=quiet)
        if strays := _strays(run):
            law = "whose outcome was lost belongs to a process that was hit"
            said["broken"][law] = [len(strays), *strays[:5]]
        busiest = scene.busiest(here.house)
        if busiest > MOST:
            law = "I6: no second sees more than the limit, its burst, and what was stopped"
            said["broken"][law] = [busiest, MOST]
        said["most submissions in a second at one gateway"] = [busiest, MOST]
        said["calls that were refused, and repeated"] = run.refused
        return scene.tell(said, here.house.log, options.keep)


if __name__ == "__main__":
    sys.exit(main())
