"""B8: four processes that write to one SQLite file; the longest that any of them waited."""

import json
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench import campaigns
from tests.bench.figures import Figure, Pair
from tests.bench.ground import Ground, engine, wait
from worker.domain.enums import MessageClass

MOST = 250.0
_context = multiprocessing.get_context("spawn")


def b8(ground: Ground) -> list[Figure]:
    """B8: a loader, a sending worker and two that enqueue, on SQLite: the longest wait to write."""
    waits, facts = [], {}
    for nth in range(ground.pairs):
        waited = _run(ground, nth)
        waits.append(max(one["longest_ms"] for one in waited.values()))
        facts = {
            f"{name}, {one['turns']} turns": f"{one['longest_ms']} ms, held {one['held_ms']} ms"
            for name, one in waited.items()
        }
    longest = max(waits)
    pairs = [Pair(one, MOST, one / MOST) for one in waits]
    what = "longest wait of 4 writing processes on one SQLite file"
    return [Figure("B8", what, "ms", pairs, "≤ 250 ms", longest <= MOST, facts=facts)]


def _run(ground: Ground, seed: int) -> dict[str, dict[str, float]]:
    file = ground.folder / "recipients.csv"
    campaigns.write_csv(file, min(ground.rows, 200_000), seed=seed)
    with ground.database("sqlite") as url, engine(url) as connections:
        config, _ = ground.configure(url, campaigns.ACCOUNT)
        roles = {"loader": _load, "worker": _work, "enqueue 1": _enqueue, "enqueue 2": _enqueue}
        files = {name: ground.folder / f"waits {name}" for name in roles}
        ended = ground.folder / "ended"
        ended.unlink(missing_ok=True)
        running = [
            _context.Process(target=_role, args=(what.__name__, config, file, files[name], ended))
            for name, what in roles.items()
        ]
        for one in running:
            one.start()
        of = wait(lambda: _loaded(connections))
        wait(lambda: campaigns.drained(connections, of))
        ended.touch()
        for one in running:
            one.join(60)
        if any(one.exitcode for one in running):
            msg = "a process failed: SQLite was locked, or worse"
            raise AssertionError(msg)
        ground.sandbox.taken()
        return {name: json.loads(path.read_text("ascii")) for name, path in files.items()}


def _loaded(connections: object) -> int | None:
    from worker.store.db import database
    from worker.store.intake import campaigns as stored

    with database.reading(connections) as connection:  # type: ignore[arg-type]
        return next(iter(stored.open_campaign_ids(connection)), None)


def _role(name: str, config: Path, file: Path, waits: Path, ended: Path) -> None:
    from worker.store.db.sqlite_lock import FairFileLock

    found = {"longest_ms": 0.0, "held_ms": 0.0, "turns": 0}
    turn = FairFileLock.held

    @contextmanager
    def timed(self: FairFileLock, patience: float) -> Iterator[None]:
        began = time.perf_counter()
        with turn(self, patience):
            waited = (time.perf_counter() - began) * 1000
            found["longest_ms"] = max(found["longest_ms"], round(waited, 1))
            found["turns"] += 1
            began = time.perf_counter()
            yield
            held = (time.perf_counter() - began) * 1000
            found["held_ms"] = max(found["held_ms"], round(held, 1))

    FairFileLock.held = timed  # type: ignore[method-assign]
    globals()[name](config, file, ended)
    waits.write_text(json.dumps(found), "ascii")


def _load(config: Path, file: Path, _ended: Path) -> None:
    from worker.config.settings import load
    from worker.store.db import database

    settings = load(config, {})
    connections = database.connect(settings.database_url)
    campaigns.load(connections, settings, file)
    connections.dispose()


def _work(config: Path, _file: Path, ended: Path) -> None:
    from worker.config.settings import load
    from worker.runtime import logs
    from worker.runtime.process import WorkerProcess

    logs.configure("WARNING")
    runtime = WorkerProcess(load(config, {}), [MessageClass.MARKETING])
    runtime.start()
    wait(ended.exists)
    runtime.stop()


def _enqueue(config: Path, _file: Path, ended: Path) -> None:
    from worker.config.settings import load
    from worker.intake import enqueue
    from worker.intake.enqueue_request import EnqueueRequest
    from worker.store.db import database

    settings = load(config, {})
    connections = database.connect(settings.database_url)
    order = enqueue.check(settings, EnqueueRequest(["13800000001"], "【信使】您好"))
    while not ended.exists():
        with database.writing(connections) as connection:
            enqueue.store(connection, order)
    connections.dispose()
