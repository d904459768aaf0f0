"""Reading HTTP/1.1: an answer is the same however it is cut, and nothing but an answer is one."""

import contextlib
from itertools import pairwise

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.gateways.transport.http1 import MAX_HEAD_BYTES, ResponseParser, encode_request
from worker.gateways.transport.protocol import (
    AnswerTooLong,
    ConnectionBroken,
    RawResponse,
    ServerClosed,
    UnreadableAnswer,
)

LONGEST = 1000


@st.composite
def answers(draw: st.DrawFn) -> tuple[bytes, bytes, bool]:
    """Draw an answer as it travels, its body, and whether its end is the connection's."""
    body = draw(st.binary(max_size=200))
    head = b"HTTP/1.1 102 -\r\nX-Early: 1\r\n\r\n" * draw(st.integers(0, 2))
    head += b"HTTP/1.1 %d Fine\r\nX-Name: value\r\n" % draw(st.sampled_from([200, 403, 500]))
    form = draw(st.sampled_from(["length", "chunks", "close"]))
    if form == "length":
        return head + b"Content-Length: %d\r\n\r\n" % len(body) + body, body, False
    if form == "close":
        return head + b"\r\n" + body, body, True
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(body) - 1)), max_size=5)))
    parts = [body[one:other] for one, other in pairwise([0, *cuts, len(body)])]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in parts if one)
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n", body, False


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({one % (len(data) + 1) for one in cuts} | {0, len(data)})
    return [data[one:other] for one, other in pairwise(places)]


@given(answers(), st.lists(st.integers(0, 10_000), max_size=30))
def test_an_answer_is_read_alike_however_it_is_cut(
    told: tuple[bytes, bytes, bool], cuts: list[int]
) -> None:
    data, body, until_closed = told
    reader = ResponseParser(LONGEST)
    for part in cut(data, cuts):
        assert not reader.complete
        reader.feed(part)
    assert reader.complete is not until_closed
    if until_closed:
        reader.end_of_stream()
    assert reader.reusable is not until_closed
    answer = reader.response()
    assert (answer.body, answer.status) == (body, int(data.rpartition(b" Fine")[0][-3:]))
    assert (b"X-Name", b"value") in answer.headers
    assert all(name != b"X-Early" for name, _ in answer.headers)


@given(answers(), st.integers(0, 10_000))
def test_half_an_answer_is_none(told: tuple[bytes, bytes, bool], where: int) -> None:
    data, body, until_closed = told
    whole = len(data) - (len(body) if until_closed else 0)
    reader = ResponseParser(LONGEST)
    reader.feed(data[: where % whole])
    with pytest.raises(ServerClosed):
        reader.end_of_stream()
    assert not reader.complete


@given(answers(), st.binary(min_size=1, max_size=50))
def test_what_follows_an_answer_never_changes_it(
    told: tuple[bytes, bytes, bool], tail: bytes
) -> None:
    data, body, until_closed = told
    if until_closed:
        return
    for parts in ([data + tail], [data, tail]):
        reader = ResponseParser(LONGEST)
        for part in parts:
            reader.feed(part)
        assert reader.response().body == body
        # A line end is dropped by the parser where it comes with the answer.
        assert not reader.reusable or (len(parts) == 1 and not tail.strip(b"\r\n"))


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=10))
def test_anything_is_an_answer_or_broken(parts: list[bytes]) -> None:
    reader = ResponseParser(LONGEST)
    with contextlib.suppress(ConnectionBroken):
        for part in parts:
            reader.feed(part)
        reader.end_of_stream()
        assert isinstance(reader.response(), RawResponse)


@given(st.binary(max_size=300))
def test_anything_after_a_head_is_a_body_or_broken(rest: bytes) -> None:
    for head in (b"Transfer-Encoding: chunked\r\n\r\n", b"Content-Length: 100\r\n\r\n", b"X-"):
        reader = ResponseParser(LONGEST)
        with contextlib.suppress(ConnectionBroken):
            reader.feed(b"HTTP/1.1 200 OK\r\n" + head + rest)
            reader.end_of_stream()
            assert len(reader.response().body) <= len(rest)


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"SSH-2.0-OpenSSH\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_no_answer_is_unreadable(said: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        ResponseParser(LONGEST).feed(said)


@pytest.mark.parametrize("size", [1, 65_536])
@pytest.mark.parametrize(
    ("start", "more"),
    [
        (b"HTTP/1.1 200 OK\r\nX-One: ", b"1"),
        (b"HTTP/1.1 200 OK\r\n", b"X-More: 1\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"0" * 100),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1;ext=1\r\n0\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X-After: 1\r\n"),
    ],
    ids=["a line", "lines", "announcements", "a body", "chunks", "trailers"],
)
def test_whatever_has_no_end_is_too_long(start: bytes, more: bytes, size: int) -> None:
    reader = ResponseParser(LONGEST)
    part = more * (size // len(more) + 1)

    def feed() -> None:
        reader.feed(start)
        for _ in range(4 * MAX_HEAD_BYTES // len(part)):
            reader.feed(part)

    with pytest.raises((AnswerTooLong, UnreadableAnswer)):
        feed()


def test_a_length_beside_chunks_gives_way() -> None:
    """RFC 9112, section 6.3: and the connection is not used again."""
    reader = ResponseParser(LONGEST)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert reader.feed(head + b"2\r\nok\r\n0\r\n\r\n")
    assert reader.response().body == b"ok"
    assert not reader.reusable


@given(
    st.dictionaries(st.from_regex(r"[A-Za-z-]{1,9}", fullmatch=True), st.text(max_size=9)),
    st.binary(max_size=50),
)
def test_a_request_has_as_many_lines_as_it_was_given(headers: dict[str, str], body: bytes) -> None:
    try:
        request = httpx.Request("POST", "http://host/a?b", headers=headers, content=body)
        data = encode_request(request)
    except (httpx.LocalProtocolError, UnicodeEncodeError):
        return
    head = data[: len(data) - len(body)]
    assert head.endswith(b"\r\n\r\n")
    assert len(head.split(b"\r\n")) == len(request.headers.raw) + 3
    assert data.endswith(body)
