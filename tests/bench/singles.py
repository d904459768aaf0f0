"""B2': messages that go one to a request, each written ahead and each outcome recorded."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from urllib.parse import quote

from sqlalchemy import Connection, func, insert, select

from tests.bench.figures import Figure, figure, pair
from tests.bench.ground import Ground, SandboxProcess, engine, wait, worker
from tests.stage import LOGINS, mobiles
from worker import database
from worker.clock import now
from worker.tables import message, request, submission
from worker.terms import SubmissionState

TEXT = "【信使】您的验证码是{code}，五分钟内有效"
#: As many requests under way as both sides of a pair have.
CONCURRENCY = 128
PROCESSES = 2
MESSAGES = 20_000


def b2_bare(ground: Ground) -> list[Figure]:
    """B2': the same beside a bare aiohttp loop that records nothing."""
    return [_beside(ground, "B2'", "a bare aiohttp loop", bare, 0.8)]


def _beside(ground: Ground, name: str, other: str, baseline: object, bar: float) -> Figure:
    count = min(MESSAGES, ground.rows)
    pairs, counts = [], {}
    for _ in range(ground.pairs):
        with ground.database("postgresql") as url:
            wanted = mobiles(count)
            ours = _ours(ground, url, wanted)
            counts = ground.sandbox.check(set(wanted))
        theirs = baseline(ground.sandbox, wanted)  # type: ignore[operator]
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

        with database.writing(connected) as connection:
            for name, login in settings.logins.of.items():
                accounts.ensure(connection, name)
                accounts.prove(connection, name, login)
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
    texts = [{"text": TEXT.replace("{code}", f"{nth:06d}")} for nth, _ in enumerate(numbers)]
    made = connection.execute(
        insert(request).values(**fixed).returning(request.c.id, sort_by_parameter_order=True),
        texts,
    )
    ids = list(made.scalars())
    connection.execute(
        insert(message),
        [
            {"request_id": one, "n": 0, "msisdn": number}
            for one, number in zip(ids, numbers, strict=True)
        ],
    )


def _accepted(connected: database.Engine) -> int:
    with database.reading(connected) as connection:
        return int(
            connection.execute(
                select(func.count()).where(submission.c.state == SubmissionState.ACCEPTED.value)
            ).scalar_one()
        )


def _body(number: str, nth: int) -> bytes:
    login = LOGINS["codes"]
    text = quote(TEXT.replace("{code}", f"{nth:06d}"))
    return (
        f"account={login['account']}&password={login['api_key']}"
        f"&mobile={number}&content={text}&format=json"
    ).encode("ascii")


def bare(sandbox: SandboxProcess, numbers: Sequence[str]) -> float:
    """Send singles by a loop that keeps its client and records nothing; returns seconds."""
    return asyncio.run(_bare(sandbox.url("ihuyi"), numbers))


async def _bare(base_url: str, numbers: Sequence[str]) -> float:
    import aiohttp

    url = f"{base_url}/webservice/sms.php?method=Submit"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    left = iter(enumerate(numbers))
    connector = aiohttp.TCPConnector(limit=CONCURRENCY)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as client:

        async def one_after_another() -> None:
            for nth, number in left:
                async with client.post(url, data=_body(number, nth)) as answer:
                    said = await answer.json(content_type=None)
                    if said["code"] != 2:
                        raise RuntimeError(said)

        began = time.perf_counter()
        await asyncio.gather(*(one_after_another() for _ in range(CONCURRENCY)))
        return time.perf_counter() - began


def ceiling(sandbox: SandboxProcess, *, seconds: float = 2.0) -> float:
    """Return how many singles per second ihuyi's side takes, on 32 connections."""
    from tests.bench.ceiling import _flood

    body = _body("13800000000", 0)
    head = (
        "POST /ihuyi/webservice/sms.php?method=Submit HTTP/1.1\r\nHost: sandbox\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode("ascii")
    found = _flood(sandbox.port, head + body, 32, seconds)
    sandbox.taken()
    return found
