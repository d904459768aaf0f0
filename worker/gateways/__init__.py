"""The gateways: one module each, found by looking into this folder.

A module that holds a subclass of `worker.gateway.Gateway` is a gateway, one that holds a subclass
of `worker.openings.Opening` a door; nothing lists them.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from functools import cache

from worker.gateway import Gateway
from worker.openings import Opening


@cache
def registered() -> Mapping[str, type[Gateway]]:
    """Return every gateway by its name."""
    return {one.name: one for one in _classes() if issubclass(one, Gateway)}


@cache
def doors() -> Mapping[str, Opening]:
    """Return every door by the name of its gateway."""
    return {one.name: one() for one in _classes() if issubclass(one, Opening)}


def _classes() -> list[type]:
    """Return what the modules of this folder hold that is no mere protocol."""
    modules = (
        importlib.import_module(f"{__name__}.{one.name}") for one in pkgutil.iter_modules(__path__)
    )
    found = [one for module in modules for _, one in inspect.getmembers(module, inspect.isclass)]
    return [one for one in found if not inspect.isabstract(one)]
