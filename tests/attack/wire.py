"""Speaks HTTP over plain sockets, as attackers and customers do: a connection for each call."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

#: What a call raises that brought no answer.
NO_ANSWER = (OSError, EOFError, TimeoutError, ValueError)


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Connect to a port of this machine, and cut the connection in the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


def head(method: str, path: str, length: int, *headers: str) -> bytes:
    """Write the head of a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: x", *headers]
    return "\r\n".join([*lines, f"Content-Length: {length}", "", ""]).encode("utf-8")


async def call(
    port: int,
    method: str,
    path: str,
    body: bytes = b"",
    *,
    headers: Iterable[str] = (),
    within: float = 30.0,
) -> tuple[int, bytes]:
    """Make a call; return the answer's status and body, or raise one of `NO_ANSWER`."""
    async with asyncio.timeout(within), connected(port) as (reader, writer):
        writer.write(head(method, path, len(body), *headers) + body)
        return await answer(reader)


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Read an answer that says how long it is; return its status and body."""
    lines = await reader.readuntil(b"\r\n\r\n")
    length = lines.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    return int(lines.split(b" ", 2)[1]), await reader.readexactly(int(length or b"0"))


async def post(port: int, path: str, key: str, fields: Any, *headers: str) -> tuple[int, bytes]:
    """Post JSON with an API key; return the answer's status and body."""
    words = (f"Authorization: Bearer {key}", "Content-Type: application/json", *headers)
    return await call(port, "POST", path, json.dumps(fields).encode(), headers=words)
