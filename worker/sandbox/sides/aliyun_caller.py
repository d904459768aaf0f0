"""Checks who calls the sandbox's Alibaba Cloud: signatures (ACS3-HMAC-SHA256), dates and nonces.

Written from the vendor's page alone (help.aliyun.com 2593177).
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from urllib.parse import quote

from worker.sandbox.exchange import GatewayCall
from worker.sandbox.world import SandboxAccount

#: For how long a date is good, and how long a nonce is remembered, in seconds.
DATE_WINDOW, NONCE_MEMORY = 900, 1860

_AUTHORIZATION = re.compile(
    r"ACS3-HMAC-SHA256 Credential=([^,]+),SignedHeaders=([^,]+),Signature=([0-9a-f]{64})"
)


class Code(StrEnum):
    """The codes that are answered here."""

    ACTION = "InvalidAction.NotFound"
    COUNT = "isv.MOBILE_COUNT_OVER_LIMIT"
    NUMBER = "isv.MOBILE_NUMBER_ILLEGAL"
    FUNDS = "isv.AMOUNT_NOT_ENOUGH"
    TEMPLATE = "isv.SMS_TEMPLATE_ILLEGAL"
    PARAMETERS = "isv.INVALID_PARAMETERS"
    SIGNATURE = "isv.SMS_SIGNATURE_ILLEGAL"
    JSON = "isv.INVALID_JSON_PARAM"
    LENGTH = "isv.PARAM_LENGTH_LIMIT"
    LINK = "isv.PARAM_NOT_SUPPORT_URL"
    MISSING = "isv.TEMPLATE_MISSING_PARAMETERS"
    KEY = "InvalidAccessKeyId.NotFound"
    SIGNED = "SignatureDoesNotMatch"
    DATE = "InvalidTimeStamp.Expired"
    VERSION = "InvalidVersion"
    NONCE = "SignatureNonceUsed"
    LIMIT = "isv.BUSINESS_LIMIT_CONTROL"


class Refusal(Exception):
    """A call is refused with a code, and perhaps in words of its own."""

    def __init__(self, code: Code, words: str = "") -> None:
        super().__init__(code)
        self.code, self.words = code.value, words


def claimed_key(headers: Mapping[str, str]) -> str:
    """Return the key's id that a caller claims to have; "" where it signs nothing."""
    match = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    return match[1] if match else ""


class CallerCheck:
    """Checks signatures, and remembers the nonces of calls whose signature was right."""

    def __init__(self) -> None:
        self._nonces: dict[str, float] = {}

    def check(self, call: GatewayCall, account: SandboxAccount | None) -> SandboxAccount:
        """Return the account of a call; raises `Refusal`."""
        match = _AUTHORIZATION.fullmatch(call.headers.get("authorization", ""))
        if match is None or account is None:
            raise Refusal(Code.KEY)
        to_sign = _string_to_sign(call, match[2].split(";"))
        secret = account.password.encode()
        expected = hmac.new(secret, to_sign.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, match[3]):
            # As the vendor does: its words repeat all that was signed.
            query = _canonical_query(call.fields)
            words = f"Specified signature does not match. StringToSign: {to_sign} {query}"
            raise Refusal(Code.SIGNED, f"{words} AccessKeyId {match[1]}")
        date = _parse_date(call.headers.get("x-acs-date", ""))
        if date is None or abs(call.at - date) > DATE_WINDOW:
            raise Refusal(Code.DATE)
        if call.headers.get("x-acs-version") != "2017-05-25":
            raise Refusal(Code.VERSION)
        self._check_nonce(call.headers.get("x-acs-signature-nonce", ""), call.at)
        return account

    def _check_nonce(self, nonce: str, at: float) -> None:
        if not nonce or at - self._nonces.get(nonce, -NONCE_MEMORY) < NONCE_MEMORY:
            raise Refusal(Code.NONCE)
        self._nonces[nonce] = at


def _string_to_sign(call: GatewayCall, names: Sequence[str]) -> str:
    """Return what the caller has to have signed."""
    lines = "".join(f"{name}:{call.headers.get(name, '').strip()}\n" for name in names)
    query = "" if call.body else _canonical_query(call.fields)
    body_hash = hashlib.sha256(call.body).hexdigest()
    canonical = f"{call.method}\n/\n{query}\n{lines}\n{';'.join(names)}\n{body_hash}"
    return f"ACS3-HMAC-SHA256\n{hashlib.sha256(canonical.encode()).hexdigest()}"


def _canonical_query(fields: Mapping[str, bytes]) -> str:
    pairs = [(quote(name, safe="~"), quote(value, safe="~")) for name, value in fields.items()]
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _parse_date(text: str) -> float | None:
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
