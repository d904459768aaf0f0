"""Taking messages in from outside: what `enqueue` does, and what only strangers need.

In one transaction: the request, and what it takes of the allowances for codes. What goes over an
allowance is not stored, costs nothing, and counts nowhere. Calls that come at the same time share
that transaction: each is answered after the commit that holds it.
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

#: Numbers that are checked without leaving the event loop; a call with more goes by itself.
FEW = 50
#: Orders in one commit, and their numbers; how many commits at one time; how many may wait.
BOUNDS = Bounds(parts=200, size=1000, goes=2, waiting=5000)
#: An IPv6 client usually has a whole network of this length to itself.
IPV6_PREFIX = 64


def prepare(app: FastAPI, here: AppContext) -> None:
    """Give an application its intake: it stores the orders that come at the same time."""

    async def take(offers: Sequence[OfferedRequest]) -> Sequence[CommitAnswer]:
        return await here.run(shared_commit.accept, here.engine, offers)

    app.state.intake = SharedCommit(take, BOUNDS)


async def accept(
    app: FastAPI, here: AppContext, caller: Caller, order: EnqueueRequest, client: str | None = None
) -> Enqueued:
    """Store what a caller orders, together with what others order at the same time.

    Raises as `enqueue` does, and `Told` (429) when a number, or the client that is named, has had
    as many codes as it may.
    """
    order = addressed(here, caller, order)
    if len(order.to) > FEW:
        answer = await here.run(_alone, here, caller, order, client)
    else:
        offer = _offer(here, caller, order, client)
        answer = await app.state.intake.do(offer, len(order.to))
    match answer:
        case Enqueued():
            here.ring(order.message_class)
            return answer
        case Exhausted():
            raise _refused(answer.wait)
        case _:
            raise answer


def _alone(
    here: AppContext, caller: Caller, order: EnqueueRequest, client: str | None
) -> CommitAnswer:
    (answer,) = shared_commit.accept(here.engine, [_offer(here, caller, order, client)])
    return answer


def _offer(
    here: AppContext, caller: Caller, order: EnqueueRequest, client: str | None
) -> OfferedRequest:
    checked = enqueue.check(here.settings, order)
    return OfferedRequest(
        checked, claimed(here.settings.top.web, checked, client, test=caller.test)
    )


def addressed(here: AppContext, caller: Caller, order: EnqueueRequest) -> EnqueueRequest:
    """Say who sends; what a test key sends goes to the sandbox, or is refused."""
    order = replace(order, sender=caller.sender)
    sandbox = here.settings.top.web.test_account
    if not caller.test:
        if sandbox is not None and order.account == sandbox:
            raise Refused([Problem("account", "is for test keys alone; leave it out")])
        return order
    if sandbox is None:
        what = "this is a test key and no web.test_account is configured; nothing was sent"
        raise Refused([Problem("account", what)])
    if order.account not in {None, sandbox}:
        raise Refused([Problem("account", f"a test key sends by {sandbox} alone; leave it out")])
    return replace(order, account=sandbox)


def claimed(
    web: WebSettings, checked: CheckedRequest, client: str | None, *, test: bool
) -> Sequence[AllowanceClaim]:
    """Return what an order takes of the allowances: nothing, unless it is a code."""
    if checked.request.message_class is not MessageClass.OTP:
        return ()
    kind = "test_" if test else ""
    found = []
    if web.otp_per_recipient:
        found += [
            AllowanceClaim(f"{kind}otp_recipient", one, web.otp_per_recipient)
            for one in checked.msisdns
        ]
    if client is not None and web.otp_per_client:
        found.append(AllowanceClaim(f"{kind}otp_client", client_of(client), web.otp_per_client))
    return found


def client_of(named: str) -> str:
    """Return whom to count for what an application calls its client: an address, or any name.

    An IPv6 address counts as its /64, one that stands for an IPv4 address as that.
    """
    try:
        address = ip_address(named.strip())
    except ValueError:
        return named.strip()[:128]
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        bare = IPv6Address(int(address))
        return str(ip_network((bare, IPV6_PREFIX), strict=False))
    return str(address)


def _refused(wait: float) -> HttpProblem:
    what = "this number, or this client, has had as many codes as it may; nothing was sent"
    return HttpProblem(429, "too-many-codes", what, headers={"Retry-After": str(math.ceil(wait))})
