"""A server that is away is told by few lines: when it begins, one a minute, and when it is back."""

import json
import re
import time
from collections import Counter
from typing import Any

from tests.faults.conftest import Build
from tests.faults.test_brokers import REAL, house_at
from tests.faults.test_matrix import mute
from tests.support.faults.house import House, eventually
from tests.support.faults.servers import PostgreSQL, Redis, Server

#: For so long a server is away, in seconds: three lanes and the ticks try every second.
AWAY_SECONDS = 4.0
#: Lines that may come beside those two, of what was under way when the server died.
OTHER_LINES = 3


def lines(house: House) -> list[dict[str, Any]]:
    """Return the lines of the log that are events."""
    text = house.log.read_text("utf-8") if house.log.exists() else ""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def events(house: House) -> Counter[str]:
    return Counter(line["event"] for line in lines(house))


def lines_of_an_outage(house: House, server: Server, name: str) -> list[dict[str, Any]]:
    """Take a server away from a house's processes and bring it back; return what was logged."""
    eventually(lambda: events(house)["worker.started"])
    before = len(lines(house))
    server.kill()
    eventually(lambda: events(house)[f"{name}.away"])
    began = time.monotonic()
    while time.monotonic() - began < AWAY_SECONDS:
        time.sleep(0.1)
    server.start()
    eventually(lambda: events(house)[f"{name}.back"])
    return lines(house)[before:]


def check(told: list[dict[str, Any]], name: str) -> None:
    counts = Counter(line["event"] for line in told)
    assert counts[f"{name}.away"] == counts[f"{name}.back"] == 1, counts
    assert sum(counts.values()) <= 2 + OTHER_LINES, counts
    back = next(line for line in told if line["event"] == f"{name}.back")
    assert AWAY_SECONDS <= back["seconds"] < AWAY_SECONDS + 30
    assert all(re.fullmatch(r"[a-z_]+\.[a-z_]+", line["event"]) for line in told)


def test_a_database_that_is_away_is_told_by_two_lines(
    build: Build, own_postgresql: PostgreSQL, postgresql: str
) -> None:
    house = build(own_postgresql.url(postgresql), accounts=mute())
    house.command(*REAL)
    check(lines_of_an_outage(house, own_postgresql, "database"), "database")


def test_a_broker_that_is_away_is_told_by_two_lines(build: Build, own_redis: Redis) -> None:
    """Celery's own sentences, one for each try, are none of them."""
    house = house_at(build, f"redis://127.0.0.1:{own_redis.port}/0")
    house.command(*REAL)
    eventually(lambda: house.producer.ring("notice"))
    check(lines_of_an_outage(house, own_redis, "broker"), "broker")
