"""Names the reasons why something waits, and says each of them in English and Chinese."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from worker.domain.timezone import SHANGHAI


class WaitKind(StrEnum):
    """What a message or a campaign waits for."""

    #: Its campaign is not wholly loaded.
    LOADING = "loading"
    #: Its campaign has no recipients.
    EMPTY = "empty"
    #: Its campaign waits for a person to start it.
    NOT_STARTED = "not_started"
    #: A person paused its campaign.
    PAUSED = "paused"
    #: Its time has not come.
    NOT_BEFORE = "not_before"
    #: A person stopped its class.
    STOPPED = "stopped"
    #: No worker runs.
    NO_WORKER = "no_worker"
    #: Its number was called as often as it may be for now.
    RECIPIENT_LIMIT = "recipient_limit"
    #: A gateway did not take it; it is tried again later.
    RETRY = "retry"
    #: Its batch was split for bad numbers so often that a person has to look.
    SPLIT = "split"
    #: No account serves its class.
    NO_ACCOUNT = "no_account"
    #: An account that could carry it is held.
    HELD = "held"
    #: An account that could carry it waits for a probe.
    DOUBT = "doubt"
    #: An account that could carry it is outside of its sending hours.
    HOURS = "hours"
    #: An account can never carry it.
    CANNOT = "cannot"


#: By language: the sentence of each kind. An account's name stands before it.
SENTENCES: Mapping[str, Mapping[WaitKind, str]] = {
    "en": {
        WaitKind.LOADING: "it is not wholly loaded; what loads it may be repeated",
        WaitKind.EMPTY: "nobody is in it: {advice} drops it",
        WaitKind.NOT_STARTED: "it is not started: {advice}",
        WaitKind.PAUSED: "it is paused: {advice}",
        WaitKind.NOT_BEFORE: "not before {until}",
        WaitKind.STOPPED: "{why}; {advice} lets it go on",
        WaitKind.NO_WORKER: "no worker runs: {advice}",
        WaitKind.RECIPIENT_LIMIT: "its number was called as often as it may be until {until}",
        WaitKind.RETRY: "{why}; tried again at {until}",
        WaitKind.SPLIT: "its batch was split too often: {advice}",
        WaitKind.NO_ACCOUNT: "no account serves its class",
        WaitKind.HELD: "held: {why}; {advice}",
        WaitKind.DOUBT: "{why}: it waits for its probe",
        WaitKind.HOURS: "its sending hours begin at {until}",
        WaitKind.CANNOT: "{why}",
    },
    "zh": {
        WaitKind.LOADING: "尚未全部载入；可以重复载入的操作",
        WaitKind.EMPTY: "没有收件人：{advice}",
        WaitKind.NOT_STARTED: "尚未启动：{advice}",
        WaitKind.PAUSED: "已暂停：{advice}",
        WaitKind.NOT_BEFORE: "{until} 之后发送",
        WaitKind.STOPPED: "{why}；{advice} 可恢复",
        WaitKind.NO_WORKER: "没有 worker 在运行：{advice}",
        WaitKind.RECIPIENT_LIMIT: "该号码的发送次数已达上限，{until} 之后再发",
        WaitKind.RETRY: "{why}；{until} 重试",
        WaitKind.SPLIT: "所在批次因坏号拆分次数过多：{advice}",
        WaitKind.NO_ACCOUNT: "没有账户服务这一类别",
        WaitKind.HELD: "已停用：{why}；{advice}",
        WaitKind.DOUBT: "{why}：等待探测",
        WaitKind.HOURS: "发送时段从 {until} 开始",
        WaitKind.CANNOT: "{why}",
    },
}


#: The sentence of a doubt whose next probe has a time.
PROBED = {
    "en": "{why}: the next submission asks at {until}",
    "zh": "{why}：{until} 由下一次提交探测",
}


@dataclass(frozen=True, slots=True)
class WaitCause:
    """One reason why something waits; `advice` is the command that helps, in backquotes."""

    kind: WaitKind
    #: The account that it is about.
    account: str | None = None
    #: When it ends by itself, where that is known.
    until: datetime | None = None
    #: What the gateway or a person said.
    why: str = ""
    advice: str = ""

    def sentence(self, language: str = "en") -> str:
        """Say it; times are in Asia/Shanghai."""
        kind_words = SENTENCES[language][self.kind]
        if self.kind is WaitKind.DOUBT and self.until:
            kind_words = PROBED[language]
        until = f"{self.until.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}" if self.until else ""
        words = kind_words.format(until=until, why=self.why, advice=self.advice)
        return f"{self.account}: {words}" if self.account else words

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON shows it."""
        return {
            "kind": self.kind.value,
            "account": self.account,
            "until": self.until.isoformat() if self.until else None,
            "what": self.sentence(),
        }


def sentences(reasons: Iterable[WaitCause], language: str = "en") -> str:
    """Say several reasons in one line; "" for none."""
    return "; ".join(reason.sentence(language) for reason in reasons)


def as_json(reasons: Iterable[WaitCause]) -> list[dict[str, Any]]:
    """Return several reasons as JSON shows them."""
    return [reason.as_json() for reason in reasons]
