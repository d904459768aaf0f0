"""What a failpoint's `tell` tells: a worker waits at its place until the test has done its part."""

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Self


class Told:
    """Listens for one failpoint, does something while the worker waits there, and lets it go on."""

    def __init__(self, act: Callable[[], object]) -> None:
        self._act = act
        self._happened = threading.Event()
        self._error: BaseException | None = None

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def wait(self, within: float = 20.0) -> None:
        """Wait until it has happened; raises what went wrong."""
        assert self._happened.wait(within), "no worker reached the place"
        if self._error is not None:
            raise self._error

    def _listen(self) -> None:
        while True:
            try:
                worker, _ = self._listener.accept()
            except OSError:
                return
            with worker:
                try:
                    self._act()
                except BaseException as error:  # noqa: BLE001 - the waiting test raises it
                    self._error = error
                self._happened.set()
