"""The hostile gateway: an account for each way to misbehave, each honest until it is told.

It speaks apiv1's protocol, and jzyyun's SOAP below `/soap`. What it takes it writes into a ledger
as the sandbox does, before it answers: also hostile, it can tell what it was given.
"""

import json
import random
import re
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs

from tests.attack.kinds import huge_answers, odd_rows, orphans
from tests.attack.listener import Received, written
from worker.sandbox.exchange import GatewayCall, SandboxAnswer, TakenSubmission
from worker.sandbox.ledger import format_line
from worker.sandbox.texts import segment_count

_EMPTY = b'{"code":"00","data":[],"message":""}'
_SOAP_FIELD = re.compile(r"<(content|mobile)>([^<]*)</")


@dataclass
class HostileGateway:
    """What one run's gateway knows."""

    ledger: Path
    draw: random.Random
    scale: float
    #: The accounts that it misbehaves at.
    hostile: frozenset[str] = frozenset()
    #: The numbers that wrote TD in a good row.
    opted_out: list[str] = field(default_factory=list)
    lines: int = 0

    def __post_init__(self) -> None:
        self._numbers = odd_rows.opted_out()

    async def answer(self, received: Received) -> None:
        """Answer a call: `/ACCOUNT/api/v1/CALL`, or `/soap/…`."""
        account, _, path = received.path.removeprefix("/").partition("/")
        name = path.rpartition("/")[2]
        if account == "soap":
            received.writer.write(self._soap(received))
            return
        if name == "send":
            self._take(received, account)
        if account == huge_answers.ACCOUNT and account in self.hostile and name != "queryBalance":
            await huge_answers.answer(received, self.draw, self.scale)
            return
        if await received.is_abandoned():
            # A page that nobody takes is no page that was handed over.
            return
        calls = {"send": self._sent, "report": self._reports, "mo": self._inbound}
        received.writer.write(written(calls.get(name, self._balance)(account)))

    def _sent(self, account: str) -> bytes:
        if account == "odd" and account in self.hostile:
            return odd_rows.answer(self.draw)
        task = "" if account == orphans.ACCOUNT and account in self.hostile else uuid.uuid4().hex
        return json.dumps({"code": "00", "data": {"taskId": task}, "message": ""}).encode()

    def _reports(self, account: str) -> bytes:
        if account == "odd" and account in self.hostile:
            return odd_rows.page(self.draw, self._numbers, inbound=False)
        if account == orphans.ACCOUNT and account in self.hostile:
            rows = orphans.unknown_rows(self.draw, max(1, int(orphans.ROWS * self.scale)))
            return json.dumps({"code": "00", "data": rows}).encode()
        return _EMPTY

    def _inbound(self, account: str) -> bytes:
        if account != "odd" or account not in self.hostile:
            return _EMPTY
        page = odd_rows.page(self.draw, self._numbers, inbound=True)
        self.opted_out += [
            row["mobile"] for row in json.loads(page)["data"] if row.get("content") == "TD"
        ]
        return page

    def _balance(self, _account: str) -> bytes:
        return b'{"code":"00","data":{"balance":1000000,"payment":0},"message":""}'

    def _soap(self, received: Received) -> bytes:
        text = received.body.decode("utf-8", "replace")
        if "sendSms" in text:
            found = dict(_SOAP_FIELD.findall(text))
            self._note("soap", "jzyyun", found["mobile"].split(","), found["content"])
            body = odd_rows.soap("<return>success;1</return>")
            if "soap" in self.hostile and self.draw.random() < 0.3:
                body = odd_rows.deep_soap(self.draw)
        elif "soap" in self.hostile and "getRestMoney" not in text:
            make = self.draw.choice((odd_rows.deep_soap, odd_rows.soap_page))
            body = make(self.draw)
        else:
            body = odd_rows.soap("<return>gateSmsNum=100000</return>", "getRestMoneyResponse")
        return written(body, kind="text/xml; charset=utf-8")

    def _take(self, received: Received, account: str) -> None:
        form = parse_qs(received.body.decode("utf-8"))
        numbers = form["mobiles"][0].split(",")
        self._note(account, "apiv1", numbers, form["content"][0], form["taskId"][0])

    def _note(
        self, account: str, gateway: str, numbers: list[str], text: str, reference: str = ""
    ) -> None:
        """Write what was taken into the ledger."""
        self.lines += 1
        taken = TakenSubmission(numbers, text, segment_count(text), "", reference)
        call = GatewayCall("send", account, "POST", time.time(), {}, numbers, submits=True)
        with self.ledger.open("ab") as ledger:
            ledger.write(
                format_line(self.lines, gateway, call, SandboxAnswer("00", b"", submission=taken))
            )
