"""B6: how much memory a campaign takes, in and out, by its size."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from tests.bench.campaigns import ACCOUNT, drained, write_csv
from tests.bench.figures import Figure, Pair, figure
from tests.bench.ground import ROOT, Ground, engine, wait, worker
from worker.domain.enums import MessageClass

MOST = 200.0


def b6(ground: Ground) -> list[Figure]:
    """B6: peak memory above idle of all of Xinshi's processes: loading, sending, exporting."""
    pairs = []
    for nth in range(ground.pairs):
        small = _peak(ground, max(1, ground.rows // 10), nth)
        large = _peak(ground, ground.rows, nth)
        pairs.append(Pair(large, small, large / small))
    what = f"peak above idle, {ground.rows:,} rows in and out beside a tenth of them"
    found = figure("B6", what, "MB", pairs, at_most=1.2, facts={"most allowed, MB": MOST})
    return [found]


def _peak(ground: Ground, rows: int, seed: int) -> float:
    """Return the highest sum of private memory above what the idle processes had, in MB."""
    file = ground.folder / "recipients.csv"
    wanted = write_csv(file, rows, seed=seed)
    with ground.database("postgresql") as url, engine(url) as connections:
        config, _ = ground.configure(url, ACCOUNT)
        words = [sys.executable, "-m", "tests.bench.moving", str(config), str(file)]
        with (
            worker(config, [MessageClass.MARKETING]) as sending,
            subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as one,
        ):
            assert one.stdin is not None
            assert one.stdout is not None
            one.stdout.readline()
            time.sleep(1.0)
            with _Watch(lambda: _private(sending.pid) + _private(one.pid)) as watch:
                one.stdin.write(b"load\n")
                one.stdin.flush()
                of = int(one.stdout.readline())
                wait(lambda: drained(connections, of))
                one.stdin.write(b"export\n")
                one.stdin.flush()
                exported = int(one.stdout.readline())
        ground.sandbox.check(wanted)
        assert exported == rows
    return watch.peak - watch.idle


class _Watch:
    """Looks at a figure every 20 ms, in a thread."""

    def __init__(self, look: Callable[[], float]) -> None:
        self._look = look
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.idle = self.peak = look()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(0.02):
            self.peak = max(self.peak, self._look())


def _private(pid: int) -> float:
    """Return what a process has for itself alone, in MB (Linux)."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024
