"""Pushes: the gateway as a client of the customer's own server, which must be on loopback."""

import asyncio
import ipaddress
import json
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit

import httptools

from worker.sandbox.side import Side
from worker.sandbox.world import Batch, Inbound, Push, World

#: Pushes under way at one time, and how long one may take.
AT_ONCE = 8
DEADLINE = 5.0


def is_loopback(host: str | None) -> bool:
    """Say whether a host is this machine, by its address or by the name `localhost`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def check(url: str) -> None:
    """Raise `ValueError` unless the URL is plain HTTP to this machine."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not is_loopback(parts.hostname):
        msg = f"pushes go to http:// on loopback only, not to {url!r}"
        raise ValueError(msg)


class Pusher:
    """Sends pushes when they are due, and again as often as the gateway does."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._due: asyncio.Queue[tuple[Side, Push, dict[str, Any]]] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: set[asyncio.TimerHandle] = set()
        #: `tried`, `done` and `given_up`.
        self.counts: Counter[str] = Counter()

    def reports(self, side: Side, push: Push, batch: Batch) -> None:
        """Push a batch of reports, one by one, when it is due."""

        def put() -> None:
            for report in batch.reports():
                self._due.put_nowait((side, push, side.push_report(report)))

        self._at(batch.due, put)

    def inbound(self, side: Side, push: Push, inbound: Inbound) -> None:
        """Push an inbound message when it is due."""

        def put() -> None:
            self._due.put_nowait((side, push, side.push_inbound(inbound)))

        self._at(inbound.at, put)

    def _at(self, due: float, put: Callable[[], None]) -> None:
        self._start()

        def ring() -> None:
            self._timers.discard(timer)
            put()

        wait = max(0.0, due - self._world.clock())
        timer = asyncio.get_running_loop().call_later(wait, ring)
        self._timers.add(timer)

    def _start(self) -> None:
        while len(self._tasks) < AT_ONCE:
            self._tasks.add(asyncio.get_running_loop().create_task(self._work()))

    async def _work(self) -> None:
        while True:
            side, push, fields = await self._due.get()
            await self._push(side, push, fields)

    async def _push(self, side: Side, push: Push, fields: dict[str, Any]) -> None:
        for attempt in range(side.push_attempts):
            if attempt:
                await asyncio.sleep(float(side.options.get("push_pause", 0.5)))
            self.counts["tried"] += 1
            try:
                async with asyncio.timeout(DEADLINE):
                    status, body = await _send(push, fields)
            except (OSError, ValueError, httptools.HttpParserError):
                continue
            if side.push_done(status, body):
                self.counts["done"] += 1
                return
        self.counts["given_up"] += 1

    async def close(self) -> None:
        """Drop what was not pushed yet."""
        for timer in self._timers:
            timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()


async def _send(push: Push, fields: dict[str, Any]) -> tuple[int, bytes]:
    parts = urlsplit(push.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
    try:
        writer.write(_request(push, fields))
        return await _read(reader)
    finally:
        writer.close()


def _request(push: Push, fields: dict[str, Any]) -> bytes:
    parts = urlsplit(push.url)
    target = parts.path or "/"
    query = parts.query
    kind, body = "application/x-www-form-urlencoded", urlencode(fields).encode()
    if push.form == "json":
        kind, body = "application/json", json.dumps(fields, ensure_ascii=False).encode()
    if push.method == "GET":
        query = "&".join(filter(None, (query, urlencode(fields))))
        body = b""
    head = (
        f"{push.method} {target}{'?' if query else ''}{query} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("latin-1") + body


class _Reply:
    """A receiver's answer, as it comes in."""

    def __init__(self) -> None:
        self.body = b""
        self.complete = False
        self.parser = httptools.HttpResponseParser(self)

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete = True


async def _read(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Read status and body; the connection's end may end the body, since we asked for that."""
    reply = _Reply()
    while not reply.complete and (data := await reader.read(65536)):
        reply.parser.feed_data(data)
    return reply.parser.get_status_code(), reply.body
