"""Faults of the configuration in a person's words: which key, what is wrong, what to write."""

import difflib
from collections.abc import Iterable, Mapping

from pydantic import BaseModel, ValidationError

from worker.domain.errors import Problem


def explain(error: ValidationError, key: str, model: type[BaseModel]) -> list[Problem]:
    """Turn what the schema found into problems, each with the full key; values are not repeated."""
    return [
        Problem(".".join([*filter(None, [key]), *map(str, fault["loc"])]), _what(fault, model))
        for fault in error.errors(include_url=False, include_input=False, include_context=False)
    ]


def gateway_problem(key: str, section: Mapping[str, object], known: list[str]) -> Problem:
    """Say that an account's `gateway` is missing, misspelt or unknown."""
    said = section.get("gateway")
    if said is None:
        for close in difflib.get_close_matches("gateway", section, 1, 0.7):
            return Problem(f"{key}.{close}", "is unknown; did you mean gateway?")
        return Problem(f"{key}.gateway", f"is missing; choose one of {', '.join(known)}")
    return Problem(f"{key}.gateway", f"there is no such gateway{near(str(said), known)}")


def near(word: str, known: Iterable[str]) -> str:
    """Suggest the nearest known word: `; did you mean …?`, or the list of all."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, 1, 0.6)
    return f"; did you mean {close[0]}?" if close else f"; choose one of {', '.join(names)}"


def _what(fault: object, model: type[BaseModel]) -> str:
    kind, where, said = fault["type"], fault["loc"], fault["msg"]  # type: ignore[index]
    if kind == "extra_forbidden":
        names = [field.alias or name for name, field in model.model_fields.items()]
        top_level = len(where) == 1
        return f"is unknown{near(str(where[0]), names)}" if top_level else "is unknown"
    if kind == "missing":
        return "is missing"
    return str(said).removeprefix("Value error, ").removeprefix("Input should be ")
