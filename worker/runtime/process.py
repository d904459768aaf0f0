"""Starts and stops what one worker process runs: its lanes, the ticker and the callback sender."""

import os
import secrets
import socket
import time
from collections.abc import Collection
from contextlib import suppress

import structlog
from sqlalchemy import Engine

from worker.config.settings import Settings
from worker.domain.enums import MessageClass
from worker.domain.errors import XinshiError
from worker.runtime import metrics
from worker.runtime.background_service import BackgroundService
from worker.runtime.callback_sender import CallbackSender
from worker.runtime.lane import Lane
from worker.runtime.ticker import Ticker
from worker.store import database_file, events, spool
from worker.store.db import database
from worker.store.spool import Spool

log = structlog.get_logger()

#: How often other processes look for a due tick before one that serves codes alone takes it.
TICK_LOOKS = 2.0


class WorkerProcess:
    """The services of a worker process, each a thread. Made and started after a fork, never before.

    There is a lane for each class that it serves. `child` is its number in a pool that forks.
    """

    def __init__(
        self, settings: Settings, classes: Collection[MessageClass], *, child: int = 0
    ) -> None:
        self.owner = f"{socket.gethostname()[:30]}-{os.getpid()}-{secrets.token_hex(4)}"
        self.settings = settings
        self._child = child
        self._metrics: metrics.MetricsServer | None = None
        # Computed here because it is slow the first time: not in a transaction others wait for.
        self.logins = settings.logins
        self.engines: list[Engine] = []
        self.lanes = {
            message_class: Lane(
                settings,
                # Somebody waits for a code.
                self._connect(by_index=True, gives_way=message_class is not MessageClass.OTP),
                message_class,
                self.owner,
                self._spool(message_class),
            )
            for message_class in MessageClass
            if message_class in classes
        }
        # Reading a long page takes a second of this process's only turn to run: where somebody
        # waits for codes, that is left to the other processes as long as one of them does it.
        codes_alone = set(self.lanes) == {MessageClass.OTP}
        head_start = TICK_LOOKS * settings.top.look_every if codes_alone else 0.0
        self.ticker = Ticker(settings, self._connect(), self.owner, head_start=head_start)
        # Without a secret nothing could be signed, and no callback can have been named.
        can_sign = bool(settings.top.callback_secrets)
        self.callback_senders = [CallbackSender(settings, self._connect())] if can_sign else []

    def _connect(self, *, by_index: bool = False, gives_way: bool = True) -> Engine:
        """Return an engine for one service: none waits for the connections of another."""
        engine = database.connect(
            self.settings.database_url,
            pool_size=3,
            by_index=by_index,
            gives_way=gives_way,
            pooler=self.settings.top.database_pooler,
        )
        self.engines.append(engine)
        return engine

    def _services(self) -> list[BackgroundService]:
        return [*self.lanes.values(), self.ticker, *self.callback_senders]

    def _spool(self, message_class: MessageClass) -> Spool:
        return Spool(spool.folder(self.settings), f"{self.owner}-{message_class}")

    def start(self) -> None:
        """Start all services."""
        self._metrics = metrics.start(self.settings, self._child)
        self._note_database_file()
        for service in self._services():
            service.start()
        lanes = [message_class.value for message_class in self.lanes]
        log.info("worker.started", owner=self.owner, lanes=lanes)

    def _note_database_file(self) -> None:
        """Say when the database's file is a copy of the one that workers ran on before."""
        engine = self.ticker.engine
        # A database that is away is told of by whoever needs it.
        with suppress(XinshiError):
            with database.reading(engine) as connection:
                if database_file.is_noted(connection):
                    return
            with database.writing(engine) as connection:
                if database_file.note(connection):
                    events.add(connection, "database.copied", self.owner)
                    log.warning("database.copied")

    def ring(self, message_class: str) -> None:
        """Make the lane of a class look now; does nothing when this process does not serve it."""
        lane = self.lanes.get(MessageClass(message_class))
        if lane is not None:
            lane.ring()

    def halt(self) -> None:
        """Make all services begin nothing new."""
        for service in self._services():
            service.halt()

    def stop(self) -> None:
        """Claim nothing new, finish and record what is under way.

        It takes 5 s more than the longest timeout of an account at the most.
        """
        self.halt()
        timeouts = (account.settings.timeout for account in self.settings.accounts.values())
        deadline = time.monotonic() + max(timeouts, default=0.0) + 5.0
        finished = [
            service.stop(max(0.0, deadline - time.monotonic())) for service in self._services()
        ]
        for engine in self.engines:
            engine.dispose()
        if self._metrics is not None:
            self._metrics.close()
        log.info("worker.stopped", owner=self.owner, clean=all(finished))
