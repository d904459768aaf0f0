"""Find campaigns that have the same content and the same recipients as another one."""

from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, select

from worker.store.db.clock import later
from worker.store.schema.tables import campaign, request


def started_since(connection: Connection, request_id: int, age: timedelta) -> list[Row[Any]]:
    """Return the campaigns with a campaign's fingerprint that were started within `age`.

    They have `request_id`, `name` and `started_at`; the newest comes first.
    """
    fingerprint = select(request.c.fingerprint).where(request.c.id == request_id).scalar_subquery()
    return list(
        connection.execute(
            select(campaign.c.request_id, campaign.c.name, campaign.c.started_at)
            .join(request, request.c.id == campaign.c.request_id)
            .where(
                campaign.c.started_at > later(-age.total_seconds()),
                campaign.c.request_id != request_id,
                request.c.fingerprint == fingerprint,
            )
            .order_by(campaign.c.request_id.desc())
        )
    )
