"""Receives what gateways push: keeps it raw, commits, then answers as the gateway expects.

A push is not read here, and nothing is sent because of one. Pushes that come at the same time share
a commit.
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
from worker.feedback.pushes import format_target
from worker.gateways.base import Account
from worker.store.db import database
from worker.store.feedback import inbox

log = structlog.get_logger()
Row = Mapping[str, Any]

router = APIRouter(prefix="/push", include_in_schema=False)

#: Pushes in one commit, and their bytes; commits at one time; pushes that may wait.
COMMIT_BOUNDS = Bounds(parts=500, size=8 * 1024 * 1024, groups=1, waiting=5000)
#: Compared with the token of an unknown account, so that it takes as long as a wrong token.
_NO_TOKEN = b"x" * 32


def install(app: FastAPI, context: AppContext) -> None:
    """Give an application its letterbox: pushes that come at the same time share a commit."""

    async def keep(rows: Sequence[Row]) -> Sequence[None]:
        await context.run(_store, context, rows)
        context.tick()
        return [None] * len(rows)

    app.state.letterbox = SharedCommit(keep, COMMIT_BOUNDS)


def _store(context: AppContext, rows: Sequence[Row]) -> None:
    with database.writing(context.engine) as connection:
        inbox.add_pushes(connection, rows)


@router.api_route("/{account}/{token}", methods=["GET", "POST"])
@router.api_route("/{account}/{token}/{_what:path}", methods=["GET", "POST"])
async def take(account: str, token: str, request: Request, context: Context) -> Response:
    """Keep a push, commit it, and answer; a wrong account or token gets a 404."""
    receiver = _admitted(context, account, token, request)
    body = await request.body()
    row = {
        "account": account,
        "target": format_target(request.method, request.scope["query_string"]),
        "headers": {"content-type": request.headers.get("content-type", "")[:200]},
        "body": body,
    }
    await request.app.state.letterbox.do(row, len(body))
    answer = receiver.gateway.push_answer()
    return Response(answer.content, answer.status_code, dict(answer.headers))


def _admitted(context: AppContext, name: str, token: str, request: Request) -> Account:
    """Return the account of a push; raises `HttpProblem` (404) for a wrong name or token."""
    account = context.settings.accounts.get(name)
    secrets = account.settings.push_tokens if account else ()
    tokens = [secret.get_secret_value().encode() for secret in secrets]
    shown_token = token.encode("utf-8", "surrogateescape")
    # A list and no generator: all tokens are compared, so that no answer comes sooner.
    matches = [hmac.compare_digest(known, shown_token) for known in tokens or [_NO_TOKEN]]
    token_fits = bool(tokens) and any(matches)
    if account is None or not token_fits or not _comes_from_gateway(context, account, request):
        raise HttpProblem(404, "not-found", "there is nothing at this address")
    return account


def _comes_from_gateway(context: AppContext, account: Account, request: Request) -> bool:
    """Tell whether a push comes from a network of `push_from`, where that is set."""
    networks = account.settings.push_from
    if not networks:
        return True
    peer = peers.client_address(request, context.settings.top.web.trusted_proxies)
    if peer is not None and peers.is_inside(peer, networks):
        return True
    log.warning("push.refused", account=account.name, peer=str(peer))
    return False
