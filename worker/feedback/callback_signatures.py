"""Signs the events that applications are told, by the Standard Webhooks specification.

Every callback has a secret of its own, derived from the configuration's `callback_secrets`: no
table holds one. While these are rotated each event is signed with the old and with the new secret.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence

#: What a secret begins with; its bytes follow in base64.
_KEY_PREFIX = "whsec_"
_SIGNATURE_VERSION = "v1"
#: How far the signer's clock may be from ours.
TOLERANCE_SECONDS = 300


def derive_secret(master: str, callback_id: int) -> str:
    """Return the secret of a callback, in the form that an application's library takes."""
    key = hmac.digest(master.encode(), f"xinshi callback {callback_id}".encode(), hashlib.sha256)
    return _KEY_PREFIX + base64.b64encode(key).decode()


def signature_headers(
    secrets: Sequence[str], event_id: str, timestamp: int, body: bytes
) -> dict[str, str]:
    """Return an event's three headers, signed with each secret; `timestamp` is in Unix seconds."""
    signatures = (
        f"{_SIGNATURE_VERSION},{_signature(secret, event_id, timestamp, body)}"
        for secret in secrets
    )
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }


def is_signed(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> bool:
    """Tell whether an event with these headers (names in lower case) was signed with a secret.

    Its timestamp has to be within `TOLERANCE_SECONDS` of `now`, which is in Unix seconds.
    """
    event_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if (
        not timestamp.isascii()
        or not timestamp.isdigit()
        or abs(now - int(timestamp)) > TOLERANCE_SECONDS
    ):
        return False
    expected = f"{_SIGNATURE_VERSION},{_signature(secret, event_id, int(timestamp), body)}"
    signatures = headers.get("webhook-signature", "").split(" ")
    return any(
        hmac.compare_digest(signature.encode(), expected.encode()) for signature in signatures
    )


def _signature(secret: str, event_id: str, timestamp: int, body: bytes) -> str:
    """Return the signature of an event in base64: HMAC-SHA256 over its id, time and body."""
    key = base64.b64decode(secret.removeprefix(_KEY_PREFIX))
    digest = hmac.digest(key, f"{event_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return base64.b64encode(digest).decode()
