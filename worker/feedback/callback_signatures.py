"""Signatures of what applications are told, by the Standard Webhooks specification.

Every callback has a secret of its own, derived from the configuration's `callback_secrets`: no
table holds one. During a rotation each event is signed with the old and with the new.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence

#: What marks a secret as one of this kind; the rest is its bytes in base64.
PREFIX = "whsec_"
_VERSION = "v1"
#: How far the clock of whoever signed may be from ours, in seconds.
TOLERANCE = 300


def secret(master: str, callback_id: int) -> str:
    """Return the secret of a callback, as an application's library takes it."""
    made = hmac.digest(master.encode(), f"xinshi callback {callback_id}".encode(), hashlib.sha256)
    return PREFIX + base64.b64encode(made).decode()


def headers(secrets: Sequence[str], event_id: str, at: int, body: bytes) -> dict[str, str]:
    """Return the three headers of an event sent `at` (Unix seconds), signed with each secret."""
    signed = (f"{_VERSION},{_signature(one, event_id, at, body)}" for one in secrets)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(signed),
    }


def verified(secret: str, said: Mapping[str, str], body: bytes, now: float) -> bool:
    """Tell whether an event with these headers (names in lower case) was signed with a secret."""
    event_id, at = said.get("webhook-id", ""), said.get("webhook-timestamp", "")
    if not at.isascii() or not at.isdigit() or abs(now - int(at)) > TOLERANCE:
        return False
    expected = f"{_VERSION},{_signature(secret, event_id, int(at), body)}"
    found = said.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(one.encode(), expected.encode()) for one in found)


def _signature(secret: str, event_id: str, at: int, body: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    made = hmac.digest(key, f"{event_id}.{at}.".encode() + body, hashlib.sha256)
    return base64.b64encode(made).decode()
