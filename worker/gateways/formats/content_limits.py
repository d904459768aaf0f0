"""What a gateway cannot carry, in words that say what to do."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from worker.domain.errors import Problem
from worker.gateways.base import Content


def unknown_options(gateway: str, given: Iterable[str], known: Sequence[str]) -> list[Problem]:
    """Name each option that the gateway does not know, and the nearest that it does."""
    return [
        Problem(f"options.{key}", f"is unknown at {gateway}; {_instead(key, known)}")
        for key in given
        if key not in known
    ]


def no_template(gateway: str, content: Content) -> list[Problem]:
    """Say that the gateway has no templates, where one is asked for."""
    given = {"template": content.template, "variables": content.variables}
    return [
        Problem(where, f"{gateway} has no templates; write the whole text")
        for where, value in given.items()
        if value
    ]


def no_extension(gateway: str, content: Content) -> list[Problem]:
    """Say that the gateway takes no extension, where one is given."""
    if not content.extension:
        return []
    return [Problem("extension", f"{gateway} takes none; leave it out")]


def digits_only(content: Content) -> list[Problem]:
    """Say that an extension is made of digits, where it is not."""
    extension = content.extension
    if not extension or (extension.isascii() and extension.isdigit() and len(extension) <= 20):
        return []
    return [Problem("extension", "is 1 to 20 digits; write nothing else")]


def _instead(key: str, known: Sequence[str]) -> str:
    near = get_close_matches(key, known, 1)
    if near:
        return f"did you mean {near[0]}?"
    return f"it knows {', '.join(known)}" if known else "it takes none; leave it out"
