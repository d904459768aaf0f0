"""B5: 200,000 report rows into a table of 1,000,000 messages, beside COPY and one UPDATE … FROM."""

import json
import random
import time
from collections.abc import Sequence
from functools import partial

import httpx
import psycopg
from sqlalchemy import Engine, func, make_url, select, text

from tests.bench.figures import Figure, figure, pair
from tests.bench.ground import Ground, engine
from worker.config.settings import Settings
from worker.feedback import page_intake, raw_pages
from worker.runtime import gc_tuning
from worker.store.db import database
from worker.store.feedback import inbox
from worker.store.schema.tables import message, report

MESSAGES = 1_000_000
PAGE = 20_000
CAP = 3000
#: One campaign that an account of apiv1 has submitted, as the gateway knows it.
_SENT = (
    (
        "INSERT INTO xinshi_request (id, sender, class, account, text, personal, kinds, total,"
        " next_n, rest, created_at) VALUES (1, '', 'marketing', 'v1', 'sent', false, 'mobile',"
        " 1000000, 1000000, 'queued', now())"
    ),
    "INSERT INTO xinshi_campaign (request_id, name, state) VALUES (1, 'sent', 'done')",
    (
        "INSERT INTO xinshi_message (request_id, n, msisdn)"
        " SELECT 1, g, (13000000000 + g * 7)::text FROM generate_series(0, 999999) AS g"
    ),
    (
        "INSERT INTO xinshi_submission (account, class, state, request_id, lo, hi, size, segments,"
        " fence, attempts, reference, gateway_id, outcome, created_at, called_at, answered_at)"
        " SELECT 'v1', 'marketing', 'accepted', 1, 3000 * g, least(3000 * g + 3000, 1000000), 3000,"
        " 1, 1, 1, lpad(g::text, 32, '0'), lpad(g::text, 32, '0'), 'accepted', now(), now(), now()"
        " FROM generate_series(0, 333) AS g"
    ),
)


def b5(ground: Ground) -> list[Figure]:
    """B5: pages of reports stored raw, read, stored, matched and applied."""
    rows = min(200_000, ground.rows)
    pairs = []
    facts = {}
    for nth in range(ground.pairs):
        chosen = sorted(random.Random(nth).sample(range(MESSAGES), rows))
        with ground.database("postgresql") as url, engine(url) as connections:
            with connections.begin() as connection:
                for statement in _SENT:
                    connection.execute(text(statement))
            _, settings = ground.configure(url, {"v1": {}})
            bodies = [_page(chosen[at : at + PAGE]) for at in range(0, rows, PAGE)]
            ours = _ours(connections, settings, bodies)
            facts = _check(connections, rows)
            script = _script(url, chosen)
        pairs.append(pair(rows / ours, rows / script))
    what = f"{rows:,} reports in pages of {PAGE:,} into {MESSAGES:,} messages, postgresql"
    return [figure("B5", what, "reports/s", pairs, at_least=0.5, facts=facts)]


def _page(chosen: Sequence[int]) -> bytes:
    rows = [
        {
            "sendId": f"{n // CAP:032d}",
            "status": "DELIVER",
            "times": "2026-11-24 10:00:00",
            "mobile": str(13_000_000_000 + n * 7),
        }
        for n in chosen
    ]
    return json.dumps({"code": "00", "data": rows}).encode()


def _ours(connections: Engine, settings: Settings, bodies: Sequence[bytes]) -> float:
    """Do with each page what a collector does once the gateway has answered."""
    account = settings.accounts["v1"]
    # As a worker's process does once it has started.
    gc_tuning.tune()
    began = time.perf_counter()
    for body in bodies:
        with database.writing(connections) as connection:
            page = inbox.add_page(connection, "v1", "reports", body, status=200)
        answer = httpx.Response(200, content=body)
        read = partial(raw_pages.read_page, account, "reports", answer)
        page_intake.take_in(connections, settings, "v1", page, read, time.monotonic() + 60)
    return time.perf_counter() - began


def _check(connections: Engine, rows: int) -> dict[str, int]:
    with connections.connect() as connection:
        stored = select(func.count()).select_from(report)
        counts = {
            "stored": connection.execute(stored).scalar_one(),
            "matched": connection.execute(
                stored.where(report.c.request_id.is_not(None))
            ).scalar_one(),
            "delivered": connection.execute(
                select(func.count()).select_from(message).where(message.c.state == "delivered")
            ).scalar_one(),
        }
    if set(counts.values()) != {rows}:
        msg = f"the result is wrong: {counts}, {rows} wanted"
        raise AssertionError(msg)
    return counts


def _script(url: str, chosen: Sequence[int]) -> float:
    """COPY into a temporary table, and one UPDATE … FROM of a table of the same messages."""
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address) as connection:
        connection.execute(
            "CREATE TABLE script_message AS SELECT n, msisdn, 'submitted'::text AS state,"
            " NULL::text AS code FROM xinshi_message"
        )
        connection.execute("ALTER TABLE script_message ADD PRIMARY KEY (n)")
        connection.commit()
        began = time.perf_counter()
        connection.execute("CREATE TEMPORARY TABLE fresh (msisdn text, code text)")
        with connection.cursor().copy("COPY fresh FROM STDIN") as copy:
            for n in chosen:
                copy.write_row((str(13_000_000_000 + n * 7), "DELIVER"))
        connection.execute(
            "UPDATE script_message SET state = 'delivered', code = fresh.code"
            " FROM fresh WHERE fresh.msisdn = script_message.msisdn"
        )
        connection.commit()
        return time.perf_counter() - began
