"""One number is never called more often than its limits say, and holds up nobody else."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, cast, event, literal, select, update

from tests.support.by_hand import Hand, answer, settings_of
from tests.support.stage import Stage, eventually, mobiles
from worker.config import settings as loading
from worker.delivery.submit import PreparedSubmission
from worker.domain.enums import Advice, MessageClass, Outcome
from worker.domain.errors import ConfigurationError
from worker.domain.recipient_windows import Window
from worker.domain.timezone import SHANGHAI
from worker.intake import lookup
from worker.runtime import maintenance
from worker.sandbox import Sandbox
from worker.settlement import manual
from worker.store.db import database as connecting
from worker.store.db.clock import Instant, later
from worker.store.db.database import reading, writing
from worker.store.delivery import recipient_calls, recipient_waits
from worker.store.schema.tables import event as happened
from worker.store.schema.tables import recipient, submission

#: No limit of these tests ends while they run.
ONCE = ["1/10h"]


@pytest.fixture
def hand(engine: Engine, database: str) -> Hand:
    return Hand(engine, settings_of(database, bulk={"max_batch": 3, "per_msisdn": ONCE}))


def called(ready: list[PreparedSubmission]) -> list[str]:
    """Return the numbers that are called."""
    return sorted(number for one in ready for number in one.outgoing.msisdns)


def accept(hand: Hand) -> list[str]:
    """Submit what is due, and let the gateway take it."""
    hand.make_due()
    ready = hand.take()
    hand.record(*(answer(one, Outcome.ACCEPTED) for one in ready))
    return called(ready)


def events(hand: Hand) -> list[str]:
    with reading(hand.engine) as connection:
        return list(connection.execute(select(happened.c.name)).scalars())


def test_a_number_at_its_limit_never_holds_up_the_others_of_its_batch(hand: Hand) -> None:
    first, *others = mobiles(3)
    hand.enqueue([first])
    assert accept(hand) == [first]
    again = hand.enqueue([first, *others])
    assert accept(hand) == others
    assert hand.seen(again.request_id) == {0: "queued", 1: "submitted", 2: "submitted"}
    shown = lookup.get(hand.engine, again.ids[0])
    assert (shown.code, shown.attempts) == ("per_msisdn", 0)
    assert hand.count(again.request_id) == {"queued": 1, "submitted": 2}


def test_a_submission_of_which_all_have_to_wait_goes_back_as_it_is(hand: Hand) -> None:
    numbers = mobiles(2)
    hand.enqueue(numbers)
    accept(hand)
    again = hand.enqueue(numbers)
    for _ in range(3):
        assert accept(hand) == []
    (waits,) = hand.submissions(again.request_id)
    assert (waits.state, waits.attempts, waits.called_at) == ("planned", 0, None)
    assert hand.take() == [], "and not before its time"


def test_those_who_wait_as_long_wait_together(hand: Hand) -> None:
    numbers = mobiles(3)
    hand.enqueue(numbers)
    accept(hand)
    again = hand.enqueue([*numbers[:2], *mobiles(1, 7)])
    assert accept(hand) == mobiles(1, 7)
    (_, waits) = hand.submissions(again.request_id)
    assert (waits.state, waits.size, waits.lo) == ("planned", 2, None)


def test_messages_to_one_number_take_turns_and_do_not_come_back_all_at_once(hand: Hand) -> None:
    (number,) = mobiles(1)
    late = datetime.now(UTC) + timedelta(days=3)
    made = [hand.enqueue([number], not_after=late) for _ in range(4)]
    assert len(accept(hand)) == 1
    assert accept(hand) == []
    times = [
        row.next_at
        for one in made
        for row in hand.submissions(one.request_id)
        if row.state == "planned"
    ]
    apart = [after - before for before, after in pairwise(sorted(times))]
    assert len(times) == 3
    assert all(gap > timedelta(hours=9) for gap in apart)


def test_what_has_to_wait_longer_than_it_is_valid_is_rejected_at_once(hand: Hand) -> None:
    (number,) = mobiles(1)
    hand.enqueue([number])
    accept(hand)
    code = hand.enqueue([number, *mobiles(1, 5)], message_class=MessageClass.OTP)
    (ready,) = hand.take(MessageClass.OTP)
    hand.record(answer(ready, Outcome.ACCEPTED))
    assert hand.seen(code.request_id) == {0: "rejected", 1: "submitted"}
    assert lookup.get(hand.engine, code.ids[0]).code == "per_msisdn"
    assert "message.over_limit" in events(hand)


@pytest.mark.parametrize("outcome", list(Outcome))
def test_only_proof_that_nothing_was_taken_gives_a_call_back(hand: Hand, outcome: Outcome) -> None:
    number = mobiles(1)
    hand.enqueue(number)
    (ready,) = hand.take()
    hand.record(answer(ready, outcome, hold=0.0 if outcome is Outcome.ACCOUNT_HELD else None))
    kept = outcome in {Outcome.ACCEPTED, Outcome.UNKNOWN}
    hand.enqueue(number, message_class=MessageClass.OTP)
    assert called(hand.take(MessageClass.OTP)) == ([] if kept else number)


@pytest.mark.parametrize("outcome", list(Outcome))
def test_an_outcome_recorded_twice_counts_once(hand: Hand, outcome: Outcome) -> None:
    hand.enqueue(mobiles(1))
    (ready,) = hand.take()
    said = answer(ready, outcome, hold=0.0 if outcome is Outcome.ACCOUNT_HELD else None)
    hand.record(said)
    before = rows(hand)
    hand.record(said)
    assert [len(calls) for calls in rows(hand).values()] == [len(one) for one in before.values()]


def rows(hand: Hand) -> dict[tuple[str, str], list[Any]]:
    """Return the calls that are counted, by account and number."""
    with reading(hand.engine) as connection:
        return {
            (row.account, row.msisdn): row.calls for row in connection.execute(select(recipient))
        }


def test_a_lost_call_counts_and_the_word_of_a_person_gives_it_back(hand: Hand) -> None:
    number = mobiles(1)
    lost = hand.enqueue(number)
    (ready,) = hand.take()
    hand.run_out()
    hand.sweep()
    again = hand.enqueue(number)
    assert accept(hand) == []
    with writing(hand.engine) as connection:
        manual.settle(
            connection,
            hand.settings,
            [ready.lease.id],
            manual.mark_not_sent,
            event_name="settle.not_sent",
            who="test",
            reason="the vendor has no trace of it",
        )
    assert rows(hand)["bulk", number[0]] == []
    assert accept(hand) == number
    states = Counter({**hand.count(lost.request_id)}) + Counter(hand.count(again.request_id))
    assert states == {"submitted": 1, "queued": 1}


def test_a_late_answer_that_nothing_was_taken_gives_the_call_back(hand: Hand) -> None:
    hand.enqueue(mobiles(1), message_class=MessageClass.OTP)
    (ready,) = hand.take(MessageClass.OTP)
    hand.run_out()
    maintenance.end_overdue_leases(hand.engine, hand.settings, "test")
    hand.record(answer(ready, Outcome.NOT_SENT))
    assert list(rows(hand).values()) == [[]]


def test_a_call_lasts_until_its_end_is_known_or_must_have_come(
    engine: Engine, database: str
) -> None:
    hand = Hand(engine, settings_of(database, bulk={"per_msisdn": ["1/10m"]}))
    hand.enqueue(mobiles(1))
    (ready,) = hand.take()
    ((call,),) = rows(hand).values()
    patience = hand.settings.top.lease + hand.settings.accounts["bulk"].settings.timeout
    assert call[2] - call[1] == patience * 1000
    hand.record(answer(ready, Outcome.ACCEPTED))
    ((call,),) = rows(hand).values()
    assert 0 <= call[2] - call[1] < patience * 1000


def test_accounts_that_are_one_at_the_gateway_count_together(engine: Engine, database: str) -> None:
    more = {"gateway": "c123", "uid": "9999", "password": "9999", "base_url": "http://127.0.0.1:9"}
    settings = settings_of(database, bulk={"per_msisdn": ONCE, "classes": ["otp"]})
    other = settings_of(database, bulk={**more, "classes": ["notice"]}).accounts["bulk"]
    accounts = {**settings.accounts, "another": type(other)("another", other.gateway)}
    hand = Hand(engine, type(settings)(settings.top, accounts, settings.directory))
    number = mobiles(1)
    hand.enqueue(number, message_class=MessageClass.OTP)
    assert called(hand.take(MessageClass.OTP)) == number
    hand.enqueue(number)
    assert accept(hand) == []


def test_a_limit_at_the_top_level_is_for_all_accounts_and_campaigns(
    engine: Engine, database: str
) -> None:
    settings = settings_of(database, bulk={"classes": ["otp"]}, v1={"classes": ["notice"]})
    top = settings.top.model_copy(update={"per_msisdn": (Window(1, 36_000_000),)})
    hand = Hand(engine, type(settings)(top, settings.accounts, settings.directory))
    number = mobiles(1)
    hand.enqueue(number, message_class=MessageClass.OTP)
    assert called(hand.take(MessageClass.OTP)) == number
    hand.enqueue(number)
    hand.campaign(number, account="bulk")
    assert accept(hand) == []
    assert hand.take(MessageClass.MARKETING) == []
    assert list(rows(hand)) == [("", number[0])]


@pytest.mark.parametrize("wait", [1.0, None])
def test_what_the_gateway_says_of_a_number_holds_for_all_messages_to_it(
    hand: Hand, wait: float | None
) -> None:
    number = mobiles(1)
    late = datetime.now(UTC) + timedelta(days=3)
    first = hand.enqueue(number, not_after=late)
    (ready,) = hand.take()
    until = Advice.RECIPIENT_UNTIL
    hand.record(answer(ready, Outcome.THROTTLED, code="4080", advice=until, wait=wait))
    second = hand.enqueue([*number, *mobiles(1, 5)], not_after=late)
    ready = hand.take()
    assert called(ready) == mobiles(1, 5)
    for made in (first, second):
        shown = lookup.get(hand.engine, made.ids[0])
        assert (shown.state, shown.attempts) == ("queued", 0)
    if wait is not None:
        eventually(lambda: called(hand.take()) == number)
    else:
        (waits,) = [one for one in hand.submissions(first.request_id) if one.state == "planned"]
        assert waits.next_at.astimezone(SHANGHAI).date() > datetime.now(SHANGHAI).date()


def test_a_number_that_had_enough_today_is_rejected_if_tomorrow_is_too_late(hand: Hand) -> None:
    made = hand.enqueue(mobiles(1), not_after=datetime.now(UTC) + timedelta(milliseconds=900))
    (ready,) = hand.take()
    said = answer(ready, Outcome.THROTTLED, code="4082", advice=Advice.RECIPIENT_UNTIL)
    hand.record(said)
    hand.record(said)
    shown = lookup.get(hand.engine, made.ids[0])
    assert (shown.state, shown.code) == ("rejected", "4082")


def test_calls_that_count_no_more_are_forgotten_some_at_a_time(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand.enqueue(mobiles(7))
    accept(hand)
    maintenance.forget(hand.engine)
    assert len(rows(hand)) == 7
    with writing(hand.engine) as connection:
        connection.execute(update(recipient).values(forget_at=later(-1)))
    monkeypatch.setattr(maintenance, "FORGET_ROWS", 3)
    # Time for two transactions.
    moments = iter([0.0, 0.0, 1.0, 9.0, 9.0])
    with monkeypatch.context() as patch:
        patch.setattr(maintenance, "monotonic", lambda: next(moments))
        maintenance.forget(hand.engine)
    assert len(rows(hand)) == 1
    maintenance.forget(hand.engine)
    assert not rows(hand)


def test_a_limit_is_written_as_a_list_or_with_commas_and_a_wrong_one_is_named(
    tmp_path: Path,
) -> None:
    environ = {"XINSHI_PER_MSISDN": "1/s, 5/day", "XINSHI_CONFIG": str(tmp_path / "xinshi.toml")}
    (tmp_path / "xinshi.toml").write_text('database_url = "sqlite:///x.db"\n', "utf-8")
    assert loading.load(environ=environ).top.per_msisdn == (Window(1, 1000), Window(5, None))
    with pytest.raises(ConfigurationError, match=r"accounts\.bulk\.per_msisdn: write limits as"):
        settings_of("sqlite:///x.db", bulk={"per_msisdn": ["5 a day"]})


def test_without_limits_not_one_statement_is_added(engine: Engine, database: str) -> None:
    hand = Hand(engine, settings_of(database))
    said: list[str] = []

    def heard(_c: Any, _k: Any, statement: str, *_: Any) -> None:
        said.append(statement)

    event.listen(engine, "before_cursor_execute", heard)
    hand.enqueue(mobiles(3))
    accept(hand)
    event.remove(engine, "before_cursor_execute", heard)
    assert said
    assert not any("xinshi_recipient" in one for one in said)


@pytest.fixture
def stop_at(kind: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[float], None]]:
    """Stops the database's clock for limits, so many seconds after the next midnight."""
    here = datetime.now(SHANGHAI)
    midnight = (here + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)

    def stop(seconds: float) -> None:
        moment = literal(midnight + timedelta(seconds=seconds), Instant())
        # MySQL returns a literal as a text.
        there = cast(moment, Instant()) if kind == "mysql" else moment
        for module in (recipient_calls, recipient_waits):
            monkeypatch.setattr(module, "now", lambda: there)
        recipient_calls._first_calls_insert.cache_clear()

    yield stop
    recipient_calls._first_calls_insert.cache_clear()


def race(url: str, hand: Hand, times: int = 8) -> list[str]:
    """Let many workers, each with connections of its own, submit what is due at the same time."""
    gate = threading.Barrier(times)

    def work(engine: Engine) -> list[str]:
        mine = Hand(engine, hand.settings)
        gate.wait()
        taken = []
        for _ in range(3):
            ready = mine.take()
            mine.record(*(answer(one, Outcome.ACCEPTED) for one in ready))
            taken += called(ready)
        return taken

    hand.make_due()
    with ThreadPoolExecutor(times) as threads, ExitStack() as open_engines:
        engines = [connecting.connect(url, pool_size=1) for _ in range(times)]
        for one in engines:
            open_engines.callback(one.dispose)
        return [number for each in threads.map(work, engines) for number in each]


def test_a_day_in_shanghai_has_room_for_so_many_calls_also_around_its_midnight(
    engine: Engine, database: str, stop_at: Callable[[float], None]
) -> None:
    """Never a sixth in a day, with eight workers racing, on the gateway's clock or on ours."""
    hand = Hand(engine, settings_of(database, bulk={"per_msisdn": ["5/day"]}))
    (number,) = mobiles(1)
    for _ in range(14):
        hand.enqueue([number], not_after=datetime.now(UTC) + timedelta(days=9))
    stop_at(-3600)
    assert race(database, hand) == [number] * 5
    for moment in (-60, -1, 0, 4.9):
        stop_at(moment)
        assert race(database, hand) == [], f"{moment} s after midnight"
    stop_at(6)
    assert race(database, hand) == [number] * 5
    stop_at(86_400 - 10)
    assert race(database, hand) == []
    stop_at(86_400 + 6)
    assert race(database, hand) == [number] * 4


def test_near_midnight_both_days_need_room(
    engine: Engine, database: str, stop_at: Callable[[float], None]
) -> None:
    hand = Hand(engine, settings_of(database, bulk={"per_msisdn": ["2/day"]}))
    (number,) = mobiles(1)
    for _ in range(5):
        hand.enqueue([number], not_after=datetime.now(UTC) + timedelta(days=9))
    stop_at(-3)
    assert race(database, hand, 2) == [number] * 2
    stop_at(60)
    assert race(database, hand, 2) == [], "they may have counted for either day"
    stop_at(86_400 + 60)
    assert race(database, hand, 2) == [number] * 2


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox that holds to the limits of document 002."""
    ledger = tmp_path / "strict.jsonl"
    with Sandbox(ledger=ledger, fsync="none", report_delay=0, reply_delay=0, limits=True) as made:
        yield made


def test_at_the_gateway_one_number_is_never_called_twice_a_second_nor_a_sixth_time(
    database: str, engine: Engine, strict: Sandbox, tmp_path: Path
) -> None:
    """With eight workers: the ledger has no 4080 and no 4082, and nobody else waits."""
    stage = Stage(database, engine, strict, tmp_path)
    stage.configure("codes")
    (number,) = mobiles(1)
    others = mobiles(20, 10)
    made = [stage.enqueue([number]) for _ in range(7)]
    crowd = stage.enqueue(others)
    with ExitStack() as workers:
        for _ in range(8):
            workers.enter_context(stage.working(MessageClass.NOTICE))
        eventually(lambda: stage.states(crowd)["submitted"] == 20, within=30)
        eventually(lambda: stage.taken()[number] == 5, within=30)
        eventually(lambda: sum((stage.states(one) for one in made), Counter())["submitted"] == 5)
    lines = stage.lines("ihuyi", only_taken=False)
    assert {line.code for line in lines} == {"2"}
    times = [line.at for line in lines if number in line.taken]
    assert len(times) == 5
    assert all(after - before >= 1.0 for before, after in pairwise(times))
    with reading(engine) as connection:
        query = select(submission.c.attempts).where(submission.c.state == "planned")
        assert set(connection.execute(query).scalars()) == {0}
    stage.close()


def test_what_waits_for_its_number_forgets_nobody_who_refused_its_form(hand: Hand) -> None:
    """It goes back neither to the account nor to the binding that would not take it."""
    hand.enqueue(mobiles(2))
    hand.record(*(answer(ready, Outcome.DEFERRED) for ready in hand.take()))
    with writing(hand.engine) as connection:
        connection.execute(update(submission).values(barred=["other"]))
    hand.enqueue(mobiles(1))
    hand.record(*(answer(ready, Outcome.ACCEPTED) for ready in hand.take()))
    hand.make_due()
    assert called(hand.take()) == mobiles(2)[1:]
    with reading(hand.engine) as connection:
        planned = submission.c.state == "planned"
        barred = connection.execute(select(submission.c.barred).where(planned)).scalars().all()
    assert barred == [["other"]]
