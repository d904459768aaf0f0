"""Ending doubts: what a counter proves, what a resend may do, and when an account is braked."""

from collections.abc import Callable
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, select, update

from tests.support.stage import (
    Stage,
    eventually,
    mobiles,
    section,
)
from worker.domain.enums import MessageState as M
from worker.settlement.sent_counter import judge
from worker.store.db import database as connecting
from worker.store.db.clock import now
from worker.store.delivery import account_doubts
from worker.store.schema.tables import account_state, request

UNITS = st.dictionaries(st.integers(1, 50), st.integers(1, 30), min_size=1, max_size=6)


@given(expected=st.integers(0, 1000), unknown=UNITS, sole_user=st.booleans())
def test_a_counter_that_did_not_move_proves_that_nothing_was_taken(
    *, expected: int, unknown: dict[int, int], sole_user: bool
) -> None:
    verdict = judge(expected, expected, unknown, sole_user=sole_user)
    assert verdict.not_taken == set(unknown)
    assert not verdict.taken


@given(st.integers(0, 1000), UNITS, st.data())
def test_a_counter_proves_a_set_only_if_no_other_set_explains_it(
    expected: int, unknown: dict[int, int], data: st.DataObject
) -> None:
    taken = data.draw(st.sets(st.sampled_from(sorted(unknown)), min_size=1))
    moved = sum(unknown[one] for one in taken)
    verdict = judge(expected, expected + moved, unknown, sole_user=True)
    explained = [
        some
        for size in range(len(unknown) + 1)
        for some in combinations(unknown, size)
        if sum(unknown[one] for one in some) == moved
    ]
    if len(explained) == 1:
        assert (verdict.taken, verdict.not_taken) == (taken, set(unknown) - taken)
    else:
        assert not verdict.taken
        assert not verdict.not_taken


@given(st.integers(0, 1000), st.integers(1, 100), UNITS)
def test_a_counter_that_others_move_proves_nothing_but_nothing(
    expected: int, moved: int, unknown: dict[int, int]
) -> None:
    verdict = judge(expected, expected + moved, unknown, sole_user=False)
    assert not verdict.taken
    assert not verdict.not_taken


COUNTED = {"settling_delay": "0.5s", "sole_user": True, "timeout": "1s", "max_batch": 50}


def counted(stage: Stage) -> None:
    """Configure an account with a counter, and let it find its baseline."""
    stage.configure(accounts={"bulk": section(stage.sandbox, "bulk", **COUNTED)})


def baseline(stage: Stage) -> bool:
    with stage.engine.connect() as connection:
        query = "SELECT counter FROM xinshi_account_state WHERE counter IS NOT NULL"
        return connection.exec_driver_sql(query).first() is not None


def test_the_counter_ends_a_doubt_either_way(stage: Stage) -> None:
    """What was taken is submitted; what was not goes out once. Nobody gets it twice."""
    counted(stage)
    first = stage.enqueue("13800000001")
    with stage.working():
        eventually(lambda: stage.message(first).state is M.SUBMITTED)
        eventually(lambda: baseline(stage))
        stage.sandbox.control.rule("take_then_close", gateway="c123", call="tx", count=1)
        taken = stage.enqueue(["13800000002", "13800000003"])
        eventually(lambda: stage.states(taken) == {"unknown": 2})
        eventually(lambda: stage.states(taken) == {"submitted": 2})
        stage.sandbox.control.rule("not_taken_502", gateway="c123", call="tx", count=1)
        lost = stage.enqueue("13800000004")
        eventually(lambda: stage.message(lost).state is M.SUBMITTED)
    assert stage.taken() == dict.fromkeys(mobiles(4, 1), 1)


def test_a_code_is_sent_once_more_through_another_account(stage: Stage) -> None:
    """Accept, then drop: an otp is in the ledger at most twice, the second time elsewhere."""
    codes = section(stage.sandbox, "codes", classes=["otp"], priority=1)
    other = section(stage.sandbox, "v1", classes=["otp"])
    stage.configure(accounts={"codes": codes, "other": other})
    stage.sandbox.control.rule("take_then_close", gateway="ihuyi")
    code = stage.enqueue("13800000001", message_class="otp")
    with stage.working():
        eventually(lambda: stage.message(code).state is M.DELIVERED)
    assert [line.gateway for line in stage.lines()] == ["ihuyi", "apiv1"]


def test_marketing_is_never_sent_again_by_itself(stage: Stage) -> None:
    stage.configure(accounts={"me": section(stage.sandbox, "me", concurrency=1)})
    stage.sandbox.control.rule("take_then_close", gateway="fetion")
    text = stage.enqueue("13800000001", account="me", message_class="marketing")
    with stage.working():
        eventually(lambda: stage.message(text).state is M.UNKNOWN)
        after = stage.enqueue("13800000002", account="me", message_class="marketing")
        eventually(lambda: stage.message(after).state is M.UNKNOWN)
    assert stage.taken() == {"13800000001": 1, "13800000002": 1}


def test_an_outage_makes_no_more_unknown_than_concurrency_and_probes(stage: Stage) -> None:
    """While nobody knows, one smallest submission at a time asks; then all goes on."""
    account = section(stage.sandbox, "v1", concurrency=2, max_batch=100)
    stage.configure(accounts={"v1": account})
    outage = stage.sandbox.control.rule("not_taken_502", gateway="apiv1", call="send")
    loaded = stage.producer.enqueue_campaign("big", mobiles(5000), "【店】八折", account="v1")
    with stage.working():
        eventually(lambda: len(_called(_hurried(stage))) >= 4, every=0.1)
        unknown = _called(stage)
        batches = [size for size in unknown if size > 1]
        assert len(batches) <= 2
        stage.sandbox.control.clear(outage)
        most = 5000 - sum(unknown) - 2
        eventually(lambda: sum(_hurried(stage).taken().values()) >= most, within=60, every=0.1)
    assert max(stage.taken().values()) == 1
    del loaded


def _hurried(stage: Stage) -> Stage:
    """Let the pause before the next probe be over, and what waits for it look now."""
    for one in (account_state.c.probe_at, request.c.next_at):
        waiting = update(one.table).where(one.is_not(None)).values({one: now()})
        _write(stage.engine, lambda c, waiting=waiting: c.execute(waiting))
    return stage


def test_one_outage_is_one_doubt_and_each_probe_another(engine: Engine) -> None:
    """Many calls under way end in doubt at once: the first probe comes after a second all the same.

    Then the pause doubles with each probe, up to a minute; one known outcome ends it.
    """
    for _ in range(100):
        _write(engine, lambda c: account_doubts.add(c, "bulk", None))
    assert _pause(engine) == pytest.approx(1.0, abs=0.5)
    pauses = []
    for _ in range(7):
        with engine.begin() as connection:
            connection.execute(update(account_state).values(probe_at=now()))
        assert _write(engine, lambda c: account_doubts.take_probe(c, "bulk", 30.0))
        _write(engine, lambda c: account_doubts.add(c, "bulk", None))
        pauses.append(_pause(engine))
    assert pauses == pytest.approx([2, 4, 8, 16, 32, 60, 60], abs=0.5)
    _write(engine, lambda c: account_doubts.clear(c, "bulk"))
    with connecting.reading(engine) as connection:
        assert account_doubts.current_doubts(connection) == {}


def _write(engine: Engine, work: Callable[[Connection], Any]) -> Any:
    with connecting.writing(engine) as connection:
        return work(connection)


def _pause(engine: Engine) -> float:
    with connecting.reading(engine) as connection:
        row = connection.execute(select(account_state.c.probe_at, now())).one()
        return float((row[0] - row[1]).total_seconds())


def _called(stage: Stage) -> list[int]:
    with stage.engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT size FROM xinshi_submission WHERE state = 'unknown'"
        )
        return [row[0] for row in rows]
