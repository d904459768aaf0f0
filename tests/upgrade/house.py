"""A folder with a configuration, a database, and real processes that work on both."""

import base64
import contextlib
import ctypes
import hmac
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import NullPool, create_engine, text

ROOT = Path(__file__).resolve().parents[2]
#: What the command line is started by, and a worker, each followed by its words.
XINSHI = ("-m", "producer.cli")
WORKER = ("-m", "worker")

Row = Mapping[str, Any]
Seen = TypeVar("Seen")


def eventually(look: Callable[[], Seen | None], within: float = 30.0) -> Seen:
    """Look until there is something to see, and return it; fail after `within` seconds."""
    until = time.monotonic() + within
    while not (seen := look()):
        assert time.monotonic() < until, f"it did not come about within {within} s"
        time.sleep(0.02)
    return seen


def _end_with_parent() -> None:
    """Ask Linux to kill this process when the one that started it is gone; elsewhere nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


@dataclass
class House:
    """A folder with `xinshi.toml`, the database, and the processes that were started there."""

    folder: Path
    #: The database's URL, for whoever looks at it from outside.
    url: str
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.config = self.folder / "xinshi.toml"
        self.log = self.folder / "processes.log"
        self.spool = self.folder / ".xinshi" / "spool"
        self._engine = create_engine(self.url, poolclass=NullPool)

    def begin(
        self, *words: str, points: str = "", config: Path | None = None, log: Path | None = None
    ) -> subprocess.Popen[bytes]:
        """Start `python WORDS`, with failpoints if there are any; what it prints goes to a log."""
        with (log or self.log).open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, *words],
                cwd=self.folder,
                env=self._environment(config, XINSHI_TEST_FAILPOINTS=points),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - it calls prctl and nothing else
            )
        self.processes.append(process)
        return process

    def web(self) -> str:
        """Start a web process on a free port, and return its address when it listens."""
        log = self.folder / "web.log"
        process = self.begin(*XINSHI, "web", "--port", "0", log=log)

        def address() -> str | None:
            assert process.poll() is None, log.read_text("utf-8")
            for line in log.read_text("utf-8").splitlines():
                event = json.loads(line) if line.startswith("{") else {}
                if event.get("event") == "web.listening":
                    return str(event["at"])
            return None

        return str(eventually(address))

    def command(self, *words: str, code: int = 0, points: str = "") -> str:
        """Run a command of the command line to its end; return what it printed.

        Fails when it ends with another exit code.
        """
        ended = subprocess.run(
            [sys.executable, *XINSHI, *words],
            cwd=self.folder,
            env=self._environment(None, XINSHI_TEST_FAILPOINTS=points),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        printed = f"{ended.stdout}{ended.stderr}"
        assert ended.returncode == code, f"xinshi {' '.join(words)}: {ended.returncode}\n{printed}"
        return ended.stdout

    def data(self, *words: str, code: int = 0) -> Any:
        """Run a command with `--json`, and return the data."""
        return json.loads(self.command(*words, "--json", code=code))

    def _environment(self, config: Path | None, **more: str) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", ""),
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "XINSHI_CONFIG": str(config or self.config),
            # The person whose doings the events name.
            "LOGNAME": "tester",
            **more,
        }

    def rows(self, query: str, **values: Any) -> list[Row]:
        """Return the rows that a query yields, by the names of their columns."""
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(text(query), values).mappings()]

    def value(self, query: str, **values: Any) -> Any:
        """Return the first column of the only row that a query yields."""
        (row,) = self.rows(query, **values)
        return next(iter(row.values()))

    def write(self, statement: str, **values: Any) -> None:
        """Change the database where a test stands in for the world around it."""
        with self._engine.begin() as connection:
            connection.execute(text(statement), values)

    def messages(self, ids: Sequence[str]) -> list[Row]:
        """Return messages as the view shows them, in the order of their ids here."""
        requests = ", ".join(sorted({number.partition("-")[0] for number in ids}))
        query = f"SELECT * FROM xinshi_messages WHERE request_id IN ({requests})"
        rows = {row["id"]: row for row in self.rows(query)}
        return [rows[number] for number in ids]

    def states(self, ids: Sequence[str]) -> Counter[str]:
        """Count messages by state."""
        return Counter(str(row["state"]) for row in self.messages(ids))

    def end(self) -> None:
        """Kill whatever still runs."""
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._engine.dispose()


@dataclass
class Application:
    """A receiver of callbacks: it answers as told for a number, else 204, and keeps what came."""

    url: str = ""
    #: The status that it answers, by the number that an event is about.
    answers: dict[str, int] = field(default_factory=dict)
    #: Each event that came: its headers, its body, and the status that it was answered with.
    events: list[tuple[dict[str, str], bytes, int]] = field(default_factory=list)

    def taken(self) -> Counter[str]:
        """Count the events that it took, by `webhook-id`."""
        return Counter(headers["webhook-id"] for headers, _, status in self.events if status < 300)

    def receive(self, headers: dict[str, str], body: bytes) -> int:
        """Keep an event, and return the status to answer."""
        numbers = [row["to"] for row in json.loads(body)["data"]["messages"]]
        status = next((self.answers[to] for to in numbers if to in self.answers), 204)
        self.events.append((headers, body, status))
        return status


@contextmanager
def application() -> Iterator[Application]:
    """Lend an application that listens on a free port of loopback."""
    lent = Application()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            body = self.rfile.read(length)
            if len(body) < length:
                # Whoever told it was killed meanwhile.
                return
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.send_response(lent.receive(headers, body))
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.daemon_threads = True
    lent.url = f"http://127.0.0.1:{server.server_port}/told"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield lent
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def is_signed(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Tell whether an event was signed with a callback's secret, as Standard Webhooks says."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    begin = f"{headers['webhook-id']}.{headers['webhook-timestamp']}."
    mac = base64.b64encode(hmac.digest(key, begin.encode() + body, "sha256")).decode()
    return f"v1,{mac}" in headers["webhook-signature"].split(" ")
