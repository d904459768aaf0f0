"""A gateway of the tests' own that tells of each recipient: values, results and ids for each.

`installed()` lets the product find its adapter and the sandbox its side, as if they were among
theirs; processes of their own are given `environment()`.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from worker.gateways import adapters as product_adapters
from worker.gateways import registry
from worker.sandbox import sides as product_sides

NAME = "roster"
FOLDER = Path(__file__).parent
#: The packages that are looked through, and the folders that are added to them.
_PLACES = ((product_adapters, "adapters"), (product_sides, "sides"))
#: What an account needs.
LOGIN = {"gateway": NAME, "account": "demo", "key": "roster-key"}


@contextmanager
def installed() -> Iterator[None]:
    """Let the gateway be found for the length of a block."""
    install()
    try:
        yield
    finally:
        for package, folder in _PLACES:
            package.__path__.remove(str(FOLDER / folder))
            sys.modules.pop(f"{package.__name__}.{NAME}", None)
        registry.gateway_classes.cache_clear()


def install() -> None:
    """Let the gateway be found from now on."""
    for package, folder in _PLACES:
        package.__path__.append(str(FOLDER / folder))
    registry.gateway_classes.cache_clear()


def environment() -> dict[str, str]:
    """Return what the environment of a process needs for the gateway to be found in it."""
    paths = [str(FOLDER / "site"), str(FOLDER.parents[2]), os.environ.get("PYTHONPATH", "")]
    return {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
