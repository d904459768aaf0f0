"""`python -m producer.web [--host HOST] [--port PORT]`: the web process, alone."""

import argparse
import socket
import sys

from producer.web import listener
from worker.config.settings import Settings, load
from worker.domain.errors import XinshiError
from worker.runtime import logs


def main(words: list[str]) -> int:
    """Serve until TERM; 1 when it cannot."""
    parser = argparse.ArgumentParser(prog="python -m producer.web", description=__doc__)
    parser.add_argument("--host", help="else web.host")
    parser.add_argument("--port", type=int, help="else web.port")
    parser.add_argument("--fd", type=int, help="a socket that listens already")
    given = parser.parse_args(words)
    try:
        settings = load()
        logs.configure(settings.top.log_level)
        bound = _bound(settings, given)
    except XinshiError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    from producer.web import server

    server.serve(settings, bound)
    return 0


def _bound(settings: Settings, given: argparse.Namespace) -> socket.socket:
    if given.fd is not None:
        return socket.socket(fileno=given.fd)
    web = settings.top.web
    return listener.listen(given.host or web.host, web.port if given.port is None else given.port)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
