"""Fill the placeholders of texts: `{name}` stands for the value of a variable.

`{{` is a brace; `}` needs nothing. `worker.domain.texts.unfilled` finds what only looks like a
placeholder.
"""

import re
from collections.abc import Mapping

#: A brace as such, or a placeholder with its name.
_TOKEN = re.compile(r"\{\{|\{([^{}\s][^{}]*)\}")


def names(text: str) -> frozenset[str]:
    """Return the names of the placeholders in `text`."""
    return frozenset(name.strip() for name in _TOKEN.findall(text) if name)


def ordered_names(text: str) -> list[str]:
    """Return the names of the placeholders in `text`, each once, in the order it has them."""
    return list(dict.fromkeys(name.strip() for name in _TOKEN.findall(text) if name))


def fill(text: str, variables: Mapping[str, str]) -> str:
    """Put each variable's value in its place, and a brace for `{{`.

    Values are not looked at for placeholders. Raises `KeyError` with the first name without one.
    """
    if "{" not in text:
        return text
    return _TOKEN.sub(lambda match: variables[match[1].strip()] if match[1] else "{", text)


def escape(text: str) -> str:
    """Return what `fill` makes `text` of, whatever the variables are."""
    return text.replace("{", "{{")
