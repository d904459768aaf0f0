"""The gateways' sides, one module each; `find` looks for them in this folder."""

import importlib
import pkgutil

from worker.sandbox.side import Side


def find() -> dict[str, type[Side]]:
    """Return every side by its name; modules without a `SIDE` belong to another one."""
    sides: dict[str, type[Side]] = {}
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        side = getattr(importlib.import_module(module.name), "SIDE", None)
        if side is not None:
            sides[side.name] = side
    return sides
