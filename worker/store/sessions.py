"""Remember the sessions of the pages that were ended, until they would have ended by themselves."""

from sqlalchemy import Connection, delete, select

from worker.store.db.clock import later, now
from worker.store.db.dialects import insert_if_absent
from worker.store.schema.tables import ended_session


def end(connection: Connection, session_id: str, remembered_seconds: float) -> None:
    """End a session in all processes; forget those whose time is over."""
    connection.execute(delete(ended_session).where(ended_session.c.forget_at <= now()))
    connection.execute(
        insert_if_absent(connection, ended_session).values(
            session=session_id, forget_at=later(remembered_seconds)
        )
    )


def is_ended(connection: Connection, session_id: str) -> bool:
    """Tell whether a session was ended."""
    query = select(ended_session.c.session).where(ended_session.c.session == session_id)
    return connection.execute(query).first() is not None
