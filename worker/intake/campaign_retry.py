"""Sends the failed messages of a campaign again, as a campaign of its own."""

import hashlib
import json
import tempfile
from collections.abc import Iterator, Sequence

from sqlalchemy import Engine

from worker.config.settings import Settings
from worker.domain.transitions import FAILED_STATES
from worker.intake import campaign_copy
from worker.intake import campaigns as campaign_acts
from worker.intake.campaign_loader import Loaded
from worker.intake.number_set import NumberSet
from worker.intake.recipient_rows import Row
from worker.store.db.database import reading
from worker.store.intake import campaign_progress, campaign_rows, campaigns, requests

#: How many messages of a campaign are read together to find those that failed.
MESSAGES_READ_TOGETHER = 20_000
#: How many bytes of the failed recipients stay in memory; more go to a temporary file without a
#: name.
MAX_BYTES_IN_MEMORY = 8 * 1024 * 1024


def retry(
    engine: Engine, settings: Settings, campaign_id: int, *, who: str = campaign_acts.APPLICATION
) -> Loaded | None:
    """Send the failed messages of a campaign again, as a campaign of its own; never the unknown.

    Called twice it sends no message twice, because those that a retry carries are left out. Returns
    None when there is nothing to send.
    """
    with reading(engine) as connection:
        row = requests.by_id(connection, campaign_id)
        progress = campaign_progress.progress_of(connection, campaign_id)
    if progress is None or row is None:
        raise campaign_acts.not_found(campaign_id)
    # The recipients are read twice, and have to be the same ones: for the key, then for loading.
    with tempfile.SpooledTemporaryFile(MAX_BYTES_IN_MEMORY) as file:
        msisdns_hash, count = hashlib.sha256(), 0
        for msisdn, variables in _failed_recipients(engine, campaign_id, row.total):
            msisdns_hash.update(f"{',' if count else ''}{msisdn}".encode())
            count += 1
            file.write(json.dumps([msisdn, variables]).encode() + b"\n")
        if not count:
            return None
        # The same failed messages make the same campaign, however many calls retry them.
        key = f"retry-{campaign_id}-{msisdns_hash.hexdigest()[:32]}"
        request = campaign_copy.copy_request(row, metadata=progress.metadata, key=key)
        file.seek(0)
        recipients = (json.loads(record) for record in file)
        rows = (
            Row(line, msisdn, dict(variables) or None)
            for line, (msisdn, variables) in enumerate(recipients, 1)
        )
        retry_name = f"{progress.name} (retry)"
        return campaign_acts.create(
            engine,
            settings,
            retry_name,
            request,
            rows,
            retry_of=campaign_id,
            who=who,
            # The values were accepted before.
            allowed=None,
        )


def _failed_recipients(
    engine: Engine, campaign_id: int, total: int
) -> Iterator[tuple[str, Sequence[Sequence[str]]]]:
    """Yield number and variables of the failed messages that no retry carries."""
    carried = NumberSet()
    with reading(engine) as connection:
        retries = campaigns.retry_totals(connection, campaign_id)
    for retry_id, retry_total in retries.items():
        for first_n in range(0, retry_total, MESSAGES_READ_TOGETHER):
            with reading(engine) as connection:
                retried = campaign_rows.stored_messages(
                    connection, retry_id, first_n, first_n + MESSAGES_READ_TOGETHER
                )
            carried.add(retried.msisdns)
    states = [state.value for state in FAILED_STATES]
    for first_n in range(0, total, MESSAGES_READ_TOGETHER):
        with reading(engine) as connection:
            rows = campaigns.failed_messages(
                connection, campaign_id, states, first_n, MESSAGES_READ_TOGETHER
            )
        carried_rows = set(carried.add([row.msisdn for row in rows]))
        for index, row in enumerate(rows):
            if index not in carried_rows:
                yield row.msisdn, row.variables or ()
