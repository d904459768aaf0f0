"""Count the segments of a text: the parts that are billed.

A text of at most 70 characters is one segment; a longer one is cut every 67 characters, and the
signature counts (the carriers' rule as Aliyun and Huawei print it). A character beyond the basic
plane (an emoji) is two UTF-16 units and counts twice.
"""

#: UTF-16 units of a text of one segment, and of each segment of a longer one.
SINGLE_SEGMENT_UNITS = 70
PART_UNITS = 67


def length(text: str) -> int:
    """Count the characters of `text` as the carriers do: UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def count(text: str, signature: str = "") -> int:
    """Count the segments of `text` with the signature that the platform will add to it.

    An empty text counts as one segment.
    """
    return count_units(length(text) + length(signature))


def count_units(units: int) -> int:
    """Count the segments of a text that has this length, with its signature."""
    return 1 if units <= SINGLE_SEGMENT_UNITS else -(-units // PART_UNITS)
