"""Routes for opt-outs (`docs/http.md`): add and take back up to 10,000 at a time, and look up."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from producer.web.api import schemas
from producer.web.api.api_route import ApiRoute
from producer.web.api.authentication import Caller, RequireScope
from producer.web.context import AppContext, Context
from producer.web.problems import responses
from worker.domain import msisdn as numbers
from worker.domain import number_search
from worker.domain.enums import OptOutAct, OptOutScope, OptOutSource, Scope
from worker.domain.errors import Problem, Refused
from worker.feedback import opt_out_list
from worker.store.feedback.opt_outs import MAX_REASON_LENGTH, OptOutOrigin

router = APIRouter(prefix="/v1/opt-outs", tags=["opt-outs"], route_class=ApiRoute)

Keeper = Annotated[Caller, Depends(RequireScope(Scope.OPT_OUTS))]
#: How many numbers one call may change.
MAX_NUMBERS = 10_000
#: How many faulty numbers an answer names.
MAX_NAMED_FAULTS = 20


class OptOutTerms(schemas.Strict):
    """Numbers, and why."""

    to: Annotated[
        list[Annotated[str, Field(max_length=64)]],
        Field(min_length=1, max_length=MAX_NUMBERS, examples=[["13800138000"]]),
    ]
    why: Annotated[
        str,
        Field(min_length=1, max_length=MAX_REASON_LENGTH, examples=["unsubscribed in the app"]),
    ]
    evidence: Annotated[
        str | None,
        Field(max_length=MAX_REASON_LENGTH, description="What proves it, as a ticket."),
    ] = None


class OptOutsAdded(BaseModel):
    """What became of the numbers; a number that was given twice counts once."""

    added: int = Field(description="These had not opted out.")
    kept: int = Field(description="These had, and keep that.")


class OptOutsRemoved(BaseModel):
    """What became of the numbers."""

    removed: int = Field(description="These get marketing again.")
    kept: int = Field(description="These had not opted out, or of everything: a person's word.")


class OptOutLine(BaseModel):
    """A line of a number's history."""

    at: datetime
    act: OptOutAct
    scope: OptOutScope
    source: OptOutSource
    who: str
    why: str
    evidence: str | None


class OptOut(BaseModel):
    """Whether a number has opted out, and what became of that."""

    to: str = Field(examples=["13800138000"])
    opted_out: bool
    scope: OptOutScope | None = Field(description="`all`: of codes too.")
    since: datetime | None
    source: OptOutSource | None
    why: str | None
    evidence: str | None
    history: list[OptOutLine] = Field(description="The newest 100 lines, the oldest first.")


@router.post(
    "",
    summary="Opt numbers out",
    responses=responses(400, 401, 403, 408, 413, 422, 429, 503),
)
async def add_opt_outs(body: OptOutTerms, context: Context, caller: Keeper) -> OptOutsAdded:
    """Opt numbers out of marketing, whoever sends it; the same again changes nothing.

    Campaigns that run leave them out from their next submission on. Where one number is wrong,
    nothing is stored.
    """
    msisdns = _msisdns(body.to)
    changes = await context.run(
        opt_out_list.add,
        context.engine,
        msisdns,
        OptOutScope.MARKETING,
        _origin(caller, body),
    )
    return OptOutsAdded(added=changes.added, kept=changes.kept)


@router.post(
    "/remove",
    summary="Take opt-outs back",
    responses=responses(400, 401, 403, 408, 413, 422, 429, 503),
)
async def remove_opt_outs(body: OptOutTerms, context: Context, caller: Keeper) -> OptOutsRemoved:
    """Take opt-outs of marketing back, where people asked for it again; the history stays."""
    msisdns = _msisdns(body.to)
    count = await context.run(opt_out_list.remove, context.engine, msisdns, _origin(caller, body))
    return OptOutsRemoved(removed=count, kept=len(msisdns) - count)


@router.get("", summary="Look a number up", responses=responses(401, 403, 422, 429, 503))
async def show_opt_out(
    context: Context,
    caller: Keeper,  # noqa: ARG001 - the key is required
    to: Annotated[str, Query(max_length=64, examples=["13800138000"])],
) -> OptOut:
    """Return whether a number has opted out, and what became of its opt-outs."""
    try:
        msisdn = number_search.whole(to)
    except ValueError as error:
        raise Refused([Problem("to", str(error))]) from None
    return await context.run(_show, context, msisdn)


def _show(context: AppContext, msisdn: str) -> OptOut:
    shown = opt_out_list.show(context.engine, msisdn)
    opt_out: Any = shown.opt_out
    history = [OptOutLine.model_validate(row, from_attributes=True) for row in shown.history]
    return OptOut(
        to=msisdn,
        opted_out=opt_out is not None,
        scope=opt_out and opt_out.scope,
        since=opt_out and opt_out.since,
        source=opt_out and opt_out.source,
        why=opt_out and opt_out.why,
        evidence=opt_out and opt_out.evidence,
        history=history,
    )


def _msisdns(given: list[str]) -> set[str]:
    """Return numbers as they are stored; raises `Refused` that names the first wrong ones."""
    msisdns, problems = set(), []
    for position, number in enumerate(given):
        try:
            msisdns.add(numbers.normalise(number))
        except ValueError as error:
            problems.append(Problem(f"to[{position}]", str(error)))
    if problems:
        raise Refused(problems[:MAX_NAMED_FAULTS])
    return msisdns


def _origin(caller: Caller, terms: OptOutTerms) -> OptOutOrigin:
    """Return who changes opt-outs, and why; raises `Refused` for a test key."""
    if caller.key.test:
        raise Refused([Problem("key", "is a test key: opt-outs hold for what others send")])
    return OptOutOrigin(OptOutSource.API, caller.sender, terms.why, terms.evidence)
