"""What benchmarks stand on: databases, one sandbox process, configurations, worker processes.

PostgreSQL is the server that `XINSHI_TEST_POSTGRESQL` names, else one of the run's own, whose
`fsync` is on. The sandbox is one process for a whole run, so both sides of a pair meet the same
one, and it keeps its ledger with one fsync for whatever came in at one time.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from tests.support.faults import servers
from tests.support.faults.house import toml
from tests.support.servers import VARIABLES, Databases
from tests.support.stage import LOGINS
from worker.config.settings import Settings, load
from worker.store.db import database

ROOT = Path(__file__).resolve().parents[2]
#: How soon after each other a worker of a benchmark looks for work by itself: nothing rings.
TOP: dict[str, Any] = {"look_every": "0.1s"}
#: Nothing else of an account is asked while it is measured.
QUIET: dict[str, Any] = {
    "sending_hours": "any",
    "collect_inbound_every": "1h",
    "check_balance_every": "1h",
}


class PostgreSQL(servers.PostgreSQL):
    """A server of the run's own that keeps what it has committed, as one in use does."""

    def command(self) -> list[str]:
        """With fsync, and memory for a million rows."""
        words = ("fsync=on", "shared_buffers=256MB", "max_wal_size=4GB")
        return [*super().command(), *(part for word in words for part in ("-c", word))]


@dataclass
class Ground:
    """One run's folder and everything that runs for it; `end` ends it."""

    folder: Path
    rows: int
    pairs: int
    old: int
    codes: int = 2000
    _exit: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _sandbox: "SandboxProcess | None" = None
    _databases: Databases | None = None
    _redis: servers.Redis | None = None

    def end(self) -> None:
        """End every process and remove every database."""
        self._exit.close()

    @property
    def sandbox(self) -> "SandboxProcess":
        """The one sandbox of this run."""
        if self._sandbox is None:
            self._sandbox = self._exit.enter_context(sandbox(self.folder))
        return self._sandbox

    @property
    def redis(self) -> str:
        """The URL of a Redis of this run's own: it paces accounts, and could ring."""
        if self._redis is None:
            self._redis = servers.Redis(self._exit.enter_context(servers.folder()))
            self._redis.start()
            self._exit.callback(self._redis.kill)
        return f"redis://127.0.0.1:{self._redis.port}/0"

    @contextlib.contextmanager
    def database(self, kind: str) -> Iterator[str]:
        """Give the URL of a migrated, empty database, and remove it afterwards."""
        if kind == "postgresql" and not os.environ.get(VARIABLES[kind]):
            self._own_postgresql()
        if self._databases is None:
            self._databases = Databases(self.folder)
            self._exit.callback(self._databases.close)
        with self._databases.fresh(kind) as url:
            yield url
        if kind == "sqlite":
            for part in self.folder.glob(f"{Path(url.removeprefix('sqlite:///')).name}*"):
                part.unlink()

    def _own_postgresql(self) -> None:
        server = PostgreSQL(self._exit.enter_context(servers.folder()))
        server.prepare()
        self._exit.callback(server.kill)
        os.environ[VARIABLES["postgresql"]] = server.url("postgres")

    def configure(
        self, url: str, accounts: dict[str, dict[str, Any]], **top: Any
    ) -> tuple[Path, Settings]:
        """Write a configuration with accounts of `stage.LOGINS`, each with more words."""
        sections = {
            name: {
                "base_url": self.sandbox.url(LOGINS[name]["gateway"]),
                **QUIET,
                **LOGINS[name],
                **more,
            }
            for name, more in accounts.items()
        }
        path = self.folder / "xinshi.toml"
        raw = {"database_url": url, "broker_url": self.redis, **TOP, **top, "accounts": sections}
        path.write_text(toml(raw), "utf-8")
        return path, load(path, {})


@contextlib.contextmanager
def engine(url: str) -> Iterator[Engine]:
    """Lend connections as the program makes them."""
    made = database.connect(url, pool_size=5)
    try:
        yield made
    finally:
        made.dispose()


def wait(look: Any, within: float = 900.0, every: float = 0.02) -> Any:
    """Look until there is something to see."""
    until = time.monotonic() + within
    while not (found := look()):
        if time.monotonic() > until:
            msg = f"it did not come about within {within:.0f} s"
            raise TimeoutError(msg)
        time.sleep(every)
    return found


@contextlib.contextmanager
def process(*words: str, log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `python WORDS` in a session of its own, and end it with TERM."""
    with log.open("ab") as output:
        started = subprocess.Popen(
            [sys.executable, *words],
            cwd=ROOT,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield started
    finally:
        started.send_signal(signal.SIGTERM)
        try:
            started.wait(20)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


@contextlib.contextmanager
def worker(config: Path, classes: Sequence[str], *more: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker process for classes, and return when it looks for work."""
    ready = config.with_name("ready")
    ready.unlink(missing_ok=True)
    words = ("-m", "tests.bench.working", str(config), str(ready), *classes, *more)
    with process(*words, log=config.with_name("worker.log")) as started:
        wait(lambda: ready.exists() or started.poll() is not None, 60.0)
        if started.poll() is not None:
            raise RuntimeError(config.with_name("worker.log").read_text("utf-8")[-2000:])
        yield started


@dataclass
class SandboxProcess:
    """The sandbox, and how far its ledger was read."""

    port: int
    ledger: Path
    _at: int = 0

    def url(self, gateway: str) -> str:
        """Return a gateway's base URL."""
        return f"http://127.0.0.1:{self.port}/{gateway}"

    def taken(self) -> Counter[str]:
        """Count how often each number was taken since the last look."""
        found: Counter[str] = Counter()
        with self.ledger.open("rb") as lines:
            lines.seek(self._at)
            for line in lines:
                found.update(json.loads(line).get("taken", ()))
            self._at = lines.tell()
        return found

    def check(self, wanted: set[str]) -> dict[str, int]:
        """Compare what was taken since the last look with what should have been.

        Raises `AssertionError` unless each number was taken exactly once, and no other.
        """
        found = self.taken()
        doubled = sum(1 for times in found.values() if times > 1)
        counts = {
            "taken": sum(found.values()),
            "doubled": doubled,
            "lost": len(wanted - found.keys()),
            "strangers": len(found.keys() - wanted),
        }
        if counts != {"taken": len(wanted), "doubled": 0, "lost": 0, "strangers": 0}:
            msg = f"the result is wrong: {counts}, {len(wanted)} wanted"
            raise AssertionError(msg)
        return counts


@contextlib.contextmanager
def sandbox(folder: Path, *more: str) -> Iterator[SandboxProcess]:
    """Run a sandbox process that groups its fsyncs."""
    ledger, port = folder / "ledger.jsonl", folder / "port"
    port.unlink(missing_ok=True)
    words = ["-m", "worker.sandbox", "--ledger", str(ledger), "--fsync", "group", "--quiet"]
    words += ["--port-file", str(port), "--report-delay", "0", "--reply-delay", "0", "--no-limits"]
    with process(*words, *more, log=folder / "sandbox.log"):
        wait(port.exists, 30.0)
        yield SandboxProcess(int(port.read_text("ascii")), ledger)
