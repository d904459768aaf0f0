"""Find campaigns that have the same content and the same recipients."""

from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, select

from worker.store.db.clock import later
from worker.store.schema.tables import campaign, request


def started_since(
    connection: Connection,
    fingerprint: str,
    age: timedelta,
    *,
    sender: str | None = None,
    before_id: int | None = None,
) -> list[Row[Any]]:
    """Return the campaigns with a fingerprint that were started within `age`, the newest first.

    They have `request_id`, `name` and `started_at`, and are a sender's where one is given, and
    older than `before_id`.
    """
    query = (
        select(campaign.c.request_id, campaign.c.name, campaign.c.started_at)
        .join(request, request.c.id == campaign.c.request_id)
        .where(
            campaign.c.started_at > later(-age.total_seconds()),
            request.c.fingerprint == fingerprint,
        )
        .order_by(campaign.c.request_id.desc())
    )
    if sender is not None:
        query = query.where(request.c.sender == sender)
    if before_id is not None:
        query = query.where(campaign.c.request_id < before_id)
    return list(connection.execute(query))
