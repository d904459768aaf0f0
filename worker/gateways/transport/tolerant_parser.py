"""Parses one answer, and repairs its head where the strict parser refuses it."""

import re

from worker.gateways.transport import http_head
from worker.gateways.transport.http1 import MAX_HEAD_BYTES, ResponseParser
from worker.gateways.transport.protocol import AnswerTooLong, UnreadableAnswer

_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")


class TolerantParser(ResponseParser):
    """A parser that starts again with a repaired head when it meets one that is damaged.

    What RFC 9112 allows is never touched. A connection whose head was repaired is not used again.
    """

    __slots__ = ("_head", "_head_size", "_is_damaged")

    def __init__(self, max_bytes: int) -> None:
        super().__init__(max_bytes)
        #: What came, until a whole head has been read.
        self._head = b""
        self._head_size = 0
        self._is_damaged = False

    def feed(self, data: bytes) -> bool:
        """Parse more bytes; True when the answer is complete.

        Raises `UnreadableAnswer` or `AnswerTooLong`.
        """
        if self.in_body:
            complete = super().feed(data)
        else:
            self._head += data
            complete = self._feed_repaired(data) if self._is_damaged else self._feed_head(data)
        if self._is_damaged:
            self.reusable = False
        return complete

    def _feed_head(self, data: bytes) -> bool:
        """Parse a head as it is, or begin to repair it."""
        try:
            return super().feed(data)
        except UnreadableAnswer:
            if self.in_body:
                raise
            self._is_damaged = True
            return self._feed_repaired(self._head)

    def _feed_repaired(self, data: bytes) -> bool:
        """Go on with a repaired head, once it is whole; announcements (1xx) before it are left."""
        self._head_size += len(data)
        received = self._head.lstrip(b"\r\n")
        while (end := _END_OF_HEAD.search(received)) is not None:
            head, received = received[: end.start()], received[end.end() :]
            if http_head.status(head) == 101 or http_head.status(head) >= 200:
                super().__init__(self._max_bytes)
                return super().feed(http_head.repair(head) + received)
        if self._head_size > MAX_HEAD_BYTES:
            raise AnswerTooLong
        if not http_head.could_begin(received):
            raise UnreadableAnswer
        self._head = received
        return False
