"""Heads of requests that never end, or hold more than any head does."""

import asyncio
import random

from tests.attack import wire
from tests.attack.kinds.base import Field, Kind

_LINE = b"X-%d: " + b"a" * 1000 + b"\r\n"
_START = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
#: The most bytes of a head that is sent.
MOST = 64 * 1024 * 1024
_PIECE = 64 * 1024


async def _endless(field: Field, draw: random.Random) -> str:
    beginning, piece = draw.choice(
        (
            (_START, b"".join(_LINE % nth for nth in range(60))),
            (_START + b"X-Long: ", b"a" * _PIECE),
            (b"GET /", b"a" * _PIECE),
        )
    )
    most = field.sized(MOST)
    async with asyncio.timeout(60), wire.connected(field.web) as (reader, writer):
        writer.write(beginning)
        for _ in range(most // len(piece) + 1):
            writer.write(piece)
            await writer.drain()
            if reader.at_eof():
                return "closed"
        return str((await wire.answer(reader))[0])


HEADS = Kind("heads", "heads of requests that do not end", _endless, 0.5, most=2)
