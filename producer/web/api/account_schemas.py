"""The JSON of accounts and their balances: what OpenAPI shows."""

from pydantic import BaseModel, Field

from producer.web.api import schemas
from worker.domain.enums import MessageClass


class Pool(BaseModel):
    """One of the amounts that an account draws on."""

    name: str = Field(examples=["balance"])
    remaining: int | None = Field(examples=[12000])
    postpaid: bool
    used: bool = Field(description="False when this account draws on another one of them.")


class Balance(BaseModel):
    """What a gateway said last of what is left; nobody is asked by this call."""

    account: str
    pools: list[Pool]
    sent: int | None
    at: schemas.Time | None


class Balances(BaseModel):
    """All accounts' balances."""

    balances: list[Balance]


class Account(BaseModel):
    """An account: what it serves, and whether it is held."""

    name: str
    gateway: str
    classes: list[MessageClass]
    reports: str
    held: bool
    why: str | None
    since: schemas.Time | None
    until: schemas.Time | None


class Accounts(BaseModel):
    """All accounts."""

    accounts: list[Account]
