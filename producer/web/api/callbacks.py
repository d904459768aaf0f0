"""Routes for callbacks (`docs/callbacks.md`): add, list, replace, remove, replay."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path
from pydantic import BaseModel, Field

from producer.web.api import ownership, schemas
from producer.web.api.api_route import ApiRoute
from producer.web.api.authentication import Caller, RequireScope, missing_scope
from producer.web.context import AppContext, Context
from producer.web.problems import HttpProblem, responses
from worker.domain.enums import Scope
from worker.domain.errors import NotFound, Problem, Refused
from worker.feedback import callback_signatures, standing_callbacks
from worker.feedback.standing_callbacks import Entitlement
from worker.intake import enqueue
from worker.store.db import database
from worker.store.feedback import callbacks

router = APIRouter(prefix="/v1/callbacks", tags=["callbacks"], route_class=ApiRoute)

Sender = Annotated[Caller, Depends(RequireScope(Scope.SEND))]
CallbackId = Annotated[int, Path(ge=1, le=ownership.MAX_ID)]
ShownSecret = Annotated[
    str | None,
    Header(
        alias="Callback-Secret", max_length=200, description="The callback's secret: `whsec_…`."
    ),
]


class NewCallback(schemas.Strict):
    """Where to tell a sender what becomes of all that it enqueues from now on."""

    url: str = Field(max_length=2000, examples=["https://shop.example.com/xinshi"])
    inbound: bool = Field(default=False, description="Of texts from handsets too.")


class Callback(BaseModel):
    """A URL that is told."""

    id: int = Field(examples=[3])
    url: str = Field(examples=["https://shop.example.com/xinshi"])
    standing: bool = Field(description="True: of all; false: of calls that name it.")
    inbound: bool
    waiting: int = Field(description="Events that wait, those that are tried again among them.")
    parked: int = Field(description="Events that were given up until somebody replays them.")


class CreatedCallback(BaseModel):
    """A callback that is told from now on."""

    id: int
    secret: str = Field(description="Verifies the signature of each event.", examples=["whsec_…"])


class Callbacks(BaseModel):
    """The sender's callbacks."""

    callbacks: list[Callback]


class Replayed(BaseModel):
    """What is told again."""

    events: int = Field(examples=[12])


@router.post(
    "",
    summary="Be told what becomes of messages",
    responses=responses(400, 401, 403, 408, 413, 422, 429, 503),
)
async def add_callback(
    body: NewCallback, context: Context, caller: Sender, secret: ShownSecret = None
) -> CreatedCallback:
    """Tell a URL of all that this sender enqueues from now on; the same again changes nothing.

    A sender has one such callback. The secret is shown to the key that added it, to one that may
    `operate`, and to who knows it.
    """
    _check_body(context, caller, body)
    entitlement = _entitlement(caller, secret)
    return await context.run(_create, context, caller.sender, body, entitlement)


def _create(
    context: AppContext, sender: str, body: NewCallback, entitlement: Entitlement
) -> CreatedCallback:
    masters = context.settings.top.callback_secrets
    with database.writing(context.engine) as connection:
        callback_id = standing_callbacks.add(
            connection, masters, sender, body.url, entitlement, inbound=body.inbound
        )
    return _created(context, callback_id)


@router.put(
    "/{callback_id}",
    summary="Be told at another URL",
    responses=responses(400, 401, 403, 404, 408, 413, 422, 429, 503),
)
async def replace_callback(
    callback_id: CallbackId,
    body: NewCallback,
    context: Context,
    caller: Sender,
    secret: ShownSecret = None,
) -> CreatedCallback:
    """Tell another URL in place of this one; what waits goes there, and the secret stays.

    It needs the key that added it, one that may `operate`, or the secret in `Callback-Secret`.
    """
    _check_body(context, caller, body)
    entitlement = _entitlement(caller, secret)
    return await context.run(_replace, context, caller.sender, callback_id, body, entitlement)


def _replace(
    context: AppContext,
    sender: str,
    callback_id: int,
    body: NewCallback,
    entitlement: Entitlement,
) -> CreatedCallback:
    callback = _owned(context, sender, callback_id)
    _require_entitlement(context, callback, entitlement)
    with database.writing(context.engine) as connection:
        standing_callbacks.replace(connection, callback, body.url, inbound=body.inbound)
    return _created(context, callback_id)


def _check_body(context: AppContext, caller: Caller, body: NewCallback) -> None:
    problems = enqueue.callback_problems(context.settings, body.url)
    if problems:
        raise Refused([Problem("url", problem.what) for problem in problems])
    if body.inbound and Scope.INBOUND not in caller.key.scopes:
        raise missing_scope(caller, Scope.INBOUND)


def _entitlement(caller: Caller, secret: str | None) -> Entitlement:
    return Entitlement(caller.may(Scope.OPERATE), caller.key.id, secret)


def _require_entitlement(
    context: AppContext, callback: callbacks.Callback, entitlement: Entitlement
) -> None:
    if not entitlement.covers(callback, context.settings.top.callback_secrets):
        raise HttpProblem(403, "not-entitled", standing_callbacks.ADVICE)


def _created(context: AppContext, callback_id: int) -> CreatedCallback:
    master = context.settings.top.callback_secrets[0].get_secret_value()
    return CreatedCallback(
        id=callback_id, secret=callback_signatures.derive_secret(master, callback_id)
    )


@router.get("", summary="List callbacks", responses=responses(401, 403, 422, 429, 503))
async def list_callbacks(context: Context, caller: Sender) -> Callbacks:
    """Return this sender's callbacks, with what waits for each."""
    own_callbacks = await context.run(_callbacks_of, context, caller.sender)
    return Callbacks(callbacks=[Callback(**_fields_of(callback)) for callback in own_callbacks])


def _fields_of(callback: callbacks.Callback) -> dict[str, Any]:
    return {name: getattr(callback, name) for name in Callback.model_fields}


def _callbacks_of(context: AppContext, sender: str) -> list[callbacks.Callback]:
    with database.reading(context.engine) as connection:
        return callbacks.list_callbacks(connection, sender)


@router.delete(
    "/{callback_id}",
    status_code=204,
    summary="Be told nothing more",
    responses=responses(401, 403, 404, 422, 429, 503),
)
async def remove_callback(
    callback_id: CallbackId, context: Context, caller: Sender, secret: ShownSecret = None
) -> None:
    """Tell a URL nothing more; what waits for it is dropped.

    Where it is told of all messages, this needs what replacing it needs.
    """
    entitlement = _entitlement(caller, secret)
    await context.run(_remove, context, caller.sender, callback_id, entitlement)


def _remove(context: AppContext, sender: str, callback_id: int, entitlement: Entitlement) -> None:
    callback = _owned(context, sender, callback_id)
    if callback.standing:
        _require_entitlement(context, callback, entitlement)
    with database.writing(context.engine) as connection:
        callbacks.remove(connection, callback_id)


@router.post(
    "/{callback_id}/replay",
    summary="Be told again what was given up",
    responses=responses(401, 403, 404, 422, 429, 503),
)
async def replay_callback(callback_id: CallbackId, context: Context, caller: Sender) -> Replayed:
    """Tell again what was parked, for another day."""
    return Replayed(events=await context.run(_replay, context, caller.sender, callback_id))


def _replay(context: AppContext, sender: str, callback_id: int) -> int:
    _owned(context, sender, callback_id)
    with database.writing(context.engine) as connection:
        return callbacks.replay_parked(connection, callback_id)


def _owned(context: AppContext, sender: str, callback_id: int) -> callbacks.Callback:
    """Return a callback of this sender; raises `NotFound` for any other."""
    for callback in _callbacks_of(context, sender):
        if callback.id == callback_id:
            return callback
    msg = f"there is no callback {callback_id}"
    raise NotFound(msg)
