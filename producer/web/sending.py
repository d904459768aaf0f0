"""Taking messages in from outside: what `enqueue` does, and what only strangers need.

In one transaction: the request, and what it takes of the allowances for codes. What goes over an
allowance is not stored, costs nothing, and counts nowhere.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv6Address, ip_address, ip_network

from sqlalchemy import Connection

from producer.web.desk import Desk
from producer.web.keys import Caller
from producer.web.problems import Told
from worker import enqueuing
from worker.enqueuing import Checked, Enqueued, Order
from worker.errors import Problem, Refused
from worker.store import allowances
from worker.store.allowances import Claim
from worker.terms import MessageClass
from worker.web import WebSettings

#: An IPv6 client usually has a whole network of this length to itself.
IPV6_PREFIX = 64


def accept(here: Desk, caller: Caller, order: Order, client: str | None = None) -> Enqueued:
    """Store what a caller orders; runs in a thread.

    Raises as `enqueue` does, and `Told` (429) when a number, or the client that is named, has had
    as many codes as it may.
    """
    order = addressed(here, caller, order)
    checked = enqueuing.check(here.settings, order)
    claims = claimed(here.settings.top.web, checked, client, test=caller.test)

    def write(connection: Connection, again: int | None) -> Enqueued:
        done = enqueuing.store(connection, checked, again)
        # A repeated call sends nothing more.
        wait = 0.0 if done.repeated else allowances.take(connection, claims)
        if wait:
            raise _refused(wait)
        return done

    done = enqueuing.commit(here.engine, write)
    here.ring(order.message_class)
    return done


def addressed(here: Desk, caller: Caller, order: Order) -> Order:
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
    web: WebSettings, checked: Checked, client: str | None, *, test: bool
) -> Sequence[Claim]:
    """Return what an order takes of the allowances: nothing, unless it is a code."""
    if checked.request.message_class is not MessageClass.OTP:
        return ()
    kind = "test_" if test else ""
    found = []
    if web.otp_per_recipient:
        found += [
            Claim(f"{kind}otp_recipient", one, web.otp_per_recipient) for one in checked.msisdns
        ]
    if client is not None and web.otp_per_client:
        found.append(Claim(f"{kind}otp_client", client_of(client), web.otp_per_client))
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


def _refused(wait: float) -> Told:
    what = "this number, or this client, has had as many codes as it may; nothing was sent"
    return Told(429, "too-many-codes", what, headers={"Retry-After": str(math.ceil(wait))})
