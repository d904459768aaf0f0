"""Callbacks to receivers that hang, and to hosts that are no names."""

import random

from tests.attack.kinds.base import RECEIVERS, Field, Kind

_NO_NAMES = ("a..b", f"{'x' * 64}.example", "xn--", "xn--\u00e4", ".", "-", "a b.example")


async def _hang(field: Field, draw: random.Random) -> str:
    path = f"hang/{draw.randrange(RECEIVERS)}"
    return await field.send(callback_url=f"http://127.0.0.1:{field.receiver}/{path}")


async def _no_name(field: Field, draw: random.Random) -> str:
    return await field.send(callback_url=f"http://{draw.choice(_NO_NAMES)}/")


HANGING = Kind(
    "hanging", "a callback for each call, to receivers that hang", _hang, 20.0, tells=True
)
NO_NAMES = Kind("no-names", "callbacks to hosts that are no names", _no_name, 2.0, tells=True)
