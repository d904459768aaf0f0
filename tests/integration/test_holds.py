"""A wrong password reaches its gateway once in all: three processes, all classes, all ticks."""

import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from producer.cli.app import app
from tests.support.stage import (
    TEXT,
    Stage,
    eventually,
    mobiles,
)
from tests.support.worker_processes import running
from worker.domain.enums import MessageClass
from worker.store import accounts
from worker.store.db.database import reading
from worker.store.schema.tables import tick

pytestmark = pytest.mark.slow

Write = Callable[..., Path]
WORKER = ["-m", "worker", "otp", "notice", "marketing", "ticks"]

#: The account, its secret's key, and what its gateway says to a wrong one.
WRONG = [
    ("bulk", "password", "101"),
    ("codes", "api_key", "405"),
    ("v1", "password", "01"),
    ("jzy", "password", "failure"),
]


def asked(stage: Stage) -> int:
    """Count the requests that reached any endpoint of any gateway."""
    return int(stage.sandbox.control.state()["requests"])


def held(stage: Stage) -> frozenset[str]:
    with reading(stage.engine) as connection:
        return accounts.held_names(connection, stage.settings.logins)


def shown(config: Path) -> dict[str, Any]:
    """Return what `xinshi accounts` says of the one account."""
    result = CliRunner().invoke(app, ["accounts", "--json", "--config", str(config)])
    assert result.exit_code == 0, result.output
    (one,) = json.loads(result.stdout)
    return dict(one)


def load(stage: Stage, name: str) -> None:
    """Enqueue singles of all classes, and a campaign."""
    for message_class in MessageClass:
        for nth, number in enumerate(mobiles(5)):
            text = f"{TEXT}{message_class}{nth}"
            stage.enqueue(number, text, message_class=message_class.value)
    stage.producer.enqueue_campaign("sale", mobiles(3000, 100), "促销 回T退订", account=name)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "key", "code"), WRONG, ids=[one[0] for one in WRONG])
def test_a_wrong_password_is_one_request_in_all(
    stage: Stage, configured: Write, short_path: Path, name: str, key: str, code: str
) -> None:
    quick = {"check_balance_every": "0.1s", key: "wrong"}
    nobody = f"redis+socket://{short_path}/none.sock"
    config = configured({name: quick}, broker_url=nobody)
    load(stage, name)
    with ExitStack() as processes:
        for nth in range(3):
            processes.enter_context(running(WORKER, config, name=f"worker{nth}", ready=False))
        eventually(lambda: held(stage) == {name}, within=60)
        before = len(list(stage.sandbox.entries()))
        # All three look, collect and ask ten times a second.
        for _ in range(3):
            load(stage, name)
            eventually(_looked(stage))
        assert asked(stage) == 1
        assert before == len(list(stage.sandbox.entries())) == 1
    one = shown(config)
    assert one["held"] is True
    assert one["why"].startswith(code)
    assert one["until"] is None
    assert "login" in one["advice"] or "correct" in one["advice"]
    assert not stage.taken()


def _looked(stage: Stage) -> Callable[[], bool]:
    """Return how to tell that the ticks were due, and taken, many times more."""
    seen: set[object] = set()

    def often() -> bool:
        with reading(stage.engine) as connection:
            query = select(tick.c.next_at).where(tick.c.name.like("balance:%"))
            seen.add(connection.execute(query).scalar())
        return len(seen) >= 10

    return often
