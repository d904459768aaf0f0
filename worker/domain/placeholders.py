"""Fill the placeholders of texts: `{name}` stands for the value of a variable.

In a text that is sent without variables, braces are just braces.
"""

import re
from collections.abc import Mapping

_PLACEHOLDER = re.compile(r"\{([^{}\s][^{}]*)\}")


def names(text: str) -> frozenset[str]:
    """Return the names of the placeholders in `text`."""
    return frozenset(match.strip() for match in _PLACEHOLDER.findall(text))


def render(text: str, variables: Mapping[str, str]) -> str:
    """Fill the text where there are variables, else return it as it is. Raises as `fill` does."""
    return fill(text, variables) if variables else text


def fill(text: str, variables: Mapping[str, str]) -> str:
    """Put each variable's value in its place. Raises `KeyError` with the first name without one."""
    return _PLACEHOLDER.sub(lambda match: variables[match[1].strip()], text)
