"""Signatures: what was signed is verified, and nothing else is."""

import hashlib
import hmac
from base64 import b64decode, b64encode

from hypothesis import given
from hypothesis import strategies as st

from worker.feedback import callback_signatures

NOW = 1_700_000_000


@given(st.binary(max_size=200), st.text("abcdef0123456789_", min_size=1, max_size=20))
def test_what_was_signed_is_verified_by_its_own_secret_alone(body: bytes, event_id: str) -> None:
    mine, other = (
        callback_signatures.derive_secret("master", 7),
        callback_signatures.derive_secret("master", 8),
    )
    said = callback_signatures.signature_headers([mine], event_id, NOW, body)
    assert callback_signatures.is_signed(mine, said, body, NOW + 10)
    assert not callback_signatures.is_signed(other, said, body, NOW + 10)
    assert not callback_signatures.is_signed(mine, said, body + b" ", NOW + 10)
    assert not callback_signatures.is_signed(
        mine, {**said, "webhook-id": event_id + "x"}, body, NOW + 10
    )


def test_an_event_that_is_too_old_or_from_the_future_is_refused() -> None:
    mine = callback_signatures.derive_secret("master", 1)
    said = callback_signatures.signature_headers([mine], "evt_1", NOW, b"{}")
    assert callback_signatures.is_signed(
        mine, said, b"{}", NOW + callback_signatures.TOLERANCE_SECONDS
    )
    assert not callback_signatures.is_signed(
        mine, said, b"{}", NOW + callback_signatures.TOLERANCE_SECONDS + 1
    )
    assert not callback_signatures.is_signed(
        mine, said, b"{}", NOW - callback_signatures.TOLERANCE_SECONDS - 1
    )


def test_during_a_rotation_both_secrets_verify() -> None:
    old, new = (
        callback_signatures.derive_secret("old", 3),
        callback_signatures.derive_secret("new", 3),
    )
    said = callback_signatures.signature_headers([new, old], "evt_1", NOW, b"{}")
    assert callback_signatures.is_signed(old, said, b"{}", NOW)
    assert callback_signatures.is_signed(new, said, b"{}", NOW)


def test_the_signature_is_that_of_the_specification() -> None:
    """HMAC-SHA256 over `id.timestamp.body` under the secret's bytes, in base64, after `v1,`."""
    mine = callback_signatures.derive_secret("master", 1)
    key = b64decode(mine.removeprefix("whsec_"))
    assert 24 <= len(key) <= 64
    made = hmac.new(key, b'evt_1.1700000000.{"a":1}', hashlib.sha256).digest()
    said = callback_signatures.signature_headers([mine], "evt_1", NOW, b'{"a":1}')
    assert said["webhook-signature"] == f"v1,{b64encode(made).decode()}"


def test_headers_that_are_missing_or_odd_verify_nothing() -> None:
    mine = callback_signatures.derive_secret("master", 1)
    for said in ({}, {"webhook-timestamp": "soon"}, {"webhook-timestamp": "²"}):
        assert not callback_signatures.is_signed(mine, said, b"", NOW)
