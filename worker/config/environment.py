"""Read settings from `XINSHI_…` environment variables, as tables like those of the file.

A double underscore goes one table down: `XINSHI_ACCOUNTS__BULK__PASSWORD` is `password` in
`[accounts.bulk]`.
"""

import re
from collections.abc import Mapping
from typing import Any

VARIABLE_PREFIX = "XINSHI_"
#: Variables that are no settings: where the file is, and what the test suite reads.
_NO_SETTINGS = re.compile(r"XINSHI_(CONFIG$|TEST_)")


def read(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings that environment variables hold, as nested tables."""
    overrides: dict[str, Any] = {}
    for variable, value in environ.items():
        if not variable.startswith(VARIABLE_PREFIX) or _NO_SETTINGS.match(variable):
            continue
        *table_names, key = variable.removeprefix(VARIABLE_PREFIX).lower().split("__")
        table = overrides
        for table_name in table_names:
            table = table.setdefault(table_name, {})
        table[key] = value
    return overrides


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
