"""Runs a worker for queues (`python -m worker otp notice`), or beat (`python -m worker beat`).

`xinshi up` starts its processes by this: through the app object, so that a folder called `worker`
in the current directory is not imported instead.
"""

import os
import sys
import warnings

from celery.exceptions import SecurityWarning

from worker.celery import application
from worker.config.settings import load
from worker.domain.errors import ConfigurationError


def main(arguments: list[str]) -> None:
    """Run beat, or a worker of one process for the queues that are named."""
    # On a developer's machine, or in a container, it may be root; `xinshi doctor` is there to warn.
    warnings.simplefilter("ignore", SecurityWarning)
    try:
        app = application(load())
    except ConfigurationError as error:
        sys.stderr.write(
            "".join(f"error: configuration: {problem}\n" for problem in error.problems)
        )
        sys.exit(2)
    if arguments == ["beat"]:
        app.start(["--quiet", "beat", "--loglevel", "WARNING"])
        return
    app.worker_main(
        [
            "--quiet",
            "worker",
            "--pool=solo",
            f"--queues={','.join(arguments)}",
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
            "--loglevel=WARNING",
            f"--hostname={'-'.join(arguments)}-{os.getpid()}@%h",
        ]
    )


if __name__ == "__main__":
    main(sys.argv[1:])
