"""Texts that come by HTTP are stored through a transaction pooler, which was named."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select

from tests.support import pgbouncer
from tests.support.servers import Databases
from tests.support.stage import TEXT, Stage, mobiles
from tests.web.conftest import Served
from worker.sandbox import Sandbox
from worker.store.db.database import connect, reading
from worker.store.schema.tables import message


@pytest.fixture
def stage(databases: Databases, sandbox: Sandbox, tmp_path: Path) -> Iterator[Stage]:
    """A stage whose processes reach PostgreSQL by a pooler alone."""
    with databases.fresh("postgresql") as direct, pgbouncer.before(direct) as url:
        engine = connect(url, pooler=True)
        made = Stage(url, engine, sandbox, tmp_path)
        made.configure(database_pooler=True)
        yield made
        made.close()
        engine.dispose()


def test_200_calls_are_200_messages(served: Served) -> None:
    client = served.client()

    def call(number: str) -> httpx.Response:
        return client.post("/v1/messages", json={"to": number, "text": TEXT})

    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(call, mobiles(200)))
    assert {answer.status_code for answer in answers} == {202}, answers[0].text
    with reading(served.stage.engine) as connection:
        assert connection.execute(select(func.count()).select_from(message)).scalar() == 200
