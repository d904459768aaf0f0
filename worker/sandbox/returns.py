"""Schedules what comes back after a submission was taken: delivery reports and replies."""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import replace

from worker.sandbox.exchange import GatewayCall, TakenSubmission
from worker.sandbox.pushes import PushSender
from worker.sandbox.rule import MisbehaviourRule
from worker.sandbox.shapers import SHAPERS, ReportCase
from worker.sandbox.side import Side
from worker.sandbox.world import ReportGroup, SandboxAccount, SandboxInbound, World


class ReturnScheduler:
    """Schedules reports and replies: they are pushed, or wait to be pulled."""

    def __init__(self, world: World, pusher: PushSender) -> None:
        self._world = world
        self._pusher = pusher

    def schedule(
        self,
        side: Side,
        call: GatewayCall,
        submission: TakenSubmission,
        rules: list[MisbehaviourRule],
    ) -> None:
        """Schedule all that follows from what was taken."""
        account = side.account(call)
        if account is None:
            return
        if "report" in side.pullable or "report" in account.pushes:
            due = call.at + self._world.config.report_delay
            group = ReportGroup(
                side.name,
                account.name,
                submission.msisdns,
                submission.id,
                "delivered",
                due,
                submission.extension,
                ids=dict(zip(submission.msisdns, submission.ids, strict=False)),
            )
            for shaped_group in self._shape_all(group, submission, rules):
                self.report(side, account, shaped_group)
        for rule in rules:
            if rule.what == "reply":
                self._reply(side, account, call, submission, rule)

    def _shape_all(
        self, group: ReportGroup, submission: TakenSubmission, rules: list[MisbehaviourRule]
    ) -> list[ReportGroup]:
        """Shape a group by each rule in turn, which may make several groups of it."""
        groups = [group]
        for rule in rules:
            if rule.what == "reply":
                continue
            shaped = (self._shape(group, submission, rule) for group in groups)
            groups = list(itertools.chain.from_iterable(shaped))
        return groups

    def _shape(
        self, group: ReportGroup, submission: TakenSubmission, rule: MisbehaviourRule
    ) -> list[ReportGroup]:
        """Shape the reports of a group that the rule is about, and leave the others unchanged."""
        chosen = self._choose_numbers(group.msisdns, rule)
        chosen_msisdns = [msisdn for msisdn in group.msisdns if msisdn in chosen]
        other_msisdns = [msisdn for msisdn in group.msisdns if msisdn not in chosen]
        unchanged = [replace(group, msisdns=other_msisdns)] if other_msisdns else []
        if not chosen_msisdns:
            return unchanged
        chosen_group = replace(group, msisdns=chosen_msisdns)
        case = ReportCase(
            chosen_group, submission, rule.args, self._world.config, self._world.random
        )
        return [*unchanged, *SHAPERS[rule.what](case)]

    def _choose_numbers(self, msisdns: Iterable[str], rule: MisbehaviourRule) -> set[str]:
        """Choose, of the numbers that a rule is about, its `share` at random."""
        share = float(rule.args.get("share", 1.0))
        covered: Callable[[str], bool] = rule.covers
        random = self._world.random.random
        return {
            msisdn for msisdn in msisdns if covered(msisdn) and (share >= 1 or random() < share)
        }

    def _reply(
        self,
        side: Side,
        account: SandboxAccount,
        call: GatewayCall,
        submission: TakenSubmission,
        rule: MisbehaviourRule,
    ) -> None:
        """Let the handsets that the rule is about text back."""
        at = call.at + float(rule.args.get("seconds", self._world.config.reply_delay))
        chosen = self._choose_numbers(submission.msisdns, rule)
        for msisdn in submission.msisdns:
            if msisdn in chosen:
                text = str(rule.args.get("text", "T"))
                message = SandboxInbound(
                    side.name, account.name, msisdn, text, at, submission.extension, submission.id
                )
                self.inbound(side, account, message)

    def report(self, side: Side, account: SandboxAccount, group: ReportGroup) -> None:
        """Push a group of reports when it is due, or keep it to be pulled, or both."""
        push = account.pushes.get("report")
        if push is not None:
            self._pusher.reports(side, push, replace(group, msisdns=list(group.msisdns)))
        if "report" in side.pullable and (push is None or push.keep_for_pull):
            self._world.reports(side.name, account.name).add(group)

    def inbound(self, side: Side, account: SandboxAccount, message: SandboxInbound) -> None:
        """Push an inbound message when it is due, or keep it to be pulled, or both."""
        push = account.pushes.get("inbound")
        if push is not None:
            self._pusher.inbound(side, push, message)
        if "inbound" in side.pullable and (push is None or push.keep_for_pull):
            self._world.inbound(side.name, account.name).add(message)
