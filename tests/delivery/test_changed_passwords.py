"""A password is changed at the gateway while messages go out: few are unknown, none is lost."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from tests.delivery.test_account_guard import due, held, over
from tests.support.by_hand import Hand, answer, settings_of
from tests.support.stage import Stage, eventually, mobiles, section
from worker.delivery import account_guard
from worker.domain.enums import Outcome
from worker.gateways.results import Result
from worker.store import accounts, ticks
from worker.store.db.clock import later
from worker.store.db.database import reading, writing
from worker.store.schema.tables import account_state, event

ROTATED = Result(Outcome.UNKNOWN, "01", "账号或密码错误", mapped=False)


def names(engine: Engine, name: str) -> list[str]:
    """Return the accounts of all events of a name."""
    with reading(engine) as connection:
        query = select(event.c.account).where(event.c.name == name)
        return list(connection.execute(query).scalars())


@pytest.fixture
def v1(engine: Engine, database: str) -> Hand:
    """An account whose gateway has a balance to ask for, and lists no refusals."""
    return Hand(engine, settings_of(database, v1={}))


def test_a_proven_login_that_is_refused_in_words_rests_and_its_balance_asks_first(
    v1: Hand,
) -> None:
    """What was in flight is unknown; no submission goes until the balance was asked for."""
    made = [v1.enqueue([number], f"【店】{number}") for number in mobiles(2)]
    first, second = v1.take()
    v1.enqueue(mobiles(2, 10))
    v1.record(answer(first, Outcome.UNKNOWN, code="01", words=ROTATED.words, mapped=False))
    v1.record(answer(second, Outcome.UNKNOWN, code="01", words=ROTATED.words, mapped=False))
    assert held(v1) == {"v1"}
    assert names(v1.engine, "account.held") == ["v1"]
    with reading(v1.engine) as connection:
        state = accounts.states(connection, v1.settings.logins)["v1"]
        delay = ticks.late_seconds(connection, "balance:v1")
    assert state.held_until is not None
    assert 595 < (state.held_until - datetime.now(UTC)).total_seconds() < 605
    assert delay is None or delay <= 0
    over(v1)
    due(v1)
    assert held(v1) == frozenset()
    assert v1.take() == [], "the balance asks first"
    with writing(v1.engine) as connection:
        account_guard.note_answer(connection, v1.settings, "v1", None, "test")
        connection.execute(update(account_state).values(settle_until=later(-1)))
    due(v1)
    (probe,) = v1.take()
    assert len(probe.outgoing.msisdns) == 1
    assert [v1.count(one.request_id) for one in made] == [{"unknown": 1}] * 2


def test_a_login_that_the_balance_finds_refused_again_is_held_until_it_is_another(
    v1: Hand,
) -> None:
    v1.enqueue(mobiles(2))
    with writing(v1.engine) as connection:
        account_guard.note_answer(connection, v1.settings, "v1", ROTATED, "test")
    over(v1)
    with writing(v1.engine) as connection:
        account_guard.note_answer(connection, v1.settings, "v1", ROTATED, "test")
    with reading(v1.engine) as connection:
        assert accounts.states(connection, v1.settings.logins)["v1"].held_until is None
    changed = settings_of(v1.settings.top.database_url, v1={"password": "another"})
    new = Hand(v1.engine, changed)
    assert held(v1) == {"v1"}
    assert held(new) == frozenset()


def test_without_a_balance_one_smallest_submission_asks_after_the_rest(
    engine: Engine, database: str
) -> None:
    hand = Hand(engine, settings_of(database, me={}))
    hand.enqueue(mobiles(1), account="me")
    (first,) = hand.take()
    hand.enqueue(mobiles(1, 10), account="me")
    hand.record(answer(first, Outcome.UNKNOWN, code="-9", words="密码错误", mapped=False))
    assert held(hand) == {"me"}
    due(hand)
    assert hand.take() == []
    over(hand)
    due(hand)
    assert len(hand.take()) == 1


@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_password_that_is_changed_at_the_gateway_costs_what_was_in_flight(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While traffic flows; with the new one in the configuration everything else goes, once."""
    monkeypatch.setattr(account_guard, "REFUSED_LOGIN_HOLD", 1.0)
    monkeypatch.setattr(account_guard, "BALANCE_GRACE", 30.0)
    limits: dict[str, Any] = {"concurrency": 4, "max_batch": 1, "reports": "none"}
    stage.configure(accounts={"v1": section(stage.sandbox, "v1", **limits)})
    stage.sandbox.control.rule("latency", args={"seconds": 0.05})
    made = stage.enqueue(mobiles(60))

    def refused_calls() -> int:
        calls = stage.sandbox.control.state()["calls"]["apiv1"]
        return sum(codes.get("01", 0) for codes in calls.values())

    with stage.working():
        eventually(lambda: stage.states(made)["submitted"] > 8)
        stage.sandbox.control.account("apiv1", "demo", "rotated")
        eventually(lambda: names(stage.engine, "account.held") == ["v1", "v1"])
        eventually(lambda: stage.states(made)["submitting"] == 0)
    in_flight = stage.states(made)["unknown"]
    assert 1 <= in_flight <= 4
    assert refused_calls() <= in_flight + 2, "and one call that reaches nobody, of any kind"
    rotated = section(stage.sandbox, "v1", password="rotated", **limits)
    stage.configure(accounts={"v1": rotated})
    with stage.working():
        eventually(lambda: stage.states(made)["queued"] == 0, within=40)
        eventually(lambda: stage.states(made)["submitted"] == 60 - in_flight, within=40)
    assert stage.states(made)["unknown"] == in_flight
    assert set(stage.taken().values()) == {1}
