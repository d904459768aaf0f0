"""Heads that browsers read: repaired while the body's end is beyond doubt, and else unreadable."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.gateways.transport.protocol import UnreadableAnswer
from worker.gateways.transport.tolerant_parser import TolerantParser

LONGEST = 1000
JUNK = st.sampled_from(
    [
        b"Set-Cookie : a=b; path=/",
        b"Server\t: x",
        b"Server nginx",
        b": x",
        b"X Y: z",
        "服务: x".encode("gbk"),
        "X服: x".encode(),
        b"X: a\rb",
        b"X: a\0b",
        b"=====",
    ]
)
BODIES = [
    (b"Content-Length: 3\r\n", b"100"),
    (b"Content-Length: 3\r\nContent-Length: 3\r\n", b"100"),
    (b"Content-Length: 3, 3\r\n", b"100"),
    (b"content-length : 3\r\n", b"100"),
    (b"Transfer-Encoding : chunked\r\n", b"3\r\n100\r\n0\r\n\r\n"),
    (b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n", b"3\r\n100\r\n0\r\n\r\n"),
]


def feed(data: bytes, size: int) -> TolerantParser:
    """Parse an answer in pieces of `size` bytes."""
    parser = TolerantParser(LONGEST)
    complete = [parser.feed(data[at : at + size]) for at in range(0, len(data), size)]
    assert complete == [False] * (len(complete) - 1) + [True]
    return parser


@pytest.mark.parametrize(("framing", "body"), BODIES)
@given(
    before=st.lists(JUNK, max_size=3),
    after=st.lists(JUNK, max_size=3),
    announced=st.booleans(),
    size=st.integers(1, 300),
)
def test_lines_that_nobody_can_read_change_nothing(
    framing: bytes,
    body: bytes,
    before: list[bytes],
    after: list[bytes],
    size: int,
    *,
    announced: bool,
) -> None:
    lines = b"".join(line + b"\r\n" for line in before)
    more = b"".join(line + b"\r\n" for line in after)
    head = b"HTTP/1.1 200 OK\r\n" + lines + framing + b"X-Good: 1\r\n" + more + b"\r\n"
    early = b"HTTP/1.1 102 -\r\n" + lines + b"\r\n" if announced else b""
    answer = feed(early + head + body, size).response()
    assert (answer.status, answer.body) == (200, b"100")
    assert (b"X-Good", b"1") in answer.headers


@pytest.mark.parametrize(
    ("lines", "detail"),
    [
        (b"Content-Length: 3\r\nContent-Length: 2", "lengths that differ"),
        (b"Content-Length: 3, 2", "lengths that differ"),
        (b"Content-Length: +3", "a length that is no number"),
        (b"Content-Length:", "a length that is no number"),
        (b"Content Length: 3", "a line about the body that cannot be read"),
        (b"X Y: z\r\nContent-Encoding gzip\r\nContent-Length: 3", "a line about the body"),
        (b"X: a\rContent-Length: 3", "a line about the body"),
        (b"X Y: z\r\nTransfer-Encoding: gzip, chunked", "a transfer coding"),
    ],
)
@pytest.mark.parametrize("size", [1, 300])
def test_doubt_about_the_bodys_end_is_unreadable_and_says_why(
    lines: bytes, detail: str, size: int
) -> None:
    data = b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n\r\n100"
    with pytest.raises(UnreadableAnswer, match=f"a head with {detail}"):
        feed(data, size)


@pytest.mark.parametrize("start", [b"SSH-2.0-OpenSSH\r\n", b"GET / HTTP/1.1\r\n", b"\0\xff"])
def test_what_is_no_answer_is_unreadable_at_once(start: bytes) -> None:
    """A server that waits then is not waited for."""
    with pytest.raises(UnreadableAnswer):
        TolerantParser(LONGEST).feed(start)


def test_a_connection_whose_head_was_repaired_is_not_used_again() -> None:
    good = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n"
    assert feed(good + b"\r\n100", 300).reusable
    assert not feed(good + b"X Y: z\r\n\r\n100", 300).reusable
