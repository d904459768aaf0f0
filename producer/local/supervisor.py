"""Run all processes of Xinshi on one machine, as `xinshi up` does.

These are the embedded server (if that is the broker), a worker for each class, beat, the web
process, and the sandbox where it is asked for. Each is started again when it dies. Ctrl-C or TERM
lets all of them finish what is under way. The supervisor holds the web process's socket: while the
web process is started again, callers wait.
"""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import IO

import structlog

from producer.local.embedded_valkey import EmbeddedServer, die_with_parent
from worker.config.settings import Settings

log = structlog.get_logger()

#: The arguments after `python -m` of each process, by its name.
PROCESS_ARGUMENTS = {
    "otp": ("worker", "otp"),
    "notice": ("worker", "notice", "ticks"),
    "marketing": ("worker", "marketing"),
    "beat": ("worker", "beat"),
}
#: The processes with metrics; each has the next port, from `metrics_port` on.
METRICS_PROCESSES = ("otp", "notice", "marketing", "web")
#: How long the web process may take to answer before the start is announced without it.
MAX_START_SECONDS = 30.0
#: The longest pause before a process that keeps dying is started again, in seconds.
MAX_RESTART_PAUSE = 30.0


@dataclass
class SupervisedProcess:
    """A process that is kept running, and how often it died in a row.

    `started_at` and `not_before`, the time of the next start, are readings of `time.monotonic`.
    """

    name: str
    arguments: tuple[str, ...]
    process: subprocess.Popen[bytes] | None = None
    deaths: int = 0
    not_before: float = 0.0
    started_at: float = field(default=0.0)


class Supervisor:
    """Keeps the processes of one configuration running until it is told to stop."""

    def __init__(
        self,
        settings: Settings,
        config: str | None,
        output: IO[bytes] | None = None,
        *,
        web: socket.socket | None = None,
        sandbox: Sequence[str] = (),
    ) -> None:
        self._settings = settings
        self._config = config
        #: Where the processes write; None: where this one writes.
        self._output = output
        self._processes = [
            SupervisedProcess(name, arguments) for name, arguments in PROCESS_ARGUMENTS.items()
        ]
        if sandbox:
            self._processes.insert(0, SupervisedProcess("sandbox", ("worker.sandbox", *sandbox)))
        #: The socket of the web process; None: there is no web process.
        self._web_socket = web
        if web is not None:
            self._processes.append(
                SupervisedProcess("web", ("producer.web", "--fd", str(web.fileno())))
            )
        self._stop_requested = threading.Event()
        self._all_finished = True

    def run(self, announce: Callable[[], None]) -> bool:
        """Run until TERM or Ctrl-C; returns whether everything finished in time.

        `announce` is called once everything was started and the web process answers.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._handle_stop_signal)
        with self.running():
            self._await_web()
            if not self._stop_requested.is_set():
                announce()
            self._stop_requested.wait()
        return self._all_finished

    def running(self) -> ExitStack:
        """Start everything, and return a context that stops it when it is left."""
        with ExitStack() as stack:
            if self._settings.top.broker_url == "embedded":
                stack.enter_context(EmbeddedServer(self._settings))
            stack.callback(self._stop_all)
            for supervised in self._processes:
                self._start(supervised)
            watcher = threading.Thread(target=self._watch, name="supervisor", daemon=True)
            watcher.start()
            stack.callback(watcher.join)
            stack.callback(self._stop_requested.set)
            return stack.pop_all()

    def _await_web(self) -> None:
        """Wait until the web process answers, if there is one; not longer than `MAX_START_SECONDS`.

        Its port is open before it runs: whoever connects waits.
        """
        if self._web_socket is None:
            return
        host, port = self._web_socket.getsockname()[:2]
        deadline = time.monotonic() + MAX_START_SECONDS
        while time.monotonic() < deadline and not self._stop_requested.is_set():
            connection = http.client.HTTPConnection(host, port, timeout=0.5)
            with suppress(OSError, http.client.HTTPException):
                connection.request("GET", "/healthz")
                connection.getresponse()
                return
            connection.close()

    def _handle_stop_signal(self, number: int, _frame: FrameType | None) -> None:
        log.info("up.stopping", signal=signal.Signals(number).name)
        self._stop_requested.set()

    def _start(self, supervised: SupervisedProcess) -> None:
        environment = dict(os.environ)
        if self._config is not None:
            environment["XINSHI_CONFIG"] = self._config
        environment |= self._metrics_variable(supervised.name)
        supervised.started_at = time.monotonic()
        supervised.process = subprocess.Popen(  # noqa: S603 - our own module and arguments
            # -P: a folder `worker` in the current directory is not our package.
            [sys.executable, "-P", "-m", *supervised.arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            pass_fds=[self._web_socket.fileno()]
            if self._web_socket is not None and supervised.name == "web"
            else (),
            # Ctrl-C reaches this process alone, which then stops the others once.
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - it calls prctl and nothing else
        )

    def _metrics_variable(self, name: str) -> dict[str, str]:
        """Return the variable that gives a process a port of its own for its metrics, if any."""
        base = self._settings.top.metrics_port
        if not base or name not in METRICS_PROCESSES:
            return {}
        return {"XINSHI_METRICS_PORT": str(base + METRICS_PROCESSES.index(name))}

    def _watch(self) -> None:
        while not self._stop_requested.wait(0.2):
            for supervised in self._processes:
                self._restart_if_dead(supervised)

    def _restart_if_dead(self, supervised: SupervisedProcess) -> None:
        """Start a process again after a pause that doubles with each death in a row."""
        now = time.monotonic()
        if supervised.process is not None and supervised.process.poll() is not None:
            supervised.deaths = (
                0 if now - supervised.started_at > MAX_RESTART_PAUSE else supervised.deaths + 1
            )
            pause = min(MAX_RESTART_PAUSE, 0.5 * 2.0**supervised.deaths)
            log.warning(
                "up.process_died",
                part=supervised.name,
                status=supervised.process.returncode,
                again_in=pause,
            )
            supervised.process, supervised.not_before = None, now + pause
        if supervised.process is None and now >= supervised.not_before:
            self._start(supervised)

    def _stop_all(self) -> None:
        """Send TERM to all, wait for the longest call and eight seconds, then send KILL."""
        call_timeouts = [account.settings.timeout for account in self._settings.accounts.values()]
        deadline = time.monotonic() + max(call_timeouts, default=0.0) + 8.0
        alive = [supervised for supervised in self._processes if supervised.process is not None]
        for supervised in alive:
            _running_process(supervised).terminate()
        for supervised in alive:
            try:
                _running_process(supervised).wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self._all_finished = False
                log.warning("up.killed", part=supervised.name)
                _running_process(supervised).kill()
                _running_process(supervised).wait()


def _running_process(supervised: SupervisedProcess) -> subprocess.Popen[bytes]:
    if supervised.process is None:
        msg = f"{supervised.name} does not run"
        raise LookupError(msg)
    return supervised.process
