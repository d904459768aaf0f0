"""A PgBouncer of the test's own before one database, with a pool of two connections."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import URL, create_engine, make_url, text

from tests.support.faults import servers
from tests.support.servers import missing

#: Connections to the server; all clients share them.
POOL_SIZE = 2
#: What its configuration says; the old way of poolers with prepared statements, unless told.
CONFIGURATION = """
[databases]
{name} = host={host} port={port}{password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
pool_mode = {mode}
default_pool_size = {pool_size}
max_client_conn = 300
query_wait_timeout = 20
server_idle_timeout = {idle}
"""
#: Seconds for which a connection to the server outlives its last transaction, as by default.
SERVER_IDLE_SECONDS = 600


@dataclass
class PgBouncer(servers.Server):
    """A pooler before the database of a URL; before all of its server where that is named `*`."""

    server: URL = field(default_factory=lambda: make_url("postgresql://"))
    mode: str = "transaction"
    pool_size: int = POOL_SIZE
    server_idle: int = SERVER_IDLE_SECONDS
    #: The database that shows whether it answers; that of the URL unless told.
    ready_name: str | None = None

    def prepare(self) -> None:
        """Write what it is configured by."""
        self.user = servers._somebody()
        users = self.folder / "users.txt"
        users.write_text(f'"{self.server.username}" ""\n', "utf-8")
        (self.folder / "pgbouncer.ini").write_text(
            CONFIGURATION.format(
                name=self.server.database,
                host=self.server.host,
                port=self.server.port or 5432,
                password=f" password={self.server.password}" if self.server.password else "",
                listen_port=self.port,
                users=users,
                mode=self.mode,
                pool_size=self.pool_size,
                idle=self.server_idle,
            ),
            "utf-8",
        )
        if self.user:
            for path in (self.folder, *self.folder.iterdir()):
                shutil.chown(path, self.user)

    def command(self) -> list[str]:
        """In the foreground."""
        return [binary(), str(self.folder / "pgbouncer.ini")]

    def ready(self) -> bool:
        """Tell whether it answers."""
        url = make_url(self.url)
        engine = create_engine(url.set(database=self.ready_name) if self.ready_name else url)
        try:
            with engine.connect() as connection:
                return bool(connection.execute(text("SELECT 1")).scalar())
        finally:
            engine.dispose()

    @property
    def url(self) -> str:
        """The URL of the database through it."""
        through = self.server.set(host="127.0.0.1", port=self.port, password=None)
        return through.render_as_string(hide_password=False)


def binary() -> str:
    """Return the path of the program; skip the test when this machine has none."""
    path = shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer")
    return path or missing("pgbouncer", "there is no pgbouncer on this machine")


def prepared(
    folder: Path, database: str, mode: str = "transaction", pool_size: int = POOL_SIZE
) -> PgBouncer:
    """Return a pooler before a database, to be started; skip the test where there is none."""
    binary()
    pooler = PgBouncer(folder, server=make_url(database), mode=mode, pool_size=pool_size)
    pooler.prepare()
    return pooler


@contextmanager
def before(database: str, mode: str = "transaction", pool_size: int = POOL_SIZE) -> Iterator[str]:
    """Run a pooler before a database, and give the URL through it."""
    with servers.folder() as folder:
        pooler = prepared(folder, database, mode, pool_size)
        pooler.start()
        try:
            yield pooler.url
        finally:
            pooler.kill()
