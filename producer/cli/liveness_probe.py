"""`xinshi doctor --probe`: whether work moves on, for whoever restarts what does not.

A running process proves nothing; progress does. Late is what has been due for longer than allowed
while nothing of its class was called: a long queue that moves is not late.
"""

from collections.abc import Collection, Iterator
from enum import StrEnum

from producer.cli.doctor_checks import Check
from producer.cli.session import Session
from worker.domain.enums import MessageClass
from worker.domain.errors import Unavailable
from worker.store import (
    account_pace,
    accounts,
    backlog,
    ticks,
)
from worker.store.db import database

#: The tick that stands for all: each worker process runs them in one thread.
TICK = "sweep"


class ProbedWork(StrEnum):
    """What can be looked at: a class, or the ticks."""

    OTP = "otp"
    NOTICE = "notice"
    MARKETING = "marketing"
    TICKS = "ticks"


def look(here: Session, parts: Collection[ProbedWork], late: float) -> list[Check]:
    """Say of each part whether it moves on; work that is due may wait `late` seconds.

    A database that does not answer is no fault of a worker's: it is said, and not called a problem.
    """
    try:
        return list(_look(here, parts or list(ProbedWork), late))
    except Unavailable as error:
        return [Check("database", advice=f"nothing is known of progress: {error}")]


def _look(here: Session, parts: Collection[ProbedWork], late: float) -> Iterator[Check]:
    with database.reading(here.engine) as connection:
        free = set(here.settings.accounts) - accounts.held(connection)
        # Marketing waits for Redis where an account's limits are kept without it meanwhile.
        apart = {name for name, one in account_pace.standing(connection).items() if one.state}
        for part in parts:
            if part is ProbedWork.TICKS:
                yield _ticks(ticks.late(connection, TICK), late)
            elif part is ProbedWork.MARKETING and apart & free:
                yield Check(part.value, advice="waits: Redis is gone for an account with limits")
            else:
                yield _class(
                    backlog.of_class(connection, MessageClass(part), free, within=late), late
                )


def _ticks(waited: float | None, late: float) -> Check:
    if waited is None or waited <= late:
        return Check(ProbedWork.TICKS.value)
    return Check(ProbedWork.TICKS.value, f"none was run for {waited:.0f} s", _ADVICE)


def _class(found: backlog.ClassBacklog, late: float) -> Check:
    what = found.message_class.value
    if found.oldest is None or found.oldest <= late or found.moves:
        return Check(what)
    return Check(what, f"due for {found.oldest:.0f} s, and nothing is called", _ADVICE)


_ADVICE = "restart its worker"
