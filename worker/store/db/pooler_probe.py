"""Tell whether a transaction pooler stands before PostgreSQL, by what it does to connections."""

from sqlalchemy import Connection, Engine

from worker.store.db import capabilities

#: Which of two connections begins a transaction next: a pooler that gives out the server's
#: connections newest first, or in turn, gives both of them the same one soon.
_TURNS = (0, 1, 1, 0, 0, 1, 0, 1)
_PID = "SELECT pg_backend_pid()"


def stands_before(engine: Engine) -> bool:
    """Tell whether transactions of one connection come to several processes of the server.

    A pooler that keeps a connection to one process (session mode) is none in this sense. Raises as
    the driver does when the database does not answer.
    """
    if not capabilities.takes_columns(engine):
        return False
    with engine.connect() as first, engine.connect() as second:
        pair = (first, second)
        if not any(map(_is_behind_pooler, pair)):
            return False
        pids: tuple[set[int], set[int]] = (set(), set())
        for turn in _TURNS:
            pids[turn].add(_server_pid(pair[turn]))
        return not pids[0].isdisjoint(pids[1]) or any(len(seen) > 1 for seen in pids)


def _is_behind_pooler(connection: Connection) -> bool:
    """Tell whether the process that answers is not the one that the connection was promised."""
    promised: int = connection.connection.driver_connection.info.backend_pid  # type: ignore[union-attr]
    return promised != _server_pid(connection)


def _server_pid(connection: Connection) -> int:
    """Return the process of the server that a transaction of its own comes to."""
    with connection.begin():
        return int(connection.exec_driver_sql(_PID).scalar_one())
