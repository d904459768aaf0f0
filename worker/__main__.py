"""`python -m worker otp notice` runs a worker for these queues; `python -m worker beat` runs beat.

What `xinshi up` starts: one process each, through the app object, so that a folder called `worker`
where it is started cannot get in between.
"""

import os
import sys

from worker.celery import application
from worker.config.settings import load


def main(words: list[str]) -> None:
    """Run beat, or a worker of one process for the queues that are named."""
    app = application(load())
    if words == ["beat"]:
        app.start(["beat", "--loglevel", "WARNING"])
        return
    app.worker_main(
        [
            "worker",
            "--pool=solo",
            f"--queues={','.join(words)}",
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
            "--loglevel=WARNING",
            f"--hostname={'-'.join(words)}-{os.getpid()}@%h",
        ]
    )


if __name__ == "__main__":
    main(sys.argv[1:])
