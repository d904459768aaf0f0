"""Signs calls to Alibaba Cloud by its third signature, ACS3-HMAC-SHA256 (help.aliyun.com 2593177).

A call in the RPC style has the path `/`; its fields stand in the query, or as a form in the body.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import quote

ALGORITHM = "ACS3-HMAC-SHA256"
_SIGNED = ("content-type", "host")


class AccessKey(NamedTuple):
    """A key pair of Alibaba Cloud."""

    id: str
    secret: str

    def __repr__(self) -> str:
        """Show the id alone."""
        return f"AccessKey({self.id})"


class SignedCall(NamedTuple):
    """What is signed of a call, beside its headers."""

    method: str
    query: str
    body: bytes = b""


def write_query(fields: Mapping[str, str]) -> str:
    """Return fields as the canonical query: sorted, and bare only `A-Za-z0-9-_.~` (RFC 3986)."""
    return "&".join(f"{_encode(name)}={_encode(fields[name])}" for name in sorted(fields))


def call_headers(
    action: str, version: str, nonce: str, at: datetime, body: bytes
) -> dict[str, str]:
    """Return the headers that say what is called, when, and what the body is."""
    return {
        "x-acs-action": action,
        "x-acs-content-sha256": hashlib.sha256(body).hexdigest(),
        "x-acs-date": f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "x-acs-signature-nonce": nonce,
        "x-acs-version": version,
    }


def canonical_request(call: SignedCall, headers: Mapping[str, str]) -> tuple[str, str]:
    """Return the text whose hash is signed, and the names of the headers in it.

    `headers` have names in lower case; of them the host, the content type and `x-acs-…` are signed.
    """
    names = sorted(name for name in headers if name in _SIGNED or name.startswith("x-acs-"))
    signed_names = ";".join(names)
    lines = [f"{name}:{headers[name].strip()}\n" for name in names]
    body_hash = hashlib.sha256(call.body).hexdigest()
    return "\n".join(
        (call.method, "/", call.query, "".join(lines), signed_names, body_hash)
    ), signed_names


def authorization(key: AccessKey, call: SignedCall, headers: Mapping[str, str]) -> str:
    """Return the header `Authorization` of a call."""
    text, signed_names = canonical_request(call, headers)
    digest = hashlib.sha256(text.encode()).hexdigest()
    to_sign = f"{ALGORITHM}\n{digest}".encode()
    signature = hmac.new(key.secret.encode(), to_sign, hashlib.sha256).hexdigest()
    return f"{ALGORITHM} Credential={key.id},SignedHeaders={signed_names},Signature={signature}"


def _encode(text: str) -> str:
    return quote(text, safe="")
