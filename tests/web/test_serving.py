"""The web process itself: it says where it listens, ends when told, and keeps what it answered."""

import statistics
import subprocess
import sys
import threading
import time
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from producer.web import listener
from tests.support.stage import (
    TEXT,
    Stage,
    eventually,
    mobiles,
    section,
)
from tests.support.web_process import ROOT, live
from tests.web.conftest import Served, make_key
from worker.store.db import database
from worker.store.schema.tables import message

ACCOUNTS = ("v1", "codes")


def accounts(stage: Stage, **more: Any) -> dict[str, dict[str, Any]]:
    return {name: section(stage.sandbox, name, **more) for name in ACCOUNTS}


def stored(stage: Stage) -> int:
    with database.reading(stage.engine) as connection:
        return int(connection.execute(select(func.count()).select_from(message)).scalar_one())


def test_a_taken_port_is_said_in_words() -> None:
    bound = listener.listen("127.0.0.1", 0)
    port = bound.getsockname()[1]
    with pytest.raises(listener.PortTaken, match=f"port {port} of .* is taken"):
        listener.listen("127.0.0.1", port)
    with pytest.raises(listener.PortTaken, match=r"web\.host"):
        listener.listen("192.0.2.1", port)
    bound.close()


def test_a_call_on_a_kept_connection_takes_no_longer_than_one_on_a_new_one(
    served: Served,
) -> None:
    """Head and body of an answer do not wait for each other's acknowledgement (Nagle)."""

    def seconds(client: httpx.Client) -> float:
        started_at = time.perf_counter()
        assert client.get("/healthz").status_code == 200
        return time.perf_counter() - started_at

    with httpx.Client(base_url=served.url) as kept:
        on_kept = statistics.median(seconds(kept) for _ in range(30))
    on_new = statistics.median(seconds(served.client()) for _ in range(30))
    assert on_kept < 2 * on_new


def test_told_to_end_it_answers_what_is_under_way_and_ends_well(stage: Stage) -> None:
    key = make_key(stage)
    with live(stage, accounts(stage)) as web:
        headers = {"Authorization": f"Bearer {key}"}
        with httpx.Client(base_url=web.url, headers=headers, trust_env=False) as client:
            assert client.get("/readyz").json() == {"status": "ok"}
            answers: list[int] = []

            def send() -> None:
                body = {"to": mobiles(2000), "text": TEXT}
                answers.append(client.post("/v1/messages", json=body, timeout=30).status_code)

            sending = threading.Thread(target=send)
            sending.start()
            eventually(lambda: stored(stage))
            assert web.end() == 0
            sending.join()
        assert answers == [202]
        assert key not in web.log.read_text("utf-8")


def test_killed_under_load_it_has_what_it_answered_and_repeats_make_no_second_one(
    stage: Stage,
) -> None:
    """Clients repeat what brought no answer, with its key; each number has one message."""
    headers = {"Authorization": f"Bearer {make_key(stage, rate=10_000)}"}
    answered: dict[str, str] = {}
    numbers = iter(mobiles(10_000))
    over = threading.Event()
    lock = threading.Lock()

    def client() -> None:
        with httpx.Client(base_url=web.url, headers=headers, trust_env=False, timeout=5) as http:
            while not over.is_set():
                with lock:
                    number = next(numbers)
                answered[number] = until_answered(http, number)

    with live(stage, accounts(stage)) as web:
        threads = [threading.Thread(target=client) for _ in range(8)]
        for thread in threads:
            thread.start()
        for more in (10, 20, 30):
            eventually(lambda more=more: len(answered) > more)  # type: ignore[misc]
            web.kill()
        eventually(lambda: len(answered) > 40)
        over.set()
        for thread in threads:
            thread.join()
    assert len(set(answered.values())) == len(answered)
    for number, one in answered.items():
        assert stage.message(one).to == number
    assert stored(stage) == len(answered)


def until_answered(http: httpx.Client, number: str) -> str:
    while True:
        try:
            answer = http.post(
                "/v1/messages",
                json={"to": number, "text": TEXT},
                headers={"Idempotency-Key": f"key-{number}"},
            )
        except httpx.TransportError:
            continue
        if answer.status_code == 202:
            return str(answer.json()["ids"][0])


def test_without_the_database_it_is_not_ready_and_says_so(stage: Stage) -> None:
    with live(stage, accounts(stage)) as web, httpx.Client(base_url=web.url) as client:
        assert client.get("/readyz").status_code == 200
        stage.engine.dispose()
        with stage.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE xinshi_alembic_version SET version_num = '0001'")
        assert client.get("/readyz").status_code == 503
        assert client.get("/healthz").status_code == 200
        with stage.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE xinshi_alembic_version SET version_num = '9999'")
        assert client.get("/readyz").status_code == 200, "a newer version migrated it already"


def test_on_the_command_line_a_taken_port_is_an_error_of_one_line(stage: Stage) -> None:
    bound = listener.listen("127.0.0.1", 0)
    config = stage.folder / "taken.toml"
    config.write_text(
        f'database_url = "{stage.database}"\n[web]\nport = {bound.getsockname()[1]}\n'
    )
    done = subprocess.run(
        [sys.executable, "-m", "producer.web"],
        env={"XINSHI_CONFIG": str(config), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    bound.close()
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "is taken" in done.stderr
