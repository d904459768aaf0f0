"""All kinds of attack, and the honest calls that are made in their place."""

import random
from collections.abc import Sequence

from tests.attack.kinds.base import RECEIVERS, Field, Kind
from tests.attack.kinds.callbacks import HANGING, NO_NAMES
from tests.attack.kinds.heads import HEADS
from tests.attack.kinds.huge_answers import HUGE_ANSWERS
from tests.attack.kinds.odd_rows import ODD_ROWS
from tests.attack.kinds.orphans import ORPHANS
from tests.attack.kinds.sockets import silent
from tests.attack.kinds.strangers import STRANGERS
from tests.attack.kinds.uploads import CODES, UPLOADS


def kinds(names: Sequence[str], sockets: int) -> list[Kind]:
    """Return the kinds of these names, or all."""
    every = [
        *(HANGING, NO_NAMES, ORPHANS, silent(sockets), HEADS),
        *(ODD_ROWS, HUGE_ANSWERS, UPLOADS, CODES, STRANGERS),
    ]
    return [kind for kind in every if not names or kind.name in names]


def honest(attacks: Sequence[Kind]) -> Kind:
    """Return as many honest calls as there are acts in some attacks, and as many callbacks."""
    rate = sum(kind.rate for kind in attacks)
    told = sum(kind.rate for kind in attacks if kind.tells) / rate

    async def send(field: Field, draw: random.Random) -> str:
        url = f"http://127.0.0.1:{field.receiver}/good/{draw.randrange(RECEIVERS)}"
        return await field.send(**({"callback_url": url} if draw.random() < told else {}))

    return Kind("honest", "honest calls", send, rate)
