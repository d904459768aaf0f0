"""The gateways: one module each, found by looking into this folder.

A module that holds a subclass of `worker.gateway.Gateway` is a gateway; nothing lists them.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from functools import cache

from worker.gateway import Gateway


@cache
def registered() -> Mapping[str, type[Gateway]]:
    """Return every gateway by its name."""
    found: dict[str, type[Gateway]] = {}
    for module in pkgutil.iter_modules(__path__):
        for _, member in inspect.getmembers(
            importlib.import_module(f"{__name__}.{module.name}"), inspect.isclass
        ):
            if issubclass(member, Gateway) and not inspect.isabstract(member):
                found[member.name] = member
    return found
