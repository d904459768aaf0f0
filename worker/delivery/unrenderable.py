"""Let messages whose values a binding cannot take go on in a submission of their own.

A template's values are checked when its messages are accepted, but each account has limits of its
own. The binding is barred for those messages, and another one may take them.
"""

from collections.abc import Sequence

from sqlalchemy import Connection

from worker.domain.enums import SubmissionState
from worker.store.delivery import outcomes, recipient_waits
from worker.store.delivery.claims import Lease
from worker.store.delivery.submission_messages import SubmissionMessage

#: The code of what was never called because its values do not fit the binding.
VALUES_CODE = "values"


def plan_apart(
    connection: Connection,
    leases: Sequence[Lease],
    to_send: dict[int, list[SubmissionMessage]],
) -> None:
    """Take the messages out of `to_send`, by lease, whose values its rendering cannot take."""
    emptied_ids = []
    for lease in leases:
        rendering, messages = lease.rendering, to_send.get(lease.id)
        if rendering is None or not messages or not lease.personal:
            continue
        fitting: list[SubmissionMessage] = []
        refused: list[SubmissionMessage] = []
        for message in messages:
            fits = not rendering.problems(message.variables or {})
            (fitting if fits else refused).append(message)
        if not refused:
            continue
        recipient_waits.plan_apart(
            connection,
            lease,
            [message.key for message in refused],
            0.0,
            tries=lease.attempts - 1,
            code=VALUES_CODE,
            barred=(*lease.barred, rendering.binding_id),
        )
        to_send[lease.id] = fitting
        if not fitting:
            emptied_ids.append(lease.id)
    outcomes.mark_not_sent(connection, emptied_ids, SubmissionState.IN_FLIGHT)
