"""Sort the recipients of a call by what becomes of them. Pure.

A submission is one row, however differently its recipients fared. Most of them stay in it, and its
state is theirs. Those that the gateway refused end with a code of their own. Only what goes on, or
is in doubt beside others that were taken, gets a submission of its own: one for all that fared
alike.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

from worker.domain.enums import SubmissionState
from worker.domain.transitions import STAYING_SUBMISSION_STATES
from worker.gateways.results import Result, Results
from worker.store.delivery.call_outcomes import Fates, RecipientGroup

#: Returns what a submission of so many messages is after a result that goes for all of them.
StateOf = Callable[[Result, int], SubmissionState]


def sort(results: Results, size: int, state_of: StateOf) -> Fates:
    """Return what becomes of the recipients of a submission of so many messages.

    Where the answer told of each by itself, a refusal for a number is that of the number alone.
    """
    if not results.per_recipient:
        count = 1 if results.by_recipient else size
        return Fates(state_of(results.default, count), results.default)
    groups = _groups(results, size, state_of)
    state = next(
        state
        for state in STAYING_SUBMISSION_STATES
        if any(group.state is state for group in groups)
    )
    in_state = [group for group in groups if group.state is state]
    staying = max(in_state, key=lambda group: len(group.positions))
    refused = {
        position: group.result
        for group in groups
        if group is not staying and group.state is SubmissionState.REJECTED
        for position in group.positions
    }
    apart = [
        group
        for group in groups
        if group is not staying and not _ends(group) and not _is_taken(group, staying)
    ]
    return Fates(staying.state, staying.result, refused, tuple(apart))


def _ends(group: RecipientGroup) -> bool:
    return group.state is SubmissionState.REJECTED


def _is_taken(group: RecipientGroup, staying: RecipientGroup) -> bool:
    """Whether a group was taken, as those that stay were: another word for it changes nothing."""
    return group.state is staying.state is SubmissionState.ACCEPTED


def _groups(results: Results, size: int, state_of: StateOf) -> Sequence[RecipientGroup]:
    """Return the recipients by how they fared, those of the default first."""
    positions_by_result: dict[Result, list[int]] = defaultdict(list)
    for position in range(size):
        result = results.per_recipient.get(position, results.default)
        positions_by_result[replace(result, gateway_id=None, words="")].append(position)
    default = replace(results.default, gateway_id=None, words="")
    groups = []
    for shared_result, positions in positions_by_result.items():
        is_default = shared_result == default
        result = results.per_recipient.get(positions[0], results.default)
        count = len(positions) if is_default and not results.by_recipient else 1
        groups.append(RecipientGroup(state_of(result, count), result, tuple(positions)))
    return groups
