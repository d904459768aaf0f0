"""Sets of states agree with the moves, so that a state that is added is not forgotten in one."""

from worker.domain.enums import CampaignState, MessageState, SubmissionState
from worker.domain.transitions import (
    CAMPAIGN_END_STATES,
    CAMPAIGN_MOVES,
    END_STATES,
    FAILED_STATES,
    MAYBE_TAKEN_SUBMISSION_STATES,
    MESSAGE_MOVES,
    MESSAGE_STATE_OF,
    NEVER_TAKEN_STATES,
    NOT_TAKEN_SUBMISSION_STATES,
    OPEN_STATES,
    OPEN_SUBMISSION_STATES,
    QUEUED_SUBMISSION_STATES,
    REPORTED_STATES,
    SUBMISSION_MOVES,
    TAKEN_STATES,
    TOLD_SUBMISSION_STATES,
)

AWAITING = {MessageState.SUBMITTED, MessageState.UNKNOWN}


def test_a_message_is_open_or_awaits_a_report_or_has_ended() -> None:
    assert set(MessageState) == OPEN_STATES | AWAITING | END_STATES
    assert len(OPEN_STATES) + len(AWAITING) + len(END_STATES) == len(MessageState)


def test_an_end_leads_to_ends_alone() -> None:
    """A better report may move one end to another."""
    assert {to for state in END_STATES for to in MESSAGE_MOVES[state]} <= END_STATES
    assert FAILED_STATES < END_STATES


def test_what_was_taken_and_what_never_was_leave_what_nobody_knows() -> None:
    assert not TAKEN_STATES & NEVER_TAKEN_STATES
    unsure = set(MessageState) - TAKEN_STATES - NEVER_TAKEN_STATES
    assert unsure == {MessageState.SUBMITTING, MessageState.UNKNOWN}
    assert REPORTED_STATES <= TAKEN_STATES


def test_nothing_that_was_never_taken_can_be_reported() -> None:
    """But for what goes on to a call."""
    ended = NEVER_TAKEN_STATES - OPEN_STATES
    assert not any(MESSAGE_MOVES[state] & REPORTED_STATES for state in ended)


def test_a_submission_is_open_or_was_not_taken_or_may_have_been() -> None:
    parts = ({SubmissionState.PLANNED}, NOT_TAKEN_SUBMISSION_STATES, MAYBE_TAKEN_SUBMISSION_STATES)
    assert set().union(*parts) == set(SubmissionState)
    assert sum(map(len, parts)) == len(SubmissionState)
    ended = {state for state, moves in SUBMISSION_MOVES.items() if not moves}
    assert set(SubmissionState) - ended - {SubmissionState.UNKNOWN} == OPEN_SUBMISSION_STATES


def test_applications_are_told_of_what_is_neither_open_nor_queued_again() -> None:
    queued = set(QUEUED_SUBMISSION_STATES)
    assert set(SubmissionState) - OPEN_SUBMISSION_STATES - queued == TOLD_SUBMISSION_STATES
    assert {MESSAGE_STATE_OF[state] for state in TOLD_SUBMISSION_STATES} <= AWAITING | END_STATES


def test_a_campaign_that_ended_makes_no_move() -> None:
    assert {CampaignState.DONE, CampaignState.CANCELLED} == CAMPAIGN_END_STATES
    assert not any(CAMPAIGN_MOVES[state] for state in CAMPAIGN_END_STATES)
