"""Read durations: a number of seconds, or one with a unit (`"30s"`, `"10m"`, `"24h"`, `"2d"`)."""

import re
from typing import Annotated

from pydantic import BeforeValidator

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?")
_SECONDS_PER_UNIT = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, None: 1.0}


def parse(value: object) -> float:
    """Return `value` in seconds, or raise `ValueError` saying how a duration is written."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(_SYNTAX)  # noqa: TRY004 - pydantic collects ValueErrors
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip().lower())
        if match is None:
            raise ValueError(_SYNTAX)
        value = float(match[1]) * _SECONDS_PER_UNIT[match[2]]
    if not 0 <= value < 1e9:
        raise ValueError(_SYNTAX)
    return float(value)


_SYNTAX = 'write a duration as seconds (30) or with a unit ("30s", "10m", "24h", "7d")'

#: A pydantic field that takes either form and holds seconds.
Duration = Annotated[float, BeforeValidator(parse)]
