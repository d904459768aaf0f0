"""What the configuration says of the web process: the table `[web]`."""

from collections.abc import Collection, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from worker.domain.durations import Duration
from worker.domain.enums import Reports
from worker.domain.errors import Problem
from worker.domain.recipient_windows import Window, Windows
from worker.domain.secret_fields import Secret
from worker.gateways.base import Account


class WebSettings(BaseModel):
    """Where it listens, whom it believes, how much it takes. Sizes are in bytes."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    host: str = "127.0.0.1"
    #: 0 takes any port that is free, and the log says which.
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    #: How the world reaches it, for the addresses that are printed: https://sms.example.com
    public_url: str | None = None
    #: Proxies whose X-Forwarded-For is believed; nobody's is unless it is named.
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    #: Calls of one API key in a second, unless the key has a rate of its own; each process counts.
    key_rate: Annotated[float, Field(gt=0)] = 100.0
    #: The most numbers in one call of POST /v1/messages.
    max_recipients: Annotated[int, Field(ge=1, le=100_000)] = 10_000
    #: The largest body of a call, and of an upload.
    max_body: Annotated[int, Field(ge=1024)] = 2 * 1024 * 1024
    max_upload: Annotated[int, Field(ge=1024)] = 256 * 1024 * 1024
    #: How long a body may take to arrive.
    body_timeout: Annotated[Duration, Field(gt=0)] = 30.0
    #: Codes to one number, and of one client that an application names, over all API keys.
    otp_per_recipient: Windows = (Window(1, 60_000), Window(5, 3_600_000), Window(10, None))
    otp_per_client: Windows = (Window(10, 3_600_000), Window(30, None))
    #: The account, on loopback, that carries whatever is sent with a test key.
    test_account: str | None = None
    #: What signs a sign-in to the pages; without it a restart signs everybody out.
    session_secret: Secret | None = None
    #: Gateways whose own way of sending is offered here, for what spoke to them.
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


def unfit(
    web: WebSettings, accounts: Mapping[str, Account], doors: Collection[str]
) -> list[Problem]:
    """Say what does not fit the rest of the configuration; `doors` names those there are."""
    known = ", ".join(sorted(doors))
    found = [
        Problem("web.doors", f"there is no door {one!r}; the doors are: {known}")
        for one in web.doors
        if one not in doors
    ]
    found += [
        Problem(f"accounts.{name}.push_tokens", f"{one.gateway.name} pushes nothing; leave it out")
        for name, one in accounts.items()
        if one.settings.push_tokens and Reports.PUSH not in one.gateway.capabilities.reports
    ]
    if web.test_account is None:
        return found
    account = accounts.get(web.test_account)
    if account is None:
        found.append(Problem("web.test_account", f"there is no account {web.test_account!r}"))
    elif not is_loopback(urlsplit(account.settings.base_url).hostname):
        what = "has to be a sandbox on this machine: its base_url is not on loopback"
        found.append(Problem("web.test_account", what))
    elif account.settings.classes != frozenset():
        what = f"{account.name} needs classes = [], or what customers wait for may go to it"
        found.append(Problem("web.test_account", what))
    return found


def is_loopback(host: str | None) -> bool:
    """Tell whether a host is this machine, by its address or by the name `localhost`."""
    if host == "localhost":
        return True
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return False
