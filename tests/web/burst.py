"""`python -m tests.web.burst`: reports pushed in a burst, each twice, in any order; then a kill.

A campaign is submitted to the sandbox; then callers push a report for each of its messages, twice,
shuffled, some with several to a push, while a worker reads. With `--kill` the web process is killed
again and again: what it did not answer is pushed again, as a gateway that repeats would; what it
answered must have been kept.

    python -m tests.web.burst --reports 100000 --database postgresql --kill
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import func, select

from tests.support import web_callers
from tests.support.servers import Databases
from tests.support.stage import (
    Stage,
    eventually,
    mobiles,
    section,
)
from tests.support.web_process import Live, live
from worker.intake import campaigns
from worker.sandbox import Sandbox
from worker.store.db import database
from worker.store.schema.tables import inbox, report, submission

TOKEN = "burst-token-0123456789"
TEXT = "【信使】春装上新，回T退订"


def main(words: list[str]) -> int:
    """Run; 1 when a message did not end as its report says, or a push was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reports", type=int, default=10_000)
    parser.add_argument("--per-push", type=int, default=1)
    parser.add_argument("--callers", type=int, default=50)
    parser.add_argument("--database", choices=["sqlite", "postgresql", "mysql"], default="sqlite")
    parser.add_argument("--kill", action="store_true")
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as folder:
        databases = Databases(Path(folder))
        try:
            with (
                databases.migrated(given.database) as url,
                Sandbox(ledger=Path(folder) / "ledger", fsync="none") as sandbox,
            ):
                engine = database.connect(url, pool_size=8)
                stage = Stage(url, engine, sandbox, Path(folder))
                wrong = _run(stage, given)
                stage.close()
                engine.dispose()
        finally:
            databases.close()
    return 1 if wrong else 0


def _run(stage: Stage, given: argparse.Namespace) -> bool:
    account = section(stage.sandbox, "v1", reports="push", push_tokens=[TOKEN])
    stage.configure(accounts={"v1": account})
    loaded = stage.producer.enqueue_campaign("burst", mobiles(given.reports), TEXT)
    with stage.working():
        eventually(lambda: _counted(stage, loaded.id, "submitted") == given.reports, within=600)
    pushes = list(_pushes(stage, given))
    random.Random(1).shuffle(pushes)
    with live(stage, {"v1": account}) as web, stage.working():
        begun = time.perf_counter()
        tally = _pushed(web, iter(pushes), given)
        answered = time.perf_counter() - begun
        eventually(lambda: _waiting(stage) == 0, within=1800, every=0.5)
        read = time.perf_counter() - begun
    return _told(stage, loaded.id, given, tally, answered, read)


def _pushes(stage: Stage, given: argparse.Namespace) -> Iterator[bytes]:
    """Yield each report twice: two of three are delivered; the later ones say less."""
    with database.reading(stage.engine) as connection:
        rows = connection.execute(select(submission.c.reference, submission.c.lo, submission.c.hi))
        carried = [(row.reference, nth) for row in rows for nth in range(row.lo, row.hi)]
    numbers = mobiles(given.reports)
    reports = [
        {
            "sendId": reference,
            "mobile": numbers[nth],
            "status": "DELIVRD" if nth % 3 else "UNDELIV",
            "times": "2026-11-24 08:00:00",
        }
        for reference, nth in carried
    ] * 2
    size = given.per_push
    for first in range(0, len(reports), size):
        some = reports[first : first + size]
        body = json.dumps(some if size > 1 else some[0]).encode()
        yield web_callers.request(f"/push/v1/{TOKEN}", body, "Content-Type: application/json")


def _pushed(web: Live, pushes: Iterator[bytes], given: argparse.Namespace) -> web_callers.Tally:
    over = threading.Event()

    def killing() -> None:
        for times in range(1, 6):
            while not web.said("web.listening", times):
                if over.wait(0.1):
                    return
            if over.wait(2.0):
                return
            web.kill()

    killer = threading.Thread(target=killing)
    if given.kill:
        killer.start()
    tally = asyncio.run(web_callers.crowd(web.port, pushes, wanted=200, callers=given.callers))
    over.set()
    if given.kill:
        killer.join()
    return tally


def _counted(stage: Stage, campaign: int, state: str) -> int:
    return campaigns.show(stage.engine, campaign).states.get(state, 0)


def _waiting(stage: Stage) -> int:
    with database.reading(stage.engine) as connection:
        query = select(func.count()).select_from(inbox).where(inbox.c.parsed_at.is_(None))
        return int(connection.execute(query).scalar_one())


def _told(
    stage: Stage,
    campaign: int,
    given: argparse.Namespace,
    tally: web_callers.Tally,
    pushing: float,
    reading: float,
) -> bool:
    answered = len(tally.seconds)
    with database.reading(stage.engine) as connection:
        pushes = select(func.count()).select_from(inbox).where(inbox.c.kind == "push")
        kept = connection.execute(pushes).scalar_one()
        new = connection.execute(select(func.count()).select_from(report)).scalar_one()
    states = campaigns.show(stage.engine, campaign).states
    failed = len(range(0, given.reports, 3))
    right = states == {"delivered": given.reports - failed, "undelivered": failed}
    lost = max(0, answered - kept)
    print(  # noqa: T201 - that is what it is run for
        f"{answered} pushes answered in {pushing:.0f} s ({answered / pushing:.0f} per second,"
        f" p99 {tally.quantile(0.99):.1f} s; {tally.repeated} brought no answer), all"
        f" read after {reading:.0f} s; kept {kept}, lost {lost}, reports {new} of {given.reports};"
        f" {dict(states)}: {'right' if right else 'WRONG'}"
    )
    return not right or lost > 0 or new != given.reports


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
