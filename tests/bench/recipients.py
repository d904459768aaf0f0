"""What ids per recipient cost: a campaign whose gateway gives each message an id, and one without.

    python -m tests.bench.recipients --rows 1000000 --pairs 3

Both go through the tests' own gateway and the same sandbox, in alternation. Ids are packed beside
their submission, or, where reports bring nothing else, are also a row each to be found by.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import Connection, Engine, event, func, select

from tests.bench.campaigns import check, drained, load, write_csv
from tests.bench.ground import Ground, engine, wait, worker
from tests.support import roster
from tests.support.stage import LOGINS
from worker.config.settings import Settings
from worker.domain.enums import MessageClass
from worker.runtime.process import WorkerProcess
from worker.sandbox import ControlClient
from worker.store.schema.tables import message_gateway_id, submission, submission_detail

#: What is measured, by its name: whether the gateway gives ids, and what its reports would bring.
CASES: Mapping[str, tuple[bool, str]] = {
    "without ids": (False, "reference"),
    "ids packed": (True, "reference"),
    "ids packed, and a row each": (True, "id"),
}
#: How many messages are sent to count statements.
COUNTED = 20_000


def _configure(ground: Ground, url: str, bring: str) -> tuple[Path, Settings]:
    account = {"concurrency": 8, "reports": "none", "reports_bring": bring}
    return ground.configure(url, {roster.NAME: account})


def _send(ground: Ground, url: str, file: Path, bring: str) -> dict[str, Any]:
    """Send a campaign through a worker process; return seconds and rows."""
    config, settings = _configure(ground, url, bring)
    with engine(url) as connections, worker(config, [MessageClass.MARKETING]) as sending:
        campaign_id = load(connections, settings, file)
        began = time.perf_counter()
        ended = wait(lambda: drained(connections, campaign_id))
        processor = _processor_seconds(sending.pid)
        check(connections, settings, campaign_id)
        with connections.connect() as connection:
            rows = {
                table.name: _count(connection, table)
                for table in (submission, submission_detail, message_gateway_id)
            }
    return {"seconds": ended - began, "processor": processor, "rows": rows}


def _count(connection: Connection, table: Any) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _statements(ground: Ground, url: str, file: Path, bring: str) -> int:
    """Count the statements with which a worker in this process sends a campaign."""
    _, settings = _configure(ground, url, bring)
    with engine(url) as connections:
        campaign_id = load(connections, settings, file)
        counted = [0]

        def count(*_: object) -> None:
            counted[0] += 1

        event.listen(Engine, "before_cursor_execute", count)
        runtime = WorkerProcess(settings, [MessageClass.MARKETING])
        lane = runtime.lanes[MessageClass.MARKETING]
        lane.start()
        try:
            wait(lambda: drained(connections, campaign_id))
        finally:
            lane.halt()
            lane.stop(10.0)
            event.remove(Engine, "before_cursor_execute", count)
    return counted[0]


def main(words: Sequence[str] | None = None) -> int:
    """Measure, and print what was found as JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.recipients", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="postgresql")
    options = parser.parse_args(words)
    os.environ |= roster.environment()
    LOGINS[roster.NAME] = roster.LOGIN
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in CASES}
    statements: dict[str, int] = {}
    with roster.installed(), tempfile.TemporaryDirectory() as folder:
        ground = Ground(Path(folder), options.rows, options.pairs, 0)
        control = ControlClient(f"http://127.0.0.1:{ground.sandbox.port}")
        try:
            for nth in range(options.pairs + 1):
                counting = nth == options.pairs
                file = Path(folder) / "recipients.csv"
                wanted = write_csv(file, COUNTED if counting else options.rows, seed=nth)
                for name, (gives_ids, bring) in CASES.items():
                    control.options(roster.NAME, ids=gives_ids)
                    with ground.database(options.database) as url:
                        if counting:
                            statements[name] = _statements(ground, url, file, bring)
                        else:
                            results[name].append(_send(ground, url, file, bring))
                    ground.sandbox.check(wanted)
        finally:
            ground.end()
    base = median(result["seconds"] for result in results["without ids"])
    base_processor = median(result["processor"] for result in results["without ids"])
    for name, measured in results.items():
        seconds = median(result["seconds"] for result in measured)
        processor = median(result["processor"] for result in measured)
        found = {
            "rows a second": round(options.rows / seconds),
            "seconds": [round(result["seconds"], 2) for result in measured],
            "times": round(seconds / base, 2),
            "processor seconds": [round(result["processor"], 2) for result in measured],
            "processor times": round(processor / base_processor, 2),
            "rows": measured[-1]["rows"],
            f"statements for {COUNTED:,} messages": statements[name],
        }
        print(name, json.dumps(found))  # noqa: T201 - a command
    return 0


if __name__ == "__main__":
    sys.exit(main())
