"""The suite's own PostgreSQL with a transaction pooler before it."""

import os
from dataclasses import dataclass, field

from sqlalchemy import make_url

from tests.support.faults.servers import PostgreSQL, free_port
from tests.support.pgbouncer import PgBouncer

#: Set to 1, it puts a pooler before the PostgreSQL of the fault suite.
THROUGH_POOLER = "XINSHI_TEST_THROUGH_POOLER"
#: Each test has a database of its own: what an earlier one left open has to make room.
SERVER_IDLE_SECONDS = 5
POOL_SIZE = 20


def wants_pooler() -> bool:
    """Tell whether this run of the suite goes through a pooler."""
    return os.environ.get(THROUGH_POOLER, "") not in {"", "0"}


@dataclass
class PooledPostgreSQL(PostgreSQL):
    """A PostgreSQL whose `port` is a pooler's; what kills it leaves the pooler alive."""

    own_port: int = field(default_factory=free_port)
    pooler: PgBouncer | None = None

    @property
    def server_port(self) -> int:
        """Where the server itself listens."""
        return self.own_port

    def prepare(self) -> None:
        """Make the cluster, and start the pooler."""
        super().prepare()
        folder = self.folder / "pooler"
        folder.mkdir(mode=0o755)
        server = make_url(self.direct_url("*"))
        self.pooler = PgBouncer(
            folder,
            port=self.port,
            server=server,
            pool_size=POOL_SIZE,
            server_idle=SERVER_IDLE_SECONDS,
            ready_name="template1",
        )
        self.pooler.prepare()
        self.pooler.start()

    def end(self) -> None:
        """Kill the pooler and the server."""
        if self.pooler is not None:
            self.pooler.kill()
        self.kill()
