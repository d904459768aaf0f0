"""Finds the parts of a content that a gateway cannot carry; each problem says what to do."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from worker.domain.errors import Problem
from worker.gateways.base import Content


def unknown_option_problems(
    gateway: str, options: Iterable[str], known: Sequence[str]
) -> list[Problem]:
    """Return a problem, with the nearest known option, for each that the gateway does not know."""
    return [
        Problem(f"options.{key}", f"is unknown at {gateway}; {_suggestion(key, known)}")
        for key in options
        if key not in known
    ]


def template_problems(gateway: str, content: Content) -> list[Problem]:
    """Return the problems of a content that asks for a template, where the gateway has none."""
    template_fields = {"template": content.template, "variables": content.variables}
    return [
        Problem(field, f"{gateway} has no templates; write the whole text")
        for field, value in template_fields.items()
        if value
    ]


def extension_problems(gateway: str, content: Content) -> list[Problem]:
    """Return the problem of a content with an extension, where the gateway takes none."""
    if not content.extension:
        return []
    return [Problem("extension", f"{gateway} takes none; leave it out")]


def extension_digit_problems(content: Content) -> list[Problem]:
    """Return the problem of an extension that is not 1 to 20 digits."""
    extension = content.extension
    if not extension or (extension.isascii() and extension.isdigit() and len(extension) <= 20):
        return []
    return [Problem("extension", "is 1 to 20 digits; write nothing else")]


def _suggestion(key: str, known: Sequence[str]) -> str:
    matches = get_close_matches(key, known, 1)
    if matches:
        return f"did you mean {matches[0]}?"
    return f"it knows {', '.join(known)}" if known else "it takes none; leave it out"
