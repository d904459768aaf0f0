"""The form and the answer of an upload: how its file is to be read, and how it was."""

from typing import Annotated, Any

from pydantic import BaseModel, Field

from producer.web.api import campaign_schemas, schemas
from producer.web.problems import FieldError
from worker.intake.lists.options import ListEncoding

#: Fields that hold tables, which a form cannot carry.
JSON_ALONE = frozenset({"variables", "options", "metadata"})


class UploadTerms(campaign_schemas.CampaignTerms):
    """What a campaign is whose recipients are in a file, and how the file is read."""

    column: Annotated[schemas.Plain, Field(max_length=schemas.MAX_NAME_LENGTH)] | None = Field(
        default=None, description="The column of the numbers: its header, or its position from 1."
    )
    delimiter: Annotated[str, Field(max_length=9)] | None = Field(
        default=None,
        description="What separates cells: one mark, or comma, tab, semicolon, pipe.",
    )
    header_row: int | None = Field(
        default=None, description="The line of the header; 0: there is none."
    )
    encoding: ListEncoding | None = Field(default=None, description="Else it is found out.")


def form_schema(terms_schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of the form, by that of `UploadTerms`: with a file, and without tables."""
    fields = {
        name: schema
        for name, schema in terms_schema["properties"].items()
        if name not in JSON_ALONE
    }
    return terms_schema | {
        "title": "CampaignUpload",
        "properties": fields | {"recipients": {"type": "string", "format": "binary"}},
        "required": ["name", "recipients"],
    }


class SkippedLines(BaseModel):
    """Lines of a file that are no recipients."""

    first: int
    last: int
    reason: str = Field(examples=["above the header"])


class ListFile(BaseModel):
    """How a file of recipients was read."""

    format: str = Field(examples=["csv", "xlsx"])
    encoding: str | None
    delimiter: str | None
    sheet: str | None
    other_sheets: list[str]
    header_row: int | None = Field(description="The line of the header; null: there is none.")
    columns: list[str]
    column: str | None = Field(description="The header of the numbers.")
    column_position: int
    variables: dict[str, int] = Field(
        description="The position of the column of each {name} in the text.",
        examples=[{"name": 2}],
    )
    skipped_lines: int
    skipped: list[SkippedLines] = Field(description="The first hundred.")


class CampaignAccount(BaseModel):
    """An account, and what keeps it from carrying a campaign."""

    name: str
    gateway: str
    problems: list[str] = Field(description="Empty where it can carry the campaign.")


class CampaignPreview(BaseModel):
    """What a campaign would be (`dry_run`): nothing of it is stored."""

    total: int
    left_out: dict[str, int] = Field(examples=[{"invalid": 1, "repeated": 2}])
    text: str
    segments: dict[str, int] = Field(
        description="How many texts have how many segments.", examples=[{"1": 900, "2": 100}]
    )
    samples: list[campaign_schemas.SampleText]
    accounts: list[CampaignAccount]
    bad_rows: list[campaign_schemas.BadRow]
    warnings: list[FieldError]
    file: ListFile | None = Field(description="How the file was read; null for a list as JSON.")


class LoadedCampaign(campaign_schemas.Campaign):
    """A campaign that was loaded, and its bad rows: at most a thousand are listed."""

    bad_rows: list[campaign_schemas.BadRow]
    warnings: list[FieldError] = Field(description="What is doubtful about the text; it is sent.")
    file: ListFile | None = Field(description="How the file was read; null for a list as JSON.")
