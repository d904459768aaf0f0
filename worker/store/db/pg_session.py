"""Give PostgreSQL's sessions the settings that our statements count on, behind a pooler too.

A transaction pooler (PgBouncer, Odyssey, PgCat) hands out another connection to the server for each
transaction: what is set for a session, or prepared in it, meets the statements of other clients.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Engine, event

#: How long a server keeps the locks of a transaction whose process has fallen silent, because it is
#: frozen, or behind a connection that died without a word.
SILENT_TRANSACTION_SECONDS = 30
#: PostgreSQL's ways to run a statement over many rows, which `by_index` turns off. A plan is made
#: once and kept: one that was made while a table was empty reads all of it, until PostgreSQL has
#: looked at its size anew. A scan of an index in its order also removes the index's dead entries.
BULK_PLAN_METHODS = ("seqscan", "bitmapscan", "hashjoin", "mergejoin")


def prepare(engine: Engine, *, by_index: bool, pooler: bool) -> None:
    """Set up the sessions of an engine; behind a pooler each transaction, and nothing beyond it."""
    settings = {
        "idle_in_transaction_session_timeout": f"{SILENT_TRANSACTION_SECONDS}s",
        # Compiling a statement (JIT) costs more than any of ours takes.
        "jit": "off",
    }
    if by_index:
        settings |= {f"enable_{method}": "off" for method in BULK_PLAN_METHODS}
    if pooler:
        _set_in_transactions(engine, settings)
    else:
        _set_on_connect(engine, settings)


def apply(connection: Connection, settings: Mapping[str, str]) -> None:
    """Apply settings to the transaction of a connection, and to nothing after it."""
    connection.exec_driver_sql(f"SELECT {_set_configs(settings, of_transaction=True)}")


def _set_in_transactions(engine: Engine, settings: Mapping[str, str]) -> None:
    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        apply(connection, settings)


def _set_on_connect(engine: Engine, settings: Mapping[str, str]) -> None:
    statement = f"SELECT {_set_configs(settings, of_transaction=False)}, pg_backend_pid()"

    @event.listens_for(engine, "connect")
    def set_up(raw: Any, _record: Any) -> None:
        with raw.cursor() as cursor:
            cursor.execute(statement)
            server_pid = cursor.fetchone()[-1]
        raw.commit()
        if server_pid != raw.info.backend_pid and hasattr(raw, "prepare_threshold"):
            # A pooler that nobody named: under the name of a prepared statement of ours another
            # client's may lie there.
            raw.prepare_threshold = None


def _set_configs(settings: Mapping[str, str], *, of_transaction: bool) -> str:
    local = str(of_transaction).lower()
    return ", ".join(
        f"set_config('{name}', '{value}', {local})" for name, value in settings.items()
    )
