"""How many parts of a text are billed.

A text of at most 70 characters is one segment; a longer one is cut every 67 characters, and the
signature counts (the carriers' rule as Aliyun and Huawei print it). A character beyond the basic
plane (an emoji) is two UTF-16 units and counts twice.
"""

SINGLE = 70
PART = 67


def length(text: str) -> int:
    """Count the characters of `text` as the carriers do: UTF-16 units."""
    return len(text) + sum(1 for char in text if ord(char) > 0xFFFF)


def count(text: str, signature: str = "") -> int:
    """Count the segments of `text` with the signature that the platform will add to it.

    An empty text is one segment: there is no text of none.
    """
    units = length(text) + length(signature)
    return 1 if units <= SINGLE else -(-units // PART)
