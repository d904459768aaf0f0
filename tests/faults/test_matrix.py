"""The matrix: each place of a submission's way × each way to fail there, faults 1, 2, 3 and 30.

Before the write-ahead commit nothing was promised to anybody: another worker submits, once. After
it nobody knows: exactly that submission is unknown, and stays so unless evidence ends the doubt.
"""

import os
import signal

import pytest

from tests.faults.conftest import Build
from tests.support.faults.failpoint_listener import Told
from tests.support.faults.house import (
    ACCOUNTS,
    CODE,
    TEXT,
    House,
    died,
    eventually,
    frozen,
    mobiles,
    stopped,
)
from tests.support.faults.proxy import Proxy
from tests.support.faults.servers import PostgreSQL

#: Where a worker can be, and what stands in the ledger when it never comes further.
PLACES = {
    "claim.after": 0,
    "write_ahead.before": 0,
    "write_ahead.after": 0,
    "call.before": 0,
    "call.sending": 0,
    "call.after": 1,
    "record.before": 1,
    "record.after": 1,
}
BEFORE = ("claim.after", "write_ahead.before")
#: The lease and the timeout together are what a submission has.
LEASE = 0.6 + 0.8
SIZE = 20


def mute(**more: object) -> dict[str, dict[str, object]]:
    """Accounts without reports: what is unknown stays so."""
    return {name: {**one, "reports": "none", **more} for name, one in ACCOUNTS.items()}


@pytest.fixture
def quiet_house(build: Build) -> House:
    return build(accounts=mute())


def load(house: House, message_class: str) -> None:
    """A campaign that is one submission, or one code."""
    if message_class == "otp":
        house.producer.enqueue(mobiles(1)[0], CODE, message_class="otp")
    else:
        house.producer.enqueue_campaign("matrix", mobiles(SIZE), TEXT)


def expect(house: House, place: str, *, unknown: bool, message_class: str = "marketing") -> None:
    """Hold the end against the table."""
    counts = house.check()
    taken = house.taken()
    if message_class == "otp":
        # A code goes once more, by the other account, after its first submission was unknown.
        assert counts.states == {"submitted": 1}
        assert taken.total() == 1 + (PLACES[place] if unknown else 0)
    elif unknown:
        assert counts.states == {"unknown": SIZE}
        assert taken.total() == PLACES[place] * SIZE
    else:
        assert counts.states == {"submitted": SIZE}
        assert taken.total() == SIZE
    if message_class != "otp":
        assert set(taken.values()) <= {1}


def is_unknown(place: str) -> bool:
    """Tell whether nobody knows what became of a submission whose worker ended here."""
    return place not in {*BEFORE, "record.after"}


@pytest.mark.parametrize("message_class", ["marketing", "otp"])
@pytest.mark.parametrize("place", PLACES)
def test_fault_01_killed(quiet_house: House, place: str, message_class: str) -> None:
    """Killed after the write-ahead commit: exactly that submission unknown; before: once."""
    house = quiet_house
    load(house, message_class)
    assert died(house.worker(message_class, points=f"{place}=kill")) == -signal.SIGKILL
    house.worker(message_class)
    house.quiet()
    expect(house, place, unknown=is_unknown(place), message_class=message_class)


@pytest.mark.parametrize("place", PLACES)
def test_fault_01_ended_from_within(quiet_house: House, place: str) -> None:
    """A lane that ends takes its process along; the outcome is that of a kill."""
    house = quiet_house
    load(house, "marketing")
    died(house.worker("marketing", points=f"{place}=exit"))
    house.worker("marketing")
    house.quiet()
    expect(house, place, unknown=is_unknown(place))


@pytest.mark.parametrize("message_class", ["marketing", "otp"])
@pytest.mark.parametrize("place", ["write_ahead.after", "call.before"])
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_fault_02_stopped_before_the_call(
    build: Build, request: pytest.FixtureRequest, kind: str, place: str, message_class: str
) -> None:
    """The late worker does not send; its words end the doubt, and the message goes once.

    On SQLite nobody may be able to write until it goes on; on PostgreSQL others take over.
    """
    if kind == "postgresql":
        server: PostgreSQL = request.getfixturevalue("own_postgresql")
        house = build(server.url(server.copied()), accounts=mute())
    else:
        house = build(accounts=mute())
    load(house, message_class)
    late = house.worker(message_class, points=f"{place}=stop@1", ticks=False)
    stopped(late.pid)
    house.worker(message_class)
    with frozen(late.pid, 2 * LEASE):
        if kind == "postgresql":
            eventually(lambda: any(one.state == "unknown" for one in house.submissions()))
    house.await_outcome(late)
    house.quiet()
    expect(house, place, unknown=False, message_class=message_class)


@pytest.mark.parametrize("place", ["call.after", "record.before", "record.after"])
def test_fault_03_stopped_after_the_call(quiet_house: House, place: str) -> None:
    """The record loses the race against the sweep; its evidence settles the unknown."""
    house = quiet_house
    load(house, "marketing")
    late = house.worker("marketing", points=f"{place}=stop@1", ticks=False)
    stopped(late.pid)
    house.worker("marketing")
    with frozen(late.pid, 2 * LEASE):
        pass
    house.await_outcome(late)
    house.quiet()
    expect(house, place, unknown=False)


@pytest.mark.parametrize("place", BEFORE)
def test_fault_02_stopped_within_the_transaction(quiet_house: House, place: str) -> None:
    """Whoever wakes up with a lease that is over does not send under it."""
    house = quiet_house
    load(house, "marketing")
    late = house.worker("marketing", points=f"{place}=stop@1", ticks=False)
    stopped(late.pid)
    house.worker("marketing")
    with frozen(late.pid, 2 * LEASE):
        pass
    house.await_outcome(late)
    house.quiet()
    expect(house, place, unknown=False)


def test_fault_02_the_hole(quiet_house: House) -> None:
    """Frozen between the last check and the first byte: late, shown as unknown, and in it once."""
    house = quiet_house
    load(house, "marketing")
    late = house.worker("marketing", points="call.sending=stop@1", ticks=False)
    stopped(late.pid)
    house.worker("marketing")
    with frozen(late.pid, 2 * LEASE):
        pass
    house.await_outcome(late)
    house.quiet()
    counts = house.check()
    assert counts.taken == SIZE
    assert set(house.taken().values()) == {1}


@pytest.mark.parametrize("place", PLACES)
def test_fault_17_the_disk_is_full_at_this_place(quiet_house: House, place: str) -> None:
    """Nothing is sent without its write-ahead, and no outcome is given up."""
    house = quiet_house
    load(house, "marketing")
    house.worker("marketing", points=f"{place}=fail:28@1")
    house.quiet()
    lost = {"write_ahead.after", "call.before", "call.sending", "call.after"}
    expect(house, place, unknown=place in lost)


@pytest.mark.parametrize("place", PLACES)
def test_fault_16_the_database_is_cut_at_this_place(
    build: Build, own_postgresql: PostgreSQL, postgresql: str, proxied: Proxy, place: str
) -> None:
    """Whatever is cut, it is read back before it is acted on: submitted once."""
    house = build(own_postgresql.url(postgresql, proxied.port), accounts=mute())
    load(house, "marketing")
    with Told(proxied.cut) as told:
        house.worker("marketing", points=f"{place}=tell:{told.port}@1")
        told.wait()
    house.quiet()
    expect(house, place, unknown=False)


def test_fault_30_a_child_is_killed_for_its_memory(quiet_house: House) -> None:
    """A prefork child that the system kills is replaced; the rest is as for a kill."""
    house = quiet_house
    config = house.configure("celery.toml")
    words = (
        "-m",
        "celery",
        "-A",
        "worker",
        "worker",
        "-c",
        "2",
        "-Q",
        "marketing,ticks",
        "-l",
        "ERROR",
    )
    parent = house.command(*words, config=config, points="call.after=kill@1")
    load(house, "marketing")
    house.quiet()
    assert parent.poll() is None
    os.killpg(parent.pid, signal.SIGTERM)
    expect(house, "call.after", unknown=True)
