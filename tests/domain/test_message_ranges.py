"""Ranges name messages in few words; references tell messages and submissions apart."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from worker.domain import references
from worker.domain.message_ranges import joined, keys_in

KEYS = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 12)), unique=True, max_size=30)


@given(KEYS)
def test_ranges_name_the_same_messages_in_the_same_order(keys: list[tuple[int, int]]) -> None:
    ranges = joined(keys)
    assert list(keys_in(ranges)) == keys
    assert sum(map(len, ranges)) == len(keys)
    assert all(
        (left.request_id, left.hi) != (right.request_id, right.lo)
        for left, right in pairwise(ranges)
    )


@given(st.integers(0, references.MAX_MESSAGES - 1), st.integers(0, references.MAX_MESSAGES - 1))
def test_a_message_has_a_name_of_its_own_that_tells_its_submission(first: int, second: int) -> None:
    reference = references.new()
    names = [references.identity(reference, position) for position in (first, second)]
    assert (names[0] == names[1]) is (first == second)
    for name in names:
        assert len(name) == 32
        assert int(name, 16) >= 0
        assert references.of_identity(name) == reference
    assert references.identity("", first) == ""
    assert references.new() != reference
