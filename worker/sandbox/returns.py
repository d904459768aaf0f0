"""What comes back after a submission was taken: delivery reports and handsets' replies."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from worker.sandbox.exchange import Call, Submission
from worker.sandbox.pushes import Pusher
from worker.sandbox.shapers import SHAPERS, Case
from worker.sandbox.side import Side
from worker.sandbox.world import Account, Batch, Inbound, World

if TYPE_CHECKING:
    from worker.sandbox.rules import Rule


class Returns:
    """Schedules reports and replies, to be pushed or to be pulled."""

    def __init__(self, world: World, pusher: Pusher) -> None:
        self._world = world
        self._pusher = pusher

    def schedule(self, side: Side, call: Call, taken: Submission, rules: "list[Rule]") -> None:
        """Schedule all that follows from what was taken."""
        account = side.account(call)
        if account is None:
            return
        if "report" in side.pulled or "report" in account.pushes:
            due = call.at + self._world.config.report_delay
            batch = Batch(
                side.name,
                account.name,
                taken.msisdns,
                taken.id,
                "delivered",
                due,
                taken.extension,
            )
            for shaped in self._shaped(batch, taken, rules):
                self.report(side, account, shaped)
        for rule in rules:
            if rule.what == "reply":
                self._reply(side, account, call, taken, rule)

    def _shaped(self, batch: Batch, taken: Submission, rules: "list[Rule]") -> list[Batch]:
        batches = [batch]
        for rule in rules:
            if rule.what == "reply":
                continue
            batches = [new for old in batches for new in self._shape(old, taken, rule)]
        return batches

    def _shape(self, batch: Batch, taken: Submission, rule: "Rule") -> list[Batch]:
        """Shape the part of a batch that the rule is about, and leave the rest as it is."""
        chosen = self._chosen(batch.msisdns, rule)
        inside = [msisdn for msisdn in batch.msisdns if msisdn in chosen]
        outside = [msisdn for msisdn in batch.msisdns if msisdn not in chosen]
        rest = [replace(batch, msisdns=outside)] if outside else []
        if not inside:
            return rest
        part = replace(batch, msisdns=inside)
        case = Case(part, taken, rule.args, self._world.config, self._world.random)
        return [*rest, *SHAPERS[rule.what](case)]

    def _chosen(self, msisdns: Iterable[str], rule: "Rule") -> set[str]:
        """Choose the numbers that a rule is about, and of these its `share`."""
        share = float(rule.args.get("share", 1.0))
        covered: Callable[[str], bool] = rule.covers
        random = self._world.random.random
        return {n for n in msisdns if covered(n) and (share >= 1 or random() < share)}

    def _reply(
        self, side: Side, account: Account, call: Call, taken: Submission, rule: "Rule"
    ) -> None:
        at = call.at + float(rule.args.get("seconds", self._world.config.reply_delay))
        chosen = self._chosen(taken.msisdns, rule)
        for msisdn in taken.msisdns:
            if msisdn in chosen:
                text = str(rule.args.get("text", "T"))
                inbound = Inbound(
                    side.name, account.name, msisdn, text, at, taken.extension, taken.id
                )
                self.inbound(side, account, inbound)

    def report(self, side: Side, account: Account, batch: Batch) -> None:
        """Bring a batch of reports back, by push or for pulling."""
        push = account.pushes.get("report")
        if push is not None:
            self._pusher.reports(side, push, replace(batch, msisdns=list(batch.msisdns)))
        if "report" in side.pulled and (push is None or push.keep_for_pull):
            self._world.reports(side.name, account.name).add(batch)

    def inbound(self, side: Side, account: Account, inbound: Inbound) -> None:
        """Bring an inbound message back, by push or for pulling."""
        push = account.pushes.get("inbound")
        if push is not None:
            self._pusher.inbound(side, push, inbound)
        if "inbound" in side.pulled and (push is None or push.keep_for_pull):
            self._world.inbound(side.name, account.name).add(inbound)
