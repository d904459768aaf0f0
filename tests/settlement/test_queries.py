"""A gateway that is asked what it was given ends a doubt by its rows, and by nothing else."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select, update

from tests.support import roster
from tests.support.by_hand import Hand, answer
from tests.support.stage import QUICK, TEXT, Stage, eventually, mobiles
from worker.domain.enums import Outcome
from worker.gateways.transport.client import GatewayClient
from worker.settlement import ledger, queries
from worker.store import ticks
from worker.store.db.clock import later
from worker.store.db.database import reading, writing
from worker.store.schema.tables import event, submission, tick


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(queries, "ASK_EVERY", 0.1)
    monkeypatch.setattr(queries, "FIRST_PAUSE", 0.2)
    with roster.installed():
        yield


def configure(stage: Stage, **more: Any) -> None:
    """Configure one account at the tests' own gateway, without reports."""
    section = {**QUICK, **roster.LOGIN, "base_url": stage.sandbox.url(roster.NAME)}
    section |= {"reports": "none", "timeout": "1s", "concurrency": 4, **more}
    stage.configure(accounts={"one": section})
    stage.prove()


def lose_answers(stage: Stage, numbers: list[str]) -> None:
    """Let the gateway take submissions of these numbers, and close before it answers."""
    stage.sandbox.control.rule("take_then_close", gateway=roster.NAME, call="send", numbers=numbers)


def asked(stage: Stage) -> bool:
    """Tell whether a doubt was asked about."""
    with reading(stage.engine) as connection:
        cursor = connection.execute(select(tick.c.cursor).where(tick.c.name == "query:one"))
        return bool(cursor.scalar())


def asked_twice(stage: Stage) -> bool:
    """Tell whether some doubt was asked about twice."""
    with reading(stage.engine) as connection:
        cursor = connection.execute(select(tick.c.cursor).where(tick.c.name == "query:one"))
        return any(times > 1 for times, _ in (cursor.scalar() or {}).values())


def settled(stage: Stage) -> list[dict[str, Any]]:
    """Return what the events of settling say."""
    with reading(stage.engine) as connection:
        query = select(event.c.detail).where(event.c.name == "submission.settled")
        return list(connection.execute(query).scalars())


def test_a_row_with_our_reference_proves_that_a_message_was_taken(stage: Stage) -> None:
    configure(stage)
    lose_answers(stage, mobiles(1))
    made = stage.enqueue(mobiles(1))
    with stage.working():
        eventually(lambda: stage.states(made) == {"submitted": 1})
    assert settled(stage) == [{"query": 1, "whole": True}]
    assert stage.taken() == Counter(mobiles(1))
    assert stage.message(made).gateway_id == next(iter(stage.lines(roster.NAME))).ids[0]


def test_what_a_query_does_not_show_stays_unknown(stage: Stage) -> None:
    """A list that lags behind proves nothing; the message is shown, and sent no second time."""
    configure(stage)
    stage.sandbox.control.options(roster.NAME, hides=True)
    lose_answers(stage, mobiles(1))
    made = stage.enqueue(mobiles(1))
    with stage.working():
        eventually(lambda: asked_twice(stage))
        assert stage.states(made) == {"unknown": 1}
        stage.sandbox.control.options(roster.NAME, hides=False)
        eventually(lambda: stage.states(made) == {"submitted": 1})
    assert stage.taken() == Counter(mobiles(1))


@pytest.mark.parametrize("takes_whole", [True, False])
def test_a_row_proves_the_whole_call_only_where_calls_are_taken_as_a_whole(
    stage: Stage, *, takes_whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "MAX_NUMBERS", 2)
    configure(stage, takes_whole=takes_whole)
    lose_answers(stage, mobiles(1))
    made = stage.enqueue(mobiles(5))
    wanted = {"submitted": 5} if takes_whole else {"submitted": 2, "unknown": 3}
    with stage.working():
        eventually(lambda: stage.states(made) == wanted)
        if not takes_whole:
            eventually(lambda: stage.states(made) == {"submitted": 5})
    assert stage.taken() == Counter(mobiles(5))
    (line,) = stage.lines(roster.NAME)
    ids = dict(zip(line.taken, line.ids, strict=True))
    shown = {message.to: message.gateway_id for message in map(stage.message, made.ids)}
    assert shown == ids or (takes_whole and {ids[to] for to, name in shown.items() if name})
    with reading(stage.engine) as connection:
        _, findings = ledger.compare(connection, stage.settings, stage.sandbox.ledger)
    assert [finding for finding in findings if finding.broken] == []


@pytest.mark.parametrize(
    ("sole_user", "earlier", "state"),
    [(True, False, "submitted"), (False, False, "unknown"), (True, True, "unknown")],
)
def test_an_equal_text_proves_it_only_where_nothing_else_can_have_been_it(
    stage: Stage, *, sole_user: bool, earlier: bool, state: str
) -> None:
    """Nobody else sends there, and nothing else of ours went to the number around that time."""
    configure(stage, query_shows="text", sole_user=sole_user)
    with stage.working():
        if earlier:
            sent = stage.enqueue(mobiles(1), TEXT)
            eventually(lambda: stage.states(sent) == {"submitted": 1})
        lose_answers(stage, mobiles(1))
        made = stage.enqueue(mobiles(1), TEXT)
        eventually(lambda: asked(stage) and stage.states(made) == {state: 1})
        if state == "unknown":
            eventually(lambda: asked_twice(stage))
    assert stage.states(made) == {state: 1}


def test_a_run_that_is_out_of_time_leaves_the_rest_to_the_next(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A doubt that was not asked about begins no pause."""
    configure(stage)
    hand = Hand(stage.engine, stage.settings)
    hand.enqueue(mobiles(1))
    hand.record(*(answer(ready, Outcome.UNKNOWN) for ready in hand.take()))
    with writing(stage.engine) as connection:
        connection.execute(update(submission).values(called_at=later(-3600)))
    monkeypatch.setattr(queries, "MAX_RUN_SECONDS", -1.0)
    account = stage.settings.accounts["one"]

    async def settle() -> None:
        client = GatewayClient()
        try:
            await queries.QuerySettler(stage.settings, stage.engine, client, "test").settle(account)
        finally:
            await client.close()

    asyncio.run(settle())
    with reading(stage.engine) as connection:
        assert ticks.read_cursor(connection, "query:one") == {}
