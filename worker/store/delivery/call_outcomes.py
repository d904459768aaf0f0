"""What is written of a call: the state of its submission, and what becomes of each recipient."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from worker.domain.enums import SubmissionState
from worker.domain.message_ranges import MessageRange
from worker.gateways.results import Result
from worker.store.delivery.claims import Lease


@dataclass(frozen=True, slots=True)
class RecipientGroup:
    """The recipients of a call that fared alike, by their positions in it."""

    state: SubmissionState
    result: Result
    positions: Sequence[int]


@dataclass(frozen=True, slots=True)
class Fates:
    """What becomes of the recipients of a call."""

    #: The state of the submission and the result, of all that are named nowhere below.
    state: SubmissionState
    result: Result
    #: Those that end because they were refused, by position.
    refused: Mapping[int, Result] = field(default_factory=dict)
    #: Those that get a submission of their own: they go on (`not_sent`), or are in doubt.
    apart: Sequence[RecipientGroup] = ()


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """What is written of one call."""

    lease: Lease
    fates: Fates
    #: The messages that were called, in the order of the call; () where nothing tells them apart.
    ranges: Sequence[MessageRange] = ()
    #: The gateway's ids of the messages, in the order of the call; () where the call has one.
    gateway_ids: Sequence[str | None] = ()
    #: The numbers that were called, where they are known; they are written nowhere.
    numbers: tuple[str, ...] = field(default=(), repr=False)

    @property
    def state(self) -> SubmissionState:
        """The state that the submission takes."""
        return self.fates.state

    @property
    def result(self) -> Result:
        """The result of those recipients that stay in the submission."""
        return self.fates.result

    @property
    def verdicts(self) -> Sequence[Result]:
        """Every result that the gateway gave, of those that stay first."""
        apart = [group.result for group in self.fates.apart]
        return [self.fates.result, *apart, *dict.fromkeys(self.fates.refused.values())]

    @property
    def tells_apart(self) -> bool:
        """Whether some recipients fared otherwise than those that stay."""
        return bool(self.fates.refused or self.fates.apart)
