"""Enqueues what comes in by HTTP: as `worker.intake.enqueue` does, within the allowances for codes.

A request and what it takes of the allowances are one transaction. A request that goes over an
allowance is not stored and takes nothing. Calls that come at the same time share a transaction
(`producer.web.shared_commit`); each is answered after the commit.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv6Address, ip_address, ip_network

from fastapi import FastAPI

from producer.web.api.authentication import Caller
from producer.web.context import AppContext
from producer.web.problems import HttpProblem
from producer.web.shared_commit import Bounds, SharedCommit
from worker.config.web_settings import WebSettings
from worker.domain.enums import MessageClass
from worker.domain.errors import Problem, Refused
from worker.intake import enqueue, shared_commit
from worker.intake.enqueue import CheckedRequest, Enqueued, EnqueueRequest
from worker.intake.shared_commit import CommitAnswer, Exhausted, OfferedRequest
from worker.store.allowances import AllowanceClaim

#: A call with more numbers is checked and stored alone, in a thread, and not in the event loop.
MAX_NUMBERS_IN_LOOP = 50
#: Requests in one commit, and their numbers; commits at one time; requests that may wait.
COMMIT_BOUNDS = Bounds(parts=200, size=1000, groups=2, waiting=5000)
#: An IPv6 client usually has a whole network of this length to itself.
IPV6_PREFIX = 64


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
        offer = _offer(context, caller, request, client)
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
    checked = enqueue.check(context.settings, request)
    return OfferedRequest(
        checked, allowance_claims(context.settings.top.web, checked, client, test=caller.test)
    )


def with_sender(context: AppContext, caller: Caller, request: EnqueueRequest) -> EnqueueRequest:
    """Return a request with its sender; that of a test key goes to the test account alone."""
    request = replace(request, sender=caller.sender)
    sandbox = context.settings.top.web.test_account
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


def allowance_claims(
    web: WebSettings, checked: CheckedRequest, client: str | None, *, test: bool
) -> Sequence[AllowanceClaim]:
    """Return what a request takes of the allowances: nothing, unless it is a code."""
    if checked.new_request.message_class is not MessageClass.OTP:
        return ()
    prefix = "test_" if test else ""
    claims = []
    if web.otp_per_recipient:
        claims += [
            AllowanceClaim(f"{prefix}otp_recipient", recipient, web.otp_per_recipient)
            for recipient in checked.msisdns
        ]
    if client is not None and web.otp_per_client:
        claims.append(AllowanceClaim(f"{prefix}otp_client", client_key(client), web.otp_per_client))
    return claims


def client_key(client: str) -> str:
    """Return the name under which a client's codes are counted.

    An application names its client by an address or by any other word. An IPv6 address counts as
    its /64, and one that stands for an IPv4 address as the IPv4 address.
    """
    try:
        address = ip_address(client.strip())
    except ValueError:
        return client.strip()[:128]
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        unscoped = IPv6Address(int(address))
        return str(ip_network((unscoped, IPV6_PREFIX), strict=False))
    return str(address)


def _too_many_codes(wait: float) -> HttpProblem:
    advice = "this number, or this client, has had as many codes as it may; nothing was sent"
    return HttpProblem(429, "too-many-codes", advice, headers={"Retry-After": str(math.ceil(wait))})
