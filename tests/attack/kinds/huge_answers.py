"""Answers of gateways that are as large as may be, or have no end."""

import asyncio
import random

from tests.attack.kinds.base import Field, Kind
from tests.attack.listener import Received, written

ACCOUNT = "huge"
#: Just within what a transport reads of an answer, in bytes.
BODY = 31 * 1024 * 1024


async def answer(call: Received, draw: random.Random, scale: float) -> None:
    """Answer with as many bytes as may be, of one of several kinds."""
    size = max(1, int(BODY * scale))
    match draw.randrange(6):
        case 0:
            await _write(call, _body(size, b'{"code":"00","data":[', b"{},", b"{}]}"))
        case 1:
            await _write(call, _body(size, b'{"code":"00","data":[', b"{},", b"{"))
        case 2:
            await _write(call, _body(size, b"<a>", b"<a>", b"</a>"))
        case 3:
            # A head without an end.
            call.writer.write(b"HTTP/1.1 200 OK\r\n")
            for nth in range(size // 1000):
                call.writer.write(b"X-%d: " % nth + b"a" * 1000 + b"\r\n")
                await call.writer.drain()
        case 4:
            # Chunks without an end.
            call.writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(2 * size // 65_536):
                call.writer.write(b"10000\r\n" + b"a" * 65_536 + b"\r\n")
                await call.writer.drain()
        case _:
            # A letter a second, for longer than any call may take.
            call.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
            for _ in range(60):
                call.writer.write(b" ")
                await call.writer.drain()
                await asyncio.sleep(1.0)


async def _write(call: Received, body: bytes) -> None:
    call.writer.write(written(body))
    await call.writer.drain()


def _body(size: int, begin: bytes, piece: bytes, end: bytes) -> bytes:
    return begin + piece * (size // len(piece)) + end


async def _huge(field: Field, _draw: random.Random) -> str:
    return await field.send(account=ACCOUNT)


HUGE_ANSWERS = Kind(
    "huge-answers", "answers of gateways as large as may be", _huge, 0.3, accounts=(ACCOUNT,)
)
