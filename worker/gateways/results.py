"""Values that gateways are read into: results of calls, reports, inbound messages, balances."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Generic, Self, TypeVar

from worker.domain.enums import (
    Advice,
    Fault,
    Outcome,
    ReportStatus,
)

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Result:
    """How an answer is read: what became of the messages (or of any other call).

    `code` is the gateway's own word, kept raw; `words` is what it said beside it. `hold` is in
    seconds and goes with `account_held`; None there means until a person or a probe releases it.
    """

    outcome: Outcome
    code: str = ""
    words: str = ""
    gateway_id: str | None = None
    fault: Fault | None = None
    advice: Advice | None = None
    hold: float | None = None
    #: False when the code stands in no table, the gateway's or the account's own.
    mapped: bool = True
    #: For so many seconds the gateway wants no further call, where it says so.
    retry_after: float | None = None
    #: With `recipient_until`: for how many seconds the recipient waits; None: for the next day.
    wait: float | None = None


@dataclass(frozen=True, slots=True)
class Results:
    """What became of each message of a submission, by its position there.

    `default` is the result of all that `per_recipient` does not name. `gateway_ids` are the
    gateway's ids of the messages, in their order; () where the call has one id, or none.
    """

    default: Result
    per_recipient: Mapping[int, Result] = field(default_factory=dict)
    gateway_ids: Sequence[str | None] = ()
    #: True where the answer told of each message by itself: no result is one of the whole call.
    by_recipient: bool = False

    @classmethod
    def of_recipients(cls, results: Sequence[Result]) -> Self:
        """Return the results of an answer that tells of each message, in the order of these.

        What most of them share is the default; their ids stand apart.
        """
        shared = [replace(result, gateway_id=None) for result in results]
        ((default, _),) = Counter(shared).most_common(1)
        gateway_ids = tuple(result.gateway_id for result in results)
        return cls(
            default,
            {position: result for position, result in enumerate(shared) if result != default},
            gateway_ids if any(gateway_ids) else (),
            by_recipient=True,
        )


@dataclass(frozen=True, slots=True)
class Report:
    """One delivery report as the gateway gave it.

    It names its submission by our `reference`, by the gateway's own id, or by neither; `msisdn` may
    be masked (`135****9831`). `code` is the literal status. `reported_at` is aware, or None.
    """

    msisdn: str
    status: ReportStatus
    code: str
    reference: str | None = None
    gateway_id: str | None = None
    words: str = ""
    reported_at: datetime | None = None
    #: `binding` where the status says that the signature or template is not registered.
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """One text from a handset as the gateway gave it.

    `extension` is the sub-extension it was sent to, where the gateway tells; `service_number` the
    whole number it was sent to. `received_at` is aware, or None.
    """

    msisdn: str
    text: str
    extension: str | None = None
    service_number: str | None = None
    gateway_id: str | None = None
    received_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SentRow:
    """A message that the gateway says it was given, as it shows it when asked by number and time.

    `reference` is ours as it was sent, of the submission or of the message; `text` the whole text,
    where the gateway shows it.
    """

    msisdn: str
    reference: str | None = None
    text: str | None = None
    gateway_id: str | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """The page that one read returned: its items, or why the gateway refused.

    `refusal` is None when the read succeeded; `damaged` counts rows that could not be read, which
    stay in the raw page for a later parse.
    """

    items: tuple[Item, ...] = ()
    refusal: Result | None = None
    damaged: int = 0


@dataclass(frozen=True, slots=True)
class Pool:
    """One stock of texts or money at the gateway. `remaining` is in the gateway's own unit."""

    name: str
    remaining: int | None
    postpaid: bool = False
    #: True for the pool that this account's submissions draw on.
    used: bool = True


@dataclass(frozen=True, slots=True)
class Balance:
    """What is left at the gateway, by pool, or why the gateway refused to say."""

    pools: tuple[Pool, ...] = ()
    refusal: Result | None = None


@dataclass(frozen=True, slots=True)
class SentCount:
    """How many texts the gateway says that the account has ever sent, or its refusal."""

    sent: int | None = None
    refusal: Result | None = None


@dataclass(frozen=True, slots=True)
class PushContents:
    """The contents of a push: reports, inbound messages, or both; `damaged` as in `Page`."""

    reports: tuple[Report, ...] = ()
    inbound: tuple[InboundMessage, ...] = ()
    damaged: int = 0
