"""Accounts at fault: one call proves a login, a probe ends a hold, and no message is lost."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select, update

from tests.support.by_hand import (
    MARKETING,
    NOTICE,
    Hand,
    answer,
    settings_of,
)
from tests.support.stage import (
    Stage,
    eventually,
    mobiles,
    section,
)
from worker.delivery import account_guard
from worker.delivery.submit import PreparedSubmission
from worker.domain.enums import (
    Advice,
    Fault,
    MessageClass,
    MessageState,
    Outcome,
)
from worker.gateways.results import Result
from worker.store import accounts
from worker.store.db.clock import later, now
from worker.store.db.database import reading, writing
from worker.store.delivery import account_doubts
from worker.store.schema.tables import (
    account_state,
    event,
    opt_out,
    request,
)

M = MessageState
on_sqlite = pytest.mark.parametrize("kind", ["sqlite"])
WRONG: dict[str, Any] = {"code": "101", "words": "验证失败", "fault": Fault.LOGIN}
LOCKED: dict[str, Any] = {"code": "114", "fault": Fault.ACCOUNT, "hold": 600.0}
#: The bulk account, and another of the same class.
TWO: dict[str, Any] = {"bulk": {}, "v1": {}}


@pytest.fixture
def hand(engine: Engine, database: str) -> Hand:
    return Hand(engine, settings_of(database, bulk={}))


def unproven(hand: Hand) -> None:
    """Let no login have been accepted yet."""
    with writing(hand.engine) as connection:
        connection.execute(update(account_state).values(proven=None))


def held(hand: Hand) -> frozenset[str]:
    with reading(hand.engine) as connection:
        return accounts.held_names(connection, hand.settings.logins)


def over(hand: Hand) -> None:
    """Let all holds that end by themselves be over, and all rights to ask free."""
    with writing(hand.engine) as connection:
        for column in (account_state.c.held_until, account_state.c.probe_at):
            connection.execute(
                update(account_state).where(column.is_not(None)).values({column: later(-1)})
            )


def due(hand: Hand) -> None:
    """Let all that waits be due now, and what was not handed out yet."""
    hand.make_due()
    with writing(hand.engine) as connection:
        waits = request.c.next_at.is_not(None)
        connection.execute(update(request).where(waits).values(next_at=later(-1)))


def refused(one: PreparedSubmission, said: dict[str, Any]) -> Any:
    return answer(one, Outcome.ACCOUNT_HELD, **said)


def names(hand: Hand, name: str) -> list[str]:
    """Return the accounts of all events of a name."""
    with reading(hand.engine) as connection:
        return list(
            connection.execute(select(event.c.account).where(event.c.name == name)).scalars()
        )


def test_a_login_that_was_never_accepted_is_asked_by_one_call_at_a_time(hand: Hand) -> None:
    """Over all classes; once it is accepted everything goes."""
    unproven(hand)
    hand.enqueue(mobiles(1))
    hand.campaign(mobiles(500, 10))
    (first,) = hand.take()
    assert not hand.take(MARKETING)
    due(hand)
    assert not hand.take(MARKETING), "not even when its right has run out: it is under way still"
    hand.record(answer(first, Outcome.ACCEPTED))
    due(hand)
    assert sum(len(one.outgoing.msisdns) for one in hand.take(MARKETING)) == 500
    assert names(hand, "account.proven") == ["bulk"]


def test_the_call_that_proves_a_login_carries_few(hand: Hand) -> None:
    """A refusal in words that nobody knows leaves them unknown."""
    unproven(hand)
    hand.campaign(mobiles(500))
    (first,) = hand.take(MARKETING)
    assert len(first.outgoing.msisdns) == 50


def test_a_wrong_password_holds_at_the_first_answer(hand: Hand) -> None:
    unproven(hand)
    made = [hand.enqueue([number], f"【店】{number}") for number in mobiles(5)]
    (first,) = hand.take()
    hand.record(refused(first, WRONG))
    assert held(hand) == {"bulk"}
    due(hand)
    for message_class in MessageClass:
        assert not hand.take(message_class)
    assert all(hand.count(one.request_id) == {"queued": 1} for one in made)
    with reading(hand.engine) as connection:
        state = accounts.states(connection, hand.settings.logins)["bulk"]
    assert (state.held_code, state.held_until) == ("101", None)
    assert names(hand, "account.held") == ["bulk"]


def test_another_login_gets_its_own_call_and_the_refused_one_none(hand: Hand) -> None:
    """Changed in the configuration; a process that still runs with the old one keeps still."""
    unproven(hand)
    made = hand.enqueue(mobiles(1))
    hand.record(*(refused(one, WRONG) for one in hand.take()))
    changed = settings_of(hand.settings.top.database_url, bulk={"password": "another"})
    new = Hand(hand.engine, changed)
    unproven(hand)
    due(new)
    assert not hand.take()
    due(new)
    (one,) = new.take()
    new.record(answer(one, Outcome.ACCEPTED))
    assert new.count(made.request_id) == {"submitted": 1}
    assert held(hand) == {"bulk"}
    assert held(new) == frozenset()


def test_after_a_hold_one_smallest_submission_asks_first(hand: Hand) -> None:
    """All else follows once that is known to be good; refused again, it is held again."""
    made = hand.campaign(mobiles(40))
    (batch,) = hand.take(MARKETING)
    hand.record(refused(batch, LOCKED))
    assert held(hand) == {"bulk"}
    assert not hand.take(MARKETING)
    for last in (False, True):
        over(hand)
        due(hand)
        assert held(hand) == frozenset()
        (probe,) = hand.take(MARKETING)
        assert len(probe.outgoing.msisdns) == 1
        assert not hand.take(MARKETING), "nothing beside it"
        hand.record(answer(probe, Outcome.ACCEPTED) if last else refused(probe, LOCKED))
        assert held(hand) == (frozenset() if last else {"bulk"})
    due(hand)
    rest = hand.take(MARKETING)
    assert sum(len(one.outgoing.msisdns) for one in rest) == 39
    hand.record(*(answer(one, Outcome.ACCEPTED) for one in rest))
    assert hand.count(made.id) == {"submitted": 40}


def test_an_answer_that_comes_after_a_hold_does_not_end_it(hand: Hand) -> None:
    """What was under way when it was held proves nothing of later."""
    for number in mobiles(3):
        hand.enqueue([number], f"【店】{number}")
    first, second, third = hand.take()
    hand.record(refused(first, LOCKED))
    hand.record(answer(second, Outcome.ACCEPTED), refused(third, LOCKED))
    assert names(hand, "account.held") == ["bulk"]
    over(hand)
    due(hand)
    assert len(hand.take()) == 1


def test_a_longer_hold_takes_the_place_of_one_that_ends_by_itself(hand: Hand) -> None:
    for number in mobiles(2):
        hand.enqueue([number], f"【店】{number}")
    first, second = hand.take()
    hand.record(refused(first, LOCKED), refused(second, WRONG))
    with reading(hand.engine) as connection:
        state = accounts.states(connection, hand.settings.logins)["bulk"]
    assert (state.held_code, state.held_until) == ("101", None)


def test_a_gateway_that_is_away_keeps_nobody_waiting(hand: Hand) -> None:
    """A call that never left says nothing of the login: the next one may go at once."""
    unproven(hand)
    for number in mobiles(2):
        hand.enqueue([number], f"【店】{number}")
    (first,) = hand.take()
    hand.record(answer(first, Outcome.NOT_SENT))
    with writing(hand.engine) as connection:
        assert account_doubts.take_probe(
            connection, "bulk", 10, hand.settings.logins.fingerprints["bulk"]
        )
        assert not account_doubts.take_probe(
            connection, "bulk", 10, hand.settings.logins.fingerprints["bulk"]
        )


def test_a_dead_process_s_right_to_ask_comes_free(hand: Hand) -> None:
    unproven(hand)
    hand.enqueue(mobiles(1))
    login = hand.settings.logins.fingerprints["bulk"]
    with writing(hand.engine) as connection:
        assert account_doubts.take_probe(connection, "bulk", -1, login)
        assert account_doubts.take_probe(connection, "bulk", 10, login)


@on_sqlite
@pytest.mark.parametrize(
    ("result", "holds"),
    [
        (Result(Outcome.UNKNOWN, "failure", "操作失败，请联系客服", mapped=False), True),
        (Result(Outcome.UNKNOWN, "unreadable", "<html>", mapped=False), False),
        (Result(Outcome.UNKNOWN, "HTTP 502", "", mapped=False), False),
        (Result(Outcome.UNKNOWN, "HTTP 403", "", mapped=False), True),
        (Result(Outcome.UNKNOWN, "103", "操作失败"), False),
        (Result(Outcome.THROTTLED, "107", "频率过快"), False),
    ],
    ids=lambda value: getattr(value, "code", None),
)
def test_a_refusal_that_nobody_knows_holds_only_what_was_never_accepted(
    hand: Hand, result: Result, *, holds: bool
) -> None:
    with writing(hand.engine) as connection:
        account_guard.note_answer(connection, hand.settings, "bulk", result, "test")
    assert held(hand) == frozenset(), "it was accepted before"
    unproven(hand)
    with writing(hand.engine) as connection:
        account_guard.note_answer(connection, hand.settings, "bulk", result, "test")
    assert held(hand) == ({"bulk"} if holds else frozenset())


@on_sqlite
def test_accounts_with_one_login_are_proven_and_held_together(
    engine: Engine, database: str
) -> None:
    """A refusal of the one is that of the other; what is no login's fault is its own."""
    usual = settings_of(database)
    bulk = usual.accounts["bulk"]
    both = {"bulk": bulk, "again": replace(bulk, name="again")}
    hand = Hand(engine, replace(usual, accounts=both))
    assert hand.settings.logins.accounts_sharing("bulk") == ["again", "bulk"]
    unproven(hand)
    first, second = (hand.enqueue(mobiles(1, nth), account=name) for nth, name in enumerate(both))
    (one,) = hand.take()
    assert not hand.take()
    hand.record(refused(one, WRONG))
    assert held(hand) == {"again", "bulk"}
    assert hand.count(first.request_id) == hand.count(second.request_id) == {"queued": 1}


@on_sqlite
def test_a_fingerprint_changes_with_the_login_and_tells_nothing(database: str) -> None:
    def of(**more: Any) -> str:
        return settings_of(database, bulk=more).logins.fingerprints["bulk"]

    usual = of()
    assert usual == of(max_batch=7)
    assert len({usual, of(password="x"), of(uid="1"), of(base_url="http://127.0.0.2:9")}) == 4
    assert len(usual) == 64
    assert "9999" not in usual


@on_sqlite
def test_the_messages_of_a_held_account_go_to_others_that_may_take_them(
    engine: Engine, database: str
) -> None:
    """What was bound to it by choice moves, planned or fresh; what names it waits."""
    more = {"bulk": {"priority": 1}, "v1": {}}
    hand = Hand(engine, settings_of(database, **more))
    chosen = hand.enqueue(mobiles(3))
    named = hand.enqueue(mobiles(3, 10), account="bulk")
    flying = hand.take()
    assert {one.account.name for one in flying} == {"bulk"}
    hand.record(*(refused(one, LOCKED) for one in flying))
    fresh = hand.enqueue(mobiles(3, 20))
    due(hand)
    moved = hand.take()
    assert {one.account.name for one in moved} == {"v1"}
    hand.record(*(answer(one, Outcome.ACCEPTED) for one in moved))
    assert hand.count(chosen.request_id) == hand.count(fresh.request_id) == {"submitted": 3}
    assert hand.count(named.request_id) == {"queued": 3}


@on_sqlite
def test_an_account_comes_back_although_another_would_take_all(
    engine: Engine, database: str
) -> None:
    """Its probe goes first; never by a code, which another account can take."""
    hand = Hand(engine, settings_of(database, **TWO))
    with writing(hand.engine) as connection:
        accounts.hold(connection, "bulk", "114", "locked", -1)
        account_doubts.require_probe(connection, "bulk", -1)
    hand.enqueue(mobiles(1), message_class=MessageClass.OTP)
    (code,) = hand.take(MessageClass.OTP)
    assert code.account.name == "v1"
    hand.enqueue(mobiles(5, 10))
    (probe,) = hand.take(NOTICE)
    assert (probe.account.name, len(probe.outgoing.msisdns)) == ("bulk", 1)


@on_sqlite
def test_a_dynamic_password_that_is_out_of_date_twice_holds(engine: Engine, database: str) -> None:
    """40501 at ihuyi: once more with a fresh time; then a clock is wrong."""
    hand = Hand(engine, settings_of(database, codes={}))
    hand.enqueue(mobiles(1))
    said: dict[str, Any] = {"code": "40501", "advice": Advice.ONCE_MORE}
    for last in (False, True):
        (one,) = hand.take()
        hand.record(answer(one, Outcome.DEFERRED, **said))
        assert held(hand) == ({"codes"} if last else frozenset())
        due(hand)
    assert not hand.take()


@on_sqlite
def test_a_top_up_is_noticed_by_itself(stage: Stage) -> None:
    """No funds: one text asks again after a while, and everything follows."""
    quick = {"102": {"outcome": "account_held", "fault": "account", "hold": "0.5s"}}
    stage.configure(accounts={"bulk": section(stage.sandbox, "bulk", codes=quick)})
    stage.sandbox.control.account("c123", "9999", "9999", funds=0)
    made = stage.enqueue(mobiles(20))
    with stage.working():
        eventually(lambda: len(stage.lines(only_taken=False)) >= 2)
        stage.sandbox.control.account("c123", "9999", "9999", funds=100)
        eventually(lambda: stage.states(made) == {"submitted": 20}, within=40)
    sizes = [line.size for line in stage.lines(only_taken=False)]
    assert sizes[0] == 20
    assert sizes[1] == 1, "one text asks"
    assert set(stage.taken().values()) == {1}


def test_a_probe_that_has_nothing_left_to_send_lets_the_next_one_ask(hand: Hand) -> None:
    """Its recipient has opted out meanwhile: nobody waits until its lease is over."""
    unproven(hand)
    first = hand.enqueue(mobiles(1), message_class=MARKETING)
    with writing(hand.engine) as connection:
        connection.execute(insert(opt_out).values(msisdn=mobiles(1)[0], since=now(), why="a test"))
    assert hand.take(MARKETING) == []
    assert hand.count(first.request_id) == {"suppressed": 1}
    hand.enqueue(mobiles(1, first=1), message_class=MARKETING)
    assert len(hand.take(MARKETING)) == 1
