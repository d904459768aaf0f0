"""Single messages, each a request of its own: claimed together, and none treated unlike another."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, event

from tests.support.stage import Stage, mobiles, section
from worker.delivery import claim as claim_module
from worker.delivery import submit
from worker.domain.enums import MessageClass
from worker.store.db.database import writing
from worker.store.delivery.claims import Lease

OWNER = "tester"


@contextmanager
def counted(engine: Engine) -> Iterator[list[str]]:
    """Collect the statements that are executed meanwhile."""
    said: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        said.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield said
    finally:
        event.remove(engine, "before_cursor_execute", note)


def claim(stage: Stage, engine: Engine) -> tuple[list[Lease], list[submit.PreparedSubmission]]:
    with writing(engine) as connection:
        looked = claim_module.begin_claim(connection, stage.settings, MessageClass.NOTICE, OWNER)
        leases = looked.take(connection)
        return leases, submit.write_ahead(connection, stage.settings, leases) if leases else []


def singles(stage: Stage, count: int, first: int = 0) -> list[str]:
    """Enqueue singles, each with a text of its own; returns their ids."""
    return [
        stage.enqueue(number, f"【信使】您的订单{nth}已发货").ids[0]
        for nth, number in enumerate(mobiles(count, first))
    ]


def configured(stage: Stage, concurrency: int, **more: object) -> None:
    account = section(stage.sandbox, "bulk", concurrency=concurrency, otp_reserve=0, **more)
    stage.configure(accounts={"bulk": account})
    stage.prove()


@pytest.mark.parametrize("kind", ["postgresql"])
def test_a_claim_costs_as_many_statements_for_many_as_for_few(stage: Stage, engine: Engine) -> None:
    configured(stage, 60)
    costs = []
    for count, first in ((5, 0), (5, 100), (40, 200)):
        singles(stage, count, first)
        with counted(engine) as said:
            leases, ready = claim(stage, engine)
        assert len(leases) == len(ready) == count
        costs.append(len(said))
    # The first claim also writes down what is only written once.
    assert costs[1] == costs[2]


def test_each_keeps_its_own_text_number_and_validity(stage: Stage, engine: Engine) -> None:
    configured(stage, 30)
    singles(stage, 20)
    leases, ready = claim(stage, engine)
    assert {one.outgoing.content.text for one in ready} == {
        f"【信使】您的订单{nth}已发货" for nth in range(20)
    }
    assert Counter(number for one in ready for number in one.outgoing.msisdns) == Counter(
        mobiles(20)
    )
    assert len({one.id for one in leases}) == 20
    assert claim(stage, engine) == ([], [])


def test_no_more_begin_than_there_are_places(stage: Stage, engine: Engine) -> None:
    configured(stage, 8)
    singles(stage, 20)
    leases, _ = claim(stage, engine)
    assert len(leases) == 8
    assert claim(stage, engine) == ([], [])


def test_a_pace_lets_the_first_few_begin_and_the_others_wait(stage: Stage, engine: Engine) -> None:
    configured(stage, 30, submissions_per_second=5, burst="1s")
    ids = singles(stage, 20)
    leases, _ = claim(stage, engine)
    assert len(leases) < 20
    with stage.working():
        pass
    assert {stage.message(one).state.value for one in ids} <= {"queued", "submitting", "submitted"}
