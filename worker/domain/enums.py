"""List the closed vocabularies: every state, class, outcome and scope that Xinshi knows.

These words stand in tables, the API, the command line, logs and documents alike; the moves between
states are in `worker.domain.transitions`. This module imports nothing of ours.
"""

from enum import StrEnum


class MessageClass(StrEnum):
    """What a message is, and so what may be done with it."""

    #: A login code: never delayed by others, worthless after minutes, may be sent once more.
    OTP = "otp"
    #: An order notice: the default.
    NOTICE = "notice"
    #: Advertising: sending hours and opt-outs apply.
    MARKETING = "marketing"


class MessageState(StrEnum):
    """Where a message is. The last five, `submitted` and the two report states are ends."""

    #: Accepted from its sender and waiting; set by `enqueue` or by a way back from `submitting`.
    QUEUED = "queued"
    #: Claimed by a worker, or its request is under way.
    SUBMITTING = "submitting"
    #: The gateway took it. An end where the account has no reports.
    SUBMITTED = "submitted"
    #: A report says that the handset has it. Never overwritten by a lesser report.
    DELIVERED = "delivered"
    #: A report says that it did not arrive.
    UNDELIVERED = "undelivered"
    #: The gateway, or every account, said no for good.
    REJECTED = "rejected"
    #: Its time was over before it was sent; provably never sent.
    EXPIRED = "expired"
    #: Taken back by its sender; provably never sent.
    CANCELLED = "cancelled"
    #: The recipient has opted out; provably never sent.
    SUPPRESSED = "suppressed"
    #: Nobody knows whether the gateway took it: shown, and settled by evidence.
    UNKNOWN = "unknown"


class SubmissionState(StrEnum):
    """Where a submission is: one request to a gateway, carrying messages with one text."""

    #: Waits for its time (`next_at`).
    PLANNED = "planned"
    #: Written ahead, and held by a worker until `lease_until`: from this commit on the outcome is
    #: unknown until proven otherwise.
    IN_FLIGHT = "in_flight"
    #: The gateway took its messages.
    ACCEPTED = "accepted"
    #: The gateway refused its messages for good.
    REJECTED = "rejected"
    #: The gateway provably took none; the messages went elsewhere (a later submission, or an end).
    NOT_SENT = "not_sent"
    #: The call ended without a readable answer.
    UNKNOWN = "unknown"


class CampaignState(StrEnum):
    """Where a campaign is."""

    #: Its recipients are still coming in; nothing is sent.
    LOADING = "loading"
    #: Wholly loaded, and waiting for a person to start it.
    READY = "ready"
    #: Started, and its time has not come: so `running` is shown until `not_before`; never stored.
    SCHEDULED = "scheduled"
    #: Its messages are handed out.
    RUNNING = "running"
    #: Stopped by a person; nothing new is submitted until it is resumed.
    PAUSED = "paused"
    #: No message of it is queued or submitting any more.
    DONE = "done"
    #: Stopped for good; what was not yet submitted is `cancelled`.
    CANCELLED = "cancelled"


class LeftOutReason(StrEnum):
    """Why a row of a list became no message of its campaign."""

    #: It cannot be sent to as it stands.
    INVALID = "invalid"
    #: Its number stands in an earlier row.
    REPEATED = "repeated"
    #: Its number has opted out.
    SUPPRESSED = "suppressed"


class Outcome(StrEnum):
    """Our reading of what became of a message in one call."""

    ACCEPTED = "accepted"
    #: Refused for good; the message ends.
    REJECTED = "rejected"
    #: Refused for now; later again, and it counts as an attempt.
    DEFERRED = "deferred"
    #: Refused because of our pace; later again, and it counts as no attempt.
    THROTTLED = "throttled"
    #: The account is at fault, not the message; the message goes back, the account is held.
    ACCOUNT_HELD = "account_held"
    #: No byte of it left this machine; only the transport can say that.
    NOT_SENT = "not_sent"
    #: The code is in no table, or there is no answer that can be read: never a guess.
    UNKNOWN = "unknown"


class Fault(StrEnum):
    """Whose fault a refusal is, where the gateway's code table says so."""

    #: One number of the batch: the others can go.
    NUMBER = "number"
    #: The text, the same for all: never split.
    TEXT = "text"
    #: The values or the text in this form: another account's template may take the message.
    RENDERING = "rendering"
    #: The account's signature or template: its binding is paused, and the message goes elsewhere.
    BINDING = "binding"
    #: The form of the request: ours to mend.
    REQUEST = "request"
    #: The login: the same one once more is refused once more, and may lock the account.
    LOGIN = "login"
    #: Funds, permission, a lock.
    ACCOUNT = "account"
    #: The gateway itself.
    GATEWAY = "gateway"
    #: Something between us and the gateway, which answered in its place.
    NETWORK = "network"


class Advice(StrEnum):
    """What a code table tells us to do after a refusal, beyond its outcome."""

    #: We are too fast for the account: slow it down.
    SLOW_DOWN = "slow_down"
    #: Too many single submissions: gather equal texts into fewer.
    GATHER = "gather"
    #: This recipient has to wait at this account: for `Result.wait` seconds, or for the next day.
    RECIPIENT_UNTIL = "recipient_until"
    #: Vague: send again only after the sent counter proved that nothing was taken.
    ASK_COUNTER = "ask_counter"
    #: Once more at once with a fresh request; if that fails too, the account is at fault.
    ONCE_MORE = "once_more"

    @classmethod
    def _missing_(cls, value: object) -> "Advice | None":
        """Read the two words that `recipient_until` has replaced."""
        is_old = value in ("recipient_second", "recipient_day")
        return cls.RECIPIENT_UNTIL if is_old else None


class RegistrationState(StrEnum):
    """Whether a signature, or an account's binding of a template, may be used."""

    #: Not approved yet by its vendor.
    DRAFT = "draft"
    APPROVED = "approved"
    #: Its vendor refused it.
    REFUSED = "refused"
    #: A person paused it, or the gateway's answers and reports did.
    PAUSED = "paused"


class PlanKind(StrEnum):
    """How an account takes the values of a template."""

    #: By the vendor's names, as an object.
    OBJECT = "object"
    #: In the vendor's order, as an array.
    POSITIONS = "positions"
    #: In the vendor's order, beside a text with the vendor's own placeholders.
    GROUPS = "groups"
    #: Filled in here: the account takes whole texts.
    TEXT = "text"


class ReportStatus(StrEnum):
    """A delivery report, classified; the gateway's literal is always kept beside it."""

    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    #: The gateway itself does not know, or not yet.
    UNKNOWN = "unknown"


class ReplyMeaning(StrEnum):
    """What a reply asks for, where it asks for anything of the kind."""

    #: No more advertising: its number is opted out.
    OUT = "out"
    #: Advertising again.
    IN = "in"
    #: Perhaps one of these: a person has to read it.
    NEAR = "near"
    #: None of these: a person has read it.
    NONE = "none"


class OptOutScope(StrEnum):
    """What an opt-out stops."""

    #: Marketing, and notices where `opt_out_notice` is set.
    MARKETING = "marketing"
    #: Everything, codes too: only a person says so.
    ALL = "all"


class OptOutSource(StrEnum):
    """Where an opt-out came from."""

    #: A text of the number itself.
    REPLY = "reply"
    #: A person entered it.
    PERSON = "person"
    #: An application, with an API key.
    API = "api"
    #: A list.
    IMPORT = "import"
    #: A complaint, to the carrier or a ministry.
    COMPLAINT = "complaint"
    #: A vendor's blacklist.
    VENDOR = "vendor"


class OptOutAct(StrEnum):
    """What became of an opt-out."""

    #: The number had none.
    ADDED = "added"
    #: It stops more, or less, than before.
    CHANGED = "changed"
    #: It was taken back.
    REMOVED = "removed"
    #: A vendor's report calls the number blacklisted; nothing is stopped by that.
    SUGGESTED = "suggested"


class TextRule(StrEnum):
    """What may be found in a text, each at a level that a configuration sets."""

    #: It has none, or one that a gateway may not see.
    SIGNATURE = "signature"
    #: It has two, or one beside that which the account adds itself.
    SECOND_SIGNATURE = "second_signature"
    #: It does not say how to refuse more of it, or not in the words that are set.
    WAY_OUT = "way_out"
    #: It has a link.
    LINK = "link"
    #: It has a link that handsets take for longer, or shorter, than it is.
    BROKEN_LINK = "broken_link"
    #: It has a phone number.
    PHONE_NUMBER = "phone_number"
    #: It has an emoji.
    EMOJI = "emoji"
    #: It has a blank or a mark that GBK lacks, and that looks like another one.
    LOOKALIKE = "lookalike"
    #: It has more segments than are set.
    PARTS = "parts"
    #: It goes under an extension that belongs to another signature.
    EXTENSION = "extension"


class TextLevel(StrEnum):
    """What is done about a text in which a rule finds something; each is stricter than the last."""

    #: The rule is not looked at.
    OFF = "off"
    #: A person is told, and it is sent.
    WARN = "warn"
    #: The account does not carry it.
    REFUSE = "refuse"


class Reports(StrEnum):
    """How reports reach us from an account."""

    NONE = "none"
    PULL = "pull"
    PUSH = "push"


class NumberKind(StrEnum):
    """What a number is, by its form."""

    MOBILE = "mobile"
    LANDLINE = "landline"
    #: 13 digits, mainland machine-to-machine.
    IOT = "iot"


class Scope(StrEnum):
    """What an API key may do; any key may ask whether it is valid."""

    #: Send and take back single messages, and see which templates there are.
    SEND = "send"
    #: Look up its own messages, and the replies to them.
    READ = "read"
    #: Load, run, pause, cancel and export its own campaigns.
    CAMPAIGNS = "campaigns"
    #: Read all replies, those that answer nobody's message too.
    INBOUND = "inbound"
    #: See, add and take back opt-outs.
    OPT_OUTS = "opt-outs"
    #: Open the pages: all messages, replies and campaigns, with the numbers masked.
    LOOK = "look"
    #: See the accounts, their holds and what is left there; add and pause templates; on the pages,
    #: also act.
    OPERATE = "operate"


class Carrier(StrEnum):
    """Who gave a mobile number out, as its beginning says: for statistics only."""

    CHINA_MOBILE = "china_mobile"
    CHINA_UNICOM = "china_unicom"
    CHINA_TELECOM = "china_telecom"
    CHINA_BROADNET = "china_broadnet"
    #: Operators without a network of their own.
    VIRTUAL = "virtual"
