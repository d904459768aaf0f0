"""Says in words of ours what httpx found wrong with an answer: its own may repeat what came."""

import httpx

from worker.gateways.transport.protocol import ConnectionBroken, ServerClosed, UnreadableAnswer

#: Parts of what h11 and httpcore say, and what that means.
_FAULTS = {
    "illegal header line": "a head with a line that cannot be read",
    "conflicting Content-Length": "a head with lengths that differ",
    "bad Content-Length": "a head with a length that is no number",
    "Transfer-Encoding": "a head with a transfer coding",
    "illegal status line": "a head with a status line that is none",
    "illegal chunk header": "a chunk that cannot be read",
    "status_code": "a head with a status that is none",
    "buffer too long": "a head that has no end",
    "malformed data": "a head that cannot be read",
}
_CLOSED = ("peer closed connection", "Server disconnected", "peer unexpectedly closed")


def broken_connection(error: httpx.RemoteProtocolError) -> ConnectionBroken:
    """Return what an error of httpx says of an answer."""
    message = str(error)
    if any(part in message for part in _CLOSED):
        return ServerClosed()
    return UnreadableAnswer(next((words for part, words in _FAULTS.items() if part in message), ""))
