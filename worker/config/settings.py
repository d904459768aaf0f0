"""The configuration: one TOML file and `XINSHI_…` environment variables, read once.

`load` reports every fault at once, each with its key, and suggests the nearest name for a
misspelt one. An environment variable wins over the file; a double underscore goes one table down:
`XINSHI_ACCOUNTS__BULK__PASSWORD` is `password` in `[accounts.bulk]`.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from worker.config import credentials
from worker.config.credentials import Logins
from worker.config.problems import explain, gateway_problem
from worker.config.web_settings import WebSettings, unfit
from worker.domain.durations import Duration
from worker.domain.enums import MessageClass
from worker.domain.errors import ConfigurationError, Problem
from worker.domain.recipient_windows import Window, Windows
from worker.domain.secret_fields import Secret
from worker.gateways.base import Account
from worker.gateways.registry import doors, registered

FILE = "xinshi.toml"
PREFIX = "XINSHI_"
#: Not settings: where the file is, and what the test suite reads.
_RESERVED = re.compile(r"XINSHI_(CONFIG$|TEST_)")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class TopSettings(BaseModel):
    """The keys outside of `[accounts]`. Durations are in seconds once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    #: Any SQLAlchemy URL of SQLite, PostgreSQL (psycopg) or MySQL and MariaDB (pymysql).
    database_url: str = "sqlite:///xinshi.db"
    #: `embedded`, or the URL of Redis, Sentinel or RabbitMQ.
    broker_url: str = "embedded"
    #: The throttle's Redis; None means the broker, when that is Redis or embedded.
    redis_url: str | None = None
    #: Where this machine keeps its spool and the embedded server: on a volume that lasts. None
    #: means `.xinshi` beside the SQLite database, else beside this file.
    state_dir: str | None = None
    #: Takes messages through the broker by a Celery task, numbers and texts included.
    celery_door: bool = False
    #: How long a claim holds beyond its account's `timeout`, before others may take it over.
    lease: Annotated[Duration, Field(gt=0, le=600)] = 15.0
    #: How often each process looks for work by itself.
    look_every: Annotated[Duration, Field(gt=0, le=60)] = 1.0
    #: How often what was left behind (leases, validity, unmatched reports) is swept.
    sweep_every: Annotated[Duration, Field(gt=0, le=600)] = 5.0
    #: How often each account's share of the traffic follows how it did.
    health_every: Annotated[Duration, Field(gt=0, le=600)] = 10.0
    #: A report that comes later than this counts against its account.
    reports_within: Annotated[Duration, Field(gt=0, le=24 * 3600)] = 300.0
    #: After this a message without a report is closed out, and shown as such.
    close_out_after: Annotated[Duration, Field(gt=0)] = 72 * 3600.0
    #: How long a message may wait, by class, unless its sender says otherwise.
    valid_otp: Annotated[Duration, Field(gt=0)] = 300.0
    valid_notice: Annotated[Duration, Field(gt=0)] = 24 * 3600.0
    valid_marketing: Annotated[Duration, Field(gt=0)] = 24 * 3600.0
    #: Whether opt-outs hold for notices too; they always hold for marketing, never for otp.
    opt_out_notice: bool = False
    #: How often one number may be called over all accounts and campaigns.
    per_msisdn: Windows = ()
    #: What the secrets of callbacks are derived from; two while they are changed.
    callback_secrets: Annotated[tuple[Secret, ...], Field(max_length=2)] = ()
    #: Private networks that callbacks may reach; public addresses always may.
    callback_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    #: What carries requests to gateways: Xinshi's own transport, or the slower one of httpx.
    transport: Literal["own", "httpx"] = "own"
    log_level: str = "INFO"
    #: The web process, in a table of its own.
    web: WebSettings = WebSettings()

    @field_validator("callback_secrets", "callback_networks", mode="before")
    @classmethod
    def _one_or_more(cls, value: object) -> object:
        return [value] if isinstance(value, str | Mapping) else value

    @field_validator("log_level")
    @classmethod
    def _level(cls, level: str) -> str:
        if level.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
            msg = "choose DEBUG, INFO, WARNING or ERROR"
            raise ValueError(msg)
        return level.upper()

    @field_validator("broker_url")
    @classmethod
    def _broker(cls, url: str) -> str:
        schemes = ("redis", "rediss", "redis+socket", "sentinel", "amqp", "amqps")
        if url != "embedded" and url.partition("://")[0] not in schemes:
            msg = f'write "embedded", or a URL that begins with {", ".join(schemes)}'
            raise ValueError(msg)
        return url

    @field_validator("database_url")
    @classmethod
    def _database(cls, url: str) -> str:
        backends = ("sqlite", "postgresql", "mysql", "mariadb")
        if url.partition("://")[0].partition("+")[0] not in backends or "://" not in url:
            msg = "write sqlite:///FILE, postgresql+psycopg://… or mysql+pymysql://…"
            raise ValueError(msg)
        return url


@dataclass(frozen=True)
class Settings:
    """The configuration as the program uses it."""

    top: TopSettings
    accounts: Mapping[str, Account]
    #: Where the file lies: relative paths and the embedded server start here.
    directory: Path

    @property
    def opt_out_classes(self) -> list[str]:
        """The classes for which opt-outs hold: never otp."""
        classes = [MessageClass.MARKETING.value]
        return [*classes, MessageClass.NOTICE.value] if self.top.opt_out_notice else classes

    def sharing(self, account: str) -> list[str]:
        """Return the accounts that are one with this one at the gateway, itself among them.

        What the gateway keeps for one of them, whoever asks first is given.
        """
        mine = self.accounts.get(account)
        if mine is None:
            return [account]
        return [name for name, one in self.accounts.items() if one.login == mine.login]

    @cached_property
    def logins(self) -> Logins:
        """The fingerprints of the accounts' logins; slow the first time."""
        return credentials.logins_of(self.accounts)

    @cached_property
    def per_msisdn(self) -> Mapping[str, Mapping[str, frozenset[Window]]]:
        """The limits for each number, by account and by the name that its calls are counted under.

        Accounts that are one at the gateway count together, by the limits of all of them; "" counts
        the calls of all accounts. An account without limits is left out.
        """
        found = {}
        for name in self.accounts:
            one = self.sharing(name)
            its_own = frozenset(
                window for each in one for window in self.accounts[each].settings.per_msisdn
            )
            limits = {min(one): its_own, "": frozenset(self.top.per_msisdn)}
            found[name] = {key: windows for key, windows in limits.items() if windows}
        return {name: limits for name, limits in found.items() if limits}

    @property
    def database_url(self) -> str:
        """The database's URL, an SQLite file's relative path resolved at the file's directory."""
        scheme, slashes, path = self.top.database_url.partition(":///")
        if scheme.partition("+")[0] != "sqlite" or path in {"", ":memory:"} or path[0] == "/":
            return self.top.database_url
        return f"{scheme}{slashes}{(self.directory / path).absolute()}"

    @property
    def folder(self) -> Path:
        """Where this machine keeps what belongs to it: its spool, its embedded server."""
        if self.top.state_dir is not None:
            return (self.directory / Path(self.top.state_dir).expanduser()).absolute()
        scheme, _, path = self.database_url.partition(":///")
        beside = Path(path).parent if scheme.startswith("sqlite") else self.directory
        return beside.absolute() / ".xinshi"

    def validity(self, message_class: MessageClass) -> float:
        """How many seconds a message of a class is good for, unless its sender says otherwise."""
        return {
            MessageClass.OTP: self.top.valid_otp,
            MessageClass.NOTICE: self.top.valid_notice,
            MessageClass.MARKETING: self.top.valid_marketing,
        }[message_class]


def load(path: str | Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read the configuration, or raise `ConfigurationError` with every fault in it.

    The file is `path`, else `XINSHI_CONFIG`, else `./xinshi.toml`; without any, the environment
    alone has to say something.
    """
    environ = os.environ if environ is None else environ
    named = path or environ.get("XINSHI_CONFIG")
    file = Path(named or FILE)
    overrides = _from_environment(environ)
    raw = _from_file(file) if named or file.exists() or not overrides else {}
    return parse(_merged(raw, overrides), file.absolute().parent, environ)


def parse(
    raw: Mapping[str, Any], directory: Path, environ: Mapping[str, str] | None = None
) -> Settings:
    """Check a configuration that was read into tables; `load` says what is raised."""
    problems: list[Problem] = []
    sections = raw.get("accounts", {})
    context = {"directory": directory, "environ": os.environ if environ is None else environ}
    of_top = {key: value for key, value in raw.items() if key != "accounts"}
    top = _checked(TopSettings, "", of_top, problems, context)
    accounts: dict[str, Account] = {}
    if not isinstance(sections, Mapping):
        problems.append(Problem("accounts", "has to be tables, one an account: [accounts.NAME]"))
        sections = {}
    for name, section in sections.items():
        account = _account(name, section, problems, context)
        if account is not None:
            accounts[name] = account
    if top is not None and not problems:
        problems += unfit(top.web, accounts, doors())
    if problems or top is None:
        raise ConfigurationError(problems)
    return Settings(top, accounts, directory)


def _account(
    name: str, section: Any, problems: list[Problem], context: Mapping[str, Any]
) -> Account | None:
    key = f"accounts.{name}"
    if not _NAME.fullmatch(name):
        problems.append(Problem(key, "a name is letters, digits, - and _, at most 64"))
        return None
    if not isinstance(section, Mapping):
        problems.append(Problem(key, f"has to be a table: [accounts.{name}]"))
        return None
    gateway = registered().get(str(section.get("gateway", "")))
    if gateway is None:
        problems.append(gateway_problem(key, section, sorted(registered())))
        return None
    settings = _checked(gateway.Settings, key, section, problems, context)
    return None if settings is None else Account(name, gateway(settings))


def _checked(
    model: type[BaseModel],
    key: str,
    section: Mapping[str, Any],
    problems: list[Problem],
    context: Mapping[str, Any],
) -> Any:
    try:
        return model.model_validate(dict(section), context=dict(context))
    except ValidationError as error:
        problems += explain(error, key, model)
        return None


def _from_file(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8-sig"))
    except FileNotFoundError:
        what = "there is no such file; write one, or name it with --config or XINSHI_CONFIG"
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        what = f"is not TOML: {error}"
    raise ConfigurationError([Problem(str(file), what)])


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for variable, value in environ.items():
        if not variable.startswith(PREFIX) or _RESERVED.match(variable):
            continue
        *tables, key = variable.removeprefix(PREFIX).lower().split("__")
        place = found
        for table in tables:
            place = place.setdefault(table, {})
        place[key] = value
    return found


def _merged(raw: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(raw)
    for key, value in overrides.items():
        below = merged.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            merged[key] = _merged(below, value)
        else:
            merged[key] = value
    return merged
