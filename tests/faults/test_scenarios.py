"""What the suite was asked to show at length: crowds of faults, outages, and doubts that end."""

import os
import signal

import pytest

from tests.faults import crowd, outage
from tests.faults.conftest import Build
from tests.faults.test_matrix import mute
from tests.support.faults.house import (
    ACCOUNTS,
    CODE,
    TEXT,
    House,
    died,
    eventually,
    mobiles,
)
from tests.support.stage import LOGINS


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("more", [(), ("--reports",)], ids=["mute", "reports"])
def test_a_campaign_of_20_000_while_everything_is_killed(more: tuple[str, ...]) -> None:
    """0 lost, 0 doubled; unknown: no more than what was in flight at the kills.

    With reports, everything that was reported is delivered in the end; a kill takes one page of an
    account with it at the most, which the gateway has forgotten.
    """
    assert crowd.main(["--recipients", "20000", "--seed", "20", *more]) == 0


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("more", [(), ("--taken",)], ids=["not_taken", "taken"])
def test_b_a_gateway_that_answers_502_to_everything(more: tuple[str, ...]) -> None:
    """Unknown: no more submissions than concurrency and probes; then it goes on by itself."""
    words = ["--recipients", "100000", "--minutes", "0.3", "--seed", "1"]
    assert outage.main([*words, *more]) == 0


def test_c_accept_then_drop(build: Build) -> None:
    """A gateway that takes everything and says nothing: marketing once for ever, a code twice."""
    house = build(accounts=mute())
    house.sandbox.control.rule("take_then_close", call="submit")
    house.producer.enqueue(mobiles(1), TEXT, message_class="marketing")
    house.producer.enqueue(mobiles(1, 5), CODE, message_class="otp")
    house.worker()
    eventually(lambda: house.taken()[mobiles(1, 5)[0]] == 2)
    house.quiet()
    counts = house.check()
    assert house.taken() == {mobiles(1)[0]: 1, mobiles(1, 5)[0]: 2}
    assert counts.states == {"unknown": 2}
    gateways = {line.gateway for line in house.sandbox.entries() if mobiles(1, 5)[0] in line.taken}
    assert len(gateways) == 2


@pytest.mark.parametrize("what", ["refuse_number", "take_others"])
def test_d_a_112_that_took_none_and_one_that_took_the_others(build: Build, what: str) -> None:
    """The answer is the same for both: no number is ever in the ledger twice."""
    bulk = {**LOGINS["bulk"], "reports": "none", "settling_delay": "0.2s"}
    house = build(accounts={"bulk": bulk})
    numbers = mobiles(20)
    house.sandbox.control.rule(what, call="tx", numbers=[numbers[7]])
    house.producer.enqueue_campaign("one bad number", numbers, TEXT)
    house.worker("marketing")
    house.quiet()
    taken = house.taken()
    assert set(taken.values()) <= {1}
    assert numbers[7] not in taken
    if what == "refuse_number":
        house.check()


def test_d_a_112_that_took_the_others_is_not_called_rejected(build: Build) -> None:
    """What may have been taken is not `rejected`."""
    house = build(accounts={"bulk": {**LOGINS["bulk"], "reports": "none"}})
    house.sandbox.control.rule("take_others", call="tx", numbers=[mobiles(20)[7]])
    house.producer.enqueue_campaign("one bad number", mobiles(20), TEXT)
    house.worker("marketing")
    house.quiet()
    house.check()


@pytest.fixture(params=[True, False], ids=["taken", "not_taken"])
def counted(request: pytest.FixtureRequest, build: Build) -> tuple[House, bool]:
    """A c123 account with a baseline of its sent counter, then a worker that is killed."""
    bulk = {**LOGINS["bulk"], "reports": "none", "settling_delay": "0.2s", "sole_user": True}
    house = build(accounts={"bulk": bulk})
    house.producer.enqueue(mobiles(2), TEXT, message_class="marketing")
    first = house.worker("marketing")
    house.quiet()
    house.await_baseline()
    house.await_outcome(first)
    place = "call.after" if request.param else "call.before"
    house.producer.enqueue_campaign("doubt", mobiles(20, 100), TEXT)
    died(house.worker("marketing", points=f"{place}=kill"))
    return house, request.param


def test_e_the_sent_counter_ends_the_doubt(counted: tuple[House, bool]) -> None:
    """Grown by what is unknown: it was taken. Not grown: it was not, and goes now, once."""
    house, was_taken = counted
    house.worker("marketing")
    eventually(lambda: house.states() == {"submitted": 22}, 30)
    counts = house.check()
    assert counts.taken == 22
    assert max(house.taken().values()) == 1
    if was_taken:
        assert sum(one.state == "not_sent" for one in house.submissions()) == 0


def test_e_reports_settle_by_themselves_what_the_gateway_reports(build: Build) -> None:
    """Killed again and again, everything that was taken is delivered in the end."""
    house = build(accounts={"first": {**ACCOUNTS["first"], "max_batch": 5, "concurrency": 1}})
    house.producer.enqueue_campaign("settle", mobiles(100), TEXT)
    for _ in range(2):
        died(house.worker("marketing", points="call.after=kill"))
    last = house.worker("marketing")
    house.quiet()
    eventually(lambda: house.states()["delivered"] == house.taken().total(), 30)
    counts = house.check()
    assert counts.lost == counts.doubled == 0
    os.kill(last.pid or 0, signal.SIGTERM)
