"""Every recipient of a call has one fate, and only what goes on gets a submission of its own."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from worker.delivery import recipient_fates
from worker.domain.enums import Fault, Outcome, SubmissionState
from worker.gateways.results import Result, Results

STATES = {
    Outcome.ACCEPTED: SubmissionState.ACCEPTED,
    Outcome.REJECTED: SubmissionState.REJECTED,
    Outcome.UNKNOWN: SubmissionState.UNKNOWN,
}
RESULTS = st.builds(
    Result,
    st.sampled_from(list(Outcome)),
    st.sampled_from("ab"),
    st.sampled_from(["", "words"]),
    st.none() | st.sampled_from(["id-1", "id-2"]),
)


def state_of(result: Result, size: int) -> SubmissionState:
    """Return a submission's state; a refusal of a whole batch for one number takes none."""
    if size > 1 and result.outcome is Outcome.REJECTED and result.fault is Fault.NUMBER:
        return SubmissionState.NOT_SENT
    return STATES.get(result.outcome, SubmissionState.NOT_SENT)


@given(st.lists(RESULTS, min_size=1, max_size=20))
def test_every_recipient_has_one_fate(told: list[Result]) -> None:
    results = Results.of_recipients(told)
    fates = recipient_fates.sort(results, len(told), state_of)
    parted = [position for group in fates.apart for position in group.positions]
    named = Counter([*parted, *fates.refused])
    assert all(times == 1 for times in named.values())
    assert named.keys() <= set(range(len(told)))
    fate_at = dict.fromkeys(range(len(told)), fates.state)
    for group in fates.apart:
        fate_at |= dict.fromkeys(group.positions, group.state)
    fate_at |= dict.fromkeys(fates.refused, SubmissionState.REJECTED)
    assert fate_at == {position: state_of(result, 1) for position, result in enumerate(told)}
    assert [results.gateway_ids[n] if results.gateway_ids else None for n in range(len(told))] == [
        result.gateway_id for result in told
    ]


@given(st.lists(RESULTS, min_size=1, max_size=20))
def test_only_what_goes_on_or_is_in_doubt_gets_a_submission(told: list[Result]) -> None:
    """One for all that fared alike; none for a refusal, an id or another word for taken."""
    fates = recipient_fates.sort(Results.of_recipients(told), len(told), state_of)
    states = {group.state for group in fates.apart}
    assert states <= {SubmissionState.NOT_SENT, SubmissionState.UNKNOWN}
    kinds = [(group.result.outcome, group.result.code) for group in fates.apart]
    assert len(kinds) == len(set(kinds))
    outcomes = {state_of(result, 1) for result in told}
    if SubmissionState.ACCEPTED in outcomes:
        assert fates.state is SubmissionState.ACCEPTED
    if fates.state is SubmissionState.REJECTED:
        assert outcomes == {SubmissionState.REJECTED}


def test_a_refusal_that_tells_of_each_number_splits_nothing() -> None:
    """All bad, told one by one, is not a batch that was refused for one bad number."""
    refusal = Result(Outcome.REJECTED, "112", fault=Fault.NUMBER)
    whole = recipient_fates.sort(Results(refusal), 3, state_of)
    each = recipient_fates.sort(Results.of_recipients([refusal] * 3), 3, state_of)
    assert (whole.state, each.state) == (SubmissionState.NOT_SENT, SubmissionState.REJECTED)
