"""Worker processes and a Redis of a test's own, started and ended by the test."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import redis

import worker
from tests.support.stage import eventually

ROOT = Path(worker.__file__).parent.parent


def configuration(path: Path, raw: Mapping[str, Any]) -> Path:
    """Write a configuration as TOML: tables of plain values, and of tables of these."""
    accounts = raw.get("accounts", {})
    lines = [f"{key} = {json.dumps(value)}" for key, value in raw.items() if key != "accounts"]
    for name, section in accounts.items():
        lines.append(f"[accounts.{name}]")
        lines += [f"{json.dumps(key)} = {_toml(value)}" for key, value in section.items()]
    path.write_text("\n".join(lines), "utf-8")
    return path


def _toml(value: Any) -> str:
    """Write a plain value, or a table of such in one line."""
    if not isinstance(value, Mapping):
        return json.dumps(value)
    return f"{{ {', '.join(f'{json.dumps(key)} = {_toml(one)}' for key, one in value.items())} }}"


class Process:
    """A process that the test started; `log` is what it wrote to standard error."""

    def __init__(
        self,
        arguments: list[str],
        config: Path,
        log: Path,
        path: Path | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.log = log
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "PYTHONPATH": str(path or ROOT),
            "PYTHONUNBUFFERED": "1",
            "XINSHI_CONFIG": str(config),
            **(variables or {}),
        }
        with log.open("ab") as errors:
            self._popen = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=config.parent,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                start_new_session=True,
            )

    def said(self, words: str, times: int = 1) -> bool:
        """Tell whether it has said something so often."""
        assert self._popen.poll() is None, f"it ended: {self.log.read_text('utf-8')[-2000:]}"
        return self.log.read_text("utf-8").count(words) >= times

    def wait(self, seconds: float = 20.0) -> int:
        """Wait for its end, and return its exit status."""
        return self._popen.wait(seconds)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, and nobody else."""
        self._popen.send_signal(number)

    def kill(self) -> None:
        """Kill it and whatever it forked, at once."""
        with suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait(10)


@contextmanager
def running(
    arguments: list[str],
    config: Path,
    *,
    name: str = "worker",
    ready: bool = True,
    path: Path | None = None,
) -> Iterator[Process]:
    """Run a worker until the block ends; it begins when the worker hears its broker.

    Without `ready` it begins at once: where there is no broker no worker ever hears it. `path` is
    where it imports from, if not our own folder.
    """
    made = Process(arguments, config, config.parent / f"{name}.log", path)
    try:
        eventually(lambda: not ready or made.said(" ready."), within=60)
        yield made
    finally:
        made.kill()


class OwnRedis:
    """A Redis server on a socket of the test's own, which may be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "redis.sock"
        self._popen: subprocess.Popen[bytes] | None = None
        binary = shutil.which("redis-server") or shutil.which("valkey-server")
        if binary is None:
            pytest.skip("there is no redis-server or valkey-server on the PATH")
        self._binary = binary

    @property
    def url(self) -> str:
        """Its address as Celery writes it."""
        return f"redis+socket://{self.socket}"

    def start(self) -> None:
        """Start, and return when it answers."""
        self._popen = subprocess.Popen(
            [self._binary, "--port", "0", "--unixsocket", str(self.socket), "--save", ""],
            cwd=self.socket.parent,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        eventually(self._answers)

    def stop(self) -> None:
        """Stop, with all that it knew."""
        if self._popen is not None:
            self._popen.kill()
            self._popen.wait(10)
            self._popen = None

    def _answers(self) -> bool:
        with redis.Redis(unix_socket_path=str(self.socket)) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False


@contextmanager
def own_redis(folder: Path) -> Iterator[OwnRedis]:
    """Run a Redis server until the block ends."""
    made = OwnRedis(folder)
    made.start()
    try:
        yield made
    finally:
        made.stop()
