"""Submissions without an id adopt those of their reports, at a cost that the page alone decides."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, event, select, update

from tests.support.by_hand import Hand, answer, hurry, settings_of
from tests.support.stage import mobiles
from worker.domain import msisdn as numbers
from worker.domain.enums import Outcome, ReportStatus
from worker.feedback import comparison, page_intake, reports, unnamed_reports
from worker.feedback.number_index import NumberIndex
from worker.gateways.results import Report
from worker.store.db.clock import later
from worker.store.db.database import reading, writing
from worker.store.feedback import inbox as inbox_store
from worker.store.feedback.carried_messages import CarriedMessage
from worker.store.schema.tables import inbox, report, submission


@pytest.fixture
def hand(engine: Engine, database: str) -> Hand:
    hurry(engine)
    return Hand(engine, settings_of(database, v1={}, jzy={}))


@contextmanager
def counted(engine: Engine) -> Iterator[list[str]]:
    """Keep the statements that an engine runs meanwhile."""
    statements: list[str] = []

    def keep(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", keep)
    yield statements
    event.remove(engine, "before_cursor_execute", keep)


def delivered(msisdn: str, gateway_id: str, at: datetime | None = None) -> Report:
    return Report(msisdn, ReportStatus.DELIVERED, "0", gateway_id=gateway_id, reported_at=at)


def take(hand: Hand, *page: Report, account: str = "jzy") -> None:
    """Let a page of reports come in."""
    with writing(hand.engine) as connection:
        inbox_id = inbox_store.add_page(connection, account, "reports", b"")
        reports.take_page(connection, [account], inbox_id, page)


def adopt(hand: Hand) -> None:
    unnamed_reports.adopt_ids(hand.engine, hand.settings)


def sent(hand: Hand, *to: str, outcome: Outcome = Outcome.ACCEPTED) -> int:
    """Submit a list whose answer has no id; returns its request."""
    accepted = hand.enqueue(to, account="jzy")
    hand.record(*(answer(ready, outcome) for ready in hand.take()))
    return accepted.request_id


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_page_of_strange_ids_costs_no_product(hand: Hand) -> None:
    """However many submissions without an id there are, and only once."""
    for number in mobiles(60):
        sent(hand, number)
    with counted(hand.engine) as few:
        take(hand, *(delivered(number, f"x{number}") for number in mobiles(20, 900_000)))
        adopt(hand)
    strange = [delivered(number, f"y{number}") for number in mobiles(1500, 800_000)]
    with counted(hand.engine) as many:
        take(hand, *strange)
        adopt(hand)
    assert len(many) <= len(few) + 10
    with counted(hand.engine) as later_round:
        adopt(hand)
    assert len(later_round) < 12
    assert not any("xinshi_message" in statement for statement in later_round), "nothing new"


@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_round_without_new_candidates_compares_nothing(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent(hand, mobiles(1)[0])
    take(hand, delivered(mobiles(1, 5)[0], "strange"))
    adopt(hand)
    monkeypatch.setattr(comparison, "_match", lambda *_: pytest.fail("compared again"))
    adopt(hand)


def test_a_report_before_its_submission_has_ended_is_adopted_later(hand: Hand) -> None:
    accepted = hand.enqueue(mobiles(2), account="jzy")
    (flying,) = hand.take()
    take(hand, *(delivered(number, "early") for number in mobiles(2)))
    adopt(hand)
    assert hand.count(accepted.request_id) == {"submitting": 2}
    hand.record(answer(flying, Outcome.UNKNOWN))
    adopt(hand)
    assert hand.count(accepted.request_id) == {"delivered": 2}
    assert [row.gateway_id for row in hand.submissions(accepted.request_id)] == ["early"]


def test_an_id_that_fits_two_is_adopted_once_one_of_them_has_another(hand: Hand) -> None:
    """Nothing is said of either before that."""
    number = mobiles(1)[0]
    first, second = sent(hand, number), sent(hand, number)
    take(hand, delivered(number, "b"))
    adopt(hand)
    assert hand.count(first) == hand.count(second) == {"submitted": 1}
    (row,) = hand.submissions(first)
    with writing(hand.engine) as connection:
        connection.execute(
            update(submission).where(submission.c.id == row.id).values(gateway_id="a")
        )
    adopt(hand)
    assert hand.count(first) == {"submitted": 1}
    assert hand.count(second) == {"delivered": 1}


def test_a_report_from_before_the_call_is_about_another_message(hand: Hand) -> None:
    number = mobiles(1)[0]
    request_id = sent(hand, number)
    take(hand, delivered(number, "old", datetime.now(UTC) - timedelta(minutes=10)))
    adopt(hand)
    assert hand.count(request_id) == {"submitted": 1}


def test_all_reports_of_an_id_have_to_fit(hand: Hand) -> None:
    """They may come in two pages, of which the first names nothing of ours."""
    ours, other = mobiles(2)
    take(hand, delivered(other, "theirs"))
    adopt(hand)
    request_id = sent(hand, ours)
    take(hand, delivered(ours, "theirs"))
    adopt(hand)
    assert hand.count(request_id) == {"submitted": 1}


def test_a_masked_number_is_adopted_where_one_message_fits(hand: Hand) -> None:
    fitting, apart = sent(hand, "13800001234"), sent(hand, "13800005678")
    take(hand, delivered("138****1234", "masked"))
    adopt(hand)
    assert hand.count(fitting) == {"delivered": 1}
    assert hand.count(apart) == {"submitted": 1}


def test_more_reports_than_one_comparison_takes_are_all_compared(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "MAX_REPORTS", 3)
    request_id = sent(hand, mobiles(1)[0])
    strange = [delivered(number, number) for number in mobiles(7, 700)]
    take(hand, *strange, delivered(mobiles(1)[0], "last"))
    adopt(hand)
    with reading(hand.engine) as connection:
        waiting = select(report.c.compared_at).where(report.c.request_id.is_(None))
        compared = connection.execute(waiting).scalars().all()
    assert len(compared) == 7
    assert None not in compared
    assert hand.count(request_id) == {"delivered": 1}


def test_what_learned_its_id_meanwhile_adopts_no_other(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A late answer may come between the look and the writing."""
    number = mobiles(1)[0]
    request_id = sent(hand, number)
    take(hand, delivered(number, "reported"))
    look = comparison.compare

    def compare_and_answer(*arguments: object) -> object:
        found = look(*arguments)  # type: ignore[arg-type]
        with writing(hand.engine) as connection:
            connection.execute(update(submission).values(gateway_id="answered"))
        return found

    monkeypatch.setattr(comparison, "compare", compare_and_answer)
    adopt(hand)
    assert [row.gateway_id for row in hand.submissions(request_id)] == ["answered"]
    assert hand.count(request_id) == {"submitted": 1}


DIGITS = st.sampled_from(["13800001234", "13800011234", "13900001234", "01012345678", "0101234567"])
MASKS = st.from_regex(r"1?3?8?0{0,4}\*{2,9}[0-4]{0,3}", fullmatch=True) | DIGITS


@given(st.lists(st.tuples(st.integers(1, 3), DIGITS), max_size=8), st.lists(MASKS, max_size=6))
def test_the_index_finds_what_a_look_at_each_number_finds(
    carried: list[tuple[int, str]], printed: list[str]
) -> None:
    rows = [CarriedMessage(origin, number, 7, n) for n, (origin, number) in enumerate(carried)]
    index = NumberIndex(rows)
    for number in printed:
        for origin in (1, 2, 3):
            fitting = {
                r.msisdn
                for r in rows
                if r.origin_id == origin and numbers.matches(number, r.msisdn)
            }
            target = index.targets(number).get(origin)
            assert (target is not None) == (len(fitting) == 1)
            if target is not None:
                assert rows[target.n].msisdn in fitting


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_no_transaction_takes_in_more_than_so_many_rows(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that has no more time leaves the rest to the next one, which goes on where it ended."""
    from worker.gateways.page_contents import PageContents

    monkeypatch.setattr(page_intake, "MAX_ROWS", 10)
    monkeypatch.setattr(page_intake, "MAX_ROWS_IN_FILE", 10)
    page = PageContents(tuple(delivered(number, number) for number in mobiles(35)), damaged=1)
    with writing(hand.engine) as connection:
        inbox_id = inbox_store.add_page(connection, "jzy", "reports", b"")

    def run() -> int:
        arguments = (hand.engine, hand.settings, "jzy", inbox_id, lambda: page)
        return page_intake.take_in(*arguments, deadline=0.0).new_rows

    assert [run() for _ in range(5)] == [10, 10, 10, 5, 0]
    with reading(hand.engine) as connection:
        row = connection.execute(select(inbox).where(inbox.c.id == inbox_id)).one()
    assert (row.rows, row.damaged, row.parsed_at is None) == (35, 1, False)


@pytest.mark.parametrize("kind", ["sqlite"])
def test_an_old_report_is_not_asked_about_a_newer_submission(hand: Hand) -> None:
    """It came before the call, so it cannot be about it; and it is not even read."""
    number = mobiles(1)[0]
    take(hand, delivered(number, "old"))
    adopt(hand)
    with writing(hand.engine) as connection:
        connection.execute(update(report).values(received_at=later(-3600)))
    request_id = sent(hand, number)
    adopt(hand)
    assert hand.count(request_id) == {"submitted": 1}
