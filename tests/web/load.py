"""`python -m tests.web.load`: many clients at POST /v1/messages, and what became of each call.

Each call has a number and an idempotency key of its own, and is repeated until it is answered 202.
Afterwards workers send all of it to the sandbox; each number must be in its ledger exactly once.

    python -m tests.web.load --seconds 60 --clients 100 --database postgresql
    python -m tests.web.load --kill-every 3     the web process is killed again and again
    python -m tests.web.load --bare             the same framework with one INSERT, to compare
"""

import argparse
import asyncio
import itertools
import json
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import func, select, text

from tests.servers import Databases
from tests.stage import TEXT, Stage, eventually, section
from tests.web import callers
from tests.web.conftest import make_key
from tests.web.live import Live, live
from worker import database
from worker.sandbox import Sandbox
from worker.tables import message


def main(words: list[str]) -> int:
    """Run; 1 when a call was lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--database", choices=["sqlite", "postgresql", "mysql"], default="sqlite")
    parser.add_argument("--kill-every", type=float, default=0)
    parser.add_argument("--bare", action="store_true")
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
                wrong = _measured(stage, given)
                stage.close()
                engine.dispose()
        finally:
            databases.close()
    return 1 if wrong else 0


def _measured(stage: Stage, given: argparse.Namespace) -> list[str]:
    accounts = {"v1": section(stage.sandbox, "v1", concurrency=100)}
    stage.configure(accounts=accounts)
    key = make_key(stage, rate=1e9)
    if given.bare:
        with stage.engine.begin() as connection:
            connection.execute(text("CREATE TABLE bare (msisdn VARCHAR(16), body TEXT)"))
    module = "tests.web.bare" if given.bare else "producer.web"
    with live(stage, accounts, module) as web:
        before = web.worked()
        tally = _crowded(web, key, given)
        # Killed processes take their figures along.
        worked = web.worked() - before if not given.kill_every else 0.0
    rate = len(tally.seconds) / given.seconds
    print(  # noqa: T201 - that is what it is run for
        f"{len(tally.seconds)} calls answered 202 in {given.seconds:g} s: {rate:.0f} per second,"
        f" median {1000 * tally.quantile(0.5):.0f} ms, p99 {1000 * tally.quantile(0.99):.0f} ms;"
        f" {tally.repeated} brought no answer and were repeated; refused: {tally.refused};"
        f" {1000 * worked / max(1, len(tally.seconds)):.2f} ms of processor for each"
    )
    return [] if given.bare else _checked(stage, tally)


def _crowded(web: Live, key: str, given: argparse.Namespace) -> callers.Tally:
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
    crowd = callers.crowd(
        web.port, _calls(key), wanted=202, callers=given.clients, seconds=given.seconds
    )
    tally = asyncio.run(crowd)
    over.set()
    if given.kill_every:
        killer.join()
    return tally


def _calls(key: str) -> Iterator[bytes]:
    for nth in itertools.count():
        body = json.dumps({"to": f"138{nth:08d}", "text": TEXT}, ensure_ascii=False).encode()
        yield callers.request(
            "/v1/messages",
            body,
            f"Authorization: Bearer {key}",
            f"Idempotency-Key: load-{nth}",
            "Content-Type: application/json",
        )


def _checked(stage: Stage, tally: callers.Tally) -> list[str]:
    """Compare the answers with the database, and the database with the ledger."""
    ids = [one for body in tally.bodies for one in json.loads(body)["ids"]]
    with database.reading(stage.engine) as connection:
        stored = connection.execute(select(func.count()).select_from(message)).scalar_one()
    with stage.working():
        eventually(lambda: sum(stage.taken().values()) >= stored, within=900, every=0.5)
    taken = stage.taken()
    doubled = sum(times > 1 for times in taken.values())
    wrong = []
    if not len(ids) == len(set(ids)) == stored == len(taken):
        wrong.append("the numbers differ")
    if doubled:
        wrong.append("some were doubled")
    print(  # noqa: T201 - the same
        f"answered {len(ids)}, stored {stored}, in the ledger {len(taken)}, doubled {doubled}:"
        f" {'; '.join(wrong) or 'each exactly once'}"
    )
    return wrong


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
