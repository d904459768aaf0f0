"""B2 and B2': messages that go one to a request, each written ahead and each outcome recorded."""

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, func, insert, select

from tests.bench import kannel
from tests.bench.bodies import HEADERS, PATH, TEXT, body, text
from tests.bench.figures import Figure, figure, pair
from tests.bench.ground import Ground, SandboxProcess, engine, wait, worker
from tests.support.stage import mobiles
from worker.domain.enums import SubmissionState
from worker.store.db import database
from worker.store.db.clock import now
from worker.store.schema.tables import message, request, submission

#: As many requests under way as both sides of a pair have.
CONCURRENCY = 128
PROCESSES = 2
MESSAGES = 20_000


def b2(ground: Ground) -> list[Figure]:
    """B2: singles, two processes, beside Kannel with its spool, fed with 20 numbers per call."""
    if lacking := kannel.missing():
        sys.stderr.write(f"B2 has no figure: this machine has no {lacking} (Debian's kannel)\n")
        return []
    folders = (ground.folder / f"kannel{nth}" for nth in range(ground.pairs))

    def spooled(sandbox: SandboxProcess, numbers: Sequence[str]) -> float:
        return kannel.send(next(folders), sandbox, numbers, TEXT, CONCURRENCY)

    return [_beside(ground, "B2", "Kannel with its spool", spooled, 0.8)]


def b2_bare(ground: Ground) -> list[Figure]:
    """B2': the same beside a bare aiohttp loop that records nothing."""
    return [_beside(ground, "B2'", "a bare aiohttp loop", bare, 0.8)]


def _beside(
    ground: Ground,
    name: str,
    other: str,
    baseline: Callable[[SandboxProcess, Sequence[str]], float],
    bar: float,
) -> Figure:
    count = min(MESSAGES, ground.rows)
    pairs, counts = [], {}
    for _ in range(ground.pairs):
        with ground.database("postgresql") as url:
            wanted = mobiles(count)
            ours = _ours(ground, url, wanted)
            counts = ground.sandbox.check(set(wanted))
        theirs = baseline(ground.sandbox, wanted)
        ground.sandbox.check(set(wanted))
        pairs.append(pair(count / ours, count / theirs))
    return figure(
        name,
        f"{count:,} singles on PostgreSQL, {PROCESSES} processes, beside {other}",
        "messages/s",
        pairs,
        at_least=bar,
        ceiling=ceiling(ground.sandbox),
        facts=counts,
    )


def _ours(ground: Ground, url: str, numbers: Sequence[str]) -> float:
    """Send singles that wait in the database, each a request of its own; returns seconds.

    From the commit of the messages to the last recorded outcome.
    """
    config, settings = ground.configure(url, {"codes": {"concurrency": CONCURRENCY}})
    with engine(url) as connected, ExitStack() as running:
        from worker.store import accounts
        from worker.store.delivery import account_doubts

        with database.writing(connected) as connection:
            for name, login in settings.logins.fingerprints.items():
                accounts.ensure(connection, name)
                account_doubts.prove_login(connection, name, login)
        for nth in range(PROCESSES):
            folder = ground.folder / f"worker{nth}"
            folder.mkdir(exist_ok=True)
            own = folder / "xinshi.toml"
            own.write_text(config.read_text("utf-8"), "utf-8")
            running.enter_context(worker(own, ["notice"]))
        with database.writing(connected) as connection:
            fill(connection, numbers)
        filled = time.perf_counter()
        wait(lambda: _accepted(connected) == len(numbers), every=0.05)
        ended = time.perf_counter()
    return ended - filled


def fill(connection: Connection, numbers: Sequence[str]) -> None:
    """Enqueue messages in one transaction, each a request of its own with a text of its own."""
    fixed = {
        "sender": "",
        "fingerprint": "bench",
        "message_class": "notice",
        "kinds": "mobile",
        "total": 1,
        "next_at": now(),
        "created_at": now(),
        "not_after": datetime(2100, 1, 1, tzinfo=UTC),
    }
    texts = [{"text": text(nth)} for nth in range(len(numbers))]
    made = connection.execute(
        insert(request).values(**fixed).returning(request.c.id, sort_by_parameter_order=True),
        texts,
    )
    ids = list(made.scalars())
    connection.execute(
        insert(message),
        [
            {"request_id": one, "n": 0, "msisdn": number, "single": True}
            for one, number in zip(ids, numbers, strict=True)
        ],
    )


def _accepted(connected: Engine) -> int:
    with database.reading(connected) as connection:
        return int(
            connection.execute(
                select(func.count()).where(submission.c.state == SubmissionState.ACCEPTED.value)
            ).scalar_one()
        )


def bare(sandbox: SandboxProcess, numbers: Sequence[str]) -> float:
    """Send singles by a loop that keeps its client and records nothing; returns seconds."""
    return asyncio.run(_bare(sandbox.url("ihuyi"), numbers))


async def _bare(base_url: str, numbers: Sequence[str]) -> float:
    import aiohttp

    url = base_url + PATH
    left = iter(enumerate(numbers))
    connector = aiohttp.TCPConnector(limit=CONCURRENCY)
    async with aiohttp.ClientSession(connector=connector, headers=HEADERS) as client:

        async def one_after_another() -> None:
            for nth, number in left:
                async with client.post(url, data=body(number, nth)) as answer:
                    said = await answer.json(content_type=None)
                    if said["code"] != 2:
                        raise RuntimeError(said)

        began = time.perf_counter()
        await asyncio.gather(*(one_after_another() for _ in range(CONCURRENCY)))
        return time.perf_counter() - began


def ceiling(sandbox: SandboxProcess, *, seconds: float = 2.0) -> float:
    """Return how many singles per second ihuyi's side takes, on 32 connections."""
    from tests.bench.ceiling import _flood

    content = body("13800000000", 0)
    head = (
        f"POST /ihuyi{PATH} HTTP/1.1\r\nHost: sandbox\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    ).encode("ascii")
    found = _flood(sandbox.port, head + content, 32, seconds)
    sandbox.taken()
    return found
