"""Read and write the stops: classes of which nothing is handed out until a person resumes them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, exists, select

from worker.domain.enums import MessageClass
from worker.store.db.clock import now
from worker.store.db.dialects import insert_new
from worker.store.schema.tables import stop


@dataclass(frozen=True, slots=True)
class Stop:
    """That a class is stopped: since when, by whom and why."""

    message_class: MessageClass
    since: datetime
    who: str
    why: str | None

    def as_json(self) -> dict[str, Any]:
        """Return the stop as JSON shows it."""
        return {
            "class": self.message_class.value,
            "since": self.since.isoformat(),
            "who": self.who,
            "why": self.why,
        }


#: Whether the class `of` is stopped: a part of a claim's first statement.
class_is_stopped = exists().where(stop.c.message_class == bindparam("of"))
#: The names of the classes that are stopped.
stopped_classes = select(stop.c.message_class)


def is_stopped(connection: Connection, message_class: MessageClass) -> bool:
    """Tell whether a class is stopped."""
    return bool(
        connection.execute(select(class_is_stopped), {"of": message_class.value}).scalar_one()
    )


def current(connection: Connection) -> dict[MessageClass, Stop]:
    """Return the stops by class, in the order of the classes."""
    rows = {row.message_class: row for row in connection.execute(select(stop))}
    return {
        message_class: Stop(message_class, row.since, row.who, row.why)
        for message_class in MessageClass
        if (row := rows.get(message_class.value)) is not None
    }


def add(connection: Connection, message_class: MessageClass, who: str, why: str | None) -> bool:
    """Stop a class; False when it was stopped already, and stays so as it was."""
    values = {
        "message_class": message_class.value,
        "since": now(),
        "who": who[:64],
        "why": why and why[:200],
    }
    return insert_new(connection, stop, values)


def remove(connection: Connection, message_class: MessageClass) -> bool:
    """Let a class go on; False when it was not stopped."""
    removal = delete(stop).where(stop.c.message_class == message_class.value)
    return connection.execute(removal).rowcount == 1
