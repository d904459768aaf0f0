"""`python -m producer.web [--host HOST] [--port PORT]`: the web process."""

import argparse
import sys

from producer.web import serving
from worker import logs
from worker.errors import XinshiError
from worker.settings import load


def main(words: list[str]) -> int:
    """Serve until TERM; 1 when it cannot."""
    parser = argparse.ArgumentParser(prog="python -m producer.web", description=__doc__)
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    given = parser.parse_args(words)
    try:
        settings = load()
        logs.configure(settings.top.log_level)
        web = settings.top.web
        port = web.port if given.port is None else given.port
        bound = serving.listen(given.host or web.host, port)
    except XinshiError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    serving.serve(settings, bound)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
