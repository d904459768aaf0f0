"""`xinshi up`: everything on one machine, in one command.

The embedded server (if that is the broker), a worker for each class, beat, the web process; each a
process of its own that is started again when it dies. Ctrl-C or TERM lets all of them finish what
is under way. The web process's socket is held here: while it is started again, callers wait.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import FrameType
from typing import IO

import structlog

from producer.local.embedded_valkey import EmbeddedServer, die_with_parent
from worker.config.settings import Settings

log = structlog.get_logger()

#: What runs: the words after `python -m`, by name.
PARTS = {
    "otp": ("worker", "otp"),
    "notice": ("worker", "notice", "ticks"),
    "marketing": ("worker", "marketing"),
    "beat": ("worker", "beat"),
}
#: The longest pause before a process that keeps dying is started again, in seconds.
LONGEST_PAUSE = 30.0


@dataclass
class SupervisedProcess:
    """One process, and how often it died in a row."""

    name: str
    words: tuple[str, ...]
    process: subprocess.Popen[bytes] | None = None
    deaths: int = 0
    not_before: float = 0.0
    started: float = field(default=0.0)


class Supervisor:
    """Keeps the processes of one configuration running until it is told to stop."""

    def __init__(
        self,
        settings: Settings,
        config: str | None,
        output: IO[bytes] | None = None,
        *,
        web: socket.socket | None = None,
    ) -> None:
        self._settings = settings
        self._config = config
        #: Where the processes write; None is where this one does.
        self._output = output
        self._parts = [SupervisedProcess(name, words) for name, words in PARTS.items()]
        #: Where the web process listens; None: there is none.
        self._web = web
        if web is not None:
            self._parts.append(
                SupervisedProcess("web", ("producer.web", "--fd", str(web.fileno())))
            )
        self._stop = threading.Event()
        self._clean = True

    def run(self) -> bool:
        """Run until TERM or Ctrl-C; True when everything finished in time."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._told_to_stop)
        with self.running():
            self._stop.wait()
        return self._clean

    def running(self) -> ExitStack:
        """Start everything; leaving the context stops it."""
        with ExitStack() as stack:
            if self._settings.top.broker_url == "embedded":
                stack.enter_context(EmbeddedServer(self._settings))
            stack.callback(self._end_all)
            for part in self._parts:
                self._start(part)
            watch = threading.Thread(target=self._watch, name="supervisor", daemon=True)
            watch.start()
            stack.callback(watch.join)
            stack.callback(self._stop.set)
            return stack.pop_all()

    def _told_to_stop(self, number: int, _frame: FrameType | None) -> None:
        log.info("up.stopping", signal=signal.Signals(number).name)
        self._stop.set()

    def _start(self, part: SupervisedProcess) -> None:
        environment = dict(os.environ)
        if self._config is not None:
            environment["XINSHI_CONFIG"] = self._config
        part.started = time.monotonic()
        part.process = subprocess.Popen(  # noqa: S603 - our own module, our own words
            # -P: a folder called `worker` where we were started is not ours.
            [sys.executable, "-P", "-m", *part.words],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            pass_fds=[self._web.fileno()] if self._web is not None and part.name == "web" else (),
            # Ctrl-C reaches us alone, and we tell the others once.
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - it calls prctl and nothing else
        )

    def _watch(self) -> None:
        while not self._stop.wait(0.2):
            for part in self._parts:
                self._look_at(part)

    def _look_at(self, part: SupervisedProcess) -> None:
        at = time.monotonic()
        if part.process is not None and part.process.poll() is not None:
            part.deaths = 0 if at - part.started > LONGEST_PAUSE else part.deaths + 1
            pause = min(LONGEST_PAUSE, 0.5 * 2.0**part.deaths)
            log.warning(
                "up.process_died",
                part=part.name,
                status=part.process.returncode,
                again_in=pause,
            )
            part.process, part.not_before = None, at + pause
        if part.process is None and at >= part.not_before:
            self._start(part)

    def _end_all(self) -> None:
        """TERM to all, wait for the longest call and five seconds, then KILL."""
        deadlines = [one.settings.timeout for one in self._settings.accounts.values()]
        until = time.monotonic() + max(deadlines, default=0.0) + 8.0
        alive = [part for part in self._parts if part.process is not None]
        for part in alive:
            _process(part).terminate()
        for part in alive:
            try:
                _process(part).wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                self._clean = False
                log.warning("up.killed", part=part.name)
                _process(part).kill()
                _process(part).wait()


def _process(part: SupervisedProcess) -> subprocess.Popen[bytes]:
    if part.process is None:
        msg = f"{part.name} does not run"
        raise LookupError(msg)
    return part.process
