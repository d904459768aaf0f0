"""A gateway that takes a reference only once settles doubts by the same submission again."""

from collections import Counter

import pytest

from tests.support.stage import LOGINS, Stage, eventually, mobiles
from worker.runtime import ticker
from worker.store.db.database import reading
from worker.store.schema.tables import event


@pytest.fixture(autouse=True)
def _account(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticker, "REPEAT_EVERY", 0.1)
    section = {**LOGINS["v1"], "base_url": stage.sandbox.url("apiv1"), "timeout": "1s"}
    section |= {"repeat_reference": True, "reports": "none", "sending_hours": "any"}
    stage.configure(accounts={"v1": section})
    stage.sandbox.control.options("apiv1", repeated_task="idempotent")
    stage.prove()


def test_a_lost_answer_is_settled_by_the_same_call_again(stage: Stage) -> None:
    stage.sandbox.control.rule("take_then_close", gateway="apiv1", count=1)
    made = stage.enqueue(mobiles(3))
    with stage.working():
        eventually(lambda: stage.states(made) == {"submitted": 3})
    assert stage.taken() == Counter(mobiles(3))
    with reading(stage.engine) as connection:
        query = event.select().where(event.c.name == "submission.settled")
        (settled,) = connection.execute(query).all()
    assert settled.detail == {"reference": "repeated"}
