"""Decide whether an account may carry something now, looked at alone; if not, say why. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from worker.domain import segments
from worker.domain.enums import Carrier, MessageClass, NumberKind
from worker.domain.errors import Problem
from worker.domain.renderings import Rendering
from worker.domain.texts import emoji, findings, lookalikes
from worker.domain.timezone import SHANGHAI
from worker.gateways import contents
from worker.gateways.base import Account, Capabilities, Content
from worker.policy.account_health import HEALTHY, Health


@dataclass(frozen=True, slots=True)
class RoutingQuery:
    """What has to be carried, as far as that decides which account carries it."""

    message_class: MessageClass
    content: Content
    kinds: Collection[NumberKind]
    #: The time of the decision, aware: marketing has sending hours.
    at: datetime
    #: The account that the sender named.
    named_account: str | None = None
    #: Whether it is a single message.
    single: bool = False
    #: The carrier of a single message's number, where that is known.
    carrier: Carrier | None = None
    #: The account that may have the message already: it is chosen only if there is no other.
    tried_account: str | None = None
    #: How each account would send the registered template; None: the content goes as it is.
    renderings: Mapping[str, Rendering] | None = None
    #: Whether the messages have values of their own.
    personal: bool = False
    #: What cannot carry the messages in their form: bindings by id, accounts by name.
    barred: Collection[int | str] = ()


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """What is known of an account now, beyond its settings."""

    held: bool = False
    #: Whether a probe has to come before batches, and before single messages too.
    probe_before_batches: bool = False
    probe_before_singles: bool = False
    health: Health = HEALTHY
    #: How many submissions of the class may begin there now, and how many may be under way.
    free_slots: int = 1
    slots: int = 1


class Exclusion(StrEnum):
    """Why an account is not chosen from now; where several apply, the first of them."""

    #: It does not serve the class, or another account was named.
    CLASS = "class"
    #: It can never carry this: `AccountOption.problems` says why.
    CANNOT = "cannot"
    HELD = "held"
    #: Marketing waits for its sending hours.
    HOURS = "hours"
    #: It waits for a probe.
    DOUBT = "doubt"
    #: It may have the message already, and there is another account.
    TRIED = "tried"
    #: It has no free slot or no permit for a moment, or none beyond its share.
    FULL = "full"


@dataclass(frozen=True, slots=True)
class AccountOption:
    """An account as one of those that might carry something."""

    account: Account
    #: The share of its traffic that its health leaves it.
    share: float = 1.0
    #: Why it is not chosen from now; None where it may be chosen.
    exclusion: Exclusion | None = None
    problems: Sequence[Problem] = ()
    #: The seconds until its sending hours begin, where these exclude it.
    wait_seconds: float = 0.0
    #: How many submissions may begin there now.
    free_slots: int = 0
    #: The probability with which it is drawn.
    chance: float = 0.0


def candidates(
    accounts: Iterable[Account], message_class: MessageClass, named_account: str | None
) -> list[Account]:
    """Return the accounts that come into question: the named one, else those of the class."""
    return [account for account in accounts if _serves(account, message_class, named_account)]


def candidacy_problem(message_class: MessageClass, named_account: str | None) -> str:
    """Return why an account that is none of the candidates does not come into question."""
    return f"{named_account} was named" if named_account else f"does not serve {message_class}"


def _serves(account: Account, message_class: MessageClass, named_account: str | None) -> bool:
    if named_account:
        return account.name == named_account
    return account.settings.serves(message_class)


def problems(
    account: Account,
    content: Content,
    kinds: Collection[NumberKind],
    message_class: MessageClass,
) -> list[Problem]:
    """Return why an account cannot carry a content to numbers of these kinds; [] when it can.

    The rules for texts that the account refuses by are among the reasons; a gateway's template has
    no text of ours.
    """
    capabilities = account.gateway.capabilities
    body = account.gateway.body(content)
    return [
        *account.gateway.problems(content),
        *_text_problems(account.gateway.name, content, capabilities),
        *(
            Problem("to", f"{account.gateway.name} takes no {kind} numbers")
            for kind in set(kinds) - capabilities.kinds
        ),
        *_character_problems(account.gateway.name, content, body, capabilities),
        *_length_problems(account.gateway.name, body, capabilities),
        *_rule_problems(account, content, message_class),
    ]


def query_problems(account: Account, query: RoutingQuery) -> list[Problem]:
    """Return why an account can never carry what is asked; [] when it can.

    Of a registered template it is what the account would be sent that is looked at.
    """
    if query.renderings is None:
        if account.name in query.barred:
            return [Problem("text", f"{account.name} refused it in this form")]
        return problems(account, query.content, query.kinds, query.message_class)
    if account.name not in query.renderings:
        return [Problem("template", f"has no binding at {account.name} that can be used for this")]
    return problems(account, sent_content(account, query), query.kinds, query.message_class)


def sent_content(account: Account, query: RoutingQuery) -> Content:
    """Return the content as an account is sent it: rendered, where it is of a template.

    Where the messages have values of their own, its text still has the placeholders.
    """
    rendering = query.renderings.get(account.name) if query.renderings else None
    if rendering is None:
        return query.content
    values = None if query.personal else query.content.variables
    return contents.rendered(query.content, rendering, values)


def can_carry(accounts: Iterable[Account], query: RoutingQuery) -> bool:
    """Tell whether any account could carry what is asked, once it is free, open and trusted."""
    return any(
        not query_problems(account, query)
        for account in candidates(accounts, query.message_class, query.named_account)
    )


def _rule_problems(
    account: Account, content: Content, message_class: MessageClass
) -> list[Problem]:
    if content.template and not content.rendered:
        return []
    rules = account.settings.text_rules[message_class]
    return findings.refusals(content.text, rules, content.extension)


def _character_problems(
    gateway_name: str, content: Content, body: str, capabilities: Capabilities
) -> list[Problem]:
    """Return the first fault in the characters of a text, if it has one."""
    if "\0" in body or any("\0" in value for value in content.variables.values()):
        return [Problem("text", "holds a NUL character; remove it")]
    unencodable = _unencodable(body, capabilities.charset)
    if unencodable:
        cannot_say = f"{gateway_name} cannot say {_describe(unencodable)} in {capabilities.charset}"
        return [Problem("text", cannot_say + lookalikes.substitution(unencodable))]
    if not capabilities.emoji:
        first_emoji = emoji.first(body)
        if first_emoji:
            return [Problem("text", f"{gateway_name} takes no emoji ({_describe(first_emoji)})")]
    return []


def _text_problems(
    gateway_name: str, content: Content, capabilities: Capabilities
) -> list[Problem]:
    if content.template is not None or capabilities.texts:
        return []
    return [Problem("text", f"{gateway_name} takes templates only; name one")]


def _length_problems(gateway_name: str, body: str, capabilities: Capabilities) -> list[Problem]:
    if capabilities.longest is None or segments.length(body) <= capabilities.longest:
        return []
    too_long = (
        f"{gateway_name} takes {capabilities.longest} characters and this is"
        f" {segments.length(body)}; shorten it"
    )
    return [Problem("text", too_long)]


def _unencodable(text: str, charset: str) -> str | None:
    """Return the first character that a charset lacks; None when it has all of them."""
    try:
        text.encode(charset)
    except UnicodeEncodeError as error:
        return text[error.start]
    return None


def _describe(character: str) -> str:
    return f"“{character}” (U+{ord(character[0]):04X})"


def assess(account: Account, query: RoutingQuery, status: AccountStatus) -> AccountOption:
    """Return an account as an option, excluded where it cannot carry what is asked now.

    Only the account itself is looked at: its slots are compared with those of others in
    `worker.policy.routing`.
    """
    share = status.health.share_of(query.carrier)
    if not _serves(account, query.message_class, query.named_account):
        return AccountOption(account, share, Exclusion.CLASS)
    carrying_problems = query_problems(account, query)
    if carrying_problems:
        return AccountOption(account, share, Exclusion.CANNOT, carrying_problems)
    if status.held:
        return AccountOption(account, share, Exclusion.HELD)
    if query.message_class is MessageClass.MARKETING:
        wait_seconds = seconds_until_open(account, query.at)
        if wait_seconds > 0:
            return AccountOption(account, share, Exclusion.HOURS, wait_seconds=wait_seconds)
    in_doubt = status.probe_before_singles if query.single else status.probe_before_batches
    return AccountOption(account, share, Exclusion.DOUBT if in_doubt else None)


def seconds_until_open(account: Account, at: datetime) -> float:
    """Return the seconds until marketing may be sent through an account; 0 when it may be now."""
    local_time = at.astimezone(SHANGHAI)
    hours = account.settings.sending_hours
    if hours.contains(local_time.time()):
        return 0.0
    opening = local_time.replace(
        hour=hours.start.hour, minute=hours.start.minute, second=0, microsecond=0
    )
    if opening <= local_time:
        opening += timedelta(days=1)
    return (opening - local_time).total_seconds()
