"""Finds the gateways: every module of `worker.gateways.adapters` that holds one.

A subclass of `worker.gateways.base.Gateway` is a gateway, a subclass of
`worker.gateways.doors.Door` is a door. No list names them.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from functools import cache

from worker.gateways import adapters
from worker.gateways.base import Gateway
from worker.gateways.doors import Door


@cache
def registered() -> Mapping[str, type[Gateway]]:
    """Return every gateway by its name."""
    return {adapter.name: adapter for adapter in _classes() if issubclass(adapter, Gateway)}


@cache
def doors() -> Mapping[str, Door]:
    """Return every door by the name of its gateway."""
    return {door.name: door() for door in _classes() if issubclass(door, Door)}


def _classes() -> list[type]:
    """Return the concrete classes in the modules of `worker.gateways.adapters`."""
    return [
        adapter
        for module in pkgutil.iter_modules(adapters.__path__, f"{adapters.__name__}.")
        for _, adapter in inspect.getmembers(importlib.import_module(module.name), inspect.isclass)
        if not inspect.isabstract(adapter)
    ]
