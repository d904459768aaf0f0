"""Serves the metrics of this process, where a port is configured and the extra is installed.

Each process has a port of its own: the child n of a pool that forks listens n ports further. What
keeps metrics from being served is one line in the log, and stops no message.
"""

from threading import Thread
from wsgiref.simple_server import WSGIServer

import structlog

from worker import instrumentation
from worker.config.settings import Settings
from worker.store import spool

log = structlog.get_logger()


class MetricsServer:
    """The metrics of this process, on their port until it is closed."""

    def __init__(self, server: WSGIServer, thread: Thread) -> None:
        self._server = server
        self._thread = thread

    @property
    def port(self) -> int:
        """The port on which it listens."""
        return int(self._server.server_port)

    def close(self) -> None:
        """Keep no events any more, and free the port."""
        instrumentation.install(instrumentation.Backend())
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def start(settings: Settings, child: int = 0) -> MetricsServer | None:
    """Keep and serve the metrics of this process; None where that is switched off, or not possible.

    `child` counts the children of one worker: each has the next port. Call it after a fork.
    """
    if not settings.top.metrics_port:
        return None
    host, port = settings.top.metrics_host, settings.top.metrics_port + child
    try:
        from prometheus_client import start_http_server

        from worker.runtime.prometheus_backend import PrometheusBackend
    except ModuleNotFoundError:
        log.warning("metrics.not_served", port=port, why="pip install 'xinshi[metrics]'")
        return None
    folder = spool.folder(settings)
    backend = PrometheusBackend(lambda: spool.count_files(folder))
    try:
        server, thread = start_http_server(port, host, backend.registry)
    except (OSError, OverflowError) as error:
        log.warning("metrics.not_served", port=port, why=getattr(error, "strerror", str(error)))
        return None
    instrumentation.install(backend)
    return MetricsServer(server, thread)
