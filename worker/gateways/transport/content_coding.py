"""Undoes content codings of answers; some servers use one although none was asked for."""

import zlib

from worker.gateways.transport.protocol import AnswerTooLong, RawResponse, UnreadableAnswer

#: Headers about the body's coding and length on the wire; they are untrue of the decoded body.
_CODING_HEADERS = {b"transfer-encoding", b"content-length", b"content-encoding"}


def decode(answer: RawResponse, max_bytes: int) -> RawResponse:
    """Return an answer with its body decoded, and without the headers that spoke of the coding.

    Raises `AnswerTooLong`, with the start of the body, when it has more than `max_bytes` decoded,
    and `UnreadableAnswer` when it cannot be decoded. Of an answer that was cut, what was decoded
    is returned.
    """
    headers, codings = [], []
    for header in answer.headers:
        name = header[0].lower()
        if name not in _CODING_HEADERS:
            headers.append(header)
        elif name == b"content-encoding":
            codings.append(header[1])
    coding = b",".join(codings).strip().lower()
    if coding in {b"", b"identity"} or not answer.body:
        return answer._replace(headers=headers)
    if coding not in {b"gzip", b"x-gzip", b"deflate"}:
        raise UnreadableAnswer
    plain = _inflate(answer.body, max_bytes, is_cut=answer.is_cut)
    decoded = RawResponse(answer.status, headers, plain[:max_bytes], answer.is_cut)
    if len(plain) > max_bytes and not answer.is_cut:
        raise AnswerTooLong(decoded._replace(is_cut=True))
    return decoded


def _inflate(body: bytes, max_bytes: int, *, is_cut: bool) -> bytes:
    """Decompress a body, at most a byte more than `max_bytes`."""
    try:
        return _inflate_as(zlib.MAX_WBITS | 32, body, max_bytes, is_cut=is_cut)
    except zlib.error:
        # Some servers call raw deflate "deflate" (RFC 9110, section 8.4.1.2).
        return _inflate_as(-zlib.MAX_WBITS, body, max_bytes, is_cut=is_cut)


def _inflate_as(bits: int, body: bytes, max_bytes: int, *, is_cut: bool) -> bytes:
    decompressor = zlib.decompressobj(bits)
    plain = decompressor.decompress(body, max_bytes + 1)
    if not (decompressor.eof or is_cut or len(plain) > max_bytes):
        raise UnreadableAnswer
    return plain
