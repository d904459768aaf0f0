"""Check whether work makes progress (`xinshi doctor --probe`), so that a stuck worker is restarted.

That a process runs does not prove that it works. A class is stuck when its work has been due for
longer than allowed while no submission of the class was called: a long queue that moves is not.
"""

from collections.abc import Collection, Iterator
from enum import StrEnum

from producer.cli import stop_notices, troubles
from producer.cli.doctor_checks import Check
from producer.cli.session import Session
from producer.waiting import worker_delay
from worker.domain.enums import MessageClass
from worker.domain.errors import Unavailable
from worker.store import accounts, backlog
from worker.store.db import database
from worker.store.delivery import account_pace, stops

#: What to do about every problem that the probe finds.
RESTART_ADVICE = "restart its worker"


class ProbedWork(StrEnum):
    """What can be probed: the work of a class, or the ticks."""

    OTP = "otp"
    NOTICE = "notice"
    MARKETING = "marketing"
    TICKS = "ticks"


def probe(session: Session, probed_work: Collection[ProbedWork], max_delay: float) -> list[Check]:
    """Return a check for each kind of work, or for all kinds when none is named.

    Work that is due may wait `max_delay` seconds. A database that does not answer is no fault of a
    worker, so that check has advice and no problem.
    """
    try:
        return list(_probe(session, probed_work or list(ProbedWork), max_delay))
    except Unavailable as error:
        return [Check("database", advice=f"nothing is known of progress: {error}")]


def _probe(
    session: Session, probed_work: Collection[ProbedWork], max_delay: float
) -> Iterator[Check]:
    with database.reading(session.engine) as connection:
        free_accounts = set(session.settings.accounts) - accounts.held_names(connection)
        # Marketing waits for Redis where an account's limits are kept without it meanwhile.
        database_paced = {
            name for name, pacing in account_pace.pacings(connection).items() if pacing.state
        }
        # Shown, and no fault of a worker that a restart would mend.
        for trouble in troubles.find(connection):
            yield Check(trouble.subject, advice=f"{trouble.problem}; {trouble.advice}")
        stopped_classes = stops.current(connection)
        for work in probed_work:
            if work is ProbedWork.TICKS:
                yield _check_ticks(worker_delay.read_delay(connection), max_delay)
            elif MessageClass(work) in stopped_classes:
                yield Check(
                    work.value, advice=stop_notices.reason(stopped_classes[MessageClass(work)])
                )
            elif work is ProbedWork.MARKETING and database_paced & free_accounts:
                yield Check(work.value, advice="waits: Redis is gone for an account with limits")
            else:
                yield _check_class(
                    backlog.of_class(
                        connection, MessageClass(work), free_accounts, within=max_delay
                    ),
                    max_delay,
                )


def _check_ticks(delay: float | None, max_delay: float) -> Check:
    if delay is None or delay <= max_delay:
        return Check(ProbedWork.TICKS.value)
    return Check(ProbedWork.TICKS.value, f"none was run for {delay:.0f} s", RESTART_ADVICE)


def _check_class(class_backlog: backlog.ClassBacklog, max_delay: float) -> Check:
    class_name = class_backlog.message_class.value
    if class_backlog.oldest is None or class_backlog.oldest <= max_delay or class_backlog.moves:
        return Check(class_name)
    return Check(
        class_name, f"due for {class_backlog.oldest:.0f} s, and nothing is called", RESTART_ADVICE
    )
