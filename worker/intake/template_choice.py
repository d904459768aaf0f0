"""Find the registered template that a request names.

A key that is registered wins over a gateway's own name for a template. Of a template the newest
version is used that some account may send; the request is then sent by that version alone.
"""

from sqlalchemy import Engine

from worker.config.settings import Settings
from worker.domain.errors import Problem, Refused
from worker.intake.enqueue_request import EnqueueRequest
from worker.policy import eligibility
from worker.store.db import database
from worker.store.templates import usable
from worker.store.templates.usable import RegisteredTemplate


def look_up(
    engine: Engine, settings: Settings, request: EnqueueRequest
) -> RegisteredTemplate | None:
    """Return the registered template that a request names; None when it names none.

    Raises `Refused` when no account may send it now, and when nothing is registered under the key
    and no account is named whose gateway may know it. A caller with an API key learns no names of
    accounts.
    """
    if request.template is None:
        return None
    candidates = eligibility.candidates(
        settings.accounts.values(), request.message_class, request.account
    )
    account_names = [candidate.name for candidate in candidates]
    with database.reading(engine) as connection:
        registered = usable.newest_usable(connection, request.template, account_names)
    if registered is None and request.account is None:
        what = (
            "is registered nowhere (`xinshi template list` shows what is); to use a gateway's own"
            " template, name its account too"
        )
        raise Refused([Problem("template", what)])
    if registered is not None and not registered.renderings:
        problem = registered.problem if request.key_id is None else registered.short_problem
        raise Refused([Problem("template", problem or "cannot be sent now")])
    return registered
