"""A campaign while everything is killed: workers, Redis (and its data), the database.

    python -m tests.faults.crowd --recipients 20000 --seed 20

0 lost, 0 doubled; unknown: no more than what was in flight at the kills. With `--reports` the
gateways report, and what they took of the unknown settles by itself. A page of reports that its
gateway has forgotten dies with the collector that holds it: at most one for each account and kill.
"""

import contextlib
import random
import sys
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select

from tests.support.faults import scene
from tests.support.faults.house import ACCOUNTS, TEXT, end
from tests.support.faults.scene import Scene
from tests.support.faults.servers import wait_for
from worker.store.db.database import reading
from worker.store.schema.tables import inbox, report

BATCH, CONCURRENCY = 20, 4
REAL = ("-m", "worker", "otp", "notice", "marketing", "ticks")


def kill_all(here: Scene, draw: random.Random, recipients: int, within: float) -> None:
    """Kill a worker every second or so; Redis and the database twice each, meanwhile."""
    house = here.house
    house.command(*REAL)
    workers = [house.worker("marketing") for _ in range(2)]
    # When so many are taken.
    redis, database = ([recipients * at for at in ats] for ats in ((0.2, 0.6), (0.35, 0.75)))
    until = time.monotonic() + within
    while (taken := house.taken().total()) < 0.95 * recipients and time.monotonic() < until:
        time.sleep(draw.uniform(0.5, 1.5))
        dead = workers.pop(0)
        caught(here, dead.pid)
        end(dead)
        here.did["kill"] += 1
        here.bound["kills"] += here.under_way(dead.pid)
        workers.append(house.worker("marketing"))
        if redis and taken >= redis[0]:
            del redis[0]
            here.redis.restart()
            here.did["kill redis, and its data"] += 1
        if database and taken >= database[0] and here.server is not None:
            del database[0]
            here.server.restart()
            here.did["kill database"] += 1
            here.bound["kills of the database"] += here.under_way()


def caught(here: Scene, pid: int | None, within: float = 5.0) -> None:
    """Wait a while until a worker has something in flight: a kill before it has begun is none."""
    until = time.monotonic() + within
    while not here.under_way(pid) and time.monotonic() < until:
        time.sleep(0.01)


def _hold_reports(here: Scene, said: dict[str, Any]) -> None:
    """Compare what was delivered with the reports that are stored, and with what was taken."""
    with reading(here.house.engine) as connection:
        stored = select(func.count(report.c.msisdn.distinct()))
        reported = connection.execute(stored).scalar_one()
        page = connection.execute(select(func.max(inbox.c.rows))).scalar_one()
    delivered = said["states"].get("delivered", 0)
    lost = said["reports lost with their collectors"] = said["taken"] - delivered
    kills = here.did["kill"] + here.did["kill database"]
    if delivered != reported:
        said["broken"]["what was reported is delivered"] = [reported, said["states"]]
    if lost > kills * len(ACCOUNTS) * page:
        said["broken"]["a kill takes one page of an account at the most"] = [lost, kills, page]


#: A collector that was killed keeps its turn until its lease is over, in seconds.
PATIENCE = 40.0


def main(words: Sequence[str] | None = None) -> int:
    """Run once; 1 when a law is broken."""
    parser = scene.parser("crowd", __doc__)
    parser.add_argument("--recipients", type=int, default=20_000)
    parser.add_argument("--reports", action="store_true")
    options = parser.parse_args(words)
    more = {"max_batch": BATCH, "concurrency": CONCURRENCY}
    if not options.reports:
        more["reports"] = "none"
    with contextlib.ExitStack() as stack:
        here = scene.build(
            stack,
            options.database,
            {name: {**account, **more} for name, account in ACCOUNTS.items()},
            latency=0.05,
        )
        numbers = (f"13{n:09d}" for n in range(options.recipients))
        here.house.producer.enqueue_campaign("everything", numbers, TEXT)
        kill_all(
            here, random.Random(options.seed), options.recipients, 60 + options.recipients / 50
        )
        quiet = bool(wait_for(here.house.is_quiet, 120))
        if options.reports:
            _await_reports(here)
        what = f"a campaign of {options.recipients:,} while everything is killed"
        said = scene.report(here, what, options, enqueued=options.recipients, quiet=quiet)
        if options.reports:
            _hold_reports(here, said)
        return scene.tell(said, here.house.log, options.keep)


def _await_reports(here: Scene) -> None:
    """Wait until nothing more is settled by reports, for longer than a killed collector's turn."""
    seen, since = 0, time.monotonic()
    while time.monotonic() - since < PATIENCE:
        now = here.house.states()["delivered"]
        if now > seen:
            seen, since = now, time.monotonic()
        time.sleep(1.0)


if __name__ == "__main__":
    sys.exit(main())
