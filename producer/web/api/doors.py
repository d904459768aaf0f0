"""Gateways' own ways of sending, offered for what spoke to them: off unless `web.doors` names them.

The path, the fields and the answers are the gateway's (`worker.gateways`); what comes through is
queued as any other message, under the API key that it shows.
"""

from collections.abc import Awaitable, Callable

import httpx
from fastapi import FastAPI, Request
from starlette.responses import Response

from producer.web.api import enqueue, schemas
from producer.web.api.authentication import Caller, authenticated
from producer.web.context import AppContext
from producer.web.problems import HttpProblem
from worker.domain.enums import Scope
from worker.domain.errors import Refused
from worker.feedback.pushes import quoted
from worker.gateways.doors import Door, DoorRequest
from worker.gateways.registry import doors
from worker.intake.enqueue import EnqueueRequest


def install(app: FastAPI, here: AppContext) -> None:
    """Open the doors that the configuration names."""
    for name in here.settings.top.web.doors:
        opening = doors()[name]
        app.add_api_route(
            opening.path,
            _route(here, opening),
            methods=["GET", "POST"],
            include_in_schema=False,
            response_model=None,
        )


def _route(here: AppContext, opening: Door) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        asked = opening.read(await _plain(request))
        said = await _told(here, opening, request, asked)
        return Response(said.content, said.status_code, dict(said.headers))

    return answer


async def _plain(request: Request) -> httpx.Request:
    """Return a request without what only the web knows of it."""
    url = httpx.URL("http://door/", query=quoted(request.scope["query_string"]).encode("ascii"))
    return httpx.Request(request.method, url, content=await request.body())


async def _told(
    here: AppContext, opening: Door, request: Request, asked: DoorRequest | None
) -> httpx.Response:
    try:
        if asked is None:
            return opening.refused("who sends?")
        caller = await _caller(here, request, asked)
        most = here.settings.top.web.max_recipients
        if len(asked.to) > most or len(asked.text) > schemas.LONGEST_TEXT:
            return opening.refused("too long")
        done = await enqueue.accept(request.app, here, caller, EnqueueRequest(asked.to, asked.text))
    except Refused as error:
        return opening.refused("; ".join(map(str, error.problems)))
    except HttpProblem as error:
        return opening.refused(str(error.detail))
    return opening.accepted(done.ids)


async def _caller(here: AppContext, request: Request, asked: DoorRequest) -> Caller:
    found = await authenticated(here, request.app.state.keyring, asked.secret)
    if found.sender != asked.name or Scope.SEND not in found.key.scopes:
        raise HttpProblem(401, "no-key", "unknown sender, or wrong password")
    return found
