"""Finds the gateways and doors in the modules of `worker.gateways.adapters`.

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
def gateway_classes() -> Mapping[str, type[Gateway]]:
    """Return the class of every gateway by the gateway's name."""
    return {
        adapter_class.name: adapter_class
        for adapter_class in _adapter_classes()
        if issubclass(adapter_class, Gateway)
    }


@cache
def doors_by_gateway() -> Mapping[str, Door]:
    """Return every door by the name of its gateway."""
    return {
        door_class.name: door_class()
        for door_class in _adapter_classes()
        if issubclass(door_class, Door)
    }


def _adapter_classes() -> list[type]:
    """Return the concrete classes in the modules of `worker.gateways.adapters`."""
    return [
        adapter_class
        for module in pkgutil.iter_modules(adapters.__path__, f"{adapters.__name__}.")
        for _, adapter_class in inspect.getmembers(
            importlib.import_module(module.name), inspect.isclass
        )
        if not inspect.isabstract(adapter_class)
    ]
