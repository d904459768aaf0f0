"""Texts with variables: `{name}` stands for a value; without variables braces are just braces."""

import re
from collections.abc import Mapping

_PLACE = re.compile(r"\{([^{}\s][^{}]*)\}")


def names(text: str) -> frozenset[str]:
    """Return the names that stand between braces in `text`."""
    return frozenset(match.strip() for match in _PLACE.findall(text))


def render(text: str, variables: Mapping[str, str]) -> str:
    """Put the values into the text, if there are any. Raises as `fill` does."""
    return fill(text, variables) if variables else text


def fill(text: str, variables: Mapping[str, str]) -> str:
    """Put the values into the text. Raises `KeyError` with the first name that has none."""
    return _PLACE.sub(lambda match: variables[match[1].strip()], text)
