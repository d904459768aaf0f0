"""Free ports for metrics, and what a process shows there."""

import socket
from contextlib import ExitStack

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.support.stage import eventually

#: Values by the name of the sample and its labels, sorted.
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def free_ports(count: int) -> int:
    """Return the first of so many ports in a row on which nobody listens."""
    return eventually(lambda: _try_ports(count))


def _try_ports(count: int) -> int | None:
    with ExitStack() as sockets:
        first = sockets.enter_context(socket.socket())
        first.bind(("127.0.0.1", 0))
        port = int(first.getsockname()[1])
        try:
            for nth in range(1, count):
                sockets.enter_context(socket.socket()).bind(("127.0.0.1", port + nth))
        except (OSError, OverflowError):
            return None
        return port


def scrape(port: int) -> Samples:
    """Return what a process shows at a port of this machine."""
    answer = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False)
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    """Return the value of a series; 0 where it has not begun."""
    return samples.get((name, tuple(sorted(labels.items()))), 0.0)
