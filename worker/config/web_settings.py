"""Define the settings of the web process: the table `[web]` of the configuration."""

from collections.abc import Collection, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from worker.domain.durations import Duration
from worker.domain.enums import Reports
from worker.domain.errors import Problem
from worker.domain.recipient_windows import Window, Windows
from worker.domain.secret_fields import OwnSecret
from worker.gateways.base import Account


class WebSettings(BaseModel):
    """Where the web process listens, whom it trusts, how much it takes. Sizes are in bytes."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    host: str = "127.0.0.1"
    #: Not the default of Django, Flask, uvicorn or gunicorn: an application runs beside it.
    #: With 0 any free port is taken, and the log says which.
    port: Annotated[int, Field(ge=0, le=65535)] = 8026
    #: How the process is reached from outside, for the addresses that are printed:
    #: https://sms.example.com
    public_url: str | None = None
    #: Proxies whose X-Forwarded-For is believed; that of others is not.
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    #: Calls of one API key in a second, unless the key has a rate of its own; each process counts.
    key_rate: Annotated[float, Field(gt=0)] = 100.0
    #: The most numbers in one call of POST /v1/messages.
    max_recipients: Annotated[int, Field(ge=1, le=100_000)] = 10_000
    #: The largest body of a call, and of an upload.
    max_body: Annotated[int, Field(ge=1024)] = 2 * 1024 * 1024
    max_upload: Annotated[int, Field(ge=1024)] = 256 * 1024 * 1024
    #: How long a body may take to arrive, a head too, and how long an answer may lie unread.
    body_timeout: Annotated[Duration, Field(gt=0)] = 30.0
    #: Codes to one number, and of one client that an application names, over all API keys.
    otp_per_recipient: Windows = (Window(1, 60_000), Window(5, 3_600_000), Window(10, None))
    otp_per_client: Windows = (Window(10, 3_600_000), Window(30, None))
    #: The account, on loopback, that carries all messages sent with a test key.
    test_account: str | None = None
    #: The secret that signs a sign-in to the pages; without it a restart signs everybody out.
    session_secret: OwnSecret | None = None
    #: The doors that are open: gateways whose own protocol is offered here, to applications that
    #: spoke to them before.
    doors: tuple[str, ...] = ()

    @field_validator("trusted_proxies", "doors", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        return [value] if isinstance(value, str | Mapping) else value

    @field_validator("public_url")
    @classmethod
    def _address(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query:
            msg = "write it as https://sms.example.com"
            raise ValueError(msg)
        return url.rstrip("/")


def mismatches(
    web: WebSettings, accounts: Mapping[str, Account], doors: Collection[str]
) -> list[Problem]:
    """Return what of the web settings does not fit the rest of the configuration.

    `doors` names the doors that there are.
    """
    return [
        *(
            Problem("web.doors", f"there is no door {door!r}; the doors are: {_listed(doors)}")
            for door in web.doors
            if door not in doors
        ),
        *(
            Problem(
                f"accounts.{name}.push_tokens",
                f"{account.gateway.name} pushes nothing; leave it out",
            )
            for name, account in accounts.items()
            if account.settings.push_tokens
            and Reports.PUSH not in account.gateway.capabilities.reports
        ),
        *_test_account_problems(web.test_account, accounts),
    ]


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names))


def _test_account_problems(
    account_name: str | None, accounts: Mapping[str, Account]
) -> list[Problem]:
    """Return why an account cannot carry what is sent with test keys; [] when it can."""
    if account_name is None:
        return []
    account = accounts.get(account_name)
    if account is None:
        reason = f"there is no account {account_name!r}"
    elif not is_loopback(urlsplit(account.settings.base_url).hostname):
        reason = "has to be a sandbox on this machine: its base_url is not on loopback"
    elif account.settings.classes != frozenset():
        reason = f"{account.name} needs classes = [], or what customers wait for may go to it"
    else:
        return []
    return [Problem("web.test_account", reason)]


def is_loopback(host: str | None) -> bool:
    """Tell whether a host is this machine, by its address or by the name `localhost`."""
    if host == "localhost":
        return True
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return False
