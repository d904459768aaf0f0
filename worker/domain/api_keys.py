"""API keys: how they look, and what is stored of them.

A key is 32 random bytes, so that a plain SHA-256 of it is safe to keep: slow hashes protect what
people can think of, and 256 bits cannot be guessed. The same hash finds the key, in one look.
"""

import base64
import hashlib
import re
import secrets

#: How every key begins, so that scanners find one that leaked; test keys say that they are.
LIVE = "xinshi_live_"
TEST = "xinshi_test_"
_FORM = re.compile(r"xinshi_(live|test)_[A-Za-z0-9_-]{43}")


def make(*, test: bool) -> str:
    """Return a new key. It is shown once and kept nowhere."""
    random = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    return (TEST if test else LIVE) + random


def looks_like_one(text: str) -> bool:
    """Tell whether a text has a key's form: what has not is not even looked up."""
    return bool(_FORM.fullmatch(text))


def digest(key: str) -> str:
    """Return what is stored of a key: its SHA-256 in hexadecimal."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
