"""Why a campaign does not move: what it waits for, in words, with the command that helps."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from producer.cli import output
from producer.cli.commands import route
from producer.cli.session import Session
from worker.delivery import claim as claim_module
from worker.domain.enums import (
    CampaignState,
    MessageClass,
    MessageState,
    NumberKind,
)
from worker.policy.routing import Exclusion, RoutingQuery
from worker.store import accounts, requests, ticks
from worker.store.db import database

if TYPE_CHECKING:
    from worker.store.campaigns import CampaignProgress

#: A tick that is due for so many seconds says that no worker runs.
LATE = 30.0


def why(here: Session, found: "CampaignProgress") -> list[str]:
    """Say what keeps a campaign from moving; nothing when it moves, or has ended."""
    start = f"`xinshi campaign resume {found.id}`"
    match found.state:
        case CampaignState.LOADING:
            return ["it is not wholly loaded; the command that loads it may be repeated"]
        case CampaignState.READY if not found.total:
            return [f"nobody is in it: `xinshi campaign cancel {found.id}` drops it"]
        case CampaignState.READY:
            return [f"it is not started: {start}"]
        case CampaignState.PAUSED:
            return [f"it is paused: {start}"]
        case CampaignState.RUNNING if found.open and not _is_under_way(found):
            return _of_running(here, found)
    return []


def _is_under_way(found: "CampaignProgress") -> bool:
    return bool(found.states.get(MessageState.SUBMITTING.value))


def _of_running(here: Session, found: "CampaignProgress") -> list[str]:
    if found.not_before and found.not_before > datetime.now(UTC):
        return [f"it begins at {output.local(found.not_before)}"]
    return [*_no_worker(here), *_accounts(here, found)]


def _no_worker(here: Session) -> list[str]:
    with database.reading(here.engine) as connection:
        late = ticks.late(connection, "sweep")
    if late is None or late > LATE:
        return ["no worker runs: `xinshi up`"]
    return []


def _accounts(here: Session, found: "CampaignProgress") -> list[str]:
    """Say of each account that might carry it why it takes nothing; nothing when one does."""
    asked = MessageClass(found.message_class)
    with database.reading(here.engine) as connection:
        row = requests.by_id(connection, found.id)
        claim = claim_module.look(connection, here.settings, asked, "")
        states = accounts.states(connection, here.settings.logins)
    if row is None:
        return []
    kinds = [NumberKind(one) for one in row.kinds.split(",") if one]
    options = claim.options(
        RoutingQuery(asked, row.content, kinds, datetime.now(UTC), found.account)
    )
    reasons = []
    for one in options:
        name = one.account.name
        if one.out in {None, Exclusion.FULL} or (
            one.out is Exclusion.DOUBT and claim.may_probe(name)
        ):
            return []
        if one.out is Exclusion.DOUBT:
            doubt = route.doubt(unproven=claim.doubts[name].unproven, probe=False)
            reasons.append(f"{name}: {doubt}")
        elif one.out is not Exclusion.CLASS:
            reasons.append(f"{name}: {route.why(one, asked, found.account, states.get(name))}")
    return reasons or ["no account serves its class"]
