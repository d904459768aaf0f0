"""Named places where a test may stop, kill or cut a process; off unless a test turns them on.

`XINSHI_TEST_FAILPOINTS` names them: `call.before=kill`, `record.before=sleep:2`,
`commit.after=exit`, with `@3` for "the third time only"; `tell:PORT` waits there until a test at
that port has done what it wants. It is read once, when the process starts; nothing turns them on
but that variable.
"""

import os
import signal
import threading
import time
from collections import Counter

VARIABLE = "XINSHI_TEST_FAILPOINTS"


def _read(text: str) -> dict[str, tuple[str, int]]:
    found = {}
    for piece in filter(None, text.split(",")):
        name, _, rest = piece.partition("=")
        action, _, nth = rest.partition("@")
        found[name.strip()] = (action.strip(), int(nth or 0))
    return found


_armed = _read(os.environ.get(VARIABLE, ""))
_times: Counter[str] = Counter()


def reach(name: str) -> None:
    """Do what a test asked for at this place; nothing otherwise."""
    if not _armed or name not in _armed:
        return
    action, nth = _armed[name]
    _times[name] += 1
    if nth and _times[name] != nth:
        return
    _act(action)


def _act(action: str) -> None:
    word, _, argument = action.partition(":")
    match word:
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
            _tell(int(argument))
        case "fail":
            raise OSError(int(argument or 28), "a failpoint")
        case _:
            msg = f"there is no failpoint action {action!r}"
            raise ValueError(msg)


def _tell(port: int) -> None:
    import socket

    with socket.create_connection(("127.0.0.1", port)) as test:
        test.recv(1)
