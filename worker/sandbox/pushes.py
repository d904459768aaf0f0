"""Pushes reports and messages as a gateway does, to a customer's server on loopback."""

import asyncio
import ipaddress
import json
from collections import Counter
from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

import httptools

from worker.sandbox.side import PushBody, Side
from worker.sandbox.world import PushTarget, ReportGroup, SandboxInbound, World

#: The most pushes under way at one time.
MAX_CONCURRENT_PUSHES = 8
#: How long a push may take, in seconds.
PUSH_TIMEOUT = 5.0


def is_loopback(host: str | None) -> bool:
    """Tell whether a host is this machine, by its address or by the name `localhost`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def check_url(url: str) -> None:
    """Raise `ValueError` unless the URL is plain HTTP to this machine."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not is_loopback(parts.hostname):
        msg = f"pushes go to http:// on loopback only, not to {url!r}"
        raise ValueError(msg)


class PushSender:
    """Sends pushes when they are due, and again as often as the gateway does."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._queue: asyncio.Queue[tuple[Side, PushTarget, PushBody]] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: set[asyncio.TimerHandle] = set()
        #: The pushes that were `tried`, `done` and `given_up`.
        self.counts: Counter[str] = Counter()

    def reports(self, side: Side, push: PushTarget, group: ReportGroup) -> None:
        """Push each report of a group when the group is due."""

        def enqueue() -> None:
            for report in group.reports():
                self._queue.put_nowait((side, push, side.push_report(report)))

        self._call_when_due(group.due, enqueue)

    def inbound(self, side: Side, push: PushTarget, message: SandboxInbound) -> None:
        """Push an inbound message when it is due."""

        def enqueue() -> None:
            self._queue.put_nowait((side, push, side.push_inbound(message)))

        self._call_when_due(message.at, enqueue)

    def _call_when_due(self, due: float, enqueue: Callable[[], None]) -> None:
        self._start_workers()

        def fire() -> None:
            self._timers.discard(timer)
            enqueue()

        delay = max(0.0, due - self._world.clock())
        timer = asyncio.get_running_loop().call_later(delay, fire)
        self._timers.add(timer)

    def _start_workers(self) -> None:
        while len(self._tasks) < MAX_CONCURRENT_PUSHES:
            self._tasks.add(asyncio.get_running_loop().create_task(self._push_queued()))

    async def _push_queued(self) -> None:
        while True:
            side, push, fields = await self._queue.get()
            await self._push(side, push, fields)

    async def _push(self, side: Side, push: PushTarget, fields: PushBody) -> None:
        for attempt in range(side.push_attempts):
            if attempt:
                await asyncio.sleep(float(side.options.get("push_pause", 0.5)))
            self.counts["tried"] += 1
            try:
                async with asyncio.timeout(PUSH_TIMEOUT):
                    status, body = await _send(push, fields)
            except (OSError, ValueError, httptools.HttpParserError):
                continue
            if side.accepts_push_answer(status, body):
                self.counts["done"] += 1
                return
        self.counts["given_up"] += 1

    async def close(self) -> None:
        """Drop the pushes that were not sent yet."""
        for timer in self._timers:
            timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()


async def _send(push: PushTarget, fields: PushBody) -> tuple[int, bytes]:
    parts = urlsplit(push.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
    try:
        writer.write(_format_request(push, fields))
        return await _read_answer(reader)
    finally:
        writer.close()


def _format_request(push: PushTarget, fields: PushBody) -> bytes:
    parts = urlsplit(push.url)
    target = parts.path or "/"
    query = parts.query
    content_type = "application/x-www-form-urlencoded"
    if push.form == "json" or isinstance(fields, list):
        content_type, body = "application/json", json.dumps(fields, ensure_ascii=False).encode()
    else:
        body = urlencode(fields).encode()
    if push.method == "GET" and not isinstance(fields, list):
        query = "&".join(filter(None, (query, urlencode(fields))))
        body = b""
    head = (
        f"{push.method} {target}{'?' if query else ''}{query} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("latin-1") + body


class _PushAnswer:
    """A receiver's answer, parsed as it comes in."""

    def __init__(self) -> None:
        self.body = b""
        self.complete = False
        self.parser = httptools.HttpResponseParser(self)

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete = True


async def _read_answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Read status and body; the connection's end may end the body, as `Connection: close` asks."""
    answer = _PushAnswer()
    while not answer.complete and (data := await reader.read(65536)):
        answer.parser.feed_data(data)
    return answer.parser.get_status_code(), answer.body
