"""Verifies TC3-HMAC-SHA256 as the vendor's page tells it, apart from whoever signs."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import NamedTuple

_HEADER = re.compile(
    r"TC3-HMAC-SHA256 Credential=([^/ ,]+)/(\d{4}-\d\d-\d\d)/([a-z]+)/tc3_request, "
    r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})"
)


class SignatureClaim(NamedTuple):
    """Who says to have signed a call, and how."""

    secret_id: str
    day: str
    service: str
    signed: tuple[str, ...]
    signature: str

    def is_signed_with(self, secret: str, headers: Mapping[str, str], body: bytes) -> bool:
        """Tell whether a secret makes this signature of what arrived."""
        if self.service != "sms" or not {"content-type", "host"} <= set(self.signed):
            return False
        if sorted(self.signed) != list(self.signed):
            return False
        canonical = "POST\n/\n\n"
        for name in self.signed:
            value = headers.get(name, "").strip()
            canonical += f"{name}:{value.lower() if name == 'x-tc-action' else value}\n"
        canonical += "\n" + ";".join(self.signed) + "\n" + hashlib.sha256(body).hexdigest()
        message = "TC3-HMAC-SHA256\n" + headers.get("x-tc-timestamp", "")
        message += f"\n{self.day}/{self.service}/tc3_request\n"
        message += hashlib.sha256(canonical.encode()).hexdigest()
        dated = _mac(b"TC3" + secret.encode(), self.day)
        key = _mac(_mac(dated, self.service), "tc3_request")
        return hmac.compare_digest(_mac(key, message).hex(), self.signature)


def read(header: str) -> SignatureClaim | None:
    """Read an `Authorization` header; None where it is not written as the page says."""
    match = _HEADER.fullmatch(header)
    if match is None:
        return None
    secret_id, day, service, signed, signature = match.groups()
    return SignatureClaim(secret_id, day, service, tuple(signed.split(";")), signature)


def _mac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
