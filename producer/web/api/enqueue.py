"""Enqueues what comes in by HTTP: as `worker.intake.enqueue` does, within the allowances for codes.

A request and what it takes of the allowances are one transaction; a request that goes over one is
not stored and takes nothing. Calls that come at the same time share the transaction.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from fastapi import FastAPI

from producer.web.api.authentication import Caller
from producer.web.context import AppContext
from producer.web.problems import HttpProblem
from producer.web.shared_commit import Bounds, SharedCommit
from worker.domain.errors import Problem, Refused
from worker.intake import enqueue, shared_commit, template_choice
from worker.intake.code_allowances import allowance_claims
from worker.intake.enqueue import Enqueued
from worker.intake.enqueue_request import EnqueueRequest
from worker.intake.shared_commit import CommitAnswer, Exhausted, OfferedRequest

#: A call with more numbers is checked and stored alone, in a thread, and not in the event loop.
MAX_NUMBERS_IN_LOOP = 50
#: Requests in one commit, and their numbers; commits at one time; requests that may wait.
COMMIT_BOUNDS = Bounds(parts=200, size=1000, groups=2, waiting=5000)


def install(app: FastAPI, context: AppContext) -> None:
    """Give an application its intake, which stores requests that come at the same time together."""

    async def store(offers: Sequence[OfferedRequest]) -> Sequence[CommitAnswer]:
        return await context.run(shared_commit.accept, context.engine, offers)

    app.state.intake = SharedCommit(store, COMMIT_BOUNDS)


async def accept(
    app: FastAPI,
    context: AppContext,
    caller: Caller,
    request: EnqueueRequest,
    client: str | None = None,
) -> Enqueued:
    """Store a caller's request, together with those of others that come at the same time.

    Raises as `worker.intake.enqueue.enqueue` does, and `HttpProblem` (429) when a number, or the
    client that the caller names, has had as many codes as it may.
    """
    request = with_sender(context, caller, request)
    if len(request.to) > MAX_NUMBERS_IN_LOOP:
        answer = await context.run(_accept_alone, context, caller, request, client)
    else:
        offer = (
            _offer(context, caller, request, client)
            if request.template is None
            # A template is looked up in the database: not in the event loop.
            else await context.run(_offer, context, caller, request, client)
        )
        answer = await app.state.intake.do(offer, len(request.to))
    match answer:
        case Enqueued():
            context.ring(request.message_class)
            return answer
        case Exhausted():
            raise _too_many_codes(answer.wait_seconds)
        case _:
            raise answer


def _accept_alone(
    context: AppContext, caller: Caller, request: EnqueueRequest, client: str | None
) -> CommitAnswer:
    (answer,) = shared_commit.accept(context.engine, [_offer(context, caller, request, client)])
    return answer


def _offer(
    context: AppContext, caller: Caller, request: EnqueueRequest, client: str | None
) -> OfferedRequest:
    registered = template_choice.look_up(context.engine, context.settings, request)
    checked = enqueue.check(context.settings, request, registered)
    return OfferedRequest(
        checked, allowance_claims(context.settings.top.web, checked, client, test=caller.test)
    )


def with_sender(context: AppContext, caller: Caller, request: EnqueueRequest) -> EnqueueRequest:
    """Return a request with its sender; that of a test key goes to the test account alone."""
    request = replace(request, sender=caller.sender, key_id=caller.key.id)
    sandbox = context.settings.top.web.test_account
    if request.account is not None and request.account not in context.settings.accounts:
        # The names of all accounts are for `operate`, as in GET /v1/accounts.
        raise Refused([Problem("account", "there is none of this name; leave it out, or ask")])
    if not caller.test:
        if sandbox is not None and request.account == sandbox:
            raise Refused([Problem("account", "is for test keys alone; leave it out")])
        return request
    if sandbox is None:
        advice = "this is a test key and no web.test_account is configured; nothing was sent"
        raise Refused([Problem("account", advice)])
    if request.account not in {None, sandbox}:
        raise Refused([Problem("account", f"a test key sends by {sandbox} alone; leave it out")])
    return replace(request, account=sandbox)


def _too_many_codes(wait: float) -> HttpProblem:
    advice = "this number, or this client, has had as many codes as it may; nothing was sent"
    return HttpProblem(429, "too-many-codes", advice, headers={"Retry-After": str(math.ceil(wait))})
