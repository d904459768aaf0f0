"""Servers of the suite's own: on free ports, in folders of their own, ended when it ends."""

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis
from sqlalchemy import create_engine, text

from producer.local.embedded_valkey import server_binary
from tests.support.faults.forked_processes import end_with_parent
from worker.domain.errors import ConfigurationError
from worker.store import migrations
from worker.store.db import database


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def wait_for(look: Callable[[], Any], within: float = 20.0) -> Any:
    """Look until there is something to see; what fails meanwhile counts as nothing."""
    until = time.monotonic() + within
    while True:
        with contextlib.suppress(Exception):
            if found := look():
                return found
        if time.monotonic() > until:
            pytest.fail(f"a server of the suite's own was not ready within {within} s")
        time.sleep(0.02)


def program(name: str, *folders: str) -> str:
    """Return the path of a program; skip the test when this machine has none."""
    for pattern in folders:
        for found in sorted(Path("/").glob(pattern.lstrip("/")), reverse=True):
            if (found / name).exists():
                return str(found / name)
    if there := shutil.which(name):
        return there
    return pytest.skip(f"there is no {name} on this machine")


def _somebody() -> str | None:
    """A user without privileges, for servers that refuse to run as root."""
    if os.geteuid() != 0:
        return None
    names = {one.pw_name for one in pwd.getpwall()}
    return next(name for name in ("postgres", "mysql", "nobody") if name in names)


@dataclass
class Server:
    """A program that is started, killed, frozen and started again."""

    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """Say what is run."""
        raise NotImplementedError

    def ready(self) -> bool:
        """Tell whether it answers."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """Say in which environment."""
        return dict(os.environ)

    user: str | None = None

    def start(self) -> None:
        """Start, and return when it answers."""
        with (self.folder / "output.log").open("ab") as output:
            self.process = subprocess.Popen(
                self.command(),
                env=self.environment(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=end_with_parent,  # noqa: PLW1509 - it calls prctl and nothing else
                **({"user": self.user, "extra_groups": []} if self.user else {}),
            )
        wait_for(self.ready, 60.0)

    def kill(self) -> None:
        """End it as a power cut would, with all processes of its session."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def freeze(self) -> None:
        """Stop it without closing a connection."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGCONT)

    def restart(self) -> None:
        """Kill it and start it again."""
        self.kill()
        self.start()


class Redis(Server):
    """A Redis, or the embedded Valkey; nothing of it outlives a restart."""

    more: tuple[str, ...] = ()

    def command(self) -> list[str]:
        """Without a disk: a restart empties it."""
        there = shutil.which("redis-server")
        if there is None:
            try:
                there = str(server_binary())
            except ConfigurationError:
                pytest.skip("there is no redis-server and no embedded server on this machine")
        quiet = ("--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction")
        return [there, "--port", str(self.port), "--bind", "127.0.0.1", *quiet, *self.more]

    def ready(self) -> bool:
        """Tell whether it answers."""
        with self.client() as client:
            return bool(client.ping())

    def client(self) -> redis.Redis:
        """Return a client of it."""
        return redis.Redis(port=self.port, socket_timeout=2.0)


class RedisBeforeHello(Redis):
    """A Redis that knows HELLO no more than 5.0 did."""

    more = ("--rename-command", "HELLO", "")

    def client(self) -> redis.Redis:
        """Return a client that speaks as those of its time did."""
        return redis.Redis(port=self.port, socket_timeout=2.0, protocol=2)


class PostgreSQL(Server):
    """A cluster made for the suite; commits outlive a kill of it, not of the machine."""

    BINARIES = (
        "/usr/lib/postgresql/*/bin",
        "/usr/pgsql-*/bin",
        "/opt/homebrew/opt/postgresql*/bin",
    )

    def prepare(self) -> None:
        """Make the cluster, and a database with our tables to copy from."""
        self.user = _somebody()
        if self.user:
            shutil.chown(self.folder, self.user)
        subprocess.run(
            [
                *(program("initdb", *self.BINARIES), "-D", str(self.folder / "data")),
                *("-U", "xinshi", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C"),
            ],
            check=True,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            **({"user": self.user, "extra_groups": []} if self.user else {}),
        )
        self.start()
        self.execute("CREATE DATABASE template_of_ours")
        engine = database.connect(self.direct_url("template_of_ours"))
        migrations.migrate(engine)
        engine.dispose()

    def command(self) -> list[str]:
        """Without fsync: the operating system outlives whatever is killed here."""
        options = {
            "port": self.server_port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.folder),
            "fsync": "off",
            "max_connections": 200,
            "shared_buffers": "64MB",
        }
        settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        return [program("postgres", *self.BINARIES), "-D", str(self.folder / "data"), *settings]

    def ready(self) -> bool:
        """Tell whether it answers."""
        self.execute("SELECT 1")
        return True

    def kill(self) -> None:
        """Kill all of it; a new one waits for the old one's memory to be gone."""
        children = _descendants(self.process.pid) if self.process else []
        super().kill()
        # Its processes are sessions of their own.
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def url(self, name: str, port: int | None = None) -> str:
        """Return a database's URL, by a proxy's port if one is given."""
        return f"postgresql+psycopg://xinshi@127.0.0.1:{port or self.port}/{name}"

    @property
    def server_port(self) -> int:
        """Where the server itself listens; `port` is where its clients are sent."""
        return self.port

    def direct_url(self, name: str) -> str:
        """Return a database's URL at the server itself, whatever stands before it."""
        return self.url(name, self.server_port)

    def execute(self, *statements: str, name: str = "postgres") -> None:
        """Run statements, each by itself."""
        engine = create_engine(self.direct_url(name), isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                for statement in statements:
                    connection.execute(text(statement))
        finally:
            engine.dispose()

    def end(self) -> None:
        """End it for good, with whatever stands before it."""
        self.kill()

    def copied(self) -> str:
        """Make a database with our tables, and return its name."""
        name = f"faults_{secrets.token_hex(4)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE template_of_ours STRATEGY FILE_COPY")
        return name


def _descendants(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(word) for word in found.read_text().split()] if found.exists() else []


class MariaDB(Server):
    """A MariaDB made for the suite."""

    more: tuple[str, ...] = ()

    def prepare(self) -> None:
        """Make its data and a database with our tables."""
        self.user = _somebody()
        if self.user:
            shutil.chown(self.folder, self.user)
        subprocess.run(
            [
                program("mariadb-install-db"),
                *("--no-defaults", f"--datadir={self.folder / 'data'}"),
                *("--auth-root-authentication-method=normal", "--skip-test-db"),
            ],
            check=True,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **({"user": self.user, "extra_groups": []} if self.user else {}),
        )
        self.start()

    def command(self) -> list[str]:
        """Small, and on a socket of its own."""
        return [
            program("mariadbd", "/usr/sbin", "/usr/libexec"),
            *("--no-defaults", f"--datadir={self.folder / 'data'}", f"--port={self.port}"),
            *("--bind-address=127.0.0.1", f"--socket={self.folder / 'sock'}"),
            *("--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=2"),
            *self.more,
        ]

    def ready(self) -> bool:
        """Tell whether it answers."""
        self.execute("SELECT 1")
        return True

    def url(self, name: str, port: int | None = None) -> str:
        """Return a database's URL, by a proxy's port if one is given."""
        return f"mysql+pymysql://root@127.0.0.1:{port or self.port}/{name}"

    def execute(self, *statements: str, name: str = "") -> None:
        """Run statements, each by itself."""
        engine = create_engine(self.url(name), isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                for statement in statements:
                    connection.execute(text(statement))
        finally:
            engine.dispose()

    def copied(self) -> str:
        """Make a database with our tables, and return its name."""
        name = f"faults_{secrets.token_hex(4)}"
        self.execute(f"CREATE DATABASE {name}")
        engine = database.connect(self.url(name))
        migrations.migrate(engine)
        engine.dispose()
        return name


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """Give a folder that another user may enter, and remove it afterwards."""
    made = Path(tempfile.mkdtemp(prefix="xinshi-faults-"))
    made.chmod(0o755)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
