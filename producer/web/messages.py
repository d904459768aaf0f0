"""Messages: send, look up, take back."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header

from producer.web import sending, shapes
from producer.web.desk import Here
from producer.web.keys import Caller, allowed
from producer.web.problems import responses
from worker.enqueuing import Order
from worker.errors import Problem, Refused
from worker.terms import Scope

router = APIRouter(prefix="/v1/messages", tags=["messages"])

Sender = Annotated[Caller, Depends(allowed(Scope.SEND))]
Reader = Annotated[Caller, Depends(allowed(Scope.READ))]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=shapes.KEY_LENGTH,
        description="Makes it one request, however often the call is repeated.",
    ),
]


@router.post(
    "",
    status_code=202,
    summary="Send one text to one number or many",
    responses=responses(400, 401, 403, 408, 409, 413, 422, 429, 503),
)
async def send(
    new: shapes.NewMessages, here: Here, caller: Sender, key: Key = None
) -> shapes.Accepted:
    """Store messages, all or none: once this answers 202 they are in the database.

    Repeat a call that brought no answer, with its `Idempotency-Key`: it stays one request.
    """
    to = [new.to] if isinstance(new.to, str) else new.to
    most = here.settings.top.web.max_recipients
    if len(to) > most:
        raise Refused([Problem("to", f"has {len(to)} numbers and may have {most}")])
    order = Order(to, key=key, **content(new), message_class=new.message_class)
    done = await here.run(sending.accept, here, caller, order, new.client)
    return shapes.Accepted(ids=list(done.ids), repeated=done.repeated)


def content(given: shapes.Content) -> dict[str, Any]:
    """Return what messages and campaigns have in common, as an order takes it."""
    return {name: getattr(given, name) for name in shapes.Content.model_fields}
