"""Make API keys, recognise them, and derive what is stored of them.

A key is 32 random bytes, so that a plain SHA-256 of it is safe to store: slow hashes protect
passwords that people think up, and 256 random bits cannot be guessed. A key is found by the same
hash with one look into the table.
"""

import base64
import hashlib
import re
import secrets

#: How every key begins, so that scanners find one that leaked, and a test key can be recognised.
LIVE_PREFIX = "xinshi_live_"
TEST_PREFIX = "xinshi_test_"
_KEY = re.compile(r"xinshi_(live|test)_[A-Za-z0-9_-]{43}")


def make(*, test: bool) -> str:
    """Return a new key. The caller shows it once; it is stored nowhere."""
    random = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    return (TEST_PREFIX if test else LIVE_PREFIX) + random


def is_well_formed(text: str) -> bool:
    """Tell whether a text has the form of a key; a text that has not is not even looked up."""
    return bool(_KEY.fullmatch(text))


def digest(key: str) -> str:
    """Return what is stored of a key: its SHA-256 in hexadecimal."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
