"""Keep what differs among the messages of a submission, beside its row: segments, gateway ids.

A submission's row has the segments that most of its messages have, and, where some have others,
their sum; its detail names those others. The gateway's ids of messages are packed into one value,
in the order of the call.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, insert, select, update

from worker.domain.message_ranges import MessageKey, MessageRange, keys_in
from worker.store.db import capabilities
from worker.store.db.dialects import insert_or_update, is_any_of
from worker.store.db.pg_arrays import packed_columns, parameter_table
from worker.store.schema.tables import message_gateway_id, submission, submission_detail


class SubmissionSize(NamedTuple):
    """How many messages a submission carries, and of how many segments these are."""

    messages: int
    #: The segments of each message that `others` does not name.
    segments: int
    #: The segments of the messages that have others, by message id.
    others: Mapping[str, int] = {}

    @property
    def segment_sum(self) -> int | None:
        """The segments of all messages, where these differ; None where all have the same."""
        if not self.others:
            return None
        return (self.messages - len(self.others)) * self.segments + sum(self.others.values())


def message_id(key: MessageKey) -> str:
    """Return the id of a message, as it is shown."""
    request_id, n = key
    return f"{request_id}-{n}"


def set_sizes(connection: Connection, sizes: Mapping[int, SubmissionSize]) -> None:
    """Store how many messages submissions carry, and of how many segments these are.

    For submissions of which some messages were left out, or whose text differs by recipient. What
    an earlier call of them had is forgotten.
    """
    if not sizes:
        return
    connection.execute(
        update(submission)
        .where(submission.c.id == bindparam("submission"))
        .values(
            size=bindparam("messages"),
            segments=bindparam("each"),
            segment_sum=bindparam("in_all"),
        ),
        [
            {
                "submission": submission_id,
                "messages": size.messages,
                "each": size.segments,
                "in_all": size.segment_sum,
            }
            for submission_id, size in sizes.items()
        ],
    )
    _write_segments(
        connection, {submission_id: size.others for submission_id, size in sizes.items()}
    )


def _write_segments(connection: Connection, others_by_id: Mapping[int, Mapping[str, int]]) -> None:
    rows = [
        {"submission_id": submission_id, "segments": dict(others)}
        for submission_id, others in others_by_id.items()
        if others
    ]
    if rows:
        connection.execute(insert_or_update(connection, submission_detail, "segments"), rows)


def take_out(
    connection: Connection, submission_id: int, keys: Collection[MessageKey]
) -> SubmissionSize:
    """Take messages out of the size of a submission that others carry now, or that have ended.

    Returns the size that these messages have by themselves.
    """
    row = connection.execute(
        select(
            submission.c.size,
            submission.c.segments,
            submission.c.segment_sum,
        ).where(submission.c.id == submission_id)
    ).one()
    if row.segment_sum is None:
        connection.execute(
            update(submission)
            .where(submission.c.id == submission_id)
            .values(size=submission.c.size - len(keys))
        )
        return SubmissionSize(len(keys), row.segments)
    others = _others_of(connection, submission_id)
    moved_ids = {message_id(key) for key in keys}
    moved = {name: others[name] for name in others.keys() & moved_ids}
    left = {name: others[name] for name in others.keys() - moved_ids}
    set_sizes(connection, {submission_id: SubmissionSize(row.size - len(keys), row.segments, left)})
    if not left:
        _forget_segments(connection, submission_id)
    return SubmissionSize(len(keys), row.segments, moved)


def _others_of(connection: Connection, submission_id: int) -> Mapping[str, int]:
    stored = connection.execute(
        select(submission_detail.c.segments).where(
            submission_detail.c.submission_id == submission_id
        )
    ).scalar()
    return dict(stored or {})


def other_segments(connection: Connection, ids: Collection[int]) -> dict[MessageKey, int]:
    """Return the segments of the messages of submissions that have others than their submission."""
    if not ids:
        return {}
    rows = connection.execute(
        select(submission_detail.c.segments).where(
            is_any_of(connection, submission_detail.c.submission_id, list(ids)),
            submission_detail.c.segments.is_not(None),
        )
    ).scalars()
    return {_key(name): segments for others in rows for name, segments in others.items()}


def _key(name: str) -> MessageKey:
    request_id, _, n = name.partition("-")
    return int(request_id), int(n)


def _forget_segments(connection: Connection, submission_id: int) -> None:
    connection.execute(
        update(submission_detail)
        .where(submission_detail.c.submission_id == submission_id)
        .values(segments=None)
    )


def keep_gateway_ids(
    connection: Connection,
    submission_id: int,
    ranges: Sequence[MessageRange],
    gateway_ids: Sequence[str | None],
    *,
    by_recipient: bool,
) -> None:
    """Keep the gateway's ids of a submission's messages, in the order of the call.

    `by_recipient`: reports name a message by its id alone, so that each is a row to be found by.
    """
    packed = {
        "of": [[span.request_id, span.lo, span.hi] for span in ranges],
        "ids": list(gateway_ids),
    }
    connection.execute(
        insert_or_update(connection, submission_detail, "gateway_ids"),
        [{"submission_id": submission_id, "gateway_ids": packed}],
    )
    if by_recipient:
        rows = [
            {
                "submission_id": submission_id,
                "request_id": request_id,
                "n": n,
                "gateway_id": gateway_id,
            }
            for (request_id, n), gateway_id in zip(keys_in(ranges), gateway_ids, strict=True)
            if gateway_id
        ]
        _insert_rows(connection, rows)


def _insert_rows(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Insert ids as rows to be found by; on PostgreSQL they go column by column."""
    if rows and capabilities.takes_columns(connection):
        connection.execute(_insert_arrays, packed_columns(rows))
    elif rows:
        connection.execute(insert(message_gateway_id), rows)


_insert_arrays = insert(message_gateway_id).from_select(
    [column.name for column in message_gateway_id.c],
    select(*parameter_table({column.name: column for column in message_gateway_id.c}).c),
)


def unpacked_ids(packed: Mapping[str, Any] | None) -> dict[MessageKey, str]:
    """Return the gateway's ids of messages from their packed value."""
    if not packed:
        return {}
    ranges = [MessageRange(*span) for span in packed["of"]]
    pairs = zip(keys_in(ranges), packed["ids"], strict=True)
    return {key: gateway_id for key, gateway_id in pairs if gateway_id}


def gateway_ids_of(connection: Connection, ids: Iterable[int]) -> dict[MessageKey, str]:
    """Return the gateway's ids of the messages of submissions, where they are known by message."""
    rows = connection.execute(
        select(submission_detail.c.gateway_ids).where(
            is_any_of(connection, submission_detail.c.submission_id, list(ids)),
            submission_detail.c.gateway_ids.is_not(None),
        )
    ).scalars()
    gateway_ids: dict[MessageKey, str] = {}
    for packed in rows:
        gateway_ids |= unpacked_ids(packed)
    return gateway_ids
