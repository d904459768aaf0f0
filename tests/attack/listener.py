"""Listens for HTTP and answers as its handler wants: properly, late, or in no way that is HTTP."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple


class Received(NamedTuple):
    """A request that came in."""

    path: str
    body: bytes
    #: Where the answer goes.
    writer: asyncio.StreamWriter
    reader: asyncio.StreamReader

    async def is_abandoned(self) -> bool:
        """Tell whether whoever called has hung up, as after a timeout."""
        for _ in range(3):
            await asyncio.sleep(0)
        return self.reader.at_eof()


Handler = Callable[[Received], Awaitable[None]]


def written(body: bytes = b"", status: str = "200 OK", kind: str = "application/json") -> bytes:
    """Write a proper answer."""
    words = (f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}")
    return "\r\n".join([*words, "Connection: close", "", ""]).encode() + body


@asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[int]:
    """Listen on a free port of this machine and give the port; each connection brings one call."""
    under_way: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        under_way.add(task)
        # Whoever called may be gone, or cut off by us.
        with suppress(OSError, EOFError, ValueError, asyncio.CancelledError):
            await handler(await _received(reader, writer))
            await writer.drain()
        under_way.discard(task)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1024)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


async def _received(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Received:
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    body = await reader.readexactly(int(length or b"0"))
    return Received(head.split(b" ", 2)[1].decode("latin-1"), body, writer, reader)
