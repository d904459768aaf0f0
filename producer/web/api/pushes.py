"""Receives what gateways push: keeps it raw, commits, then answers as the gateway expects.

A push is not read here, and nothing is sent because of one. Pushes that come at the same time share
a commit.
"""

import contextlib
import hmac
from collections.abc import Sequence

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import Response

from producer.web import peers, refused_pushes
from producer.web.context import AppContext, Context
from producer.web.problems import HttpProblem
from producer.web.shared_commit import Bounds, SharedCommit
from worker.domain.errors import XinshiError
from worker.feedback.page_writer import PageWriter
from worker.feedback.pushes import format_target
from worker.gateways.base import Account
from worker.store.db import database
from worker.store.feedback import inbox
from worker.store.feedback.inbox import PUSH_KIND
from worker.store.feedback.page_pieces import RawPage

router = APIRouter(prefix="/push", include_in_schema=False)

#: Pushes in one commit, and their bytes, for which others that write wait; commits at one time;
#: pushes that may wait.
COMMIT_BOUNDS = Bounds(parts=500, size=512 * 1024, groups=1, waiting=5000)
#: Compared with the token of an unknown account, so that it takes as long as a wrong token.
_NO_TOKEN = b"x" * 32


def install(app: FastAPI, context: AppContext) -> None:
    """Give an application its letterbox: pushes that come at the same time share a commit."""

    async def keep(pushes: Sequence[RawPage]) -> Sequence[None]:
        await context.run(_store, context, pushes)
        context.tick()
        return [None] * len(pushes)

    app.state.letterbox = SharedCommit(keep, COMMIT_BOUNDS)
    app.state.refused_pushes = refused_pushes.RefusedPushes()


def _store(context: AppContext, pushes: Sequence[RawPage]) -> None:
    """Store pushes: short ones in one transaction, each long one in pieces."""
    short = [push for push in pushes if not push.is_long]
    if short:
        with database.writing(context.engine) as connection:
            inbox.add_pushes(connection, short)
    for push in pushes:
        if push.is_long:
            PageWriter(context.engine, push).write()


@router.api_route("/{account}/{token}", methods=["GET", "POST"])
@router.api_route("/{account}/{token}/{_what:path}", methods=["GET", "POST"])
async def take(account: str, token: str, request: Request, context: Context) -> Response:
    """Keep a push, commit it, and answer; a wrong account or token gets a 404."""
    receiver = _find_account(context, account, token)
    if not await _comes_from_gateway(context, receiver, request):
        raise _nothing_here()
    body = await request.body()
    push = RawPage(
        account,
        PUSH_KIND,
        body,
        target=format_target(request.method, request.scope["query_string"]),
        headers={"content-type": request.headers.get("content-type", "")[:200]},
    )
    await request.app.state.letterbox.do(push, len(body))
    answer = receiver.gateway.push_answer()
    return Response(answer.content, answer.status_code, dict(answer.headers))


def _find_account(context: AppContext, name: str, token: str) -> Account:
    """Return the account of a push; raises `HttpProblem` (404) for a wrong name or token."""
    account = context.settings.accounts.get(name)
    secrets = account.settings.push_tokens if account else ()
    tokens = [secret.get_secret_value().encode() for secret in secrets]
    shown_token = token.encode("utf-8", "surrogateescape")
    # A list and no generator: all tokens are compared, so that no answer comes sooner.
    matches = [hmac.compare_digest(known, shown_token) for known in tokens or [_NO_TOKEN]]
    if account is None or not (bool(tokens) and any(matches)):
        raise _nothing_here()
    return account


def _nothing_here() -> HttpProblem:
    return HttpProblem(404, "not-found", "there is nothing at this address")


async def _comes_from_gateway(context: AppContext, account: Account, request: Request) -> bool:
    """Tell whether a push comes from a network of `push_from`, where that is set."""
    networks = account.settings.push_from
    if not networks:
        return True
    peer = peers.client_peer(request, context.settings.top.web.trusted_proxies)
    if peer.address is not None and peers.is_inside(peer.address, networks):
        return True
    detail = request.app.state.refused_pushes.note(account.name, peer)
    if detail is not None:
        # Without the database it is in the log alone; the push is answered all the same.
        with contextlib.suppress(XinshiError):
            await context.run(refused_pushes.write, context.engine, account.name, detail)
    return False
