"""Stops, kills or cuts a process at a named point of its way, where a test asks for it.

`XINSHI_TEST_FAILPOINTS` names the points: `call.before=kill`, `record.before=sleep:2`,
`commit.after=exit`, with `@3` for "the third time only"; `tell:PORT` waits there until a test at
that port has done what it wants. It is read once, when the process starts; nothing else turns
failpoints on.
"""

import os
import signal
import threading
import time
from collections import Counter

VARIABLE = "XINSHI_TEST_FAILPOINTS"


def _parse(text: str) -> dict[str, tuple[str, int]]:
    """Return the action of each failpoint, and the time at which it acts; 0 means every time."""
    failpoints = {}
    for assignment in filter(None, text.split(",")):
        name, _, value = assignment.partition("=")
        action, _, nth = value.partition("@")
        failpoints[name.strip()] = (action.strip(), int(nth or 0))
    return failpoints


_armed = _parse(os.environ.get(VARIABLE, ""))
_times_reached: Counter[str] = Counter()


def reach(name: str) -> None:
    """Do what a test asked for at this failpoint; otherwise nothing."""
    if not _armed or name not in _armed:
        return
    action, nth = _armed[name]
    _times_reached[name] += 1
    if nth and _times_reached[name] != nth:
        return
    _act(action)


def _act(action: str) -> None:
    verb, _, argument = action.partition(":")
    match verb:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "stop":
            # To this very thread: it would run on for a moment otherwise.
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
        case "exit":
            raise SystemExit(int(argument or 1))
        case "sleep":
            time.sleep(float(argument))
        case "tell":
            _wait_for_test(int(argument))
        case "fail":
            raise OSError(int(argument or 28), "a failpoint")
        case _:
            msg = f"there is no failpoint action {action!r}"
            raise ValueError(msg)


def _wait_for_test(port: int) -> None:
    """Wait until a test that listens at a port of this machine answers."""
    import socket

    with socket.create_connection(("127.0.0.1", port)) as test:
        test.recv(1)
