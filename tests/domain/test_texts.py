"""Texts: how many parts are billed, how long a duration is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain import durations, segments


@pytest.mark.parametrize(
    ("length", "parts"), [(0, 1), (1, 1), (70, 1), (71, 2), (134, 2), (135, 3), (160, 3), (201, 3)]
)
def test_seventy_characters_are_one_part_and_more_are_cut_every_67(length: int, parts: int) -> None:
    assert segments.count("中" * length) == parts


def test_the_signature_of_the_platform_counts_and_an_emoji_counts_twice() -> None:
    assert segments.count("中" * 66, "【信使】") == 1
    assert segments.count("中" * 67, "【信使】") == 2
    assert segments.count("😀" * 35) == 1
    assert segments.count("😀" * 36) == 2


@given(st.text(max_size=300), st.text(max_size=10))
def test_parts_hold_the_whole_text(text: str, signature: str) -> None:
    parts = segments.count(text, signature)
    units = len((text + signature).encode("utf-16-le", "surrogatepass")) // 2
    assert parts >= 1
    assert units <= (segments.SINGLE_SEGMENT_UNITS if parts == 1 else parts * segments.PART_UNITS)
    assert parts == 1 or units > (parts - 1) * segments.PART_UNITS


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("30s", 30), ("1.5m", 90), ("24h", 86400), ("7d", 604800), (3, 3), ("3", 3)],
)
def test_a_duration_is_a_number_with_a_unit(text: object, seconds: float) -> None:
    assert durations.parse(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "s", "-1s", "1 week", "1e3", True, None, [], "nan", float("nan"), 1e9, -1]
)
def test_what_is_no_duration_is_refused_with_how_to_write_one(text: object) -> None:
    with pytest.raises(ValueError, match="30s"):
        durations.parse(text)
