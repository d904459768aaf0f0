"""Connections that say nothing, half of a head, or a word now and then."""

import asyncio
import random

from tests.attack import wire
from tests.attack.kinds.base import Field, Kind

_BEGINNINGS = (
    b"",
    b"P",
    b"POST /v1/messages HTTP/1.1\r\nHost: x\r\n",
    b"GET /healthz HTTP/1.1\r\nX-Slow: ",
    b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 200\r\n\r\n{",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
)


async def _hold(field: Field, draw: random.Random) -> str:
    beginning = draw.choice(_BEGINNINGS)
    async with wire.connected(field.web) as (reader, writer):
        writer.write(beginning)
        while True:
            try:
                async with asyncio.timeout(draw.uniform(2.0, 20.0)):
                    return "answered" if await reader.read(4096) else "closed"
            except TimeoutError:
                # A letter now and then: a connection that is not idle.
                if draw.random() < 0.3 and b":" in beginning:
                    writer.write(b"x")


def silent(count: int) -> Kind:
    """Return the attack with so many connections at a time."""
    return Kind(
        *("sockets", f"{count} silent sockets and half heads", _hold, count / 100),
        most=count,
        at_once=count,
    )
