"""Stop classes by hand, all of them or some, and let them go on.

A claim looks at the stops in its first statement: what is claimed after a stop was stored is
nothing, in every process. What is in flight is finished, and what is enqueued waits.
"""

from collections.abc import Collection

from sqlalchemy import Engine

from worker.domain.enums import MessageClass
from worker.store import events
from worker.store.db import database
from worker.store.delivery import stops


def stop(
    engine: Engine, message_classes: Collection[MessageClass], person: str, why: str | None
) -> list[MessageClass]:
    """Stop classes until a person resumes them; return those that were not stopped before."""
    with database.writing(engine) as connection:
        stopped = [
            message_class
            for message_class in MessageClass
            if message_class in message_classes
            and stops.add(connection, message_class, person, why)
        ]
        for message_class in stopped:
            detail = {"class": message_class.value, "why": why and why[:200]}
            events.add(connection, "class.stopped", person, detail=detail)
    return stopped


def resume(
    engine: Engine, message_classes: Collection[MessageClass], person: str
) -> list[MessageClass]:
    """Let classes go on; return those that were stopped."""
    with database.writing(engine) as connection:
        resumed = [
            message_class
            for message_class in MessageClass
            if message_class in message_classes and stops.remove(connection, message_class)
        ]
        for message_class in resumed:
            detail = {"class": message_class.value}
            events.add(connection, "class.resumed", person, detail=detail)
    return resumed
