"""`python -m producer.web [--host HOST] [--port PORT]`: the web process, alone."""

import argparse
import socket
import sys

from producer.web import listener
from worker.config import secret_places
from worker.config.settings import Settings, load
from worker.domain.errors import XinshiError
from worker.runtime import logs


def main(arguments: list[str]) -> int:
    """Serve until TERM; 1 when it cannot."""
    parser = argparse.ArgumentParser(prog="python -m producer.web", description=__doc__)
    parser.add_argument("--host", help="else web.host")
    parser.add_argument("--port", type=int, help="else web.port")
    parser.add_argument("--fd", type=int, help="a socket that listens already")
    options = parser.parse_args(arguments)
    try:
        settings = load()
        secret_places.require_secrets(settings)
        logs.configure(settings.top.log_level)
        logs.warn_of_variables(settings.warnings)
        bound = _bound(settings, options)
    except XinshiError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    from producer.web import server

    server.serve(settings, bound)
    return 0


def _bound(settings: Settings, options: argparse.Namespace) -> socket.socket:
    if options.fd is not None:
        return socket.socket(fileno=options.fd)
    web = settings.top.web
    return listener.listen(
        options.host or web.host, web.port if options.port is None else options.port
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
