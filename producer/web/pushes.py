"""What gateways push to us: kept raw and committed, then answered as that gateway expects.

Nothing is read from a push here, and nothing is sent because of one. Pushes that come at the same
time are committed together, so that a burst costs few commits.
"""

import asyncio
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from fastapi import APIRouter, FastAPI, Request
from starlette.responses import Response

from producer.web import peers
from producer.web.desk import Desk, Here
from producer.web.problems import Told
from worker import database
from worker.errors import XinshiError
from worker.gateway import Account
from worker.pushes import target
from worker.store import pushed

log = structlog.get_logger()

router = APIRouter(prefix="/push", include_in_schema=False)

#: Pushes in one commit, and their bytes; and how many may wait for one before others are refused.
MANY = 500
MOST_BYTES = 8 * 1024 * 1024
MOST_WAITING = 5000
#: Compared with when there is nothing to compare with: a wrong name takes as long as a wrong token.
_NO_TOKEN = "x" * 32


@dataclass(slots=True)
class _Kept:
    row: Mapping[str, Any]
    done: asyncio.Future[None]


class Letterbox:
    """Commits pushes; the event loop alone touches it."""

    def __init__(self, here: Desk) -> None:
        self._here = here
        self._waiting: list[_Kept] = []
        self._writer: asyncio.Task[None] | None = None

    async def keep(self, row: Mapping[str, Any]) -> None:
        """Return once a push is committed. Raises what the database raises."""
        if len(self._waiting) >= MOST_WAITING:
            raise Told(
                503, "too-many", "too many at once; push it again", headers={"Retry-After": "5"}
            )
        one = _Kept(row, asyncio.get_running_loop().create_future())
        self._waiting.append(one)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        await one.done

    async def _write(self) -> None:
        while self._waiting:
            some = self._taken()
            try:
                await self._here.run(_store, self._here, [one.row for one in some])
            except Exception as error:  # noqa: BLE001 - whoever waits for it is told
                await self._each(some, error)
            else:
                _finish(some)
            self._here.tick()

    def _taken(self) -> list[_Kept]:
        size, count = 0, 0
        for one in self._waiting[:MANY]:
            size += len(one.row["body"])
            if count and size > MOST_BYTES:
                break
            count += 1
        some, self._waiting = self._waiting[:count], self._waiting[count:]
        return some

    async def _each(self, some: list[_Kept], error: Exception) -> None:
        """Store one by one what could not be stored together, unless the database is away."""
        for one in some:
            if len(some) == 1 or isinstance(error, XinshiError):
                _fail(one, error)
                continue
            try:
                await self._here.run(_store, self._here, [one.row])
            except Exception as own:  # noqa: BLE001 - whoever waits for it is told
                _fail(one, own)
            else:
                _finish([one])


def _finish(some: list[_Kept]) -> None:
    for one in some:
        if not one.done.done():
            one.done.set_result(None)


def _fail(one: _Kept, error: Exception) -> None:
    if not one.done.done():
        one.done.set_exception(error)


def _store(here: Desk, rows: list[Mapping[str, Any]]) -> None:
    with database.writing(here.engine) as connection:
        pushed.keep(connection, rows)


def prepare(app: FastAPI, here: Desk) -> None:
    """Give an application its letterbox."""
    app.state.letterbox = Letterbox(here)


@router.api_route("/{account}/{token}", methods=["GET", "POST"])
@router.api_route("/{account}/{token}/{_what:path}", methods=["GET", "POST"])
async def take(account: str, token: str, request: Request, here: Here) -> Response:
    """Keep whatever was pushed, commit, and answer; a wrong token is told that nothing is here."""
    receiver = _admitted(here, account, token, request)
    body = await request.body()
    row = {
        "account": account,
        "target": target(request.method, request.scope["query_string"]),
        "headers": {"content-type": request.headers.get("content-type", "")[:200]},
        "body": body,
    }
    await request.app.state.letterbox.keep(row)
    answer = receiver.gateway.push_answer()
    return Response(answer.content, answer.status_code, dict(answer.headers))


def _admitted(here: Desk, name: str, token: str, request: Request) -> Account:
    """Return the account whose token this is, or raise what an unknown address is told."""
    account = here.settings.accounts.get(name)
    tokens = [one.get_secret_value() for one in account.settings.push_tokens] if account else []
    given = token.encode("utf-8", "surrogateescape")
    fits = [hmac.compare_digest(one.encode(), given) for one in tokens or [_NO_TOKEN]]
    if account is None or not tokens or not any(fits) or not _from_there(here, account, request):
        raise Told(404, "not-found", "there is nothing at this address")
    return account


def _from_there(here: Desk, account: Account, request: Request) -> bool:
    allowed = account.settings.push_from
    if not allowed:
        return True
    found = peers.address(request, here.settings.top.web.trusted_proxies)
    if found is not None and peers.inside(found, allowed):
        return True
    log.warning("push.refused", account=account.name, peer=str(found))
    return False
