"""Campaigns: a file in one line, and codes to numbers that have had theirs."""

import asyncio
import random

from tests.attack import wire
from tests.attack.kinds.base import TEXT, Field, Kind

#: A file of one line, in bytes.
FILE = 60 * 1024 * 1024
#: The numbers that codes are aimed at.
TARGETS = tuple(f"1360000{nth:04d}" for nth in range(5))
_MARK = "ATTACK"


async def _one_line(field: Field, draw: random.Random) -> str:
    piece = draw.choice((b"a," * 32_000, "😀,".encode() * 12_000, b'"' + b"b" * 60_000))
    pieces = field.sized(FILE) // len(piece) + 1
    part = f'--{_MARK}\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
    start = part % ("name", "", "line") + part % ("text", "", TEXT)
    start += part.removesuffix("\r\n") % ("recipients", '; filename="a.csv"', "")
    beginning, end = start.encode(), f"\r\n--{_MARK}--\r\n".encode()
    length = len(beginning) + pieces * len(piece) + len(end)
    words = (
        f"Authorization: Bearer {field.key}",
        f"Content-Type: multipart/form-data; boundary={_MARK}",
    )
    async with asyncio.timeout(60), wire.connected(field.web) as (reader, writer):
        writer.write(wire.head("POST", "/v1/campaigns", length, *words) + beginning)
        for _ in range(pieces):
            writer.write(piece)
            await writer.drain()
        writer.write(end)
        return str((await wire.answer(reader))[0])


async def _code(field: Field, draw: random.Random) -> str:
    target = draw.choice(TARGETS)
    if draw.random() < 0.3:
        return await field.send(to=target, **{"class": "otp"})
    body = {"name": "codes", "class": "otp", "text": TEXT, "recipients": [target]}
    return str((await wire.post(field.web, "/v1/campaigns", field.key, body))[0])


UPLOADS = Kind("uploads", "campaign files of one long line", _one_line, 0.1, most=2)
CODES = Kind("codes", "codes by campaigns to numbers that have had theirs", _code, 1.0)
