"""What is seen before is told exactly, however the numbers meet in their tables."""

from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from worker.intake import number_set
from worker.intake.number_set import NumberSet

#: Few places, and all that may stand on them: nearly every number meets another.
_CROWDED = st.builds(
    lambda place, rest: str(13_000_000_000 + rest * 2**24 + place),
    st.integers(0, 2),
    st.integers(0, 416),
)
_OTHERS = st.sampled_from(
    ["02185418874", "1064812345678", "12999999999", "13000000000", "19999999999", "20000000000"]
)
#: What stands on both sides of the first number that a table holds, and of the last one.
_BORDERS = st.builds(
    lambda tag, rest: str((number_set._BEFORE_TAGS + tag) * 2**24 + rest),
    st.sampled_from([0, 1, number_set._TAG_END - 1, number_set._TAG_END]),
    st.sampled_from([0, 1, 2**24 - 1]),
)
_NUMBERS = st.lists(_CROWDED | _OTHERS | _BORDERS, max_size=60)


def wanted(to: list[str]) -> list[int]:
    """The places of those that stood before: what a set would say, which keeps every number."""
    before: set[int] = set()
    found = []
    for nth, one in enumerate(to):
        if int(one) in before:
            found.append(nth)
        before.add(int(one))
    return found


@settings(deadline=None)  # each example begins with 32 MiB of its own
@given(_NUMBERS, st.integers(0, 60), st.integers(1, number_set.MAX_PROBES))
def test_a_number_is_repeated_exactly_when_it_was_seen_before(
    to: list[str], cut: int, places: int
) -> None:
    """Also in another list, and where a number finds no place and goes to another table."""
    with patch.object(number_set, "MAX_PROBES", places):
        seen = NumberSet()
        found = seen.add(to[:cut])
        found += [nth + len(to[:cut]) for nth in seen.add(to[cut:])]
    assert found == wanted(to)


def test_each_mobile_number_has_one_mark_on_each_of_its_places() -> None:
    """So that what stands on a place is one number: the largest marks and tries fit beside it."""
    smallest, largest = (
        (number >> number_set._BUCKET_BITS) - number_set._BEFORE_TAGS
        for number in (13_000_000_000, 19_999_999_999)
    )
    assert 0 < smallest < largest < number_set._TAG_END == 1 << number_set._TAG_BITS
    assert (number_set.MAX_PROBES - 1) << number_set._TAG_BITS | number_set._TAG_END - 1 < 1 << 16
