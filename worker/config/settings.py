"""Read the configuration, once: one TOML file and `XINSHI_…` environment variables.

`load` reports every fault at once, each with its key or variable, and suggests the nearest name for
a misspelt one. An environment variable wins over the file. A secret that cannot be read here is no
fault of the whole: `worker.config.secret_places.require_secrets` finds all of them.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from worker.config import credentials, environment, server_urls
from worker.config.credentials import Logins
from worker.config.problems import explain, gateway_problem
from worker.config.setting_names import known_keys
from worker.config.web_settings import WebSettings, mismatches
from worker.domain.durations import Duration
from worker.domain.enums import MessageClass
from worker.domain.errors import ConfigurationError, Problem
from worker.domain.recipient_windows import Window, Windows
from worker.domain.secret_fields import OwnSecret
from worker.domain.texts.reply_folding import ReplyWord, compact
from worker.domain.texts.reply_vocabulary import OPT_IN_WORDS, OPT_OUT_WORDS
from worker.domain.texts.reply_words import ReplyWords
from worker.domain.texts.rule_tables import TextTables
from worker.domain.texts.rules import TextRules, shared_rules
from worker.gateways.base import Account
from worker.gateways.registry import doors_by_gateway, gateway_classes

DEFAULT_FILE = "xinshi.toml"
_ACCOUNT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class TopSettings(BaseModel):
    """The keys outside of `[accounts]`. Durations are in seconds once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    #: Any SQLAlchemy URL of SQLite, PostgreSQL (psycopg) or MySQL and MariaDB (pymysql).
    database_url: str = "sqlite:///xinshi.db"
    #: Whether a transaction pooler, as PgBouncer is, stands before PostgreSQL.
    database_pooler: bool = False
    #: `embedded`, or the URL of Redis, Sentinel or RabbitMQ.
    broker_url: str = "embedded"
    #: The throttle's Redis; None means the broker, when that is Redis or embedded.
    redis_url: str | None = None
    #: Where this machine keeps its spool and the embedded server: on a volume that lasts. None
    #: means `.xinshi` beside the SQLite database, else beside this file.
    state_dir: str | None = None
    #: Whether messages are taken through the broker by a Celery task, numbers and texts included.
    celery_door: bool = False
    #: How long a claim holds beyond its account's `timeout`, before others may take it over.
    lease: Annotated[Duration, Field(gt=0, le=600)] = 15.0
    #: How often each process looks for work by itself.
    look_every: Annotated[Duration, Field(gt=0, le=60)] = 1.0
    #: How often leases and validities that are over, and reports without a message, are swept.
    sweep_every: Annotated[Duration, Field(gt=0, le=600)] = 5.0
    #: How often each account's share of the traffic is adapted to how the account did.
    health_every: Annotated[Duration, Field(gt=0, le=600)] = 10.0
    #: A report that comes later than this counts against its account.
    reports_within: Annotated[Duration, Field(gt=0, le=24 * 3600)] = 300.0
    #: After this time a message without a report is closed out, and shown as such.
    close_out_after: Annotated[Duration, Field(gt=0)] = 72 * 3600.0
    #: How long a message may wait, by class, unless its sender says otherwise.
    valid_otp: Annotated[Duration, Field(gt=0)] = 300.0
    valid_notice: Annotated[Duration, Field(gt=0)] = 24 * 3600.0
    valid_marketing: Annotated[Duration, Field(gt=0)] = 24 * 3600.0
    #: Whether opt-outs hold for notices too; they always hold for marketing, never for otp.
    opt_out_notice: bool = False
    #: What a reply has to say, as a whole, to opt its number out, or in again.
    opt_out_words: Annotated[tuple[ReplyWord, ...], Field(min_length=1)] = OPT_OUT_WORDS
    opt_in_words: tuple[ReplyWord, ...] = OPT_IN_WORDS
    #: The rules for texts, where an account has none of its own.
    texts: TextTables = TextTables()
    #: How often one number may be called over all accounts and campaigns.
    per_msisdn: Windows = ()
    #: What the secrets of callbacks are derived from; two while they are changed.
    callback_secrets: Annotated[tuple[OwnSecret, ...], Field(max_length=2)] = ()
    #: Networks that callbacks may reach by plain HTTP, also private ones; https:// to public
    #: addresses always may.
    callback_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    #: How many callbacks a sender may have in use at a time.
    max_callbacks: Annotated[int, Field(ge=1)] = 100
    #: What carries requests to gateways: Xinshi's own transport, or the slower one of httpx.
    transport: Literal["own", "httpx"] = "own"
    log_level: str = "INFO"
    #: The web process, in a table of its own.
    web: WebSettings = WebSettings()

    @field_validator(
        "callback_secrets", "callback_networks", "opt_out_words", "opt_in_words", mode="before"
    )
    @classmethod
    def _one_or_more(cls, value: object) -> object:
        return [value] if isinstance(value, str | Mapping) else value

    @field_validator("opt_in_words")
    @classmethod
    def _not_both(cls, words: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        opt_out_words = set(map(compact, info.data.get("opt_out_words", ())))
        both = [word for word in words if compact(word) in opt_out_words]
        if both:
            msg = f"{both[0]} is among opt_out_words; a word asks for one of the two"
            raise ValueError(msg)
        return words

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
        return server_urls.broker(url)

    @field_validator("redis_url")
    @classmethod
    def _redis(cls, url: str | None) -> str | None:
        return None if url is None else server_urls.redis(url)

    @field_validator("database_url")
    @classmethod
    def _database(cls, url: str) -> str:
        return server_urls.database(url)


@dataclass(frozen=True)
class Settings:
    """The configuration, checked, as all other rooms use it."""

    top: TopSettings
    accounts: Mapping[str, Account]
    #: The directory of the file, at which relative paths start.
    directory: Path
    #: The file; None when all of it was given otherwise.
    file: Path | None = None
    #: What is odd about the environment, and stops nothing.
    warnings: tuple[Problem, ...] = ()

    @property
    def opt_out_classes(self) -> list[str]:
        """The classes for which opt-outs hold; otp is never among them."""
        classes = [MessageClass.MARKETING.value]
        return [*classes, MessageClass.NOTICE.value] if self.top.opt_out_notice else classes

    @cached_property
    def shared_text_rules(self) -> Mapping[MessageClass, TextRules]:
        """The rules for texts of each class that are the same at all accounts.

        A class is left out where accounts differ.
        """
        of_accounts = [account.settings.text_rules for account in self.accounts.values()]
        return shared_rules(of_accounts or [self.top.texts.rules_by_class()])

    @cached_property
    def reply_words(self) -> ReplyWords:
        """The words by which replies are read."""
        return ReplyWords(self.top.opt_out_words, self.top.opt_in_words)

    def accounts_sharing_login(self, account: str) -> list[str]:
        """Return the names of the accounts with this account's login, its own name first.

        A gateway gives what it keeps for one of them to the first of them that asks.
        """
        configured = self.accounts.get(account)
        if configured is None:
            return [account]
        others = (
            name
            for name, other in self.accounts.items()
            if name != account and other.login == configured.login
        )
        return [account, *others]

    @cached_property
    def logins(self) -> Logins:
        """The fingerprints of the accounts' logins; slow the first time that they are asked for.

        A login whose secret cannot be read here has none.
        """
        return credentials.logins_of(self.accounts)

    @cached_property
    def per_msisdn(self) -> Mapping[str, Mapping[str, frozenset[Window]]]:
        """The limits for each number: by account, then by the key that calls are counted under.

        Accounts with the same login count together, under the first of their names and by the
        limits of all of them; the key "" counts the calls of all accounts. An account without
        limits is left out.
        """
        limits_by_account = {}
        for account_name in self.accounts:
            sharing = self.accounts_sharing_login(account_name)
            windows_of_login = frozenset(
                window for name in sharing for window in self.accounts[name].settings.per_msisdn
            )
            limits = {min(sharing): windows_of_login, "": frozenset(self.top.per_msisdn)}
            limits_by_account[account_name] = {
                key: windows for key, windows in limits.items() if windows
            }
        return {name: limits for name, limits in limits_by_account.items() if limits}

    @property
    def database_url(self) -> str:
        """The URL of the database, with the path of an SQLite file made absolute."""
        scheme, slashes, path = self.top.database_url.partition(":///")
        if scheme.partition("+")[0] != "sqlite" or path in {"", ":memory:"} or path[0] == "/":
            return self.top.database_url
        return f"{scheme}{slashes}{(self.directory / path).absolute()}"

    @property
    def state_folder(self) -> Path:
        """The directory of this machine's own state: its spool and its embedded server."""
        if self.top.state_dir is not None:
            return (self.directory / Path(self.top.state_dir).expanduser()).absolute()
        scheme, _, path = self.database_url.partition(":///")
        parent = Path(path).parent if scheme.startswith("sqlite") else self.directory
        return parent.absolute() / ".xinshi"

    def valid_seconds(self, message_class: MessageClass) -> float:
        """Return for how long a message of a class is valid, unless its sender says otherwise."""
        return self._valid_seconds[message_class]

    @cached_property
    def _valid_seconds(self) -> Mapping[MessageClass, float]:
        return {
            MessageClass.OTP: self.top.valid_otp,
            MessageClass.NOTICE: self.top.valid_notice,
            MessageClass.MARKETING: self.top.valid_marketing,
        }


def load(path: str | Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read the configuration, or raise `ConfigurationError` with every fault in it.

    The file is `path`, else `XINSHI_CONFIG`, else `./xinshi.toml`. Without any of them the
    environment has to hold at least one setting.
    """
    environ = os.environ if environ is None else environ
    named_file = path or environ.get("XINSHI_CONFIG")
    file = Path(named_file or DEFAULT_FILE)
    is_read = bool(named_file or file.exists())
    raw = read_file(file) if is_read else {}
    overrides = environment.read(environ, list(known_keys(TopSettings, raw)))
    if not (is_read or overrides.tables or overrides.problems):
        raise ConfigurationError([_no_file(file)])
    problems = overrides.problems
    try:
        merged = environment.merge(raw, overrides.tables)
        settings = parse(merged, file.absolute().parent, environ)
    except ConfigurationError as error:
        problems = [*problems, *map(overrides.named, error.problems)]
    if problems:
        raise ConfigurationError(problems)
    return replace(
        settings, file=file.absolute() if is_read else None, warnings=tuple(overrides.warnings)
    )


def parse(
    raw: Mapping[str, Any], directory: Path, environ: Mapping[str, str] | None = None
) -> Settings:
    """Check a configuration given as tables; raises `ConfigurationError` as `load` does."""
    problems: list[Problem] = []
    sections = raw.get("accounts", {})
    context: dict[str, Any] = {
        "directory": directory,
        "environ": os.environ if environ is None else environ,
    }
    top_level = {key: value for key, value in raw.items() if key != "accounts"}
    top = _validate(TopSettings, "", top_level, problems, context)
    if top is not None:
        context["texts"] = top.texts
    accounts: dict[str, Account] = {}
    if not isinstance(sections, Mapping):
        problems.append(Problem("accounts", "has to be tables, one an account: [accounts.NAME]"))
        sections = {}
    for name, section in sections.items():
        account = _read_account(name, section, problems, context)
        if account is not None:
            accounts[name] = account
    if top is not None and not problems:
        problems += mismatches(top.web, accounts, doors_by_gateway())
    if problems or top is None:
        raise ConfigurationError(problems)
    return Settings(top, accounts, directory)


def _read_account(
    name: str, section: Any, problems: list[Problem], context: Mapping[str, Any]
) -> Account | None:
    """Return an account of the configuration; None after adding what is wrong to `problems`."""
    key = f"accounts.{name}"
    if not _ACCOUNT_NAME.fullmatch(name):
        problems.append(Problem(key, "a name is letters, digits, - and _, at most 64"))
        return None
    if not isinstance(section, Mapping):
        problems.append(Problem(key, f"has to be a table: [accounts.{name}]"))
        return None
    gateway = gateway_classes().get(str(section.get("gateway", "")))
    if gateway is None:
        problems.append(gateway_problem(key, section, sorted(gateway_classes())))
        return None
    settings = _validate(gateway.Settings, key, section, problems, {**context, "key": key})
    return None if settings is None else Account(name, gateway(settings))


def _validate(
    model: type[BaseModel],
    key: str,
    section: Mapping[str, Any],
    problems: list[Problem],
    context: Mapping[str, Any],
) -> Any:
    """Return a section as its schema reads it; None after adding what is wrong to `problems`."""
    try:
        return model.model_validate(dict(section), context=dict(context))
    except ValidationError as error:
        problems += explain(error, key, model, () if key else ("accounts",))
        return None


def read_file(file: Path) -> dict[str, Any]:
    """Return the tables of a configuration's file; raises `ConfigurationError` if it has none."""
    try:
        return tomllib.loads(file.read_text("utf-8-sig"))
    except FileNotFoundError:
        raise ConfigurationError([_no_file(file)]) from None
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        reason = f"is not TOML: {error}"
    raise ConfigurationError([Problem(str(file), reason)])


def _no_file(file: Path) -> Problem:
    reason = "there is no such file; write one, or name it with --config or XINSHI_CONFIG"
    return Problem(str(file), reason)
