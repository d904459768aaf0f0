"""What gateways push to us: kept raw and committed, then answered as that gateway expects.

Nothing is read from a push here, and nothing is sent because of one. Pushes that come at the same
time are committed together, so that a burst costs few commits.
"""

import hmac
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from fastapi import APIRouter, FastAPI, Request
from starlette.responses import Response

from producer.web import peers
from producer.web.context import AppContext, Context
from producer.web.problems import HttpProblem
from producer.web.shared_commit import Bounds, SharedCommit
from worker.feedback.pushes import target
from worker.gateways.base import Account
from worker.store import pushes
from worker.store.db import database

log = structlog.get_logger()
Row = Mapping[str, Any]

router = APIRouter(prefix="/push", include_in_schema=False)

#: Pushes in one commit, and their bytes; one commit at a time; and how many may wait for one.
BOUNDS = Bounds(parts=500, size=8 * 1024 * 1024, goes=1, waiting=5000)
#: Compared with when there is nothing to compare with: a wrong name takes as long as a wrong token.
_NO_TOKEN = "x" * 32


def prepare(app: FastAPI, here: AppContext) -> None:
    """Give an application its letterbox: it commits the pushes that come at the same time."""

    async def keep(rows: Sequence[Row]) -> Sequence[None]:
        await here.run(_store, here, rows)
        here.tick()
        return [None] * len(rows)

    app.state.letterbox = SharedCommit(keep, BOUNDS)


def _store(here: AppContext, rows: Sequence[Row]) -> None:
    with database.writing(here.engine) as connection:
        pushes.keep(connection, rows)


@router.api_route("/{account}/{token}", methods=["GET", "POST"])
@router.api_route("/{account}/{token}/{_what:path}", methods=["GET", "POST"])
async def take(account: str, token: str, request: Request, here: Context) -> Response:
    """Keep whatever was pushed, commit, and answer; a wrong token is told that nothing is here."""
    receiver = _admitted(here, account, token, request)
    body = await request.body()
    row = {
        "account": account,
        "target": target(request.method, request.scope["query_string"]),
        "headers": {"content-type": request.headers.get("content-type", "")[:200]},
        "body": body,
    }
    await request.app.state.letterbox.do(row, len(body))
    answer = receiver.gateway.push_answer()
    return Response(answer.content, answer.status_code, dict(answer.headers))


def _admitted(here: AppContext, name: str, token: str, request: Request) -> Account:
    """Return the account whose token this is, or raise what an unknown address is told."""
    account = here.settings.accounts.get(name)
    tokens = [one.get_secret_value() for one in account.settings.push_tokens] if account else []
    given = token.encode("utf-8", "surrogateescape")
    fits = [hmac.compare_digest(one.encode(), given) for one in tokens or [_NO_TOKEN]]
    if account is None or not tokens or not any(fits) or not _from_there(here, account, request):
        raise HttpProblem(404, "not-found", "there is nothing at this address")
    return account


def _from_there(here: AppContext, account: Account, request: Request) -> bool:
    allowed = account.settings.push_from
    if not allowed:
        return True
    found = peers.address(request, here.settings.top.web.trusted_proxies)
    if found is not None and peers.inside(found, allowed):
        return True
    log.warning("push.refused", account=account.name, peer=str(found))
    return False
