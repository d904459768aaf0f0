"""POST /v1/campaigns: a list as JSON, or a file of a million rows as a form.

A file is spooled to disk as it comes and read from there, so that a million rows take no more
memory than one. The answer comes when all of it is in the database: then it is wholly loaded.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile

from producer.web.api import enqueue, schemas
from producer.web.api.authentication import Allowed, Caller
from producer.web.api.messages import content
from producer.web.context import AppContext, Context
from producer.web.problems import HttpProblem, responses
from worker.domain.enums import Scope
from worker.domain.errors import Problem, Refused
from worker.intake import campaigns, csv_reader, lookup
from worker.intake.campaign_loader import Loaded, Plain, Row
from worker.intake.enqueue import EnqueueRequest

router = APIRouter(prefix="/v1/campaigns", tags=["campaigns"])

Loader = Annotated[Caller, Depends(Allowed(Scope.CAMPAIGNS))]
#: A form has so many fields at the most, besides its file.
MOST_FIELDS = 20


#: What a form cannot say: these are tables.
_JSON_ALONE = {"variables", "options"}


def _described() -> dict[str, Any]:
    """Describe both bodies for OpenAPI: the route reads the request by itself."""
    whole = schemas.CampaignTerms.model_json_schema(ref_template="#/components/schemas/{model}")
    fields = {name: one for name, one in whole["properties"].items() if name not in _JSON_ALONE}
    form = {
        "type": "object",
        "properties": fields | {"recipients": {"type": "string", "format": "binary"}},
        "required": ["name", "recipients"],
        "additionalProperties": False,
    }
    json = {"$ref": "#/components/schemas/NewCampaign"}
    bodies = {"application/json": {"schema": json}, "multipart/form-data": {"schema": form}}
    return {"requestBody": {"required": True, "content": bodies}}


@router.post(
    "",
    status_code=201,
    response_model=schemas.LoadedCampaign,
    summary="Load a campaign, and start it",
    openapi_extra=_described(),
    responses=responses(400, 401, 403, 408, 409, 413, 415, 422, 429, 503),
)
async def create(request: Request, here: Context, caller: Loader, key: schemas.Key = None) -> Any:
    """Load a campaign: a list as JSON, or a CSV file as the field `recipients` of a form.

    It answers when all rows are in the database. Nothing is sent before, and nothing while a row is
    bad, unless `skip_bad`: the campaign is then `ready` and `bad_rows` lists them. Repeat a call
    that brought no answer with its `Idempotency-Key`: it stays one campaign.
    """
    async with _given(request, here) as (new, file):
        order = EnqueueRequest((), key=key, **content(new), message_class=new.message_class)
        order = enqueue.addressed(here, caller, order)
        with _alone(here, caller, key):
            return await here.run_long(_load, here, new, order, file)


def _load(
    here: AppContext, new: schemas.CampaignTerms, order: EnqueueRequest, file: BinaryIO | None
) -> dict[str, Any]:
    with _rows(new, file) as rows:
        loaded = campaigns.create(
            here.engine,
            here.settings,
            new.name,
            order,
            rows,
            start=new.start,
            skip_bad=new.skip_bad,
        )
    here.ring(order.message_class)
    found = lookup.campaign(campaigns.show(here.engine, loaded.id))
    return found | {"bad_rows": _bad(loaded)}


def _bad(loaded: Loaded) -> list[dict[str, str]]:
    return [{"row": one.where, "what": one.what} for one in loaded.bad_rows]


@contextmanager
def _rows(new: schemas.CampaignTerms, file: BinaryIO | None) -> Iterator[Iterator[Row | Plain]]:
    if isinstance(new, schemas.NewCampaign):
        yield (_row(nth, one) for nth, one in enumerate(new.recipients, 1))
    elif file is not None:
        with csv_reader.reading(file, new.text) as found:
            yield found.rows


def _row(nth: int, one: str | schemas.Row) -> Row:
    if isinstance(one, str):
        return Row(nth, one)
    return Row(nth, one.msisdn, dict(one.__pydantic_extra__) or None)


@contextmanager
def _alone(here: AppContext, caller: Caller, key: str | None) -> Iterator[None]:
    """Refuse the repetition of a call that is still loading: it would load beside it."""
    mark = (caller.sender, key)
    if key is not None and mark in here.loading:
        what = "this campaign is being loaded; look again when that call has ended"
        raise HttpProblem(409, "loading", what, headers={"Retry-After": "5"})
    here.loading.add(mark)
    try:
        yield
    finally:
        here.loading.discard(mark)


@asynccontextmanager
async def _given(
    request: Request, here: AppContext
) -> AsyncIterator[tuple[schemas.CampaignTerms, BinaryIO | None]]:
    """Read what was sent, whichever of the two it is; a file lives as long as the block."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        body = await request.body()
        yield await here.run(_validated, schemas.NewCampaign, body), None
    elif kind == "multipart/form-data":
        most = here.settings.top.web.max_body
        async with request.form(max_files=1, max_fields=MOST_FIELDS, max_part_size=most) as form:
            new, file = _read(form)
            yield new, file
    else:
        what = "send application/json, or multipart/form-data with a file"
        raise HttpProblem(415, "unsupported", what)


def _validated(model: type[BaseModel], given: Any) -> Any:
    try:
        if isinstance(given, bytes):
            return model.model_validate_json(given)
        return model.model_validate(given)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        raise RequestValidationError(
            [one | {"loc": ("body", *one["loc"])} for one in found]
        ) from None


def _read(form: FormData) -> tuple[schemas.CampaignTerms, BinaryIO]:
    found: list[Problem] = []
    values: dict[str, Any] = {}
    file: UploadFile | None = None
    for name, value in form.multi_items():
        if name == "recipients" and isinstance(value, UploadFile):
            file = value
        elif name in values or not isinstance(value, str):
            found.append(Problem(name, "is given twice" if name in values else "is no file"))
        else:
            values[name] = value
    if file is None:
        found.append(Problem("recipients", "is missing: the CSV file, as a file"))
    found += [Problem(name, "is for JSON alone") for name in values if name in _JSON_ALONE]
    if found or file is None:
        raise Refused(found)
    return _validated(schemas.CampaignTerms, values), file.file
