"""Signs calls of Tencent Cloud by TC3-HMAC-SHA256, whatever the product.

The rule is the vendor's page "签名方法 v3" (api/362/4208). The bytes that are hashed are those that
are sent: whoever signs builds the body first and changes nothing of it afterwards.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

_ALGORITHM = "TC3-HMAC-SHA256"
_END = "tc3_request"


class KeyPair(NamedTuple):
    """What a call is signed with: the public name of a key, and the key."""

    secret_id: str
    secret_key: str

    def __repr__(self) -> str:
        """Show neither of the two."""
        return "KeyPair(…)"


def authorization(
    keys: KeyPair, service: str, headers: Mapping[str, str], body: bytes, at: datetime
) -> str:
    """Return the `Authorization` header of a POST to `/` without a query.

    `headers` are those that are signed, by their names in lower case and with the values that are
    sent. `at` (aware) is the moment whose whole seconds stand in `X-TC-Timestamp`.
    """
    timestamp = int(at.timestamp())
    date = datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d")
    scope = f"{date}/{service}/{_END}"
    names = ";".join(sorted(headers))
    to_sign = "\n".join(
        (_ALGORITHM, str(timestamp), scope, _digest(_canonical(headers, names, body)))
    )
    key = f"TC3{keys.secret_key}".encode()
    for part in (date, service, _END):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    return (
        f"{_ALGORITHM} Credential={keys.secret_id}/{scope}, SignedHeaders={names},"
        f" Signature={signature}"
    )


def _canonical(headers: Mapping[str, str], names: str, body: bytes) -> bytes:
    """Return a call as it is hashed; the value of `x-tc-action` is hashed in lower case."""
    lines = "".join(
        f"{name}:{value.lower() if name == 'x-tc-action' else value}\n"
        for name, value in sorted(headers.items())
    )
    return "\n".join(("POST", "/", "", lines, names, _digest(body))).encode()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
