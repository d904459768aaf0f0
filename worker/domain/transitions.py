"""List the legal moves between states, and what a submission's state says of its messages.

Every write that changes a state is guarded by the state that it leaves (and, for submissions, by
the fence); `worker.store` may make no move that is not listed here, and a test holds it to that.
"""

from types import MappingProxyType

from worker.domain.enums import CampaignState, MessageState, SubmissionState
from worker.domain.enums import MessageState as M
from worker.domain.enums import SubmissionState as S

#: The state of a submission's messages by the state of the submission, for messages that have no
#: state of their own.
MESSAGE_STATE_OF = MappingProxyType(
    {
        S.PLANNED: M.QUEUED,
        S.IN_FLIGHT: M.SUBMITTING,
        S.ACCEPTED: M.SUBMITTED,
        S.REJECTED: M.REJECTED,
        # Its messages have gone on to another submission or have an end of their own.
        S.NOT_SENT: M.QUEUED,
        S.UNKNOWN: M.UNKNOWN,
    }
)

SUBMISSION_MOVES = MappingProxyType(
    {
        # To `unknown` only after a backup was restored: the call may have been made since.
        S.PLANNED: frozenset({S.IN_FLIGHT, S.NOT_SENT, S.UNKNOWN}),
        S.IN_FLIGHT: frozenset({S.ACCEPTED, S.REJECTED, S.NOT_SENT, S.UNKNOWN}),
        # Out of doubt by evidence, by a late answer, or by proof that nothing was taken.
        S.UNKNOWN: frozenset({S.ACCEPTED, S.REJECTED, S.NOT_SENT}),
        S.ACCEPTED: frozenset[SubmissionState](),
        S.REJECTED: frozenset[SubmissionState](),
        S.NOT_SENT: frozenset[SubmissionState](),
    }
)

MESSAGE_MOVES = MappingProxyType(
    {
        M.QUEUED: frozenset(
            {M.SUBMITTING, M.EXPIRED, M.CANCELLED, M.SUPPRESSED, M.REJECTED, M.UNKNOWN}
        ),
        M.SUBMITTING: frozenset(
            {
                M.QUEUED,
                M.SUBMITTED,
                M.REJECTED,
                M.UNKNOWN,
                M.EXPIRED,
                M.CANCELLED,
                M.SUPPRESSED,
                # A report may come before the answer was recorded.
                M.DELIVERED,
                M.UNDELIVERED,
            }
        ),
        M.SUBMITTED: frozenset({M.DELIVERED, M.UNDELIVERED}),
        M.UNKNOWN: frozenset({M.SUBMITTED, M.DELIVERED, M.UNDELIVERED, M.REJECTED, M.QUEUED}),
        # A better report of a text of one part; and a failed part of a longer one.
        M.UNDELIVERED: frozenset({M.DELIVERED}),
        M.DELIVERED: frozenset({M.UNDELIVERED}),
        M.REJECTED: frozenset[MessageState](),
        M.EXPIRED: frozenset[MessageState](),
        M.CANCELLED: frozenset[MessageState](),
        M.SUPPRESSED: frozenset[MessageState](),
    }
)

CAMPAIGN_MOVES = MappingProxyType(
    {
        CampaignState.LOADING: frozenset({CampaignState.READY, CampaignState.CANCELLED}),
        CampaignState.READY: frozenset(
            {CampaignState.SCHEDULED, CampaignState.RUNNING, CampaignState.CANCELLED}
        ),
        # By its time alone it is shown as running: nothing is written.
        CampaignState.SCHEDULED: frozenset(
            {CampaignState.RUNNING, CampaignState.PAUSED, CampaignState.CANCELLED}
        ),
        CampaignState.RUNNING: frozenset(
            {CampaignState.PAUSED, CampaignState.DONE, CampaignState.CANCELLED}
        ),
        CampaignState.PAUSED: frozenset(
            {
                *(CampaignState.SCHEDULED, CampaignState.RUNNING),
                *(CampaignState.DONE, CampaignState.CANCELLED),
            }
        ),
        CampaignState.DONE: frozenset[CampaignState](),
        CampaignState.CANCELLED: frozenset[CampaignState](),
    }
)

# Sets of states. Whoever needs one takes it from here, or derives it from these.

#: A message in one of these waits for nothing more; `submitted` and `unknown` await a report.
END_STATES = frozenset(
    {M.DELIVERED, M.UNDELIVERED, M.REJECTED, M.EXPIRED, M.CANCELLED, M.SUPPRESSED}
)
#: A campaign is done when none of its messages is in one of these.
OPEN_STATES = frozenset({M.QUEUED, M.SUBMITTING})
#: What `campaign retry` sends again: the messages that failed, never the unknown.
FAILED_STATES = frozenset({M.UNDELIVERED, M.REJECTED, M.EXPIRED})
#: The states that a report leads to.
REPORTED_STATES = frozenset({M.DELIVERED, M.UNDELIVERED})
#: The states that say that the gateway took a message.
TAKEN_STATES = REPORTED_STATES | {M.SUBMITTED}
#: The states that say that the gateway never took it. In `submitting` and `unknown` it may have.
NEVER_TAKEN_STATES = frozenset(M) - TAKEN_STATES - {M.SUBMITTING, M.UNKNOWN}

#: A submission in one of these has its call before it, or under way.
OPEN_SUBMISSION_STATES = frozenset({S.PLANNED, S.IN_FLIGHT})
#: The states that prove that the gateway took nothing of a submission.
NOT_TAKEN_SUBMISSION_STATES = frozenset({S.NOT_SENT, S.REJECTED})
#: The states of the submissions that a report can belong to: the gateway may have taken them.
MAYBE_TAKEN_SUBMISSION_STATES = frozenset(S) - NOT_TAKEN_SUBMISSION_STATES - {S.PLANNED}

#: The states of the submissions that may adopt an id of a report: their calls are over.
ADOPTING_SUBMISSION_STATES = (S.UNKNOWN, S.ACCEPTED)

#: Whose recipients stay in a submission that told of each: the first of these that any of them has.
STAYING_SUBMISSION_STATES = (S.ACCEPTED, S.UNKNOWN, S.NOT_SENT, S.REJECTED)

#: The states that callbacks are told of; from the others the messages go on.
TOLD_SUBMISSION_STATES = frozenset({S.ACCEPTED, S.REJECTED, S.UNKNOWN})
#: The states whose messages are queued, by what they say of their messages, in their order there.
QUEUED_SUBMISSION_STATES = tuple(
    state for state, messages in MESSAGE_STATE_OF.items() if messages is M.QUEUED
)

#: A campaign in one of these has messages that may go out: one that is done may have messages in
#: doubt, which go on when the doubt ends.
SENDING_CAMPAIGN_STATES = frozenset({CampaignState.RUNNING, CampaignState.DONE})
#: A campaign in one of these does not go on.
CAMPAIGN_END_STATES = frozenset(state for state, moves in CAMPAIGN_MOVES.items() if not moves)
