"""Undoes content codings of answers; some servers use one although none was asked for."""

import zlib
from collections.abc import Sequence

import structlog

from worker.gateways.transport.protocol import AnswerTooLong, RawResponse, UnreadableAnswer

log = structlog.get_logger()
Header = tuple[bytes, bytes]

#: Headers about the body's coding and length on the wire; they are untrue of the decoded body.
_CODING_HEADERS = {b"transfer-encoding", b"content-length", b"content-encoding"}
_UNDONE = frozenset({b"gzip", b"x-gzip", b"deflate"})
#: The others that IANA has registered.
_NOT_UNDONE = frozenset(b"br zstd compress x-compress dcb dcz aes128gcm exi pack200-gzip".split())
#: What is logged of words that are no codings: each once, so many, and so much of each.
_MAX_WARNINGS = 16
_MAX_WORD_LENGTH = 40
_warned_words: set[str] = set()


def decode(answer: RawResponse, max_bytes: int) -> tuple[list[Header], bytes]:
    """Return an answer's headers, without those that spoke of its coding, and its decoded body.

    Raises `AnswerTooLong` when the body has more than `max_bytes` decoded, and `UnreadableAnswer`
    when its coding was cut off, each with the start of the body; `UnreadableAnswer` or `zlib.error`
    without one when it cannot be decoded. Of an answer that was cut, what was decoded is returned.
    """
    headers, values = [], []
    for header in answer.headers:
        name = header[0].lower()
        if name not in _CODING_HEADERS:
            headers.append(header)
        elif name == b"content-encoding":
            values.append(header[1])
    if not (values and answer.body and _is_compressed(values)):
        return headers, answer.body
    body, is_whole = _inflate(answer.body, max_bytes)
    start = RawResponse(answer.status, headers, body[:max_bytes], is_cut=True)
    if not answer.is_cut and len(body) > max_bytes:
        raise AnswerTooLong(start=start)
    if not answer.is_cut and not is_whole:
        detail = "compressed, and cut off"
        raise UnreadableAnswer(detail, start)
    return headers, start.body


def _is_compressed(values: Sequence[bytes]) -> bool:
    """Tell whether the values of `Content-Encoding` name a coding that can be undone.

    A word that is no coding is ignored: servers write their charset there (`UTF-8`). Raises
    `UnreadableAnswer` for a coding that cannot be undone, and for several.
    """
    words = [word.strip().lower() for word in b",".join(values).split(b",")]
    codings = [word for word in words if word in _UNDONE or word in _NOT_UNDONE]
    for word in words:
        if word not in codings and word not in {b"", b"identity"}:
            _warn_once(word[:_MAX_WORD_LENGTH].decode("ascii", "backslashreplace"))
    if len(codings) > 1 or not _UNDONE.issuperset(codings):
        names = ", ".join(coding.decode("ascii") for coding in codings[:3])
        detail = f"content coding {names}"
        raise UnreadableAnswer(detail)
    return bool(codings)


def _warn_once(word: str) -> None:
    """Log a word that is no content coding, when it comes for the first time in this process."""
    if word not in _warned_words and len(_warned_words) < _MAX_WARNINGS:
        _warned_words.add(word)
        log.warning("answer.coding_ignored", coding=word)


def _inflate(body: bytes, max_bytes: int) -> tuple[bytes, bool]:
    """Decompress a body, at most a byte more than `max_bytes`; tell whether it came to its end."""
    try:
        return _inflate_as(zlib.MAX_WBITS | 32, body, max_bytes)
    except zlib.error:
        # Some servers call raw deflate "deflate" (RFC 9110, section 8.4.1.2).
        return _inflate_as(-zlib.MAX_WBITS, body, max_bytes)


def _inflate_as(bits: int, body: bytes, max_bytes: int) -> tuple[bytes, bool]:
    decompressor = zlib.decompressobj(bits)
    return decompressor.decompress(body, max_bytes + 1), decompressor.eof
