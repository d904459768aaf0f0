"""The column `doubts` holds two counts in one integer: what goes in comes out, and in order."""

from hypothesis import given
from hypothesis import strategies as st

from worker.store.delivery.account_doubts import (
    DOUBTS_OF_SINGLES,
    LONGEST_PROBE_PAUSE,
    PACKED_PROBE,
    DoubtCounts,
)

COUNTS = st.builds(DoubtCounts, st.integers(0, PACKED_PROBE - 1), st.integers(0, 10_000))


@given(COUNTS)
def test_what_is_packed_is_unpacked_as_it_was(counts: DoubtCounts) -> None:
    assert DoubtCounts.unpacked(counts.packed()) == counts


@given(st.integers(0, 100_000))
def test_every_number_of_the_column_is_a_pair_of_counts(doubts: int) -> None:
    assert DoubtCounts.unpacked(doubts).packed() == doubts


@given(COUNTS, st.integers(0, 50))
def test_calls_in_doubt_never_count_as_a_probe(counts: DoubtCounts, more: int) -> None:
    after = counts
    for _ in range(more):
        after = after.with_call()
    assert after.probes == counts.probes
    assert after.calls == min(counts.calls + more, PACKED_PROBE - 1)
    assert after.probe_pause() == counts.probe_pause()


@given(COUNTS)
def test_a_probe_is_added_as_the_statement_adds_it(counts: DoubtCounts) -> None:
    probed = DoubtCounts.unpacked(counts.packed() + PACKED_PROBE)
    assert probed == DoubtCounts(counts.calls, counts.probes + 1)
    assert probed.packed() >= DOUBTS_OF_SINGLES, "after a probe singles wait too"
    assert 1.0 <= counts.probe_pause() <= probed.probe_pause() <= LONGEST_PROBE_PAUSE
