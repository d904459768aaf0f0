"""Faults 22 and 23: forged pushes, and a receiver that is down while gateways push."""

import contextlib
from collections.abc import Iterator

import httpx
import pytest

from tests.faults.conftest import Build
from tests.support.faults.house import (
    ACCOUNTS,
    TEXT,
    House,
    eventually,
    mobiles,
)
from tests.support.faults.proxy import Proxy
from tests.support.stage import LOGINS
from tests.support.web_process import Live
from worker.domain import api_keys
from worker.domain.enums import Scope
from worker.store import keys
from worker.store.db.database import writing

TOKEN = "a-token-0123456789abcdef"
CODE = "您的验证码是：1234。请不要把验证码泄露给其他人。"


@contextlib.contextmanager
def receiving(house: House) -> Iterator[tuple[Live, Proxy]]:
    """A web process of a house's own, and a proxy before it."""
    live = Live(house.config)
    try:
        eventually(lambda: live.said("web.listening"), 60)
        with Proxy(live.port) as proxy:
            yield live, proxy
    finally:
        live.close()


def pushed_to(house: House, gateway: str, port: int, *, kept: bool) -> None:
    """Have a gateway push its reports there."""
    url = f"http://127.0.0.1:{port}/push/pushed/{TOKEN}"
    house.sandbox.control.push(gateway, "report", url, keep_for_pull=kept)


def pushes(house: House) -> dict[str, int]:
    """What the gateways counted of their pushes: tried, done, given up."""
    found: dict[str, int] = house.sandbox.control.state()["pushes"]
    return found


def test_fault_22_a_forged_report_changes_nothing_without_the_token(build: Build) -> None:
    """Nor is it kept: there is nothing at such an address. With the token it counts once."""
    account = {**ACCOUNTS["second"], "reports": "push", "push_tokens": [TOKEN]}
    house = build(accounts={"pushed": account})
    house.sandbox.control.rule("lose_reports")
    house.producer.enqueue(mobiles(1), TEXT)
    house.worker("notice")
    house.quiet()
    (line,) = [line for line in house.sandbox.entries() if line.taken]
    said = {
        "sendId": line.reference,
        "mobile": mobiles(1)[0],
        "status": "UNDELIV",
        "times": "2026-11-24 08:00:00",
    }
    with receiving(house) as (live, _), httpx.Client(trust_env=False) as client:
        for token in ("", "wrong", TOKEN[:-1], TOKEN + "x"):
            answer = client.post(f"{live.url}/push/pushed/{token}", json=said)
            assert answer.status_code == 404
        assert house.states() == {"submitted": 1}
        for _ in range(10):
            assert client.post(f"{live.url}/push/pushed/{TOKEN}", json=said).status_code == 200
        eventually(lambda: house.states() == {"undelivered": 1})
    house.check()


def test_fault_23_what_a_gateway_pushes_again_is_not_lost(build: Build) -> None:
    """The receiver is down when it is pushed first; the repeated push ends the message."""
    codes = {**LOGINS["codes"], "push_tokens": [TOKEN], "per_msisdn": []}
    house = build(accounts={"pushed": codes})
    with receiving(house) as (_, proxy):
        pushed_to(house, "ihuyi", proxy.port, kept=False)
        proxy.refuse()
        house.producer.enqueue(mobiles(2), CODE)
        house.worker("notice")
        eventually(lambda: pushes(house).get("tried", 0) >= 1, every=0.001)
        assert house.states()["delivered"] == 0
        proxy.heal()
        eventually(lambda: house.states() == {"delivered": 2})
    assert not pushes(house).get("given_up")
    house.check()


@pytest.mark.parametrize("how", ["refuse", "silence"])
def test_fault_23_what_a_gateway_keeps_for_pulling_is_not_lost(build: Build, how: str) -> None:
    """The receiver stays down: what could not be pushed is collected."""
    account = {**ACCOUNTS["second"], "reports": "pull", "push_tokens": [TOKEN]}
    house = build(accounts={"pushed": account})
    with receiving(house) as (_, proxy):
        pushed_to(house, "apiv1", proxy.port, kept=True)
        getattr(proxy, how)()
        house.producer.enqueue(mobiles(20), TEXT)
        house.worker("notice")
        eventually(lambda: house.states() == {"delivered": 20})
    house.check()


def test_fault_23_a_receiver_killed_under_pushes_keeps_what_it_answered(build: Build) -> None:
    """What it answered was committed before; what it did not is pushed again, and counts once."""
    codes = {**LOGINS["codes"], "push_tokens": [TOKEN], "per_msisdn": [], "concurrency": 50}
    house = build(accounts={"pushed": codes})
    with receiving(house) as (live, _):
        pushed_to(house, "ihuyi", live.port, kept=False)
        house.producer.enqueue(mobiles(60), CODE)
        house.worker("notice")
        eventually(lambda: pushes(house).get("done", 0) >= 5)
        live.kill()
        eventually(lambda: sum(pushes(house).get(one, 0) for one in ("done", "given_up")) >= 60, 40)
        done = pushes(house)["done"]
        eventually(lambda: house.states()["delivered"] >= done)
    house.quiet()
    counts = house.check()
    assert counts.lost == counts.doubled == 0
    assert counts.states["delivered"] >= done


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_fault_22_two_thousand_strange_ids_stop_nobody(build: Build) -> None:
    """On SQLite, beside submissions whose ids we never learned: calls are taken meanwhile."""
    account = {**ACCOUNTS["second"], "reports": "push", "push_tokens": [TOKEN]}
    house = build(accounts={"pushed": account})
    house.sandbox.control.rule("lose_reports")
    for number in mobiles(60):
        house.producer.enqueue(number, TEXT)
    worker = house.worker("notice")
    house.quiet()
    with writing(house.engine) as connection:
        connection.exec_driver_sql(
            "UPDATE xinshi_submission SET gateway_id = NULL, reference = NULL"
        )
        key = api_keys.make(test=False)
        digest = api_keys.digest(key)
        keys.add(connection, "shop", digest, [Scope.SEND], test=False, rate=1000.0)
    # Without a time: each may be about any of them.
    strange = [
        {"sendId": f"strange{n}", "mobile": number, "status": "DELIVRD"}
        for n, number in enumerate(mobiles(2000, 50_000))
    ]
    with receiving(house) as (live, _), httpx.Client(trust_env=False, timeout=60) as client:
        client.headers["Authorization"] = f"Bearer {key}"
        assert client.post(f"{live.url}/push/pushed/{TOKEN}", json=strange).status_code == 200
        answers = [
            client.post(f"{live.url}/v1/messages", json={"to": number, "text": TEXT})
            for number in mobiles(60, 90_000)
        ]
        assert {answer.status_code for answer in answers} == {202}
        slowest = max(answer.elapsed.total_seconds() for answer in answers)
        assert slowest < 8, f"a call waited {slowest:.0f} s for the database"
        stored = "SELECT count(*) FROM xinshi_report WHERE compared_at IS NOT NULL"
        with house.engine.connect() as connection:
            eventually(lambda: connection.exec_driver_sql(stored).scalar() == 2000, 60)
    worker.terminate()
    worker.join(20)
    assert worker.exitcode is not None, "it ends within its grace"
