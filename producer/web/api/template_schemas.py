"""The JSON of templates, signatures and bindings: what OpenAPI shows."""

from typing import Annotated

from pydantic import BaseModel, Field, StrictBool

from producer.web.api import schemas
from producer.web.problems import FieldError
from worker.domain import limit_syntax, registrations, template_rules
from worker.domain.enums import MessageClass, PlanKind, RegistrationState
from worker.domain.texts import signatures

VendorId = Annotated[str, Field(max_length=template_rules.MAX_VENDOR_ID_LENGTH)]
_Length = Annotated[int, Field(strict=True, ge=0, le=limit_syntax.MAX_LENGTH)]


class ValueLimits(schemas.Strict):
    """What a value may be."""

    max_length: _Length | None = Field(None, description="Characters; null: any number.")
    min_length: _Length = 0
    digits: StrictBool = Field(default=False, description="Digits 0 to 9 alone.")
    links: StrictBool = Field(default=True, description="Whether it may hold a link.")
    forbidden: schemas.Plain = Field("", max_length=50, description="Characters that it may not.")


Limits = Annotated[
    dict[schemas.Name, ValueLimits], Field(max_length=template_rules.MAX_VALUES, examples=[{}])
]


class NewTemplate(schemas.Strict):
    """A text with named values, which senders call by its key."""

    template: str = Field(
        max_length=template_rules.MAX_KEY_LENGTH,
        description="Its key: letters, digits and . _ -",
        examples=["login"],
    )
    message_class: MessageClass = Field(MessageClass.NOTICE, alias="class")
    body: schemas.Plain = Field(
        description="Without a signature, and with {name} for each value.",
        examples=["您的验证码是{code}"],
    )
    limits: Limits = Field(default={}, description="By the names of values.")


class NewBinding(schemas.Strict):
    """How an account is to send a template."""

    account: schemas.Plain = Field(max_length=schemas.LONGEST_ACCOUNT, examples=["main"])
    version: int | None = Field(
        None, strict=True, ge=1, le=2**31 - 1, description="Else the newest."
    )
    vendor_id: VendorId | None = Field(None, description="The vendor's id of its template.")
    plan: PlanKind | None = Field(
        None, description="How the account takes values; without a vendor's id: text."
    )
    parameters: schemas.Plain | None = Field(
        None,
        description="The values in the vendor's order, with its names where it has some; else as"
        " the body has them.",
        examples=["验证码=code,minutes"],
    )
    signature: schemas.Plain | None = Field(
        None, max_length=64, description="One of the account's, by its name or its id."
    )
    limits: Limits = Field(default={}, description="What the vendor takes, beyond the template's.")
    draft: StrictBool = Field(default=False, description="Not approved by its vendor yet.")


class NewSignature(schemas.Strict):
    """A brand that an account may put before its texts."""

    account: schemas.Plain = Field(max_length=schemas.LONGEST_ACCOUNT, examples=["main"])
    name: schemas.Plain = Field(
        max_length=signatures.MAX_LENGTH + 2, description="With or without 【】.", examples=["云雀"]
    )
    vendor_id: VendorId | None = Field(
        None, description="What the vendor calls it, where that is not the name."
    )
    draft: StrictBool = Field(default=False, description="Not approved by its vendor yet.")


class Reason(schemas.Strict):
    """Why something is used again."""

    why: schemas.Plain | None = Field(None, max_length=registrations.MAX_REASON_LENGTH)


class PauseReason(Reason):
    """Why something is taken out of use."""

    refused: StrictBool = Field(default=False, description="Its vendor refused it.")


class TemplateSummary(BaseModel):
    """A template as senders see it: the version that is sent now, else the newest."""

    template: str = Field(description="Its key.", examples=["login"])
    version: int
    message_class: MessageClass = Field(alias="class")
    values: list[str] = Field(description="In their order.", examples=[["code"]])
    limits: dict[str, ValueLimits]
    usable: bool = Field(description="Whether some account may send it now.")


class Templates(BaseModel):
    """All templates, in the order of their keys."""

    templates: list[TemplateSummary]


class TemplateVersion(BaseModel):
    """A version of a template; it never changes."""

    template: str
    version: int
    message_class: MessageClass = Field(alias="class")
    body: str
    values: list[str]
    limits: dict[str, ValueLimits]
    created_at: schemas.Time
    who: str


class AddedTemplate(TemplateVersion):
    """The version that stands for what was given."""

    added: bool = Field(description="False: the newest version is so already.")
    warnings: list[FieldError] = Field(description="What is doubtful about the text.")


class Binding(BaseModel):
    """How an account sends a version of a template. Nothing of it changes but its state."""

    id: int
    template: str
    version: int
    account: str
    vendor_id: str | None
    plan: PlanKind
    parameters: str = Field(description="As POST takes them.")
    signature_id: int | None
    signature: str | None = Field(description="Without 【】.")
    signature_state: RegistrationState | None
    limits: dict[str, ValueLimits]
    state: RegistrationState
    usable: bool = Field(description="It is approved, and so is its signature.")
    since: schemas.Time
    who: str
    why: str | None


class AddedBinding(Binding):
    """The binding that stands for what was given."""

    added: bool = Field(description="False: it is bound so already, in whatever state.")
    warnings: list[FieldError]


class Template(TemplateSummary):
    """A template; its versions and bindings are for keys that may `operate`, else empty."""

    versions: list[TemplateVersion] = Field(description="The newest first.")
    bindings: list[Binding]


class Signature(BaseModel):
    """A signature of an account."""

    id: int
    account: str
    name: str = Field(description="Without 【】.")
    vendor_id: str | None
    state: RegistrationState
    since: schemas.Time
    who: str
    why: str | None


class Signatures(BaseModel):
    """The signatures of all accounts."""

    signatures: list[Signature]


class AddedSignature(Signature):
    """The signature that stands for what was given."""

    added: bool = Field(description="False: it was there already, in whatever state.")
