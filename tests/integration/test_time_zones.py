"""Hosts in other time zones: each process, the database and the person see the same moments."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from sqlalchemy import Engine, select

from tests.integration.conftest import Write
from tests.support.stage import TEXT, Stage, eventually
from tests.support.worker_processes import ROOT, Process
from worker.domain.timezone import SHANGHAI
from worker.store.db import database as connecting
from worker.store.db.database import reading
from worker.store.schema.tables import request

pytestmark = pytest.mark.slow

#: What a URL adds, so that each session of the database has a zone of its own.
SESSION_ZONES = {
    "sqlite": "",
    "postgresql": "?options=-c%20timezone%3DAmerica/St_Johns",
    "mysql": "?init_command=SET%20time_zone%3D%27-03:30%27",
}
ZONE_QUERIES = {"postgresql": "SHOW timezone", "mysql": "SELECT @@session.time_zone"}
#: Zones with halves of an hour, across the date line, and on either side of Shanghai's day.
PERSON, WEB, WORKER = "America/Los_Angeles", "Pacific/Auckland", "Asia/Kolkata"
CALLER = ZoneInfo("America/Sao_Paulo")
#: How far the clocks of a machine's own processes may seem apart, with seconds that are cut off.
LEEWAY = timedelta(seconds=2)


@pytest.fixture
def database(kind: str, database: str) -> str:
    """The URL of a database whose sessions are in another zone."""
    return database + SESSION_ZONES[kind]


@pytest.fixture
def engine(kind: str, database: str) -> Iterator[Engine]:
    made = connecting.connect(database)
    with reading(made) as connection:
        if kind in ZONE_QUERIES:
            zone = connection.exec_driver_sql(ZONE_QUERIES[kind]).scalar_one()
            assert zone in {"America/St_Johns", "-03:30"}
    yield made
    made.dispose()


def command(config: Path, *words: str) -> Any:
    """Run a command where a person is, and return its data."""
    code = "from producer.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "--config", str(config), *words, "--json"],
        env={"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(ROOT), "TZ": PERSON},
        cwd=config.parent,
        capture_output=True,
        check=True,
    )
    return json.loads(done.stdout)


def start(stack: ExitStack, config: Path, zone: str, *words: str) -> Process:
    """Start a process in a zone."""
    log = config.with_name(f"{words[1]}.log")
    process = Process(list(words), config, log, variables={"TZ": zone})
    stack.callback(process.kill)
    return process


def moment(row: Mapping[str, Any], name: str) -> datetime:
    found = datetime.fromisoformat(row[name])
    assert found.tzinfo is not None
    return found


def test_all_of_them_see_the_same_moments(stage: Stage, configured: Write) -> None:
    config = configured({"v1": {}}, broker_url="redis://127.0.0.1:9/0", lease="5s")
    with ExitStack() as stack:
        web = start(stack, config, WEB, "-m", "producer.web", "--port", "0")
        start(stack, config, WORKER, "-m", "worker", "notice", "ticks")
        eventually(lambda: web.said("web.listening"), within=60)
        address = re.search(r"http://127.0.0.1:\d+", web.log.read_text("utf-8"))
        assert address is not None
        key = command(config, "key", "create", "shop")["key"]
        client = httpx.Client(base_url=address[0], headers={"Authorization": f"Bearer {key}"})
        stack.enter_context(client)
        began = datetime.now(UTC)
        later = began + timedelta(seconds=3)
        at_once = posted(client, "13800000001")
        # The same moment, as a caller in a fourth zone writes it.
        waiting = posted(client, "13800000002", not_before=later.astimezone(CALLER).isoformat())
        rows = [
            eventually(lambda id_=id_: delivered(client, id_), within=60)
            for id_ in (at_once, waiting)
        ]
        ended = datetime.now(UTC)
        for row in rows:
            assert began - LEEWAY < moment(row, "submitted_at") < ended + LEEWAY
            assert began - LEEWAY < moment(row, "finished_at") < ended + LEEWAY
        assert moment(rows[0], "submitted_at") < later <= moment(rows[1], "submitted_at")
        tomorrow = (began.astimezone(SHANGHAI) + timedelta(days=1)).replace(
            hour=8, minute=30, second=0, microsecond=0
        )
        sent = ("send", "--to", "13800000003", "--text", TEXT)
        command(config, *sent, "--at", f"{tomorrow:%Y-%m-%d %H:%M}")
    stored = requests(stage.engine)
    assert [row.not_before for row in stored][1:] == [later, tomorrow]
    for row in stored[:2]:
        assert row.not_after - (row.not_before or row.created_at) == timedelta(days=1)
    assert stage.taken() == {"13800000001": 1, "13800000002": 1}


def posted(client: httpx.Client, to: str, **more: Any) -> str:
    """Enqueue by HTTP, and return the message's id."""
    answer = client.post("/v1/messages", json={"to": to, "text": TEXT, **more})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["ids"][0])


def delivered(client: httpx.Client, message_id: str) -> Any:
    """Return a message once it is delivered; None before."""
    row = client.get(f"/v1/messages/{message_id}").json()
    return row if row["state"] == "delivered" else None


def requests(engine: Engine) -> list[Any]:
    """Return all requests, the oldest first."""
    with reading(engine) as connection:
        return list(connection.execute(select(request).order_by(request.c.id)))
