"""Reports of thousands of ids that nobody knows, beside submissions without an id."""

import json
import random
import uuid

from tests.attack import wire
from tests.attack.kinds.base import Field, Kind

ACCOUNT = "orphans"
#: Rows of a push; it is some 160 KB.
ROWS = 2000


def unknown_rows(draw: random.Random, count: int) -> list[dict[str, str]]:
    """Return reports of ids that nobody knows, of numbers that may be the attacker's."""
    return [
        {
            "sendId": str(uuid.UUID(int=draw.getrandbits(128))),
            "status": draw.choice(("DELIVRD", "UNDELIV", "UNKNOWN")),
            "times": "2026-11-27 10:00:00",
            "mobile": f"137{draw.randrange(1, 5000):08d}",
        }
        for _ in range(count)
    ]


async def _orphan(field: Field, draw: random.Random) -> str:
    if draw.random() < 0.9:
        return await field.send(account=ACCOUNT)
    body = json.dumps(unknown_rows(draw, field.sized(ROWS))).encode()
    path = f"/push/{ACCOUNT}/{field.tokens[ACCOUNT]}/report"
    words = ("Content-Type: application/json",)
    return str((await wire.call(field.web, "POST", path, body, headers=words))[0])


ORPHANS = Kind(
    "orphans",
    "pushes and pages of unknown ids beside submissions without",
    _orphan,
    3.0,
    accounts=(ACCOUNT,),
)
