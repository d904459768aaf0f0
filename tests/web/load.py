"""`python -m tests.web.load`: many clients at POST /v1/messages, and what became of each call.

Each call has a number and an idempotency key of its own, and is repeated until it is answered 202.
Afterwards workers send all of it to the sandbox; each number must be in its ledger exactly once.

    python -m tests.web.load --seconds 60 --clients 100 --database postgresql
    python -m tests.web.load --kill-every 3     the web process is killed again and again
    python -m tests.web.load --pairs 5          beside the same framework with one INSERT in a route

Pairs are measured in turn, ours and the bare one; the medians of their ratios are printed.
"""

import argparse
import asyncio
import itertools
import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import func, select, text

from tests.support import web_callers
from tests.support.servers import Databases
from tests.support.stage import (
    TEXT,
    Stage,
    eventually,
    section,
)
from tests.support.web_process import Live, live
from tests.web.conftest import make_key
from worker.sandbox import Sandbox
from worker.store.db import database
from worker.store.schema.tables import message

#: Calls before those that are measured, and the number of the first of them.
WARM, WARM_FROM = 300, 90_000_000


def main(words: list[str]) -> int:
    """Run; 1 when a call was lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--database", choices=["sqlite", "postgresql", "mysql"], default="sqlite")
    parser.add_argument("--kill-every", type=float, default=0)
    parser.add_argument("--pairs", type=int, default=0)
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as folder:
        databases = Databases(Path(folder))
        try:
            with (
                databases.migrated(given.database) as url,
                Sandbox(ledger=Path(folder) / "ledger", fsync="none", limits=False) as sandbox,
            ):
                engine = database.connect(url, pool_size=8)
                stage = Stage(url, engine, sandbox, Path(folder))
                stage.configure(accounts=_accounts(stage))
                wrong = _pairs(stage, given) if given.pairs else _once(stage, given)
                stage.close()
                engine.dispose()
        finally:
            databases.close()
    return 1 if wrong else 0


def _accounts(stage: Stage) -> dict[str, dict[str, Any]]:
    return {"v1": section(stage.sandbox, "v1", concurrency=100)}


@dataclass(frozen=True)
class Run:
    """What one run brought; `worked` is the processor's seconds for each call, all threads."""

    tally: web_callers.Tally
    rate: float
    worked: float

    def __str__(self) -> str:
        """Say it in one line."""
        return (
            f"{len(self.tally.seconds)} calls answered 202: {self.rate:.0f} per second,"
            f" median {1000 * self.tally.quantile(0.5):.0f} ms,"
            f" p99 {1000 * self.tally.quantile(0.99):.0f} ms;"
            f" {self.tally.repeated} brought no answer and were repeated;"
            f" refused: {self.tally.refused};"
            f" {1000 * self.worked:.2f} ms of processor for each"
        )


def _run(stage: Stage, given: argparse.Namespace, first: int, module: str) -> Run:
    key = make_key(stage, rate=1e9)
    with live(stage, _accounts(stage), module) as web:
        # What a process does but once, as making its statements, is not what is measured.
        warm = itertools.islice(_calls(key, first + WARM_FROM), WARM)
        asyncio.run(web_callers.crowd(web.port, warm, wanted=202, callers=10))
        before, begun = web.worked(), time.perf_counter()
        tally = _crowded(web, key, given, first)
        seconds = time.perf_counter() - begun
        # Killed processes take their figures along.
        worked = web.worked() - before if not given.kill_every else 0.0
    done = max(1, len(tally.seconds))
    return Run(tally, done / seconds, worked / done)


def _once(stage: Stage, given: argparse.Namespace) -> bool:
    run = _run(stage, given, 0, "producer.web")
    print(run, flush=True)  # noqa: T201 - that is what it is run for
    return bool(_checked(stage, run.tally))


def _pairs(stage: Stage, given: argparse.Namespace) -> bool:
    with stage.engine.begin() as connection:
        connection.execute(text("CREATE TABLE bare (msisdn VARCHAR(16), body TEXT)"))
    rates, worked, answered = [], [], 0
    for nth in range(given.pairs):
        ours = _run(stage, given, nth * 1_000_000, "producer.web")
        bare = _run(stage, given, 0, "tests.web.bare")
        rates.append(ours.rate / bare.rate)
        worked.append(bare.worked / ours.worked)
        answered += len(ours.tally.seconds) + WARM
        print(f"ours: {ours}\nbare: {bare}", flush=True)  # noqa: T201 - the same
    stored = _stored(stage)
    print(  # noqa: T201 - the same
        f"medians of {given.pairs} pairs: {median(rates):.2f} x by the clock"
        f" ({min(rates):.2f} to {max(rates):.2f}), {median(worked):.2f} x by the processor's time"
        f" ({min(worked):.2f} to {max(worked):.2f}); answered {answered}, stored {stored}"
    )
    return answered != stored


def _crowded(web: Live, key: str, given: argparse.Namespace, first: int) -> web_callers.Tally:
    over = threading.Event()

    def killing() -> None:
        for times in itertools.count(1):
            # Each one is killed so long after it began to answer.
            while not web.said("web.listening", times):
                if over.wait(0.1):
                    return
            if over.wait(given.kill_every):
                return
            web.kill()

    killer = threading.Thread(target=killing)
    if given.kill_every:
        killer.start()
    crowd = web_callers.crowd(
        web.port, _calls(key, first), wanted=202, callers=given.clients, seconds=given.seconds
    )
    tally = asyncio.run(crowd)
    over.set()
    if given.kill_every:
        killer.join()
    return tally


def _calls(key: str, first: int) -> Iterator[bytes]:
    for nth in itertools.count(first):
        body = json.dumps({"to": f"138{nth:08d}", "text": TEXT}, ensure_ascii=False).encode()
        yield web_callers.request(
            "/v1/messages",
            body,
            f"Authorization: Bearer {key}",
            f"Idempotency-Key: load-{nth}",
            "Content-Type: application/json",
        )


def _stored(stage: Stage) -> int:
    with database.reading(stage.engine) as connection:
        return connection.execute(select(func.count()).select_from(message)).scalar_one()


def _checked(stage: Stage, tally: web_callers.Tally) -> list[str]:
    """Compare the answers with the database, and the database with the ledger."""
    ids = [one for body in tally.bodies for one in json.loads(body)["ids"]]
    stored = _stored(stage)
    asked = len(ids) + WARM
    with stage.working():
        eventually(lambda: sum(stage.taken().values()) >= stored, within=900, every=0.5)
    taken = stage.taken()
    doubled = sum(times > 1 for times in taken.values())
    wrong = []
    if not asked == len(set(ids)) + WARM == stored == len(taken):
        wrong.append("the numbers differ")
    if doubled:
        wrong.append("some were doubled")
    print(  # noqa: T201 - the same
        f"answered {asked}, stored {stored}, in the ledger {len(taken)}, doubled {doubled}:"
        f" {'; '.join(wrong) or 'each exactly once'}"
    )
    return wrong


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
