"""`xinshi demo`: the whole path on this machine, checked against what the gateways really took.

A sandbox plays all gateways, `xinshi up` runs beside it, and the end is a table: what our database
says, what the sandbox's ledger says, and whether they agree.
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
from worker.store import inbox, migrations

RECIPIENTS = 10_000
TEXT = "【信使】您的订单已发货，请注意查收。"
OFFER = "【信使】新品上架，全场八折，回T退订"
#: The sandbox answers this number with a reply (docs/sandbox.md).
REPLYING = "19999991400"
#: All of it is over by then, in seconds.
PATIENCE = 50.0

_TOP = """\
database_url = "sqlite:///demo.db"
broker_url = "embedded"
look_every = "0.5s"
sweep_every = "1s"
"""
_QUICK = """sending_hours = "any"
collect_reports_every = "1s"
collect_inbound_every = "1s"
"""


@dataclass
class DemoLine:
    """One account in the table at the end."""

    account: str
    gateway: str
    messages: int = 0
    in_ledger: int = 0
    states: Counter[str] = field(default_factory=Counter)
    replies: int = 0
    problems: list[str] = field(default_factory=list)


Watch = Callable[[str, int, int], None]


def run(folder: Path, watch: Watch) -> list[DemoLine]:
    """Run the demo in an empty folder; `watch` is told what goes on: (what, done, of how many)."""
    ledger = folder / "ledger.jsonl"
    with _sandbox(folder, ledger) as base_url:
        config = folder / "xinshi.toml"
        config.write_text(_TOP + _accounts(base_url), "utf-8")
        settings = load(config, environ={})
        producer = Producer(settings)
        try:
            migrations.migrate(producer.engine)
            with (
                (folder / "up.log").open("wb") as output,
                Supervisor(settings, str(config), output).running(),
            ):
                ids = _send(producer, watch)
                _wait(producer, ids, watch)
                lines = _lines(producer, ids)
        finally:
            producer.close()
    _check(lines, ids, ledger, settings)
    return lines


def _accounts(base_url: str) -> str:
    """The sandbox's sample accounts, quickened."""
    head, *sections = samples(base_url).split("[accounts.")
    return head + "".join(f"[accounts.{section.rstrip()}\n{_QUICK}\n" for section in sections)


@contextmanager
def _sandbox(folder: Path, ledger: Path) -> Iterator[str]:
    process = subprocess.Popen(  # noqa: S603 - our own module, our own words
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


def _send(producer: Producer, watch: Watch) -> dict[str, list[str]]:
    """One text through each account, and a campaign through the one that carries the most."""
    accounts = producer.settings.accounts
    ids: dict[str, list[str]] = {}
    for nth, name in enumerate(accounts):
        watch("send", nth, len(accounts))
        numbers = [f"1380013800{nth}"]
        if accounts[name].gateway.capabilities.inbound:
            numbers.append(f"{REPLYING[:-1]}{nth}")
        ids[name] = [*producer.enqueue(numbers, TEXT, account=name).ids]
    watch("send", len(accounts), len(accounts))
    bulk = _bulk(accounts.values()).name
    recipients = (f"139{nth:08d}" for nth in range(RECIPIENTS))
    loaded = producer.enqueue_campaign("demo", recipients, OFFER, account=bulk)
    ids["campaign"] = [str(loaded.id), bulk]
    return ids


def _bulk(accounts: Iterable[Account]) -> Account:
    """The account that needs the fewest submissions without being the only one that could."""
    return min(accounts, key=lambda one: abs(one.batch_cap - 2000))


def _wait(producer: Producer, ids: dict[str, list[str]], watch: Watch) -> None:
    """Wait until the campaign is done and each text is where it can get."""
    until = time.monotonic() + PATIENCE
    campaign_id = int(ids["campaign"][0])
    goals = {name: _goal(account) for name, account in producer.settings.accounts.items()}
    while time.monotonic() < until:
        campaign = campaigns.show(producer.engine, campaign_id)
        watch("campaign", campaign.total - campaign.open, campaign.total)
        reached = [
            one
            for name, goal in goals.items()
            for one in lookup.many(producer.engine, ids[name])
            if one.state is goal
        ]
        wanted = sum(len(ids[name]) for name in goals)
        replies = _replies(producer)
        expected = sum(len(ids[name]) > 1 and _hears(producer, name) for name in goals)
        watch("reports", len(reached), wanted)
        watch("replies", sum(replies.values()), expected)
        if (
            campaign.state is CampaignState.DONE
            and len(reached) == wanted
            and sum(replies.values()) >= expected
        ):
            return
        time.sleep(0.2)


def _goal(account: Account) -> MessageState:
    pulled = account.reports is Reports.PULL
    return MessageState.DELIVERED if pulled else MessageState.SUBMITTED


def _hears(producer: Producer, name: str) -> bool:
    """Whether replies can be collected from an account."""
    gateway = producer.settings.accounts[name].gateway
    return gateway.inbound_request(datetime.now(UTC)) is not None


def _replies(producer: Producer) -> Counter[str]:
    with producer.engine.connect() as connection:
        return Counter(row.account for row in inbox.inbound(connection, 100))


def _lines(producer: Producer, ids: dict[str, list[str]]) -> list[DemoLine]:
    replies = _replies(producer)
    campaign_id, bulk = ids["campaign"]
    campaign = campaigns.show(producer.engine, int(campaign_id))
    lines = []
    for name, account in producer.settings.accounts.items():
        line = DemoLine(name, account.gateway.name, replies=replies[name])
        found = lookup.many(producer.engine, ids[name])
        line.states.update(one.state.value for one in found)
        if name == bulk:
            line.states.update(campaign.states)
        line.messages = line.states.total()
        lines.append(line)
    return lines


def _check(
    lines: list[DemoLine], ids: dict[str, list[str]], ledger: Path, settings: Settings
) -> None:
    """Compare with the ledger: every message once, with its text, at the right gateway."""
    times: Counter[tuple[str, str]] = Counter()
    for entry in sandbox.taken(ledger):
        times[entry.gateway, entry.msisdn] += 1
        if entry.text not in {TEXT, OFFER}:
            lines[0].problems.append(f"{entry.gateway} took a text that was not sent")
    for line in lines:
        mine = {
            msisdn: count for (gateway, msisdn), count in times.items() if gateway == line.gateway
        }
        line.in_ledger = sum(mine.values())
        if line.in_ledger != line.messages:
            line.problems.append(f"{line.messages} sent and {line.in_ledger} taken")
        doubled = sum(count > 1 for count in mine.values())
        if doubled:
            line.problems.append(f"{doubled} doubled")
        goal = _goal(settings.accounts[line.account]).value
        missing = len(ids[line.account]) - line.states[goal]
        if missing > 0:
            line.problems.append(f"{missing} not {goal}")
