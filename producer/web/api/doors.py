"""Routes for doors: a gateway's own way of sending, for programs that were written for it.

A door is closed unless `web.doors` names it. Its path, fields and answers are its gateway's
(`worker.gateways.doors`). A message that comes through it is queued as any other, under the API key
that the caller shows.
"""

from collections.abc import Awaitable, Callable

import httpx
from fastapi import FastAPI, Request
from starlette.responses import Response

from producer.web.api import enqueue, schemas
from producer.web.api.authentication import Caller, authenticate
from producer.web.context import AppContext
from producer.web.problems import HttpProblem
from worker.domain.enums import Scope
from worker.domain.errors import Refused
from worker.feedback.pushes import quoted_query
from worker.gateways.doors import Door, DoorRequest
from worker.gateways.registry import doors_by_gateway
from worker.intake.enqueue_request import EnqueueRequest


def install(app: FastAPI, context: AppContext) -> None:
    """Open the doors that the configuration names."""
    for name in context.settings.top.web.doors:
        door = doors_by_gateway()[name]
        app.add_api_route(
            door.path,
            _route(context, door),
            methods=["GET", "POST"],
            include_in_schema=False,
            response_model=None,
        )


def _route(context: AppContext, door: Door) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        door_request = door.read(await _plain(request))
        door_answer = await _enqueue(context, door, request, door_request)
        return Response(door_answer.content, door_answer.status_code, dict(door_answer.headers))

    return answer


async def _plain(request: Request) -> httpx.Request:
    """Return a request as the adapter reads it: method, query and body alone."""
    url = httpx.URL(
        "http://door/", query=quoted_query(request.scope["query_string"]).encode("ascii")
    )
    return httpx.Request(request.method, url, content=await request.body())


async def _enqueue(
    context: AppContext, door: Door, request: Request, door_request: DoorRequest | None
) -> httpx.Response:
    try:
        if door_request is None:
            return door.refusal("who sends?")
        caller = await _caller(context, request, door_request)
        max_recipients = context.settings.top.web.max_recipients
        if (
            len(door_request.numbers) > max_recipients
            or len(door_request.text) > schemas.MAX_TEXT_LENGTH
        ):
            return door.refusal("too long")
        enqueued = await enqueue.accept(
            request.app, context, caller, EnqueueRequest(door_request.numbers, door_request.text)
        )
    except Refused as error:
        return door.refusal("; ".join(map(str, error.problems)))
    except HttpProblem as error:
        return door.refusal(str(error.detail))
    return door.acceptance(enqueued.ids)


async def _caller(context: AppContext, request: Request, door_request: DoorRequest) -> Caller:
    caller = await authenticate(context, request.app.state.keyring, door_request.secret)
    if caller.sender != door_request.key_name or Scope.SEND not in caller.key.scopes:
        raise HttpProblem(401, "no-key", "unknown sender, or wrong password")
    return caller
