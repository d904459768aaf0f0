"""Two accounts share the traffic, one fails half of its calls for a while, and heals.

    python -m tests.delivery.failing_account --seconds 120 --rate 50 --workers 2

runs it at length, with the intervals of a real installation, and prints from the sandbox's ledger
what part of the calls each account got while its share was what it was. The test in
`tests/integration/test_routing.py` is the same with short intervals.
"""

import argparse
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, func, select

from tests.support.stage import (
    QUICK,
    TOP,
    Stage,
    eventually,
    section,
)
from tests.support.worker_processes import configuration, running
from worker.intake import enqueue
from worker.intake.enqueue_request import EnqueueRequest
from worker.sandbox import Sandbox
from worker.sandbox.ledger import LedgerEntry
from worker.store import accounts, migrations
from worker.store.db import database
from worker.store.schema.tables import event, request, submission

#: The account that fails, and the other one.
FAILING, OTHER = "v1", "jzy"
GATEWAY = "apiv1"
#: A refusal for now; the account's settings say so.
LATER = "777"
ACCOUNTS: dict[str, dict[str, Any]] = {
    # What a report has settled by the time of a look is no failure: here it comes later.
    FAILING: {"codes": {LATER: "deferred"}, "max_batch": 1, "collect_reports_every": "3s"},
    OTHER: {"max_batch": 1},
}
#: How half of the calls fail: refused for now, or taken and answered by nobody.
REFUSED: dict[str, Any] = {"what": "refuse", "args": {"code": LATER}}
LOST: dict[str, Any] = {"what": "take_then_502"}
WORKER = ["-m", "worker", "notice", "ticks"]
TEXT = "【信使】您的订单{}已发货"


@dataclass(frozen=True)
class Span:
    """A time in which the failing account had one share: its calls, and those of both."""

    share: float
    seconds: float
    calls: int
    of: int

    @property
    def part(self) -> float:
        """What part of the calls went to the failing account."""
        return self.calls / self.of if self.of else 0.0


@dataclass(frozen=True)
class Found:
    """What came of it."""

    enqueued: list[str]
    entries: list[LedgerEntry]
    spans: list[Span]

    @property
    def steps(self) -> list[float]:
        """The shares in their order."""
        return [one.share for one in self.spans]

    @property
    def taken(self) -> Counter[str]:
        """How often each number was taken, whoever took it."""
        return Counter(number for line in self.entries for number in line.taken)


@contextmanager
def load(engine: Engine, stage: Stage, rate: float) -> Iterator[list[str]]:
    """Enqueue single notices at a rate until the block ends; lends the numbers so far."""
    numbers: list[str] = []
    stop = threading.Event()

    def some(count: int) -> None:
        with database.writing(engine) as connection:
            for _ in range(count):
                number = f"138{len(numbers):08d}"
                order = EnqueueRequest([number], TEXT.format(len(numbers)))
                enqueue.store(connection, enqueue.check(stage.settings, order))
                numbers.append(number)

    def run() -> None:
        began = time.monotonic()
        while not stop.wait(0.1):
            due = int((time.monotonic() - began) * rate) - len(numbers)
            if due > 0:
                some(min(due, 50))

    thread = threading.Thread(target=run, name="load")
    thread.start()
    try:
        yield numbers
    finally:
        stop.set()
        thread.join()


def run(
    stage: Stage,
    workers: Sequence[Path],
    failure: dict[str, Any],
    *,
    rate: float,
    seconds: float,
    patience: float,
) -> Found:
    """Let it be well, fail half for so long once nothing is left of its share, heal, and end."""
    with ExitStack() as stack:
        for nth, config in enumerate(workers):
            stack.enter_context(running(WORKER, config, name=f"worker-{nth}", ready=False))
        began = time.time()
        with load(stage.engine, stage, rate) as numbers:
            eventually(lambda: len(stage.lines()) >= 2 * rate, within=60)
            rule = stage.sandbox.control.rule(
                **failure, gateway=GATEWAY, call="submit", probability=0.5
            )
            eventually(lambda: _share(stage.engine) <= 0.05, within=patience)
            time.sleep(seconds)
            stage.sandbox.control.clear(rule)
            eventually(lambda: _share(stage.engine) == 1.0, within=3 * patience)
            time.sleep(seconds)
        # What was refused again and again waits for longer and longer.
        eventually(lambda: not _waiting(stage.engine), within=2 * patience)
    entries = [line for line in stage.sandbox.entries() if line.size]
    return Found(list(numbers), entries, _spans(stage.engine, entries, began))


def _share(engine: Engine) -> float:
    with database.reading(engine) as connection:
        found = accounts.healths(connection).get(FAILING)
        return found.share if found else 1.0


def _waiting(engine: Engine) -> bool:
    """Whether anything is still to be handed over, or under way."""
    with database.reading(engine) as connection:
        open_still = select(func.count()).where(submission.c.state.in_(["planned", "in_flight"]))
        fresh = select(func.count()).where(request.c.next_at.is_not(None))
        return bool(connection.execute(open_still).scalar() or connection.execute(fresh).scalar())


def _spans(engine: Engine, entries: list[LedgerEntry], began: float) -> list[Span]:
    with database.reading(engine) as connection:
        rows = connection.execute(
            select(event.c.at, event.c.detail)
            .where(event.c.name == "account.share", event.c.account == FAILING)
            .order_by(event.c.id)
        ).all()
    turns = [(began, 1.0)]
    for row in rows:
        if row.detail["share"] != turns[-1][1]:
            turns.append((row.at.timestamp(), row.detail["share"]))
    ends = [at for at, _ in turns[1:]] + [max(line.at for line in entries)]
    spans = []
    for (at, share), end in zip(turns, ends, strict=True):
        here = [line for line in entries if at <= line.at < end]
        mine = sum(line.gateway == GATEWAY for line in here)
        spans.append(Span(share, end - at, mine, len(here)))
    return spans


def main() -> None:
    """Run it at length on an SQLite database, and print what was found."""
    words = argparse.ArgumentParser(description=main.__doc__)
    words.add_argument("--seconds", type=float, default=120.0, help="how long it fails, and rests")
    words.add_argument("--rate", type=float, default=50.0, help="messages a second")
    words.add_argument("--workers", type=int, default=2)
    words.add_argument("--every", default="10s", help="health_every")
    words.add_argument("--lost", action="store_true", help="taken and not answered, not refused")
    given = words.parse_args()
    with tempfile.TemporaryDirectory(prefix="xinshi") as folder, ExitStack() as stack:
        place = Path(folder)
        sandbox = Sandbox(ledger=place / "ledger.jsonl", fsync="none", limits=False)
        stack.enter_context(sandbox)
        url = f"sqlite:///{place / 'xinshi.db'}"
        engine = database.connect(url, pool_size=8)
        migrations.migrate(engine)
        stage = Stage(url, engine, sandbox, place)
        more = {"collect_reports_every": "5s", "collect_inbound_every": "60s"}
        sections = {
            name: section(sandbox, name, **{**QUICK, **more, **each})
            for name, each in ACCOUNTS.items()
        }
        top = {**TOP, "sweep_every": "5s", "health_every": given.every}
        stage.configure(accounts=sections, **top)
        raw = {
            "database_url": url,
            "broker_url": f"redis+socket://{place}/none.sock",
            **top,
            "accounts": sections,
        }
        config = configuration(place / "xinshi.toml", raw)
        found = run(
            stage,
            [config] * given.workers,
            LOST if given.lost else REFUSED,
            rate=given.rate,
            seconds=given.seconds,
            patience=600.0,
        )
        _print(found)


def _print(found: Found) -> None:
    say = sys.stdout.write
    say("share   seconds   calls of both   part of the failing account\n")
    for one in found.spans:
        say(f"{one.share:5.0%} {one.seconds:9.1f} {one.of:15d} {one.part:29.1%}\n")
    often = Counter(found.taken.values())
    say(
        f"{len(found.enqueued)} enqueued, taken once: {often[1]}, more than once:"
        f" {sum(count for times, count in often.items() if times > 1)},"
        f" never: {len(set(found.enqueued) - set(found.taken))}\n"
    )


if __name__ == "__main__":
    main()
