"""A stage: one database, one sandbox, settings with an account at each gateway, and workers.

`Stage.working()` runs a worker's threads in this process; `eventually` waits for what they bring
about.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Engine, update

from producer import Producer
from worker.config import settings as reading
from worker.config.settings import Settings
from worker.domain.enums import MessageClass
from worker.intake.enqueue import Enqueued
from worker.intake.lookup import Message
from worker.runtime.process import WorkerProcess
from worker.sandbox import Sandbox, numbers_taken
from worker.sandbox.ledger import LedgerEntry
from worker.store import accounts
from worker.store.db.database import writing
from worker.store.delivery import account_doubts
from worker.store.schema.tables import request

Found = TypeVar("Found")

#: What an account at each gateway of the sandbox needs, by the name it has on a stage.
LOGINS: dict[str, dict[str, Any]] = {
    "bulk": {"gateway": "c123", "uid": "9999", "password": "9999"},
    "codes": {
        "gateway": "ihuyi",
        "account": "cf_demo",
        "api_key": "0123456789abcdef0123456789abcdef",
    },
    "v1": {"gateway": "apiv1", "account": "demo", "password": "demo"},
    "jzy": {"gateway": "jzyyun", "username": "test", "password": "test"},
    "me": {"gateway": "fetion", "from": "13900000000", "password": "fetion"},
}
#: Every account of a stage has these, unless a test says otherwise.
QUICK: dict[str, Any] = {
    "sending_hours": "any",
    "timeout": "5s",
    "collect_reports_every": "0.1s",
    "collect_inbound_every": "0.1s",
    "settling_delay": "0s",
}
TOP: dict[str, Any] = {"look_every": "0.05s", "sweep_every": "0.1s", "lease": "5s"}
TEXT = "【信使】您的订单已发货"


def eventually(look: Callable[[], Found], within: float = 20.0, every: float = 0.01) -> Found:
    """Look until there is something to see and return it; fail when there is none in time."""
    until = time.monotonic() + within
    while not (found := look()):
        assert time.monotonic() < until, f"it did not come about within {within} s"
        time.sleep(every)
    return found


def mobiles(count: int, first: int = 0) -> list[str]:
    """Return so many different mobile numbers, none of them magic to the sandbox."""
    return [f"138{first + nth:08d}" for nth in range(count)]


def section(sandbox: Sandbox, name: str, **more: Any) -> dict[str, Any]:
    """Return an account's section of the configuration: that of `LOGINS`, quick, and `more`."""
    login = LOGINS[name]
    return {**QUICK, "base_url": sandbox.url(login["gateway"]), **login, **more}


def turn_into_codes(engine: Engine, campaign_id: int) -> None:
    """Let a campaign that was not started be one of codes, as earlier versions took them."""
    with writing(engine) as connection:
        codes = update(request).values(message_class=MessageClass.OTP.value)
        connection.execute(codes.where(request.c.id == campaign_id))


class Stage:
    """What an end-to-end test needs; settings are made anew by `configure`."""

    def __init__(self, database: str, engine: Engine, sandbox: Sandbox, folder: Path) -> None:
        self.database = database
        self.engine = engine
        self.sandbox = sandbox
        self.folder = folder
        self._producers: list[Producer] = []
        self.settings = self.configure()

    def configure(
        self, *names: str, accounts: dict[str, dict[str, Any]] | None = None, **top: Any
    ) -> Settings:
        """Make the settings: the named accounts of `LOGINS` (else all), and others as given."""
        sections = {name: section(self.sandbox, name) for name in names}
        if not names and accounts is None:
            sections = {name: section(self.sandbox, name) for name in LOGINS}
        raw = {"database_url": self.database, **TOP, **top}
        self.settings = reading.parse(
            {**raw, "accounts": {**sections, **(accounts or {})}}, self.folder, {}
        )
        return self.settings

    @property
    def producer(self) -> Producer:
        """A producer of the settings as they are now."""
        if not self._producers or self._producers[-1].settings is not self.settings:
            self._producers.append(Producer(self.settings))
        return self._producers[-1]

    def prove(self) -> None:
        """Let the gateways have accepted all logins before."""
        logins = self.settings.logins
        with writing(self.engine) as connection:
            for name in logins.fingerprints:
                accounts.ensure(connection, name)
                account_doubts.prove_login(connection, name, logins.fingerprints[name])

    def enqueue(self, to: str | Sequence[str], text: str = TEXT, **words: Any) -> Enqueued:
        """Enqueue by the producer."""
        return self.producer.enqueue(to, text, **words)

    def message(self, accepted: Enqueued | str, nth: int = 0) -> Message:
        """Return a message as it stands."""
        one = accepted if isinstance(accepted, str) else accepted.ids[nth]
        return self.producer.get(one)

    def states(self, accepted: Enqueued) -> Counter[str]:
        """Count the states of what was enqueued."""
        return Counter(self.producer.get(one).state.value for one in set(accepted.ids))

    def taken(self) -> Counter[str]:
        """Count how often each number was taken by the gateways."""
        return numbers_taken(self._ledger())

    def lines(self, gateway: str | None = None, *, only_taken: bool = True) -> list[LedgerEntry]:
        """Return the ledger's lines of submissions."""
        return [
            line
            for line in self.sandbox.entries()
            if gateway in {None, line.gateway} and (line.taken or (line.size and not only_taken))
        ]

    @contextmanager
    def working(self, *classes: MessageClass) -> Iterator[WorkerProcess]:
        """Run a worker's lanes and ticks in this process, all classes unless some are named."""
        runtime = WorkerProcess(self.settings, classes or list(MessageClass))
        runtime.start()
        try:
            yield runtime
        finally:
            runtime.stop()

    def close(self) -> None:
        """Let go of the producers' connections."""
        for producer in self._producers:
            producer.close()

    def _ledger(self) -> Path:
        return Path(str(self.sandbox.ledger))
