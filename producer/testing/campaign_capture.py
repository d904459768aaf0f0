"""Read a campaign's recipients as loading does, and keep what each would read."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from worker.config.settings import Settings
from worker.intake import campaign_loader, fingerprints
from worker.intake.campaign_loader import Loaded
from worker.intake.enqueue_request import EnqueueRequest
from worker.intake.recipient_rows import (
    PlainRows,
    RecipientsHash,
    Row,
    RowChecker,
    checked_blocks,
    peek_names,
)
from worker.intake.value_rules import OddValue
from worker.store.intake.campaign_rows import MessageColumns


@dataclass
class CapturedCampaign:
    """What loading came to, and what each recipient would read."""

    loaded: Loaded
    fingerprint: str
    #: Number, text and values of each message.
    messages: list[tuple[str, str, Mapping[str, str]]] = field(default_factory=list)


def read_campaign(
    settings: Settings,
    request: EnqueueRequest,
    rows: Iterable[Row | PlainRows],
    names: Collection[str],
    allowed: Collection[OddValue],
    campaign_id: int,
) -> CapturedCampaign:
    """Check a campaign and its rows; raises `Refused` as loading it does. Nobody has opted out."""
    if not names:
        rows, names = peek_names(iter(rows))
    checker, warnings = campaign_loader.check(settings, request, names, allowed)
    loaded = Loaded(campaign_id, warnings=warnings)
    recipients_hash = RecipientsHash(fingerprints.of_request(request, checker.content, ()))
    campaign = CapturedCampaign(loaded, "")
    numbers: set[str] = set()
    for block in checked_blocks(
        rows, checker, recipients_hash, reject=loaded.reject, on_progress=lambda _rows: None
    ):
        for msisdn, text, values in _messages(block.good, checker):
            if msisdn in numbers:
                loaded.repeated += 1
            else:
                numbers.add(msisdn)
                campaign.messages.append((msisdn, text, values))
    loaded.total = len(campaign.messages)
    campaign.fingerprint = recipients_hash.hexdigest()
    return campaign


def _messages(
    good: MessageColumns, checker: RowChecker
) -> Iterable[tuple[str, str, Mapping[str, str]]]:
    """Yield number, text and values of the good rows of a block."""
    for position, msisdn in enumerate(good.msisdns):
        variables = good.variables[position] if good.variables else None
        text = checker.content.text if checker.content.template else checker.text_of(variables)
        yield msisdn, text, dict(variables or ())
