"""`python -m tests.bench.working CONFIG READY CLASS…`: a worker process without Celery around it.

It writes the file READY when its lanes look for work, and ends at TERM.
"""

import signal
import sys
import threading
from pathlib import Path


def main(config: str, ready: str, *classes: str) -> None:
    """Run the lanes of classes, and the ticks, until TERM."""
    from worker.config.settings import load
    from worker.domain.enums import MessageClass
    from worker.runtime import gc_tuning, logs
    from worker.runtime.process import WorkerProcess

    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    logs.configure("WARNING")
    runtime = WorkerProcess(load(Path(config), {}), [MessageClass(name) for name in classes])
    runtime.start()
    gc_tuning.tune()
    Path(ready).touch()
    while not told.wait(0.2):
        pass
    runtime.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
