"""A web process of its own, to be killed, stopped and measured."""

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from producer.web import listener
from tests.support.stage import Stage, eventually

ROOT = Path(__file__).resolve().parents[2]


class Live:
    """A web process whose socket outlives it, as under `xinshi up`: callers wait meanwhile."""

    def __init__(
        self, config: Path, module: str = "producer.web", max_files: int | None = None
    ) -> None:
        self.config = config
        self._max_files = max_files
        self.log = config.with_name("web.log")
        self._module = module
        self._bound = listener.listen("127.0.0.1", 0)
        self.url = listener.address(self._bound)
        self.port = int(self._bound.getsockname()[1])
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        number = self._bound.fileno()
        with self.log.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", self._module, "--fd", str(number)],
                cwd=self.config.parent,
                env={
                    "PATH": os.environ.get("PATH", ""),
                    "PYTHONPATH": str(ROOT),
                    "XINSHI_CONFIG": str(self.config),
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[number],
                preexec_fn=self._limit_files,  # noqa: PLW1509 - it calls setrlimit and nothing else
            )

    def _limit_files(self) -> None:
        if self._max_files is not None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (self._max_files, self._max_files))

    def kill(self) -> None:
        """Kill it, and start another one on the same socket."""
        self.process.kill()
        self.process.wait(10)
        self.process = self._start()

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Tell it to end, and return its exit status."""
        self.process.send_signal(number)
        return self.process.wait(30)

    def said(self, words: str, times: int = 1) -> bool:
        """Tell whether it, and those before it, have logged something so often."""
        assert self.process.poll() is None, self.log.read_text("utf-8")[-2000:]
        return self.log.read_text("utf-8").count(words) >= times

    def peak(self) -> int:
        """Return the most memory that it ever had, in bytes (Linux)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text("utf-8")
        (line,) = [one for one in status.splitlines() if one.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024

    def worked(self) -> float:
        """Return the processor's seconds that it took, all threads together (Linux)."""
        fields = (
            Path(f"/proc/{self.process.pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        )
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        """End it for good."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        self._bound.close()


@contextmanager
def live(
    stage: Stage,
    accounts: Mapping[str, Mapping[str, Any]],
    module: str = "producer.web",
    *,
    max_files: int | None = None,
    **web: Any,
) -> Iterator[Live]:
    """Run a web process on a stage, with these accounts, until the block ends."""
    config = stage.folder / "xinshi.toml"
    lines = [f"database_url = {json.dumps(stage.database)}", 'broker_url = "redis://127.0.0.1:9/0"']
    lines += ["[web]", *(f"{name} = {json.dumps(value)}" for name, value in web.items())]
    for name, section in accounts.items():
        lines += [f"[accounts.{name}]"]
        lines += [f"{json.dumps(key)} = {json.dumps(value)}" for key, value in section.items()]
    config.write_text("\n".join(lines), "utf-8")
    made = Live(config, module, max_files)
    try:
        eventually(lambda: made.said("web.listening"), within=60)
        yield made
    finally:
        made.close()
