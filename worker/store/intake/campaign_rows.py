"""Store a campaign's messages while it is loaded, by the fastest way that a database has.

A request's `total` grows in the transaction that inserts its messages: it says how far a loader
came that was cut off, and every reader counts only messages that are there.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import compress, count, repeat
from typing import Any

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.exc import DBAPIError

from worker.domain.enums import CampaignState
from worker.store.db import capabilities
from worker.store.db.capabilities import Bind
from worker.store.schema.tables import campaign, message, request

#: Messages in one transaction. A file has one writer: the others must not wait for it long.
TRANSACTION_MESSAGES = 20_000
FILE_TRANSACTION_MESSAGES = 4000
COPY_TRANSACTION_MESSAGES = 50_000

#: Rows that COPY is given at a time.
COPY_ROWS = 10_000
#: What stands for the names in a message's text, if anything does.
Variables = tuple[tuple[str, str], ...] | None


@dataclass(frozen=True, slots=True)
class MessageColumns:
    """Messages to store, column by column; `variables` is None where no message has any."""

    msisdns: Sequence[str]
    variables: Sequence[Variables] | None = None

    def slice(self, lo: int, hi: int) -> "MessageColumns":
        """Return the messages from `lo` up to, and without, `hi`."""
        variables = self.variables[lo:hi] if self.variables is not None else None
        return MessageColumns(self.msisdns[lo:hi], _if_any(variables))

    def select(self, flags: Sequence[object]) -> "MessageColumns":
        """Return the messages whose flag is true."""
        variables = list(compress(self.variables, flags)) if self.variables is not None else None
        return MessageColumns(list(compress(self.msisdns, flags)), _if_any(variables))

    def grouped_by_text(self, texts: Sequence[str]) -> "MessageColumns":
        """Return the messages with those of equal text side by side, else in their order.

        `texts` are those that the messages' variables lead to.
        """
        if self.variables is None:
            return self
        order = sorted(range(len(texts)), key=texts.__getitem__)
        return MessageColumns(
            [self.msisdns[position] for position in order],
            [self.variables[position] for position in order],
        )


def _if_any(variables: Sequence[Variables] | None) -> Sequence[Variables] | None:
    """Return variables, or None when no message has any."""
    return variables if variables and any(variables) else None


def transaction_size(bind: Bind) -> int:
    """Return how many messages one transaction may insert."""
    if capabilities.is_file(bind):
        return FILE_TRANSACTION_MESSAGES
    return COPY_TRANSACTION_MESSAGES if capabilities.takes_columns(bind) else TRANSACTION_MESSAGES


def lock_loading(connection: Connection, request_id: int, total: int) -> bool:
    """Lock a campaign, and tell whether it is loading and has `total` messages."""
    row = connection.execute(
        select(request.c.total).where(request.c.id == request_id).with_for_update()
    ).one()
    state = connection.execute(
        select(campaign.c.state).where(campaign.c.request_id == request_id)
    ).scalar()
    return bool(row.total == total and state == CampaignState.LOADING.value)


def transactions_at_once(bind: Bind) -> int:
    """Return how many transactions may insert messages at the same time."""
    return 2 if capabilities.takes_parallel_writes(bind) else 1


def set_total(connection: Connection, request_id: int, total: int) -> None:
    """Set a request's total to include the messages that were added in this transaction."""
    connection.execute(update(request).where(request.c.id == request_id).values(total=total))


def add(connection: Connection, request_id: int, first_n: int, rows: MessageColumns) -> None:
    """Insert messages numbered from `first_n`; `set_total` follows in the same transaction.

    Raises `IntegrityError` when another loader has inserted them.
    """
    columns = ["request_id", "n", "msisdn", *(["variables"] if rows.variables is not None else [])]
    target = f"{message.name} ({', '.join(columns)})"
    if capabilities.takes_copy(connection):
        _copy(connection, f"COPY {target} FROM STDIN", request_id, first_n, rows)
        return
    if capabilities.is_file(connection):
        connection.exec_driver_sql(*_json_insertion(target, request_id, first_n, rows))
        return
    placeholders = ", ".join(["%s"] * len(columns))
    connection.exec_driver_sql(
        f"INSERT INTO {target} VALUES ({placeholders})",  # noqa: S608 - names of ours
        _row_tuples(request_id, first_n, rows),
    )


def _copy(
    connection: Connection, statement: str, request_id: int, first_n: int, rows: MessageColumns
) -> None:
    """Send rows to PostgreSQL by COPY."""
    raw_connection: Any = connection.connection.driver_connection
    driver_error = capabilities.driver_error(connection)
    try:
        with raw_connection.cursor() as cursor, cursor.copy(statement) as copy:
            # In blocks, so that the server works on one while the next is written.
            for start in range(0, len(rows.msisdns), COPY_ROWS):
                block = rows.slice(start, start + COPY_ROWS)
                copy.write(_copy_text(request_id, first_n + start, block))
    except driver_error as error:
        # As SQLAlchemy does for its own statements; the driver's error quotes rows: it is left out.
        database_error = DBAPIError.instance(
            statement, None, error, driver_error, hide_parameters=True
        )
        raise database_error from None


def _json_insertion(
    target: str, request_id: int, first_n: int, rows: MessageColumns
) -> tuple[str, tuple[Any, ...]]:
    """Return one INSERT of all rows for SQLite, which lets other threads run meanwhile."""
    values, rows_json = "value", json.dumps(rows.msisdns)
    if rows.variables is not None:
        values = "json_extract(value, '$[0]'), json_extract(value, '$[1]')"
        rows_json = json.dumps(list(zip(rows.msisdns, rows.variables, strict=True)))
    statement = f"INSERT INTO {target} SELECT ?, ? + key, {values} FROM json_each(?)"  # noqa: S608
    return statement, (request_id, first_n, rows_json)


def _row_tuples(request_id: int, first_n: int, rows: MessageColumns) -> list[tuple[Any, ...]]:
    if rows.variables is None:
        return list(zip(repeat(request_id), count(first_n), rows.msisdns, strict=False))
    variables_json = [json.dumps(variables) if variables else None for variables in rows.variables]
    columns = (repeat(request_id), count(first_n), rows.msisdns, variables_json)
    return list(zip(*columns, strict=False))


def _copy_text(request_id: int, first_n: int, rows: MessageColumns) -> str:
    """Write rows in the text format of COPY: JSON in ASCII needs its backslashes doubled."""
    # The id is made a text once, and not for each row.
    id_cell = f"{request_id}\t"
    if rows.variables is None:
        return "".join(
            [f"{id_cell}{n}\t{msisdn}\n" for n, msisdn in enumerate(rows.msisdns, first_n)]
        )
    variables_texts = [
        json.dumps(variables).replace("\\", "\\\\") if variables else "\\N"
        for variables in rows.variables
    ]
    numbered = enumerate(zip(rows.msisdns, variables_texts, strict=True), first_n)
    return "".join(
        [f"{id_cell}{n}\t{msisdn}\t{variables}\n" for n, (msisdn, variables) in numbered]
    )


def stored_messages(connection: Connection, request_id: int, lo: int, hi: int) -> MessageColumns:
    """Return the messages `lo <= n < hi` of a request, in order."""
    rows = connection.execute(
        select(message.c.msisdn, message.c.variables)
        .where(message.c.request_id == request_id, message.c.n >= lo, message.c.n < hi)
        .order_by(message.c.n)
    ).all()
    variables = [
        tuple((name, value) for name, value in pairs) if pairs else None for _, pairs in rows
    ]
    return MessageColumns([msisdn for msisdn, _ in rows], variables if any(variables) else None)


def truncate(connection: Connection, request_id: int, total: int) -> None:
    """Remove the messages from number `total` on, and move the request's total back."""
    connection.execute(
        delete(message).where(message.c.request_id == request_id, message.c.n >= total)
    )
    connection.execute(update(request).where(request.c.id == request_id).values(total=total))


def left_out_counts(connection: Connection, request_id: int) -> dict[str, int]:
    """Return how many rows of a campaign were left out, by the reason."""
    counts = connection.execute(
        select(campaign.c.left_out).where(campaign.c.request_id == request_id)
    ).scalar()
    return dict(counts or {})


def finish_loading(
    connection: Connection, request_id: int, kinds: Collection[str], **values: Any
) -> None:
    """Store what is known of a request once all of its messages are there; `values` are columns."""
    connection.execute(
        update(request)
        .where(request.c.id == request_id)
        .values(kinds=",".join(sorted(kinds)), **values)
    )
