"""Define the view `xinshi_messages`: a row for each message with its state, for readers of SQL."""

from sqlalchemy import Select, String, and_, case, cast, func, literal, select

from worker.domain.enums import MessageState, SubmissionState
from worker.domain.transitions import MESSAGE_STATE_OF, QUEUED_SUBMISSION_STATES
from worker.store.db.json_values import json_number
from worker.store.schema.tables import message, request, submission, submission_detail

VIEW_NAME = "xinshi_messages"


def covering_submission() -> Select[tuple[int]]:
    """Select the id of the submission whose range covers a message of the enclosing statement."""
    covering = submission.alias("over")
    return (
        select(covering.c.id)
        .where(
            covering.c.request_id == message.c.request_id,
            covering.c.lo <= message.c.n,
            covering.c.hi > message.c.n,
            covering.c.state != SubmissionState.NOT_SENT.value,
        )
        .order_by(covering.c.lo.desc())
        .limit(1)
        .correlate(message)
    )


#: The state that a message has because of its submission; NULL when it has none.
state_by_submission = case(
    # What is to be sent once more may have been taken already.
    (
        and_(
            submission.c.resend_of.is_not(None),
            submission.c.state.in_([state.value for state in QUEUED_SUBMISSION_STATES]),
        ),
        literal(MessageState.UNKNOWN.value),
    ),
    *(
        (submission.c.state == submission_state.value, literal(message_state.value))
        for submission_state, message_state in MESSAGE_STATE_OF.items()
    ),
)

_state = func.coalesce(message.c.state, state_by_submission, request.c.rest)


_message_id = cast(message.c.request_id, String(20)) + "-" + cast(message.c.n, String(10))


def view_query() -> Select[tuple[object, ...]]:
    """Return the query that the view is: every message, with its request and its submission."""
    is_carrier = submission.c.id == func.coalesce(
        message.c.submission_id, covering_submission().scalar_subquery()
    )
    return (
        select(
            message.c.request_id,
            message.c.n,
            _message_id.label("id"),
            message.c.msisdn,
            request.c.message_class.label("class"),
            _state.label("state"),
            func.coalesce(submission.c.account, request.c.account).label("account"),
            func.coalesce(message.c.code, submission.c.code).label("code"),
            case((message.c.code.is_(None), submission.c.words)).label("code_text"),
            submission.c.gateway_id,
            func.coalesce(
                json_number(submission_detail.c.segments, _message_id), submission.c.segments
            ).label("segments"),
            func.coalesce(submission.c.attempts, 0).label("attempts"),
            submission.c.id.label("submission_id"),
            request.c.created_at,
            case((submission.c.state == "accepted", submission.c.answered_at)).label(
                "submitted_at"
            ),
            func.coalesce(
                message.c.finished_at,
                case((submission.c.state == "rejected", submission.c.answered_at)),
            ).label("finished_at"),
            submission.c.closed_at,
            request.c.sender,
            message.c.single,
            request.c.key,
            request.c.metadata,
        )
        .select_from(message)
        .join(request, request.c.id == message.c.request_id)
        .outerjoin(submission, is_carrier)
        .outerjoin(submission_detail, submission_detail.c.submission_id == submission.c.id)
    )
