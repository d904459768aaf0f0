"""Faults 4 to 8 and 29: gateways that take and do not say so, or cannot be reached."""

import time

import pytest

from tests.faults.conftest import Build
from tests.faults.test_matrix import mute
from tests.support.faults.house import (
    ACCOUNTS,
    CODE,
    TEXT,
    House,
    eventually,
    mobiles,
)
from tests.support.faults.proxy import Proxy
from tests.support.faults.servers import free_port
from tests.support.stage import LOGINS
from worker.sandbox import Sandbox

#: How long after a deadline a busy machine may take to say so, in seconds.
LEASE = 5.0
#: One account at each of the gateways of which the second one is not asked.
FIRST = ("c123", "jzyyun", "apiv1", "fetion")


def accounts_of(gateway: str) -> dict[str, dict[str, object]]:
    """The gateway's account, and another one at jzyyun or apiv1."""
    login = next(one for one in LOGINS.values() if one["gateway"] == gateway)
    other = ACCOUNTS["second" if gateway != "apiv1" else "first"]
    asked = {**login, "reports": "none", "priority": 2}
    if gateway == "c123":
        asked["settling_delay"] = "1h"
    if gateway == "fetion":
        asked["classes"] = ["otp", "notice", "marketing"]
    return {"asked": asked, "other": {**other, "reports": "none", "priority": 1}}


def once_unknown(house: House, what: str, *, submits: bool = True, **more: object) -> None:
    """One marketing message and one code meet the misbehaviour at the first account."""
    gateway = house.settings.accounts["asked"].gateway.name
    house.sandbox.control.rule(what, gateway=gateway, call="submit", **more)
    house.producer.enqueue(mobiles(1, 1), TEXT, message_class="marketing", account="asked")
    house.worker("marketing")
    house.quiet()
    assert house.states() == {"unknown": 1}
    house.producer.enqueue(mobiles(1, 2), CODE, message_class="otp")
    house.worker("otp")
    house.quiet()
    counts = house.check()
    assert counts.states == {"unknown": 1, "submitted": 1}
    taken = house.taken()
    assert taken[mobiles(1, 1)[0]] == submits
    # An account whose counter is to tell what was taken gets nothing new until then.
    settles = gateway == "c123"
    assert taken[mobiles(1, 2)[0]] == 1 + (submits and not settles)
    other = [line for line in house.sandbox.entries() if line.taken and line.gateway != gateway]
    assert [line.taken for line in other] == [(mobiles(1, 2)[0],)]


@pytest.fixture(params=["own", pytest.param("httpx", marks=pytest.mark.slow)])
def carried(request: pytest.FixtureRequest, build: Build) -> Build:
    """Builds houses whose requests are carried by each transport in turn."""

    def one(*, accounts: dict[str, dict[str, object]], **top: object) -> House:
        return build(accounts=accounts, top={"transport": request.param, **top})

    return one


@pytest.mark.parametrize("gateway", FIRST)
def test_fault_04_accept_then_close(carried: Build, gateway: str) -> None:
    """Marketing is in the ledger once for ever; a code at most twice, through another account."""
    house = carried(accounts=accounts_of(gateway))
    once_unknown(house, "take_then_close")


@pytest.mark.parametrize(
    "what", ["reset", "502", "504", "garbage", "empty", "half_header", "half_body", "408"]
)
def test_fault_05_taken_and_answered_with_nonsense(carried: Build, what: str) -> None:
    house = carried(accounts=accounts_of("jzyyun"))
    once_unknown(house, f"take_then_{what}")


@pytest.mark.parametrize("what", ["hang", "trickle"])
def test_fault_06_the_total_deadline_fires_inside_the_lease(carried: Build, what: str) -> None:
    house = carried(accounts=accounts_of("jzyyun"), lease=f"{LEASE}s")
    once_unknown(house, f"take_then_{what}")
    for one in house.submissions():
        if one.state == "unknown":
            assert one.code == "OutcomeUnknown", "the sweep came before the deadline"
            assert (one.answered_at - one.called_at).total_seconds() < 0.8 + LEASE


def unreachable(how: str, proxy: Proxy) -> str:
    """An address at which nothing can be sent."""
    if how == "refused":
        return f"http://127.0.0.1:{free_port()}"
    if how == "dns":
        return "http://no-such-gateway.invalid"
    return f"https://127.0.0.1:{proxy.port}"


@pytest.mark.parametrize("how", ["refused", "dns", "tls"])
def test_fault_07_not_connected_is_not_sent(carried: Build, gateways: Sandbox, how: str) -> None:
    """It is back later, and submitted once as soon as the gateway can be reached."""
    port = int(gateways.base_url.rpartition(":")[2])
    with Proxy(port) as proxy:
        lost = {"base_url": unreachable(how, proxy)}
        house = carried(accounts={"first": {**mute()["first"], **lost}})
        house.producer.enqueue_campaign("away", mobiles(5), TEXT)
        house.producer.enqueue(mobiles(1, 9), CODE, message_class="otp")
        worker = house.worker()
        eventually(lambda: len([o for o in house.submissions() if o.state == "not_sent"]) >= 2)
        house.await_outcome(worker)
        assert house.states() == {"queued": 6}
        house.accounts["first"].pop("base_url")
        house.worker(config=house.configure("healed.toml"))
        house.quiet()
    counts = house.check()
    assert counts.states == {"submitted": 6}
    assert counts.taken == 6


@pytest.mark.parametrize("how", ["after", "next"])
def test_fault_08_a_kept_connection_closes_under_the_call(carried: Build, how: str) -> None:
    """Unknown, or sent on a new connection; never twice."""
    house = carried(accounts=mute(concurrency=1))
    args = {"when": "next"} if how == "next" else {"delay": 0.05}
    house.sandbox.control.rule("close_idle", call="submit", args=args)
    house.worker("notice")
    for number in mobiles(6):
        house.producer.enqueue(number, TEXT)
        house.quiet()
    counts = house.check()
    assert max(house.taken().values()) == 1
    assert counts.states["submitted"] + counts.states["unknown"] == 6


@pytest.mark.parametrize(
    ("what", "args"),
    [
        ("huge", {"megabytes": 100}),
        *(
            ("hostile", {"kind": kind})
            for kind in (
                *("deep_xml", "entity_bomb", "external_entity", "nuls"),
                *("many_fields", "deep_json", "long_number"),
            )
        ),
        ("wrong_charset", {}),
    ],
)
@pytest.mark.parametrize("soap", [False, True])
def test_fault_29_hostile_answers(
    build: Build, what: str, args: dict[str, object], *, soap: bool
) -> None:
    """Bounded memory, `unknown` or read for what it is, no crash."""
    first = {**mute()["first"], "timeout": "5s"} | ({"transport": "soap"} if soap else {})
    house = build(accounts={"first": first})
    house.sandbox.control.rule(f"take_then_{what}", call="submit", count=1, args=args)
    house.producer.enqueue(mobiles(1), TEXT)
    worker = house.worker("notice")
    before = memory(worker.pid)
    house.quiet()
    house.check()
    # XML says in which charset it is: read for what it is, it is an answer.
    known = soap and what == "wrong_charset"
    assert house.states() == {"submitted" if known else "unknown": 1}
    assert house.taken() == {mobiles(1)[0]: 1}
    assert memory(worker.pid) - before < 256 * 1024
    assert worker.is_alive()
    # And it goes on: the probe comes by itself.
    house.producer.enqueue(mobiles(1, 5), TEXT)
    house.quiet()
    assert house.states() == ({"submitted": 2} if known else {"unknown": 1, "submitted": 1})


def memory(pid: int | None) -> int:
    """The most memory that a process had so far, in KiB."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:  # noqa: PTH123 - no file
        return int(next(line for line in status if line.startswith("VmHWM")).split()[1])


def test_i7_a_code_is_not_sent_after_its_time(build: Build) -> None:
    """A code waits for its account; when that comes back too late, the code has expired."""
    house = build(accounts=mute(), top={"valid_otp": "1s"})
    house.producer.enqueue(mobiles(1), CODE, message_class="otp")
    time.sleep(1.1)
    house.worker("otp")
    house.quiet()
    counts = house.check()
    assert counts.states == {"expired": 1}
    assert counts.taken == 0
