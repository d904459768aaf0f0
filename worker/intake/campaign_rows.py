"""Read the rows of campaigns as exports and JSON lists show them, some thousands at a time."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, Row

from worker.domain.message_ranges import MessageKey
from worker.domain.spreadsheet_cells import quoted_cell
from worker.intake import left_out, lookup
from worker.store.db import database
from worker.store.intake import campaigns

#: The columns of a campaign's export.
EXPORT_COLUMNS = (
    *("to", "state", "code", "code_text", "account", "gateway_id", "attempts"),
    *("submitted_at", "finished_at", "key", "metadata", "row", "reason"),
)
#: The columns that rows alone have which were left out.
_LEFT_OUT_COLUMNS = ("row", "reason")
_MESSAGE_COLUMNS = [column for column in EXPORT_COLUMNS if column not in _LEFT_OUT_COLUMNS]
#: The columns of the view that an export is made from: what it shows, and what names a message.
_READ_COLUMNS = [
    *("msisdn" if column == "to" else column for column in _MESSAGE_COLUMNS),
    *("request_id", "n", "submission_id"),
]
#: How many messages of a campaign are read in one transaction.
PART_SIZE = 5000


def campaign_fields(engine: Engine, campaign_id: int, total: int) -> Iterator[dict[str, Any]]:
    """Yield all messages of a campaign in order as JSON shows them, then the rows left out of it.

    Each part is read by one short transaction.
    """
    for first in range(0, total, PART_SIZE):
        with database.reading(engine) as connection:
            rows = campaigns.view_rows(connection, campaign_id, first, PART_SIZE)
            messages = lookup.messages_from_rows(connection, rows)
        for message in messages:
            yield message.as_json()
    for part in left_out.parts(engine, campaign_id):
        yield from part


def export_parts(engine: Engine, campaign_id: int, total: int) -> Iterator[list[list[Any]]]:
    """Yield the rows of a campaign's export in order, some thousands in a part; times in UTC.

    Messages come first, then the rows of its list that were left out. Each part is read by one
    short transaction, and shows what was true then.
    """
    for first in range(0, total, PART_SIZE):
        with database.reading(engine) as connection:
            rows = campaigns.export_rows(connection, campaign_id, _READ_COLUMNS, first, PART_SIZE)
            gateway_ids = lookup.gateway_ids_of_rows(connection, rows)
        yield [_export_row(row, gateway_ids) for row in rows]
    for part in left_out.parts(engine, campaign_id):
        yield [[export_cell(fields.get(column)) for column in EXPORT_COLUMNS] for fields in part]


def _export_row(row: Row[Any], gateway_ids: Mapping[MessageKey, str]) -> list[Any]:
    """Return the cells of a message, with its own id at the gateway where it has one."""
    values: Sequence[Any] = row[: len(_MESSAGE_COLUMNS)]
    if row.gateway_id is None and (own_id := gateway_ids.get((row.request_id, row.n))):
        named = zip(_MESSAGE_COLUMNS, values, strict=True)
        values = [own_id if column == "gateway_id" else value for column, value in named]
    return [*map(export_cell, values), *[None] * len(_LEFT_OUT_COLUMNS)]


def export_cell(value: Any) -> Any:
    """Return a cell: times and metadata as in JSON, texts that look like a formula quoted."""
    if isinstance(value, Mapping):
        return json.dumps(dict(value), ensure_ascii=False) if value else None
    return lookup.iso_time(value) if isinstance(value, datetime) else quoted_cell(value)
