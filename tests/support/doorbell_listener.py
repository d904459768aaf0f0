"""A producer that listens to its own doorbell."""

from typing import Any

from sqlalchemy import select

from producer import Producer
from worker.domain.enums import MessageClass
from worker.store.db.database import reading
from worker.store.schema.tables import message


class Listening(Producer):
    """A producer that notes when it would ring, and what was to be seen then."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.rung: list[int] = []

    def ring(self, message_class: MessageClass | str = MessageClass.NOTICE) -> bool:
        """Note how many messages are visible to others now."""
        with reading(self.engine) as connection:
            self.rung.append(len(connection.execute(select(message.c.n)).all()))
        return True
