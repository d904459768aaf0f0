"""Plays the tests' own gateway: it takes messages one by one, and says of each what became of it.

Options say which numbers it refuses, which have to wait once, and which templates are at fault.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from worker.sandbox.exchange import GatewayCall, SandboxAnswer, SandboxRequest, TakenSubmission
from worker.sandbox.side import MOBILES, Side, all_match
from worker.sandbox.texts import segment_count
from worker.sandbox.world import SandboxAccount, World

BATCH_CAP = 1000


class RosterSide(Side):
    """The side of `send`, `reports` and `balance`."""

    name = "roster"
    pullable = frozenset({"report"})
    defaults: ClassVar[Mapping[str, Any]] = {
        "refused": [],  # numbers that are refused for good
        "waiting": [],  # numbers that have to wait the first time
        "templates": {},  # the texts of templates by their ids, with `{name}` for each value
        "forbidden": "",  # characters that no value may have: it is refused in this form
        "faulty": [],  # templates that are at fault
        "ids": True,  # each message that is taken is given an id
        "hides": False,  # a query shows nothing, as one that lags behind
        "page": 1000,
    }
    refusal_codes: ClassVar[Mapping[str, str]] = {
        "refuse": "error",
        "auth_fail": "key",
        "no_funds": "funds",
        "refuse_number": "number",
        "take_others": "number",
        "blacklisted": "number",
    }

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._waited: set[str] = set()
        self._references: dict[str, str] = {}
        self._sent: dict[str, list[dict[str, str]]] = {}

    def accounts(self) -> Sequence[SandboxAccount]:
        """Return two accounts."""
        return [
            SandboxAccount(self.name, "demo", "roster-key"),
            SandboxAccount(self.name, "other", "roster-key"),
        ]

    def read(self, request: SandboxRequest) -> GatewayCall:
        """Read the JSON body."""
        fields = json.loads(request.body or b"{}")
        name = request.path.removeprefix("/")
        raw = {key: json.dumps(value).encode() for key, value in fields.items()}
        numbers = [message["to"] for message in fields.get("messages", ())]
        account = str(fields.get("account", ""))
        return GatewayCall(
            name, account, request.method, request.at, raw, numbers, submits=name == "send"
        )

    def answer(self, call: GatewayCall) -> SandboxAnswer:
        """Answer a call."""
        fields = {key: json.loads(value) for key, value in call.fields.items()}
        account = self.account(call)
        if account is None or fields.get("key") != account.password:
            return self.refuse(call, "key")
        if call.name == "reports":
            return self._reports(call, account, fields)
        if call.name == "query":
            return _json({"code": "ok", "rows": self._shown(fields)})
        if call.name == "balance":
            return _json({"code": "ok", "balance": self.world.balance(account)})
        return self._send(call, account, fields)

    def refuse(self, call: GatewayCall, code: str) -> SandboxAnswer:
        """Answer `code` alone."""
        return _json({"code": code})

    def _send(
        self, call: GatewayCall, account: SandboxAccount, fields: Mapping[str, Any]
    ) -> SandboxAnswer:
        messages = fields["messages"]
        if not 0 < len(messages) <= BATCH_CAP or not all_match(MOBILES, call.numbers):
            return self.refuse(call, "error")
        if fields["template"] in self.options["faulty"]:
            return self.refuse(call, "template")
        taken, rows = TakenSubmission([], "", 0, reference=fields["reference"]), []
        for message in messages:
            code, text = self._judge(fields, message)
            row = {"to": f"+86{message['to']}", "code": code}
            if code == "ok":
                message_id = f"{account.name}-{self.world.next_serial():012d}"
                if self.options["ids"]:
                    row["id"] = message_id
                taken.msisdns.append(message["to"])
                taken.texts.append(text)
                taken.parts.append(segment_count(text))
                taken.ids.append(message_id)
                self._references[message_id] = fields["reference"]
                shown = {**row, "id": message_id, "reference": message["name"], "text": text}
                self._sent.setdefault(message["to"], []).append(shown)
            rows.append(row)
        if not self.can_pay(account, taken):
            return self.refuse(call, "funds")
        rows.reverse()
        answer = _json({"code": "ok", "results": rows})
        if taken.msisdns:
            answer.submission = taken
        return answer

    def _shown(self, fields: Mapping[str, Any]) -> list[dict[str, str]]:
        """Return what a number was sent; nothing while the option `hides` is set."""
        if self.options["hides"]:
            return []
        names = ("to", "id", fields["shows"])
        return [{name: row[name] for name in names} for row in self._sent.get(fields["to"], ())]

    def _judge(self, fields: Mapping[str, Any], message: Mapping[str, Any]) -> tuple[str, str]:
        """Return the code for a message, and the text that its recipient reads."""
        number = message["to"]
        values = message.get("values", {})
        if number in self.options["refused"]:
            return "number", ""
        if number in self.options["waiting"] and number not in self._waited:
            self._waited.add(number)
            return "wait", ""
        if any(sign in value for value in values.values() for sign in self.options["forbidden"]):
            return "form", ""
        text = message.get("text")
        if text is None:
            text = self.options["templates"][fields["template"]]
            for name, value in values.items():
                text = text.replace(f"{{{name}}}", value)
            text = f"【{fields['signature']}】{text}"
        return "ok", text

    def _reports(
        self, call: GatewayCall, account: SandboxAccount, fields: Mapping[str, Any]
    ) -> SandboxAnswer:
        queue = self.world.reports(self.name, account.name)
        rows = []
        for report in queue.drain(call.at, self.options["page"]):
            row = {"to": report.msisdn, "status": report.status}
            if fields["bring"] == "id":
                row["id"] = report.id
            else:
                row["reference"] = self._references[report.id]
            rows.append(row)
        return _json({"code": "ok", "reports": rows})


def _json(answer: Mapping[str, Any]) -> SandboxAnswer:
    body = json.dumps(answer, ensure_ascii=False).encode()
    return SandboxAnswer(str(answer["code"]), body, "application/json; charset=utf-8")


SIDE = RosterSide
