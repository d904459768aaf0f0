"""Tunes Python's garbage collector for processes of our own, so that it runs seldom."""

import gc

#: How many objects are made before the collector looks, and how often it looks deeper. By Python's
#: own 700 it takes a tenth of a worker's time, and a fifth of what a page of reports needs.
THRESHOLDS = (20_000, 20, 20)


def tune() -> None:
    """Hide the objects that exist now from the collector, and let it run more seldom.

    For a process that is ours alone, once it is set up.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
