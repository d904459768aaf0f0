"""Say that classes are stopped, since when, by whom, and how they go on."""

from typing import TYPE_CHECKING

from producer.cli.session import Session

if TYPE_CHECKING:
    from collections.abc import Collection

    from worker.domain.enums import MessageClass
    from worker.store.delivery.stops import Stop


def read_stops(session: Session) -> "dict[MessageClass, Stop]":
    """Return the stops by class."""
    from worker.store.db import database
    from worker.store.delivery import stops

    with database.reading(session.engine) as connection:
        return stops.current(connection)


def notices(
    session: Session, message_classes: "Collection[MessageClass] | None" = None
) -> list[str]:
    """Return a sentence for each class (of some) that is stopped."""
    return [
        sentence(stop)
        for message_class, stop in read_stops(session).items()
        if message_classes is None or message_class in message_classes
    ]


def sentence(stop: "Stop") -> str:
    """Say that a class is stopped, and how it goes on."""
    from producer.waiting import stop_words

    return stop_words.stop_reason(stop).sentence()


def reason(stop: "Stop") -> str:
    """Say that a class is stopped, since when, by whom and why."""
    from producer.waiting import stop_words

    return stop_words.stop_reason(stop).why


def advice(stop: "Stop") -> str:
    """Say how a class goes on."""
    from producer.waiting import stop_words

    return f"{stop_words.stop_reason(stop).advice} lets it go on"
