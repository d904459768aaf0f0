"""Lets the threads of a worker process take turns more often than Python does by itself."""

import sys

#: After how many seconds a thread that computes gives way to one that waits to run. A transaction
#: waits for its turn after each statement, with the database locked: at Python's own 5 ms it takes
#: three to four times as long while another thread of the process reads a page of reports.
SECONDS = 0.0005


def tune() -> None:
    """Set how often threads take turns, for a process that is ours alone."""
    sys.setswitchinterval(SECONDS)
