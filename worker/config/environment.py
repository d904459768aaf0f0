"""Read settings from `XINSHI_…` environment variables, as tables like those of the file.

A double underscore goes one table down: `XINSHI_ACCOUNTS__BULK__PASSWORD` is `password` in
`[accounts.bulk]`. An environment has other authors too: a variable that is no setting is a warning,
and an error only where it is spelt nearly as one.
"""

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from worker.domain.errors import Problem

_PREFIX = "XINSHI_"
#: Variables for others: where the file is, what the test suite reads, what clients of the HTTP API
#: are told.
_RESERVED = re.compile(r"XINSHI_(CONFIG|KEY|URL|TEST_.*)")
#: What follows a Service's name in the variables that Kubernetes makes for it (its documents,
#: "Discovering services"); Docker's links have the same form.
_LINK_SUFFIX = re.compile(
    r"_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)
_LINK_URL = re.compile(r"(tcp|udp|sctp)://")
#: How like a setting's name another one is that is taken for a slip (`difflib`), and how like one
#: that is worth a hint.
_MISSPELT, _SIMILAR = 0.8, 0.6


@dataclass(slots=True)
class Environment:
    """What an environment says to us; problems and warnings name their variables."""

    #: The settings, as nested tables.
    tables: dict[str, Any] = field(default_factory=dict)
    #: The variable of each key, which is written with dots.
    variables: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def named(self, problem: Problem) -> Problem:
        """Return a problem under the name of its variable, if its value came from one."""
        for key, variable in self.variables.items():
            if f"{problem.where}.".startswith(f"{key}."):
                return Problem(_where(variable), problem.what)
        return problem


def read(environ: Mapping[str, str], keys: Collection[str]) -> Environment:
    """Return what the environment says, where `keys` are those of all settings, with dots."""
    environment = Environment()
    tops = {key.partition(".")[0] for key in keys}
    links = _links(environ)
    # A table comes before what stands in it.
    for variable in sorted(environ):
        if not variable.startswith(_PREFIX) or _RESERVED.fullmatch(variable) or variable in links:
            continue
        path = variable.removeprefix(_PREFIX).lower().split("__")
        if path[0] in tops:
            environment.variables[".".join(path)] = variable
            _set(environment.tables, path, environ[variable])
        else:
            _add_unknown(environment, variable, keys)
    environment.warnings += _link_warnings(links)
    return environment


def merge(raw: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return tables in which `overrides` win, key by key, however deep they are nested."""
    merged = dict(raw)
    for key, value in overrides.items():
        nested = merged.get(key)
        if isinstance(value, Mapping) and isinstance(nested, Mapping):
            merged[key] = merge(nested, value)
        else:
            merged[key] = value
    return merged


def _set(tables: dict[str, Any], path: list[str], value: str) -> None:
    """Set a key of nested tables; a text where a table has to be stays, and is refused later."""
    *table_names, key = path
    table = tables
    for table_name in table_names:
        nested = table.setdefault(table_name, {})
        if not isinstance(nested, dict):
            return
        table = nested
    table[key] = value


def _add_unknown(environment: Environment, variable: str, keys: Collection[str]) -> None:
    """Add the problem of a variable that is misspelt, or the warning of one that is not read."""
    name = variable.removeprefix(_PREFIX).lower()
    names = [key.replace(".", "__") for key in keys]
    nearest = difflib.get_close_matches(name, names, 1, _SIMILAR)
    hint = f"; did you mean {_PREFIX}{nearest[0].upper()}?" if nearest else ""
    if difflib.get_close_matches(name, nearest, 1, _MISSPELT):
        environment.problems.append(Problem(_where(variable), f"is no setting{hint}"))
    else:
        warning = f"is no setting, and is not read{hint}"
        environment.warnings.append(Problem(_where(variable), warning))


def _links(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables by which Kubernetes or Docker names a Service, and the Service of each.

    `XINSHI_WEB_PORT` is one where a Service is called `xinshi-web`, whatever else it is like.
    """
    hosts = {name.removesuffix("_SERVICE_HOST") for name in environ if name.endswith("_HOST")}
    ports = {
        name.removesuffix("_PORT")
        for name, value in environ.items()
        if name.endswith("_PORT") and _LINK_URL.match(value)
    }
    prefixes = [name for name in hosts | ports if f"{name}_".startswith(_PREFIX)]
    return {
        variable: prefix.lower().replace("_", "-")
        for variable in environ
        for prefix in prefixes
        if variable.startswith(prefix) and _LINK_SUFFIX.fullmatch(variable, len(prefix))
    }


def _link_warnings(links: Mapping[str, str]) -> Iterator[Problem]:
    """Yield one warning for all links."""
    if links:
        services = ", ".join(sorted(set(links.values())))
        yield Problem(
            _where(f"{min(links)} and its like"),
            f"what Kubernetes says of the Service {services} is no setting, and is not read;"
            " enableServiceLinks: false keeps it out of a pod",
        )


def _where(variable: str) -> str:
    return f"{variable} (environment)"
