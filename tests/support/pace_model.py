"""What the laws of pacing are tried with: asks at random, and a clock that is moved by hand."""

from dataclasses import dataclass

from hypothesis import strategies as st

from worker.policy.gcra import (
    Bucket,
    Cost,
    Rates,
    buckets,
)

rate = st.none() | st.floats(0.2, 5000, allow_nan=False)
rates = st.builds(
    Rates,
    submissions=rate,
    messages=rate,
    segments=rate,
    learned=rate,
    burst=st.sampled_from([0.05, 0.2, 1.0]),
    reserve=st.sampled_from([0.0, 0.2]),
)
costs = st.lists(
    st.builds(lambda size, each: Cost(size, size * each), st.integers(1, 3000), st.integers(1, 8)),
    min_size=1,
    max_size=4,
)


@dataclass(frozen=True)
class Step:
    """Some microseconds pass, then somebody asks."""

    pause: int
    otp: bool
    costs: list[Cost]
    replay: bool = False

    def through(self, of: Rates) -> tuple[Bucket, ...]:
        """Return the buckets that this one has to pass."""
        return buckets(of, otp=self.otp)


steps = st.lists(
    st.builds(
        Step,
        st.one_of(st.just(0), st.integers(1, 10_000), st.integers(1, 5_000_000)),
        st.booleans(),
        costs,
        st.booleans(),
    ),
    min_size=1,
    max_size=12,
)
