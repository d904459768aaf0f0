"""The baseline of queues: one Celery task for each recipient, as an application writes it well.

`celery -A tests.bench.onetask worker` runs it; the environment names its broker, its database and
the gateway. Each process keeps its client and its connection. A task makes one POST and then one
UPDATE; what a crash leaves behind, nobody knows.
"""

import os
from functools import cache

import httpx
import psycopg
from celery import Celery
from sqlalchemy import make_url

from tests.bench.bodies import HEADERS, body

TABLE = (
    "CREATE TABLE task_message (n INTEGER PRIMARY KEY, msisdn TEXT NOT NULL,"
    " state TEXT NOT NULL DEFAULT 'queued')"
)
app = Celery("bench", broker=os.environ.get("BENCH_BROKER"), set_as_current=False)
app.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True)


@app.task  # type: ignore[untyped-decorator]
def send(n: int, number: str) -> None:
    """Send one message and note that it was taken."""
    answer = _client().post(os.environ["BENCH_GATEWAY"], content=body(number, n), headers=HEADERS)
    if answer.json()["code"] != 2:
        raise RuntimeError(answer.text)
    _connection().execute("UPDATE task_message SET state = 'submitted' WHERE n = %s", (n,))


@cache
def _client() -> httpx.Client:
    return httpx.Client(trust_env=False, timeout=30.0)


@cache
def _connection() -> psycopg.Connection:
    return connect(os.environ["BENCH_DATABASE"])


def connect(url: str) -> psycopg.Connection:
    """Connect to a PostgreSQL server; each statement is committed by itself."""
    address = make_url(url).set(drivername="postgresql")
    return psycopg.connect(address.render_as_string(hide_password=False), autocommit=True)
