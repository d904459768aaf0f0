"""Run the whole path on this machine, and compare it with what the gateways really took.

A sandbox plays all gateways and a supervisor runs the processes of `xinshi up` beside it. The
result has a line for each account: what our database has, what the sandbox's ledger has, and
whether they agree.
"""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from producer.client import Producer
from producer.local.embedded_valkey import die_with_parent
from producer.local.supervisor import Supervisor
from worker import sandbox
from worker.config.settings import Settings, load
from worker.domain.enums import CampaignState, MessageState, Reports
from worker.domain.errors import XinshiError
from worker.gateways.base import Account
from worker.intake import campaigns, lookup
from worker.sandbox.samples import samples
from worker.store import migrations
from worker.store.feedback.inbound import newest_replies

RECIPIENT_COUNT = 10_000
TEXT = "【信使】您的订单已发货，请注意查收。"
CAMPAIGN_TEXT = "【信使】新品上架，全场八折，回T退订"
#: The sandbox answers this number with a reply (docs/sandbox.md).
REPLYING_NUMBER = "19999991400"
#: How long the demo waits for states and replies, in seconds.
DEMO_TIMEOUT = 50.0

_TOP_SETTINGS = """\
database_url = "sqlite:///demo.db"
broker_url = "embedded"
look_every = "0.5s"
sweep_every = "1s"
"""
_ACCOUNT_SETTINGS = """sending_hours = "any"
collect_reports_every = "1s"
collect_inbound_every = "1s"
"""


@dataclass
class DemoLine:
    """What became of the messages of one account: a line of the table at the end."""

    account: str
    gateway: str
    messages: int = 0
    in_ledger: int = 0
    states: Counter[str] = field(default_factory=Counter)
    replies: int = 0
    problems: list[str] = field(default_factory=list)


class SentMessages(NamedTuple):
    """What the demo has enqueued."""

    #: The ids of the single texts, by the name of their account.
    ids_by_account: dict[str, list[str]]
    campaign_id: int
    #: The account that carries the campaign.
    campaign_account: str


#: Is called with (step, done, of how many) while the demo runs.
ShowProgress = Callable[[str, int, int], None]


def run_demo(folder: Path, show_progress: ShowProgress) -> list[DemoLine]:
    """Run the demo in an empty folder, and return a line for each account."""
    ledger = folder / "ledger.jsonl"
    with _run_sandbox(folder, ledger) as base_url:
        config = folder / "xinshi.toml"
        config.write_text(_TOP_SETTINGS + _account_sections(base_url), "utf-8")
        settings = load(config, environ={})
        producer = Producer(settings)
        try:
            migrations.migrate(producer.engine)
            with (
                (folder / "up.log").open("wb") as output,
                Supervisor(settings, str(config), output).running(),
            ):
                sent = _send(producer, show_progress)
                _wait(producer, sent, show_progress)
                lines = _demo_lines(producer, sent)
        finally:
            producer.close()
    _compare_with_ledger(lines, sent, ledger, settings)
    return lines


def _account_sections(base_url: str) -> str:
    """Return the sandbox's sample accounts as TOML, set to collect every second."""
    head, *sections = samples(base_url).split("[accounts.")
    return head + "".join(
        f"[accounts.{section.rstrip()}\n{_ACCOUNT_SETTINGS}\n" for section in sections
    )


@contextmanager
def _run_sandbox(folder: Path, ledger: Path) -> Iterator[str]:
    """Run a sandbox while the block runs; lends its base URL."""
    process = subprocess.Popen(  # noqa: S603 - our own module and arguments
        [sys.executable, "-P", "-m", "worker.sandbox", "--ledger", str(ledger), "--fsync=group"],
        stdout=subprocess.PIPE,
        cwd=folder,
        start_new_session=True,
        preexec_fn=die_with_parent,  # noqa: PLW1509 - it calls prctl and nothing else
    )
    with process:
        try:
            base_url = process.stdout.readline().decode().strip() if process.stdout else ""
            if not base_url:
                msg = "the sandbox does not start"
                raise XinshiError(msg)
            yield base_url
        finally:
            process.terminate()


def _send(producer: Producer, show_progress: ShowProgress) -> SentMessages:
    """Enqueue a text through each account, and a campaign through one with large batches."""
    accounts = producer.settings.accounts
    ids_by_account: dict[str, list[str]] = {}
    for index, name in enumerate(accounts):
        show_progress("send", index, len(accounts))
        numbers = [f"1380013800{index}"]
        if accounts[name].gateway.capabilities.inbound:
            numbers.append(f"{REPLYING_NUMBER[:-1]}{index}")
        ids_by_account[name] = [*producer.enqueue(numbers, TEXT, account=name).ids]
    show_progress("send", len(accounts), len(accounts))
    campaign_account = _campaign_account(accounts.values()).name
    recipients = (f"139{index:08d}" for index in range(RECIPIENT_COUNT))
    loaded = producer.enqueue_campaign("demo", recipients, CAMPAIGN_TEXT, account=campaign_account)
    return SentMessages(ids_by_account, loaded.id, campaign_account)


def _campaign_account(accounts: Iterable[Account]) -> Account:
    """Return the account whose batch cap is nearest to 2000.

    It needs few submissions for the campaign, and more than one.
    """
    return min(accounts, key=lambda account: abs(account.batch_cap - 2000))


def _wait(producer: Producer, sent: SentMessages, show_progress: ShowProgress) -> None:
    """Wait until the campaign is done, each text has its last state and the replies are there.

    Returns after `DEMO_TIMEOUT` in any case.
    """
    deadline = time.monotonic() + DEMO_TIMEOUT
    goals = {name: _goal_state(account) for name, account in producer.settings.accounts.items()}
    while time.monotonic() < deadline:
        campaign = campaigns.show(producer.engine, sent.campaign_id)
        show_progress("campaign", campaign.total - campaign.open, campaign.total)
        reached = [
            message
            for name, goal in goals.items()
            for message in lookup.get_all(producer.engine, sent.ids_by_account[name])
            if message.state is goal
        ]
        message_count = sum(map(len, sent.ids_by_account.values()))
        replies = _count_replies(producer)
        expected_replies = sum(
            len(ids) > 1 and _collects_replies(producer, name)
            for name, ids in sent.ids_by_account.items()
        )
        show_progress("reports", len(reached), message_count)
        show_progress("replies", sum(replies.values()), expected_replies)
        if (
            campaign.state is CampaignState.DONE
            and len(reached) == message_count
            and sum(replies.values()) >= expected_replies
        ):
            return
        time.sleep(0.2)


def _goal_state(account: Account) -> MessageState:
    """Return the last state that a text through an account reaches in the demo."""
    if account.reports is Reports.PULL:
        return MessageState.DELIVERED
    return MessageState.SUBMITTED


def _collects_replies(producer: Producer, name: str) -> bool:
    """Return whether replies can be collected from an account."""
    gateway = producer.settings.accounts[name].gateway
    return gateway.inbound_request(datetime.now(UTC)) is not None


def _count_replies(producer: Producer) -> Counter[str]:
    """Return how many replies were collected from each account."""
    with producer.engine.connect() as connection:
        return Counter(row.account for row in newest_replies(connection, 100))


def _demo_lines(producer: Producer, sent: SentMessages) -> list[DemoLine]:
    """Return a line for each account, by the database."""
    replies = _count_replies(producer)
    campaign = campaigns.show(producer.engine, sent.campaign_id)
    lines = []
    for name, account in producer.settings.accounts.items():
        line = DemoLine(name, account.gateway.name, replies=replies[name])
        messages = lookup.get_all(producer.engine, sent.ids_by_account[name])
        line.states.update(message.state.value for message in messages)
        if name == sent.campaign_account:
            line.states.update(campaign.states)
        line.messages = line.states.total()
        lines.append(line)
    return lines


def _compare_with_ledger(
    lines: list[DemoLine], sent: SentMessages, ledger: Path, settings: Settings
) -> None:
    """Compare the lines with the ledger, and add to them what does not agree.

    Every message has to be in the ledger once, with its text, at the right gateway.
    """
    count_by_number: Counter[tuple[str, str]] = Counter()
    for ledger_entry in sandbox.taken(ledger):
        count_by_number[ledger_entry.gateway, ledger_entry.msisdn] += 1
        if ledger_entry.text not in {TEXT, CAMPAIGN_TEXT}:
            lines[0].problems.append(f"{ledger_entry.gateway} took a text that was not sent")
    for line in lines:
        ledger_counts = {
            msisdn: count
            for (gateway, msisdn), count in count_by_number.items()
            if gateway == line.gateway
        }
        line.in_ledger = sum(ledger_counts.values())
        if line.in_ledger != line.messages:
            line.problems.append(f"{line.messages} sent and {line.in_ledger} taken")
        doubled_count = sum(count > 1 for count in ledger_counts.values())
        if doubled_count:
            line.problems.append(f"{doubled_count} doubled")
        goal = _goal_state(settings.accounts[line.account]).value
        missing_count = len(sent.ids_by_account[line.account]) - line.states[goal]
        if missing_count > 0:
            line.problems.append(f"{missing_count} not {goal}")
