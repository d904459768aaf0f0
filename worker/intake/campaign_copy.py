"""Makes requests of the content of a stored campaign: its failed messages again, or a trial."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Engine

from worker.domain import placeholders
from worker.domain.errors import Problem, Refused
from worker.intake import campaigns
from worker.intake.enqueue_request import EnqueueRequest
from worker.store.db.database import reading
from worker.store.intake import campaign_rows, requests
from worker.store.intake import campaigns as campaign_store
from worker.store.intake.requests import DueRequest


def copy_request(
    stored: DueRequest,
    msisdns: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
    metadata: Mapping[str, str] | None = None,
    key: str | None = None,
) -> EnqueueRequest:
    """Return a request with a stored campaign's content, for other numbers and at any time.

    `variables` are those of a row, in place of what all its rows share; `metadata` is the sender's.
    """
    content = stored.content
    # A text without values of its rows' own was filled when it was stored.
    has_values = stored.personal or content.template
    return EnqueueRequest(
        msisdns,
        content.text if has_values else placeholders.escape(content.text),
        stored.message_class,
        stored.account,
        extension=content.extension,
        template=content.template,
        variables=variables or content.variables,
        options=content.options,
        metadata=metadata,
        key=key,
    )


def trial(engine: Engine, campaign_id: int, msisdn: str, row: int = 1) -> EnqueueRequest:
    """Return a request of one text as the campaign's `row`-th recipient gets it, to a number.

    Raises `NotFound` when there is no such campaign, and `Refused` when it has no such recipient.
    """
    with reading(engine) as connection:
        stored = requests.by_id(connection, campaign_id)
        if stored is None or campaign_store.state_of(connection, campaign_id) is None:
            raise campaigns.not_found(campaign_id)
        if not 1 <= row <= stored.total:
            raise Refused([Problem("row", f"the campaign has {stored.total} recipients")])
        columns = campaign_rows.stored_messages(connection, campaign_id, row - 1, row)
    variables = columns.variables[0] if columns.variables else None
    return copy_request(stored, (msisdn,), dict(variables) if variables else None)
