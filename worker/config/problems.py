"""Explain faults of the configuration: which key, what is wrong, what to write instead."""

import difflib
from collections.abc import Iterable, Mapping

from pydantic import BaseModel, ValidationError

from worker.domain.errors import Problem


def explain(error: ValidationError, key: str, model: type[BaseModel]) -> list[Problem]:
    """Turn the schema's errors into problems, each with its full key; values are not repeated."""
    return [
        Problem(
            ".".join([*filter(None, [key]), *map(str, fault["loc"])]), _description(fault, model)
        )
        for fault in error.errors(include_url=False, include_input=False, include_context=False)
    ]


def gateway_problem(key: str, section: Mapping[str, object], gateway_names: list[str]) -> Problem:
    """Return the problem of an account whose `gateway` is missing, misspelt or unknown."""
    gateway_name = section.get("gateway")
    if gateway_name is None:
        for misspelt_key in difflib.get_close_matches("gateway", section, 1, 0.7):
            return Problem(f"{key}.{misspelt_key}", "is unknown; did you mean gateway?")
        return Problem(f"{key}.gateway", f"is missing; choose one of {', '.join(gateway_names)}")
    return Problem(
        f"{key}.gateway", f"there is no such gateway{suggestion(str(gateway_name), gateway_names)}"
    )


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean …?` with the nearest known word, or `; choose one of …` with all."""
    names = sorted(known)
    matches = difflib.get_close_matches(word, names, 1, 0.6)
    return f"; did you mean {matches[0]}?" if matches else f"; choose one of {', '.join(names)}"


def _description(fault: object, model: type[BaseModel]) -> str:
    """Say what is wrong with one key, from an error of pydantic."""
    error_type, location, message = fault["type"], fault["loc"], fault["msg"]  # type: ignore[index]
    if error_type == "extra_forbidden":
        names = [field.alias or name for name, field in model.model_fields.items()]
        top_level = len(location) == 1
        return f"is unknown{suggestion(str(location[0]), names)}" if top_level else "is unknown"
    if error_type == "missing":
        return "is missing"
    return str(message).removeprefix("Value error, ").removeprefix("Input should be ")
