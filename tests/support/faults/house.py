"""A house to be shaken: a database, gateways, workers that are real processes, and the checker.

`House.check` joins the database with what the gateways really took, prints the counts, and fails on
any invariant that is broken.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from producer import Producer
from producer.local.embedded_valkey import die_with_parent
from tests.support.faults import forked_processes
from tests.support.stage import LOGINS, eventually, mobiles
from worker.config.settings import Settings, load
from worker.domain.errors import XinshiError
from worker.sandbox import Sandbox, read
from worker.settlement import invariants
from worker.settlement import ledger as ledger_module
from worker.settlement.ledger import MessageCounts
from worker.store import accounts as stored
from worker.store.db.database import connect, reading, writing
from worker.store.delivery import account_doubts
from worker.store.messages import message_view
from worker.store.schema.tables import account_state, request, submission

#: Short enough to be quick, long enough for a busy machine.
TOP: dict[str, Any] = {
    "lease": "0.6s",
    "look_every": "0.1s",
    "sweep_every": "0.2s",
    "broker_url": "redis://127.0.0.1:1/0",
}
ACCOUNT: dict[str, Any] = {
    "sending_hours": "any",
    "timeout": "0.8s",
    "collect_reports_every": "0.2s",
    "collect_inbound_every": "1h",
    "check_balance_every": "1h",
}
#: Two gateways, each with reports: a code has somewhere else to go.
ACCOUNTS: dict[str, dict[str, Any]] = {
    "first": {**LOGINS["jzy"], "smstype": 1, "priority": 1},
    "second": {**LOGINS["v1"]},
}
TEXT = "【信使】故障演练通知，请勿回复"
CODE = "【信使】您的验证码是 624913"
CLASSES = ("otp", "notice", "marketing")
#: What must stand in no log: a text, and the passwords of the accounts.
SECRETS = ("故障演练", "624913", "0123456789abcdef0123456789abcdef")


def toml(tables: dict[str, Any]) -> str:
    """Write a configuration."""
    lines, below = [], []
    for name, value in tables.items():
        if isinstance(value, dict):
            below.append((name, value))
        else:
            lines.append(f"{name} = {_literal(value)}")
    for name, accounts in below:
        for account, section in accounts.items():
            lines.append(f"\n[{name}.{account}]")
            lines += [f"{key} = {_literal(value)}" for key, value in section.items()]
    return "\n".join(lines) + "\n"


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{key}" = {_literal(one)}' for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_literal, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


@dataclass
class House:
    """One configuration, and whatever runs for it."""

    folder: Path
    database: str
    sandbox: Sandbox
    accounts: dict[str, dict[str, Any]] = field(default_factory=lambda: dict(ACCOUNTS))
    top: dict[str, Any] = field(default_factory=dict)
    forks: list[BaseProcess] = field(default_factory=list)
    commands: list[subprocess.Popen[bytes]] = field(default_factory=list)
    #: What the last check counted.
    counted: MessageCounts | None = None

    def __post_init__(self) -> None:
        self.log = self.folder / "house.log"
        self.config = self.configure("xinshi.toml")
        self.settings = load(self.config, {})
        self.producer = Producer(self.settings)
        self.engine = connect(self.settings.database_url, pooler=self.settings.top.database_pooler)
        self.prove()

    def prove(self) -> None:
        """Let all logins have been accepted before: else one call alone goes first."""
        with writing(self.engine) as connection:
            for name, login in self.settings.logins.fingerprints.items():
                stored.ensure(connection, name)
                account_doubts.prove_login(connection, name, login)

    def configure(self, name: str, **top: Any) -> Path:
        """Write the configuration under a name, with other keys if wanted."""
        accounts = {
            one: {"base_url": self.sandbox.url(section["gateway"]), **ACCOUNT, **section}
            for one, section in self.accounts.items()
        }
        raw = {"database_url": self.database, **TOP, **self.top, **top, "accounts": accounts}
        path = self.folder / name
        path.write_text(toml(raw), "utf-8")
        return path

    def worker(
        self, *classes: str, points: str = "", config: Path | None = None, ticks: bool = True
    ) -> BaseProcess:
        """Start a worker process for these classes, or for all."""
        words = (config or self.config, classes or CLASSES)
        what = forked_processes.work if ticks else forked_processes.lanes
        self.forks.append(forked_processes.fork(what, self.log, points, *words))
        return self.forks[-1]

    def command(
        self, *words: str, points: str = "", config: Path | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a real command: `python -m worker otp`, say, without the first word."""
        environment = {
            **os.environ,
            "XINSHI_CONFIG": str(config or self.config),
            "XINSHI_TEST_FAILPOINTS": points,
        }
        with self.log.open("ab") as output:
            self.commands.append(
                subprocess.Popen(
                    [sys.executable, *words],
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                    preexec_fn=die_with_parent,  # noqa: PLW1509 - it calls prctl and nothing else
                )
            )
        return self.commands[-1]

    def enqueue_apart(
        self, to: Sequence[str], text: str, *, points: str, **words: Any
    ) -> BaseProcess:
        """Enqueue in a process of its own, which may not outlive it."""
        apart = (self.config, to, text, words)
        return forked_processes.fork(forked_processes.enqueue, self.log, points, *apart)

    def load_apart(self, to: Sequence[str], text: str, key: str, *, points: str) -> BaseProcess:
        """Load a campaign in a process of its own, which may not outlive it."""
        return forked_processes.fork(
            forked_processes.load_campaign, self.log, points, self.config, to, text, key
        )

    def deploy_over(self, process: BaseProcess, grace: float) -> None:
        """TERM, a grace, KILL."""
        assert process.pid is not None
        os.kill(process.pid, signal.SIGTERM)
        process.join(grace)
        end(process)

    def states(self, *, where: Any = None) -> Counter[str]:
        """Count the messages by state."""
        query = select(message_view.c.state, func.count()).group_by(message_view.c.state)
        if where is not None:
            query = query.where(where)
        with reading(self.engine) as connection:
            return Counter({row[0]: row[1] for row in connection.execute(query)})

    def submissions(self) -> list[Any]:
        """Return all submissions, the oldest first."""
        with reading(self.engine) as connection:
            return list(connection.execute(select(submission).order_by(submission.c.id)))

    def is_quiet(self) -> bool:
        """Tell whether nothing waits, nothing is under way, and no outcome lies on the disk."""
        return is_quiet(self.engine, self.settings)

    def quiet(self, within: float = 60.0) -> None:
        """Wait until there is nothing left to do."""
        until = time.monotonic() + within
        while not self.is_quiet():
            if time.monotonic() > until:
                pytest.fail(
                    f"not quiet within {within} s: {dict(self.states())}\n"
                    + "\n".join(str(one._mapping) for one in self.submissions()[-20:])
                    + self.log.read_text("utf-8")[-3000:]
                )
            time.sleep(0.02)

    def await_baseline(self) -> None:
        """Wait until the sent counters of quiet accounts are known."""
        query = select(account_state.c.counter).where(account_state.c.counter.is_not(None))

        def known() -> bool:
            with reading(self.engine) as connection:
                last = connection.execute(select(func.max(submission.c.called_at))).scalar_one()
                found = connection.execute(query).scalars()
                return any("sent" in one and one["called"] == last.isoformat() for one in found)

        eventually(known)

    def await_outcome(self, process: BaseProcess, within: float = 10.0) -> None:
        """Wait until a process that was late has said its word: let it finish, and end."""
        assert process.pid is not None
        os.kill(process.pid, signal.SIGTERM)
        process.join(within)
        assert process.exitcode == 0, self.log.read_text("utf-8")[-2000:]

    def taken(self) -> Counter[str]:
        """Count how often each number is in the ledger."""
        found: Counter[str] = Counter()
        for entry in read(self.ledger):
            found.update(entry.taken)
        return found

    @property
    def ledger(self) -> Path:
        """What the gateways really took."""
        return Path(str(self.sandbox.ledger))

    def check(self) -> MessageCounts:
        """Hold database and ledger against each other; fails on any broken invariant."""
        with reading(self.engine) as connection:
            findings = invariants.check_database(connection, self.settings)
            counts, more = ledger_module.compare(connection, self.settings, self.ledger)
        self.counted = counts
        broken = [f"{one.name}: {one.law}: {one.rows}" for one in (*findings, *more) if one.broken]
        print(  # noqa: T201 - whoever reads a failure wants them
            f"enqueued {counts.enqueued}, taken {counts.taken}, rejected {counts.rejected},"
            f" unknown {counts.unknown}, doubled {counts.doubled}, lost {counts.lost}"
        )
        assert not broken, "\n".join(broken)
        self.check_secrets()
        return counts

    def check_secrets(self) -> None:
        """No log holds a whole number, a text or a password."""
        said = self.log.read_text("utf-8", errors="replace") if self.log.exists() else ""
        numbers = set(list(self.taken())[:50])
        for word in (*SECRETS, *numbers):
            assert word not in said, f"a log holds {word[:3]}…"

    def end(self) -> None:
        """End whatever runs."""
        for process in self.forks:
            end(process)
        for command in self.commands:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(command.pid, signal.SIGKILL)
            command.wait()
        self.producer.close()
        self.engine.dispose()


def is_quiet(engine: Engine, settings: Settings) -> bool:
    """Tell whether nothing waits, nothing is under way, and no outcome lies on the disk."""
    with contextlib.suppress(XinshiError), reading(engine) as connection:
        waiting = select(func.count()).where(request.c.next_at.is_not(None))
        going = select(func.count()).where(submission.c.state.in_(["planned", "in_flight"]))
        if connection.execute(waiting).scalar() or connection.execute(going).scalar():
            return False
        spool = settings.state_folder / "spool"
        return not [*spool.glob("*.jsonl"), *spool.glob("*.page")]
    return False


def end(process: BaseProcess) -> None:
    """Kill a process, stopped or not."""
    if process.is_alive() and process.pid:
        os.kill(process.pid, signal.SIGKILL)
    process.join()


def died(process: BaseProcess, within: float = 15.0) -> int:
    """Wait for the end of a process; its exit code, negative for a signal."""
    process.join(within)
    assert process.exitcode is not None, "the process did not reach its failpoint"
    return process.exitcode


def stopped(pid: int | None, within: float = 15.0) -> None:
    """Wait until a process has been stopped."""
    stat = Path(f"/proc/{pid}/stat")
    eventually(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T", within)


@contextlib.contextmanager
def frozen(pid: int | None, seconds: float) -> Iterator[None]:
    """Let a stopped process stay so for a while, at least; it goes on at the end."""
    assert pid is not None
    until = time.monotonic() + seconds
    try:
        yield
        # The law is about this very time.
        time.sleep(max(0.0, until - time.monotonic()))
    finally:
        os.kill(pid, signal.SIGCONT)


__all__ = ["ACCOUNT", "ACCOUNTS", "CODE", "TEXT", "House", "died", "eventually", "mobiles"]
