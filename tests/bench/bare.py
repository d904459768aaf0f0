"""The baseline of campaigns: a bare script without a queue, as somebody in a hurry writes it well.

It keeps the numbers in memory, has one table, and for each 2,000 recipients makes one POST through
a client that it keeps, and one UPDATE of a range, committed. It promises nothing: what a crash
leaves behind, nobody knows.
"""

import csv
import hashlib
import sqlite3
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import quote

import httpx
import psycopg
from sqlalchemy import make_url

BATCH = 2000
_TABLE = (
    "CREATE TABLE script_message (n INTEGER PRIMARY KEY, msisdn TEXT NOT NULL,"
    " state TEXT NOT NULL DEFAULT 'queued')"
)


def campaign(url: str, file: Path, base_url: str, text: str) -> float:
    """Load a CSV file and send all of it; returns the seconds from its opening to the end."""
    run = _postgresql if make_url(url).get_backend_name() == "postgresql" else _sqlite
    with httpx.Client(trust_env=False, timeout=30.0) as client:
        # Warm, as a worker that has run for a while is.
        client.get(base_url)
        return run(url, file, _poster(client, base_url, text))


def _poster(client: httpx.Client, base_url: str, text: str) -> Callable[[list[str]], None]:
    password = hashlib.md5(b"9999", usedforsecurity=False).hexdigest()
    ending = f"&content={quote(text.encode('gbk'))}"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}

    def post(numbers: list[str]) -> None:
        body = f"uid=9999&pwd={password}&mobile={','.join(numbers)}{ending}"
        answer = client.post(f"{base_url}/tx/", content=body, headers=headers)
        if answer.text.strip() != "100":
            raise RuntimeError(answer.text)

    return post


def _numbers(file: Path) -> Iterable[str]:
    with file.open(encoding="utf-8", newline="") as lines:
        rows = csv.reader(lines)
        next(rows)
        for row in rows:
            yield row[0].strip()


def _postgresql(url: str, file: Path, post: Callable[[list[str]], None]) -> float:
    address = make_url(url).set(drivername="postgresql")
    with psycopg.connect(address.render_as_string(hide_password=False)) as connection:
        connection.execute("DROP TABLE IF EXISTS script_message")
        connection.execute(_TABLE)
        connection.commit()
        began = time.perf_counter()
        numbers = []
        with connection.cursor() as cursor:
            with cursor.copy("COPY script_message (n, msisdn) FROM STDIN") as copy:
                for n, number in enumerate(_numbers(file)):
                    copy.write_row((n, number))
                    numbers.append(number)
            connection.commit()
            for lo in range(0, len(numbers), BATCH):
                post(numbers[lo : lo + BATCH])
                cursor.execute(
                    "UPDATE script_message SET state = 'submitted' WHERE n >= %s AND n < %s",
                    (lo, lo + BATCH),
                )
                connection.commit()
        return time.perf_counter() - began


def _sqlite(url: str, file: Path, post: Callable[[list[str]], None]) -> float:
    connection = sqlite3.connect(str(make_url(url).database) + ".script", isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(_TABLE)
        began = time.perf_counter()
        numbers = list(_numbers(file))
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO script_message (n, msisdn) VALUES (?, ?)", enumerate(numbers)
        )
        connection.execute("COMMIT")
        for lo in range(0, len(numbers), BATCH):
            post(numbers[lo : lo + BATCH])
            connection.execute(
                "UPDATE script_message SET state = 'submitted' WHERE n >= ? AND n < ?",
                (lo, lo + BATCH),
            )
        return time.perf_counter() - began
    finally:
        connection.close()
