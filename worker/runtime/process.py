"""What one worker process holds: a lane for each class it serves, and the ticker."""

import os
import secrets
import socket
import time
from collections.abc import Collection

import structlog
from sqlalchemy import Engine

from worker.config.settings import Settings
from worker.domain.enums import MessageClass
from worker.runtime.background_service import BackgroundService
from worker.runtime.callback_sender import CallbackSender
from worker.runtime.lane import Lane
from worker.runtime.ticker import Ticker
from worker.store import spool
from worker.store.db import database
from worker.store.spool import Spool

log = structlog.get_logger()


class Runtime:
    """The threads of a worker process. Made and started after a fork, never before."""

    def __init__(self, settings: Settings, classes: Collection[MessageClass]) -> None:
        self.owner = f"{socket.gethostname()[:30]}-{os.getpid()}-{secrets.token_hex(4)}"
        self.settings = settings
        # Slow the first time: not within a transaction that others wait for.
        self.logins = settings.logins
        self.engines: list[Engine] = []
        self.lanes = {
            one: Lane(settings, self._engine(3, by_index=True), one, self.owner, self._spool(one))
            for one in MessageClass
            if one in classes
        }
        self.ticker = Ticker(settings, self._engine(3), self.owner)
        # Without a secret nothing could be signed, and nobody can have asked to be told.
        signs = bool(settings.top.callback_secrets)
        self.tellers = [CallbackSender(settings, self._engine(3))] if signs else []

    def _engine(self, pool_size: int, *, by_index: bool = False) -> Engine:
        """Connections of its own for each lane: none waits for another's."""
        url = self.settings.database_url
        self.engines.append(database.connect(url, pool_size=pool_size, by_index=by_index))
        return self.engines[-1]

    def _parts(self) -> list[BackgroundService]:
        return [*self.lanes.values(), self.ticker, *self.tellers]

    def _spool(self, message_class: MessageClass) -> Spool:
        return Spool(spool.folder(self.settings), f"{self.owner}-{message_class}")

    def start(self) -> None:
        """Begin to work."""
        for lane in self.lanes.values():
            lane.start()
        for part in (self.ticker, *self.tellers):
            part.start()
        log.info("worker.started", owner=self.owner, lanes=[one.value for one in self.lanes])

    def ring(self, message_class: str) -> None:
        """Let the lane of a class look now; nothing happens when this process does not serve it."""
        lane = self.lanes.get(MessageClass(message_class))
        if lane is not None:
            lane.ring()

    def halt(self) -> None:
        """Begin nothing new."""
        for part in self._parts():
            part.halt()

    def stop(self) -> None:
        """Claim nothing new, finish and record what is under way, within deadline + 5 s."""
        self.halt()
        deadlines = (one.settings.timeout for one in self.settings.accounts.values())
        until = time.monotonic() + max(deadlines, default=0.0) + 5.0
        finished = [part.stop(max(0.0, until - time.monotonic())) for part in self._parts()]
        for engine in self.engines:
            engine.dispose()
        log.info("worker.stopped", owner=self.owner, clean=all(finished))
