"""Whoever has no key, no token, or too much to say."""

import asyncio
import json
import random

from tests.attack import wire
from tests.attack.kinds.base import TEXT, Field, Kind


async def _wrong_key(field: Field, draw: random.Random) -> str:
    key = draw.choice((f"xin_{draw.getrandbits(128):x}", "", "' OR 1=1 --", field.key[:-1]))
    return str((await wire.post(field.web, "/v1/messages", key, {"to": "13700000000"}))[0])


async def _wrong_token(field: Field, draw: random.Random) -> str:
    path = f"/push/orphans/{draw.getrandbits(128):032x}"
    return str((await wire.call(field.web, "POST", path, b"[]"))[0])


async def _oversized(field: Field, draw: random.Random) -> str:
    fields = draw.choice(
        (
            {"to": "13700000000", "text": "长" * 20_000},
            {"to": [f"1370{n:07d}" for n in range(10_001)], "text": TEXT},
            {"to": "13700000000", "text": TEXT, "extension": "9" * 100_000},
            {"to": "13700000000", "text": TEXT, "options": {"n" * 64: "v" * 9000}},
        )
    )
    return str((await wire.post(field.web, "/v1/messages", field.key, fields))[0])


async def _odd_json(field: Field, draw: random.Random) -> str:
    body = draw.choice(
        (
            b"[" * 50_000,
            b'{"to":' * 900 + b"1" + b"}" * 900,
            b'{"to":"13700000000","text":"\xff\xfe"}',
            b'{"to":"13700000000","text":"\\ud800"}',
            b'{"to":"13700000000","text":"\\u0000"}',
            b'{"to":' + b"9" * 4000 + b"}",
            json.dumps({"to": "13700000000", "text": TEXT, "not_after": "9999-12-31T23:59:59Z"}),
        )
    )
    body = body.encode() if isinstance(body, str) else body
    words = (f"Authorization: Bearer {field.key}", "Content-Type: application/json")
    return str((await wire.call(field.web, "POST", "/v1/messages", body, headers=words))[0])


async def _slow_body(field: Field, draw: random.Random) -> str:
    key = f"Authorization: Bearer {field.key}"
    async with asyncio.timeout(90), wire.connected(field.web) as (reader, writer):
        writer.write(wire.head("POST", "/v1/messages", 1000, key))
        while not reader.at_eof():
            writer.write(b" ")
            await asyncio.sleep(draw.uniform(0.5, 2.0))
    return "closed"


async def _stranger(field: Field, draw: random.Random) -> str:
    acts = (_wrong_key, _wrong_token, _oversized, _odd_json, _slow_body)
    (act,) = draw.choices(acts, (4, 4, 4, 4, 1))
    return await act(field, draw)


STRANGERS = Kind(
    "strangers", "wrong keys and tokens, odd, oversized and slow bodies", _stranger, 5.0
)
