"""What becomes of a message when the gateway refuses, throttles, drops, hangs or is not there."""

import socket
import threading
from contextlib import closing

import pytest

from tests.support.by_hand import MARKETING
from tests.support.stage import (
    TEXT,
    Stage,
    eventually,
    mobiles,
    section,
)
from worker.domain.enums import MessageState
from worker.store import accounts
from worker.store.db.database import reading, writing

M = MessageState


def test_a_refusal_for_good_ends_the_message(stage: Stage) -> None:
    stage.configure("bulk")
    stage.sandbox.control.rule("refuse", gateway="c123", call="tx", args={"code": "104"})
    accepted = stage.enqueue("13800000001")
    with stage.working():
        eventually(lambda: stage.message(accepted).state is M.REJECTED)
    message = stage.message(accepted)
    assert (message.code, message.attempts) == ("104", 1)
    assert message.finished_at is not None
    assert len(stage.lines(only_taken=False)) == 1
    assert not stage.taken()


def test_throttled_messages_go_later_and_their_tries_do_not_count(stage: Stage) -> None:
    stage.configure("bulk")
    stage.prove()
    stage.sandbox.control.rule("throttled", gateway="c123", call="tx", count=2)
    accepted = stage.enqueue("13800000001")
    with stage.working():
        eventually(lambda: stage.message(accepted).state is M.SUBMITTED)
    assert stage.message(accepted).attempts == 1
    assert stage.taken() == {"13800000001": 1}


def test_what_never_left_goes_later_once(stage: Stage) -> None:
    """Fault 7: nobody listens at first; the message is sent once somebody does."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        gone = f"http://127.0.0.1:{port}/c123"
        stage.configure(accounts={"bulk": section(stage.sandbox, "bulk", base_url=gone)})
        accepted = stage.enqueue("13800000001")
        with stage.working():
            eventually(lambda: stage.message(accepted).attempts == 1)
            eventually(lambda: stage.message(accepted).state is M.QUEUED)
    stage.configure("bulk")
    with stage.working():
        eventually(lambda: stage.message(accepted).state is M.SUBMITTED)
    assert stage.message(accepted).attempts >= 2
    assert stage.taken() == {"13800000001": 1}


@pytest.mark.parametrize("kind", ["sqlite"])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("wire", ["close", "reset", "garbage"])
def test_taken_without_a_readable_answer_is_unknown_once_and_for_ever(
    stage: Stage, wire: str, method: str
) -> None:
    """Faults 4 and 5, on a new connection and on one that was used before."""
    stage.configure(accounts={"bulk": section(stage.sandbox, "bulk", method=method)})
    stage.prove()
    rule = f"take_then_{wire}"
    stage.sandbox.control.rule(rule, gateway="c123", call="tx", numbers=["13800000001"])
    first = stage.enqueue("13800000001", f"{TEXT}1")
    with stage.working():
        eventually(lambda: stage.message(first).state is M.UNKNOWN)
        used = stage.enqueue("13800000002", f"{TEXT}2")
        eventually(lambda: stage.message(used).state is M.SUBMITTED)
        second = stage.enqueue("13800000001", f"{TEXT}3")
        eventually(lambda: stage.message(second).state is M.UNKNOWN)
    assert stage.message(first).state is stage.message(second).state is M.UNKNOWN
    assert stage.taken() == {"13800000001": 2, "13800000002": 1}


@pytest.mark.parametrize("wire", ["take_then_hang", "take_then_trickle"])
def test_a_call_past_its_deadline_is_unknown(stage: Stage, wire: str) -> None:
    """Fault 6: the deadline is total, however the gateway dawdles."""
    stage.configure(accounts={"bulk": section(stage.sandbox, "bulk", timeout="0.5s")})
    stage.prove()
    stage.sandbox.control.rule(wire, gateway="c123", call="tx", count=1)
    accepted = stage.enqueue("13800000001")
    with stage.working():
        eventually(lambda: stage.message(accepted).state is M.UNKNOWN, within=5)
    assert stage.taken() == {"13800000001": 1}


def test_an_unknown_marketing_batch_is_taken_once_for_ever(stage: Stage) -> None:
    stage.configure("bulk")
    stage.sandbox.control.rule("take_then_close", gateway="c123", call="tx", count=1)
    loaded = stage.producer.enqueue_campaign("sale", mobiles(5000), "促销 回T退订")
    from worker.intake import campaigns

    with stage.working(MARKETING):
        eventually(lambda: campaigns.show(stage.engine, loaded.id).state == "done", within=30)
    states = campaigns.show(stage.engine, loaded.id).states
    assert sum(states.values()) == 5000
    assert 0 < states["unknown"] <= 2000
    assert set(stage.taken().values()) == {1}
    assert len(stage.taken()) == 5000


def test_a_held_account_is_asked_once_and_its_messages_go_on_after_release(stage: Stage) -> None:
    quiet = {"check_balance_every": "600s", "collect_inbound_every": "600s"}
    stage.configure(
        accounts={"bulk": section(stage.sandbox, "bulk", concurrency=1, **quiet)},
    )
    rule = stage.sandbox.control.rule("auth_fail", gateway="c123", call="tx")
    accepted = stage.enqueue(mobiles(3))
    more = [stage.enqueue(number, f"{TEXT}{number}") for number in mobiles(4, 10)]
    with stage.working():
        eventually(lambda: "bulk" in held(stage))
        looked = threading.Event()
        looked.wait(0.5)
        assert len(stage.lines(only_taken=False)) == 1
        assert stage.states(accepted) == {"queued": 3}
        stage.sandbox.control.clear(rule)
        with writing(stage.engine) as connection:
            assert accounts.release(connection, "bulk")
        eventually(lambda: stage.states(accepted) == {"submitted": 3})
        eventually(lambda: all(stage.message(one).state is M.SUBMITTED for one in more))
    assert set(stage.taken().values()) == {1}
    assert len(stage.taken()) == 7


def held(stage: Stage) -> frozenset[str]:
    with reading(stage.engine) as connection:
        return accounts.held_names(connection)


def test_an_account_that_is_held_for_a_time_comes_back_by_itself(stage: Stage) -> None:
    codes = {"114": {"outcome": "account_held", "hold": "0.3s"}}
    stage.configure(accounts={"bulk": section(stage.sandbox, "bulk", codes=codes)})
    stage.sandbox.control.rule("locked", gateway="c123", call="tx", count=1)
    accepted = stage.enqueue("13800000001")
    with stage.working():
        eventually(lambda: stage.message(accepted).state is M.SUBMITTED)
    assert stage.taken() == {"13800000001": 1}


def test_a_message_past_its_validity_expires_and_never_reaches_a_gateway(stage: Stage) -> None:
    """I7: also one that was tried and throttled before."""
    stage.configure("bulk", valid_otp="0.8s")
    stage.sandbox.control.rule("throttled", gateway="c123", call="tx")
    accepted = stage.enqueue("13800000001", message_class="otp")
    with stage.working():
        eventually(lambda: stage.message(accepted).state is M.EXPIRED)
        stage.sandbox.control.clear()
    assert not stage.taken()
    late = stage.enqueue("13800000002", message_class="otp")
    eventually(lambda: expired(stage))
    with stage.working():
        eventually(lambda: stage.message(late).state is M.EXPIRED)
    assert not stage.taken()


def expired(stage: Stage) -> bool:
    """Tell whether all requests are past their validity, by the database's clock."""
    from sqlalchemy import select

    from worker.store.db.clock import now
    from worker.store.schema.tables import request

    with reading(stage.engine) as connection:
        waits = select(request.c.id).where(request.c.not_after > now())
        return connection.execute(waits).first() is None


@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_message_before_its_time_waits(stage: Stage) -> None:
    from datetime import UTC, datetime, timedelta

    stage.configure("bulk")
    at = datetime.now(UTC) + timedelta(seconds=0.7)
    accepted = stage.enqueue("13800000001", not_before=at)
    with stage.working():
        eventually(lambda: stage.message(accepted).state is M.SUBMITTED)
    (line,) = stage.lines()
    # SQLite's clock, which is compared with, has milliseconds.
    assert line.at >= at.timestamp() - 0.002
