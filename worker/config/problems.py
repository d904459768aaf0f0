"""Explain faults of the configuration: which key, what is wrong, what to write instead."""

import difflib
from collections.abc import Iterable, Mapping, Sequence

from pydantic import BaseModel, ValidationError

from worker.config import schema_faults
from worker.domain.errors import Problem


def explain(
    error: ValidationError, key: str, model: type[BaseModel], tables: Sequence[str] = ()
) -> list[Problem]:
    """Turn the schema's errors into problems, each with its full key; values are not repeated.

    `tables` are names beside those of `model` that may stand there.
    """
    problems = []
    for fault in error.errors(include_url=False, include_input=False):
        steps = schema_faults.path(fault["loc"])
        what = schema_faults.sentence(fault)
        if fault["type"] == "extra_forbidden":
            what += _nearest(model, steps, tables)
        problems.append(Problem(".".join([*filter(None, [key]), *steps]), what))
    # A value of which there are several forms has an error for each of them.
    return list(dict.fromkeys(problems))


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


def _nearest(model: type[BaseModel], steps: Sequence[str], tables: Sequence[str]) -> str:
    """Return the suggestion for an unknown key: of the names that the table has which holds it."""
    for step in steps[:-1]:
        field = model.model_fields.get(step)
        annotation = field and field.annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return ""
        model, tables = annotation, ()
    names = [field.alias or name for name, field in model.model_fields.items()]
    return suggestion(steps[-1], [*names, *tables])
