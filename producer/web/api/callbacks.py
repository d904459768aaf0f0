"""Callbacks: an application says where it wants to be told; `docs/callbacks.md` says what it is."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field

from producer.web.api import ownership, schemas
from producer.web.api.authentication import Allowed, Caller
from producer.web.context import AppContext, Context
from producer.web.problems import HttpProblem, responses
from worker.domain.enums import Scope
from worker.domain.errors import NotFound, Problem, Refused
from worker.feedback import callback_signatures
from worker.intake import enqueue
from worker.store import callbacks
from worker.store.db import database

router = APIRouter(prefix="/v1/callbacks", tags=["callbacks"])

Sender = Annotated[Caller, Depends(Allowed(Scope.SEND))]
Id = Annotated[int, Path(ge=1, le=ownership.MOST_ID)]


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


class Created(BaseModel):
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
async def create(new: NewCallback, here: Context, caller: Sender) -> Created:
    """Tell a URL of all that this sender enqueues from now on; the same again changes nothing."""
    problems = enqueue.callback_problems(here.settings, new.url)
    if problems:
        raise Refused([Problem("url", one.what) for one in problems])
    if new.inbound and Scope.INBOUND not in caller.key.scopes:
        raise HttpProblem(403, "no-scope", f"this key has not the scope {Scope.INBOUND.value}")
    made = await here.run(_create, here, caller.sender, new)
    master = here.settings.top.callback_secrets[0].get_secret_value()
    return Created(id=made, secret=callback_signatures.secret(master, made))


def _create(here: AppContext, sender: str, new: NewCallback) -> int:
    with database.writing(here.engine) as connection:
        return callbacks.ensure(connection, sender, new.url, standing=True, inbound=new.inbound)


@router.get("", summary="List callbacks", responses=responses(401, 403, 429, 503))
async def listed(here: Context, caller: Sender) -> Callbacks:
    """Return this sender's callbacks, with what waits for each."""
    found = await here.run(_mine, here, caller.sender)
    return Callbacks(callbacks=[Callback(**_shown(one)) for one in found])


def _shown(one: callbacks.Callback) -> dict[str, Any]:
    return {name: getattr(one, name) for name in Callback.model_fields}


def _mine(here: AppContext, sender: str) -> list[callbacks.Callback]:
    with database.reading(here.engine) as connection:
        return callbacks.all_of(connection, sender)


@router.delete(
    "/{callback_id}",
    status_code=204,
    summary="Be told nothing more",
    responses=responses(401, 403, 404, 422, 429, 503),
)
async def remove(callback_id: Id, here: Context, caller: Sender) -> None:
    """Tell a URL nothing more; what waits for it is dropped."""
    await here.run(_remove, here, caller.sender, callback_id)


def _remove(here: AppContext, sender: str, callback_id: int) -> None:
    _owned(here, sender, callback_id)
    with database.writing(here.engine) as connection:
        callbacks.remove(connection, callback_id)


@router.post(
    "/{callback_id}/replay",
    summary="Be told again what was given up",
    responses=responses(401, 403, 404, 422, 429, 503),
)
async def replay(callback_id: Id, here: Context, caller: Sender) -> Replayed:
    """Tell again what was parked, for another day."""
    return Replayed(events=await here.run(_replay, here, caller.sender, callback_id))


def _replay(here: AppContext, sender: str, callback_id: int) -> int:
    _owned(here, sender, callback_id)
    with database.writing(here.engine) as connection:
        return callbacks.replay(connection, callback_id)


def _owned(here: AppContext, sender: str, callback_id: int) -> None:
    if callback_id not in {one.id for one in _mine(here, sender)}:
        msg = f"there is no callback {callback_id}"
        raise NotFound(msg)
