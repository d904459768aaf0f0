"""The route that loads a campaign (POST /v1/campaigns): a list as JSON, or a file as a form.

A file is written to disk as it arrives and read from there, so that memory does not grow with it.
The answer comes when all rows are in the database.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Depends, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile

from producer.web.api import campaign_schemas, enqueue, schemas, upload_schemas
from producer.web.api.api_route import ApiRoute
from producer.web.api.authentication import Caller, RequireScope
from producer.web.api.messages import content_of
from producer.web.context import AppContext, Context
from producer.web.problems import HttpProblem, field_errors, responses
from worker.domain.enums import Scope
from worker.domain.errors import Problem, Refused
from worker.intake import campaign_preview, campaigns, lookup
from worker.intake.campaign_loader import Loaded
from worker.intake.enqueue_request import EnqueueRequest
from worker.intake.lists import reader
from worker.intake.lists.facts import ListFacts
from worker.intake.lists.options import ListOptions
from worker.intake.recipient_rows import PlainRows, Row

router = APIRouter(prefix="/v1/campaigns", tags=["campaigns"], route_class=ApiRoute)

Loader = Annotated[Caller, Depends(RequireScope(Scope.CAMPAIGNS))]
#: The most fields that a form may have besides its file.
MOST_FIELDS = 30

#: Both bodies, for OpenAPI: the route reads its request by itself.
_BODIES = {
    "application/json": {"schema": {"$ref": "#/components/schemas/NewCampaign"}},
    "multipart/form-data": {"schema": {"$ref": "#/components/schemas/CampaignUpload"}},
}


@router.post(
    "",
    status_code=201,
    response_model=upload_schemas.LoadedCampaign,
    summary="Load a campaign, and start it",
    openapi_extra={"requestBody": {"required": True, "content": _BODIES}},
    responses={
        200: {"model": upload_schemas.CampaignPreview, "description": "With `dry_run`"},
        **responses(400, 401, 403, 408, 409, 413, 415, 422, 429, 503),
    },
)
async def load_campaign(
    request: Request, context: Context, caller: Loader, key: schemas.Key = None
) -> Any:
    """Load a campaign: a list as JSON, or a CSV file or .xlsx as the field `recipients` of a form.

    It answers when all rows are in the database. Nothing is sent before, and nothing while a row is
    bad, unless `skip_bad`: the campaign is then `ready` and `bad_rows` lists them. Repeat a call
    that brought no answer with its `Idempotency-Key`: it stays one campaign. With `dry_run` the
    answer (200) is what it would be, and nothing is stored.
    """
    async with _given(request, context) as (terms, file):
        enqueue_request = EnqueueRequest(
            (), key=key, **content_of(terms), message_class=terms.message_class
        )
        enqueue_request = enqueue.with_sender(context, caller, enqueue_request)
        if terms.dry_run:
            preview = await context.run_long(_preview, context, terms, enqueue_request, file)
            return JSONResponse(preview.model_dump(mode="json"))
        with _only_load(context, caller, key):
            return await context.run_long(_load, context, terms, enqueue_request, file)


def _load(
    context: AppContext,
    terms: campaign_schemas.CampaignTerms,
    request: EnqueueRequest,
    file: BinaryIO | None,
) -> dict[str, Any]:
    with _rows(terms, file) as (rows, facts):
        loaded = campaigns.create(
            context.engine,
            context.settings,
            terms.name,
            request,
            rows,
            allowed=terms.allow,
            start=terms.start,
            skip_bad=terms.skip_bad,
            given_names=facts.columns if facts else (),
            who=request.sender,
        )
        loaded.file = facts
    context.ring(request.message_class)
    campaign = lookup.campaign_json(campaigns.show(context.engine, loaded.id))
    file_json = loaded.file.as_json() if loaded.file else None
    return campaign | {
        "bad_rows": _bad_rows(loaded),
        "warnings": field_errors(loaded.warnings),
        "file": file_json,
    }


def _preview(
    context: AppContext,
    terms: campaign_schemas.CampaignTerms,
    request: EnqueueRequest,
    file: BinaryIO | None,
) -> upload_schemas.CampaignPreview:
    with _rows(terms, file) as (rows, facts):
        preview = campaign_preview.preview(
            context.engine,
            context.settings,
            request,
            rows,
            given_names=facts.columns if facts else (),
            allowed=terms.allow,
        )
        preview.loaded.file = facts
    preview_json = campaign_preview.preview_json(context.engine, context.settings, request, preview)
    warnings = field_errors(preview.loaded.warnings)
    return upload_schemas.CampaignPreview(**preview_json, warnings=warnings)


def _bad_rows(loaded: Loaded) -> list[dict[str, str]]:
    return [{"row": bad_row.where, "what": bad_row.what} for bad_row in loaded.bad_rows]


@contextmanager
def _rows(
    terms: campaign_schemas.CampaignTerms, file: BinaryIO | None
) -> Iterator[tuple[Iterator[Row | PlainRows], ListFacts | None]]:
    if isinstance(terms, campaign_schemas.NewCampaign):
        yield (_row(nth, recipient) for nth, recipient in enumerate(terms.recipients, 1)), None
    elif file is not None and isinstance(terms, upload_schemas.UploadTerms):
        options = ListOptions(terms.column, terms.delimiter, terms.header_row, terms.encoding)
        with reader.open_list(file, terms.text, options, terms.allow) as recipient_list:
            yield recipient_list.rows, recipient_list.facts


def _row(nth: int, recipient: campaign_schemas.Row) -> Row:
    return Row(nth, recipient.to, dict(recipient.__pydantic_extra__) or None)


@contextmanager
def _only_load(context: AppContext, caller: Caller, key: str | None) -> Iterator[None]:
    """Refuse a call that repeats one which is still loading, while the block runs."""
    load_key = (caller.sender, key)
    if key is not None and load_key in context.loading_campaigns:
        advice = "this campaign is being loaded; look again when that call has ended"
        raise HttpProblem(409, "loading", advice, headers={"Retry-After": "5"})
    context.loading_campaigns.add(load_key)
    try:
        yield
    finally:
        context.loading_campaigns.discard(load_key)


@asynccontextmanager
async def _given(
    request: Request, context: AppContext
) -> AsyncIterator[tuple[campaign_schemas.CampaignTerms, BinaryIO | None]]:
    """Read the body, JSON or form, into terms and a file; the file is open during the block."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == "application/json":
        body = await request.body()
        yield await context.run(_validated, campaign_schemas.NewCampaign, body), None
    elif media_type == "multipart/form-data":
        max_part_size = context.settings.top.web.max_body
        async with request.form(
            max_files=1, max_fields=MOST_FIELDS, max_part_size=max_part_size
        ) as form:
            terms, file = _read(form)
            yield terms, file
    else:
        advice = "send application/json, or multipart/form-data with a file"
        raise HttpProblem(415, "unsupported", advice)


def _validated(model: type[BaseModel], body: Any) -> Any:
    try:
        if isinstance(body, bytes):
            return model.model_validate_json(body)
        return model.model_validate(body)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        raise RequestValidationError(
            [fault | {"loc": ("body", *fault["loc"])} for fault in faults]
        ) from None


def _read(form: FormData) -> tuple[campaign_schemas.CampaignTerms, BinaryIO]:
    problems: list[Problem] = []
    fields: dict[str, Any] = {}
    file: UploadFile | None = None
    for name, value in form.multi_items():
        if name == "recipients" and isinstance(value, UploadFile):
            file = value
        elif name in fields or not isinstance(value, str):
            problems.append(Problem(name, "is given twice" if name in fields else "is no file"))
        else:
            fields[name] = value
    if file is None:
        problems.append(Problem("recipients", "is missing: the CSV file or .xlsx, as a file"))
    problems += [
        Problem(name, "is for JSON alone") for name in fields if name in upload_schemas.JSON_ALONE
    ]
    if problems or file is None:
        raise Refused(problems)
    return _validated(upload_schemas.UploadTerms, fields), file.file
