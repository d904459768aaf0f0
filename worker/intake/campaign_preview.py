"""Read a campaign's list as loading would, and write nothing: what it would be, before it is."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine

from worker.config.settings import Settings
from worker.domain.enums import LeftOutReason, NumberKind
from worker.gateways.base import Content
from worker.intake import (
    campaign_loader,
    campaign_twins,
    enqueue,
    left_out,
    template_choice,
)
from worker.intake.campaign_loader import Loaded
from worker.intake.enqueue_request import EnqueueRequest
from worker.intake.number_set import NumberSet
from worker.intake.recipient_rows import PlainRows, RecipientsHash, Row, checked_blocks, peek_names
from worker.intake.value_rules import OddValue
from worker.policy import eligibility
from worker.store import accounts
from worker.store.db import database


@dataclass(frozen=True, slots=True)
class CampaignPreview:
    """What loading would come to; `loaded` is no campaign and has the id 0."""

    loaded: Loaded
    content: Content
    #: The kinds of the numbers that would be sent to.
    kinds: Collection[NumberKind]
    #: `segments` and `samples`, as a campaign has them.
    texts: dict[str, Any]


def preview(
    engine: Engine,
    settings: Settings,
    request: EnqueueRequest,
    rows: Iterable[Row | PlainRows],
    *,
    given_names: Collection[str] = (),
    allowed: Collection[OddValue] | None = (),
    on_progress: Callable[[int], None] = lambda _rows: None,
) -> CampaignPreview:
    """Return what a campaign would be; the database is only asked who has opted out.

    Takes what `worker.intake.campaigns.create` takes, and raises `Refused` as that does.
    """
    if not given_names:
        rows, given_names = peek_names(iter(rows))
    registered = template_choice.look_up(engine, settings, request)
    checker, warnings = campaign_loader.check(settings, request, given_names, allowed, registered)
    loaded = Loaded(0, warnings=warnings)
    numbers, kinds, tally = NumberSet(), set[NumberKind](), checker.tally()
    scopes = left_out.heeded_scopes(settings, request.message_class)
    new_request = enqueue.request_row(settings, request, checker.content, set(), (), registered)
    recipients_hash = RecipientsHash(new_request.fingerprint)
    blocks = checked_blocks(
        rows, checker, recipients_hash, reject=loaded.reject, on_progress=on_progress
    )
    for block in blocks:
        repeated = numbers.add(block.good.msisdns)
        good = block.leave_out(repeated, LeftOutReason.REPEATED)
        msisdns = good.good.msisdns
        suppressed = left_out.opted_out_positions(engine, msisdns, scopes)
        good = good.leave_out(suppressed, LeftOutReason.SUPPRESSED)
        tally.add(good, checker.texts_of(good.good))
        kinds |= good.kinds()
        loaded.total += len(good.lines)
        loaded.repeated += len(repeated)
        loaded.suppressed += len(suppressed)
    loaded.warnings += campaign_twins.warnings(engine, request, recipients_hash.hexdigest())
    return CampaignPreview(loaded, checker.content, kinds, tally.as_json())


def preview_json(
    engine: Engine, settings: Settings, request: EnqueueRequest, preview: CampaignPreview
) -> dict[str, Any]:
    """Return what a campaign would be, as JSON shows it: named as a campaign's own JSON is.

    Its warnings are added by each interface in its own form.
    """
    loaded = preview.loaded
    return {
        "total": loaded.total,
        "left_out": {
            LeftOutReason.INVALID.value: loaded.invalid,
            LeftOutReason.REPEATED.value: loaded.repeated,
            LeftOutReason.SUPPRESSED.value: loaded.suppressed,
        },
        "text": preview.content.text,
        **preview.texts,
        "accounts": _accounts_json(engine, settings, request, preview),
        "bad_rows": [{"row": row.where, "what": row.what} for row in loaded.bad_rows],
        "file": loaded.file.as_json() if loaded.file else None,
    }


def _accounts_json(
    engine: Engine, settings: Settings, request: EnqueueRequest, preview: CampaignPreview
) -> list[dict[str, Any]]:
    """Return all accounts by priority, each with what keeps it from carrying the campaign."""
    with database.reading(engine) as connection:
        states = accounts.states(connection, settings.logins)
    all_accounts = settings.accounts.values()
    serving = eligibility.candidates(all_accounts, request.message_class, request.account)
    accounts_json = []
    for account in sorted(all_accounts, key=lambda account: -account.settings.priority):
        if account in serving:
            faults = eligibility.problems(
                account, preview.content, preview.kinds, request.message_class
            )
            reasons = [problem.what for problem in faults]
        else:
            reasons = [eligibility.candidacy_problem(request.message_class, request.account)]
        state = states.get(account.name)
        if state and state.held:
            reasons.append("held")
        gateway = account.gateway.name
        accounts_json.append({"name": account.name, "gateway": gateway, "problems": reasons})
    return accounts_json
