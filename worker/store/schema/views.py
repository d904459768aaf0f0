"""`xinshi_messages`: one row a message with its state, an interface for whoever reads with SQL."""

from sqlalchemy import Select, String, and_, case, cast, func, literal, select

from worker.domain.enums import MessageState, SubmissionState
from worker.domain.transitions import MESSAGES_OF
from worker.store.schema.tables import message, request, submission

NAME = "xinshi_messages"


def covering() -> Select[tuple[int]]:
    """Select the id of the submission whose range covers a message, to be correlated with one."""
    over = submission.alias("over")
    return (
        select(over.c.id)
        .where(
            over.c.request_id == message.c.request_id,
            over.c.lo <= message.c.n,
            over.c.hi > message.c.n,
            over.c.state != SubmissionState.NOT_SENT.value,
        )
        .order_by(over.c.lo.desc())
        .limit(1)
        .correlate(message)
    )


#: The state that a message has because of its submission; NULL when it has none.
submission_says = case(
    # What is to be sent once more may have been taken already.
    (
        and_(
            submission.c.resend_of.is_not(None),
            submission.c.state.in_([SubmissionState.PLANNED.value, SubmissionState.NOT_SENT.value]),
        ),
        literal(MessageState.UNKNOWN.value),
    ),
    *(
        (submission.c.state == state.value, literal(says.value))
        for state, says in MESSAGES_OF.items()
    ),
)

state = func.coalesce(message.c.state, submission_says, request.c.rest)


def described() -> Select[tuple[object, ...]]:
    """Select every message with what is known of it: the text of the view."""
    carried = submission.c.id == func.coalesce(
        message.c.submission_id, covering().scalar_subquery()
    )
    return (
        select(
            message.c.request_id,
            message.c.n,
            (cast(message.c.request_id, String(20)) + "-" + cast(message.c.n, String(10))).label(
                "id"
            ),
            message.c.msisdn,
            request.c.message_class.label("class"),
            state.label("state"),
            func.coalesce(submission.c.account, request.c.account).label("account"),
            func.coalesce(message.c.code, submission.c.code).label("code"),
            case((message.c.code.is_(None), submission.c.words)).label("code_text"),
            submission.c.gateway_id,
            submission.c.segments,
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
        )
        .select_from(message)
        .join(request, request.c.id == message.c.request_id)
        .outerjoin(submission, carried)
    )
