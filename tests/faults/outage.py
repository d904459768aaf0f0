"""An outage in a campaign: the gateway answers 502 to everything for some minutes.

    python -m tests.faults.outage --recipients 1000000 --minutes 5

No more submissions may be unknown than were under way when it began, and the probes that asked
since. Afterwards the campaign goes on by itself. `--taken` lets the gateway take what it
answers 502 to.
"""

import contextlib
import random
import sys
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select

from tests.support.faults import scene
from tests.support.faults.house import ACCOUNTS, TEXT, House
from tests.support.faults.servers import wait_for
from worker.store.db.database import reading
from worker.store.delivery.account_doubts import LONGEST_PROBE_PAUSE
from worker.store.schema.tables import submission

BATCH, CONCURRENCY, WORKERS = 500, 8, 2


def probes_within(seconds: float) -> int:
    """Count the probes that an outage may see: after 1, 2, 4 … up to 60 seconds each."""
    at, pause, probes = 1.0, 1.0, 0
    while at <= seconds:
        probes += 1
        pause = min(LONGEST_PROBE_PAUSE, 2 * pause)
        at += pause
    return probes


def unknown(house: House) -> list[int]:
    """Return the sizes of the submissions that are unknown."""
    query = select(submission.c.size).where(submission.c.state == "unknown")
    with reading(house.engine) as connection:
        return list(connection.execute(query).scalars())


def handed_out(house: House) -> int:
    """Count the messages that submissions carry."""
    query = select(func.coalesce(func.sum(submission.c.size), 0))
    with reading(house.engine) as connection:
        return int(connection.execute(query).scalar_one())


def main(words: Sequence[str] | None = None) -> int:
    """Run once; 1 when a law is broken."""
    parser = scene.parser("outage", __doc__)
    parser.add_argument("--recipients", type=int, default=1_000_000)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--taken", action="store_true")
    options = parser.parse_args(words)
    draw = random.Random(options.seed)
    account = {**ACCOUNTS["first"], "max_batch": BATCH, "concurrency": CONCURRENCY}
    with contextlib.ExitStack() as stack:
        here = scene.build(
            stack,
            options.database,
            {"first": {**account, "reports": "none"}},
            latency=0.1,
            valid_marketing="7d",
        )
        house = here.house
        first = draw.randrange(10**8)
        numbers = (f"13{first + n:09d}" for n in range(options.recipients))
        house.producer.enqueue_campaign("outage", numbers, TEXT)
        for _ in range(WORKERS):
            house.worker("marketing")
        wait_for(lambda: handed_out(house) >= options.recipients * 0.05, 300.0)
        facts = outage(here, options.minutes * 60, taken=options.taken)
        began = time.monotonic()
        quiet = bool(wait_for(house.is_quiet, 300 + options.recipients / 500))
        facts["seconds until all was done"] = round(time.monotonic() - began, 1)
        what = f"an outage of {options.minutes:g} minutes in {options.recipients:,} recipients"
        said = scene.report(here, what, options, enqueued=options.recipients, quiet=quiet)
        if facts["unknown submissions"] > facts["at the most"]:
            said["broken"]["no more unknown than concurrency and probes"] = [facts]
        return scene.tell({**said, **facts}, house.log, options.keep)


def outage(here: scene.Scene, seconds: float, *, taken: bool) -> dict[str, Any]:
    """Let the gateway fail, then heal; returns what became unknown, and when it went on."""
    house = here.house
    how = "take_then_502" if taken else "not_taken_502"
    rule = house.sandbox.control.rule(how, call="submit")
    here.did["outage"] += 1
    time.sleep(seconds)
    house.sandbox.control.clear(rule)
    healed, before = time.monotonic(), handed_out(house)
    wait_for(lambda: handed_out(house) > before + BATCH, 2 * LONGEST_PROBE_PAUSE)
    went_on = time.monotonic() - healed
    sizes = unknown(house)
    most = CONCURRENCY + probes_within(seconds + went_on)
    here.bound["the outage"] = CONCURRENCY * BATCH + probes_within(seconds + went_on)
    return {
        "unknown submissions": len(sizes),
        "of these batches": sum(size > 1 for size in sizes),
        "at the most": most,
        "seconds until it went on": round(went_on, 1),
    }


if __name__ == "__main__":
    sys.exit(main())
