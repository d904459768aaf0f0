"""The server side of apiv1 (document 003, the unnamed platform): POST forms, JSON back.

The document names one code, "00". What a refusal looks like is the sandbox's own invention: other
two-digit codes, `data` null, a message.
"""

import hashlib
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from worker.sandbox.exchange import Answer, Call, Request, Submission
from worker.sandbox.side import MOBILES, Side, all_match, numbers
from worker.sandbox.texts import beijing, decoded, segments
from worker.sandbox.world import Account, Inbound, Report, World

#: 投递参数, `mobiles`: the most numbers of one submission.
CAP = 3000

#: The sandbox's own codes; the document has "00" only.
MESSAGES = {
    "00": "成功",
    "01": "账号或密码错误",
    "02": "参数错误",
    "03": "号码过多",
    "04": "号码错误",
    "05": "余额不足",
    "06": "taskId 重复",
    "07": "请求过于频繁",
    "08": "账号已冻结",
    "99": "失败",
}

_CALLS = {"send", "report", "mo", "queryBalance"}
_POSITIVE = re.compile(r"[1-9]\d*")


class ApiV1(Side):
    """`/api/v1/send`, `report`, `mo` and `queryBalance`; reports and replies leave when read."""

    name = "apiv1"
    pulled = frozenset({"report", "inbound"})
    pushed = frozenset({"report", "inbound"})
    defaults: ClassVar[Mapping[str, Any]] = {
        "repeated_task": "twice",  # or "idempotent" or "refuse"; undocumented
        "answer_task_id": "echo",  # or "empty", as the sample shows it
        "content_limit": 0,  # 500 is advised, not required; 0 is none
        "page": 20_000,  # rows of one read; undocumented
        "empty": "list",  # what `data` is without rows: "list", "null" or "missing"
        "delivered": "DELIVER",  # what a pulled row says; the callback section says DELIVRD
        "sample_bodies": False,  # rows in the literal, malformed style of the samples
    }
    words: ClassVar[Mapping[str, str]] = {
        "refuse": "99",
        "auth_fail": "01",
        "no_funds": "05",
        "frozen": "08",
        "locked": "08",
        "refuse_number": "04",
        "take_others": "04",
        "blacklisted": "04",
    }

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._tasks: set[tuple[str, str]] = set()

    def accounts(self) -> Sequence[Account]:
        """The document shows none."""
        return [Account(self.name, "demo", "demo")]

    def read(self, request: Request) -> Call:
        """Only the form counts (Content-Type of each call), never the query."""
        request.query = b""
        fields = request.fields()
        name = request.path.removeprefix("/api/v1/")
        return Call(
            name,
            fields.get("account", b"").decode("latin-1"),
            request.method,
            request.at,
            fields,
            numbers(fields.get("mobiles", b"")) if name == "send" else [],
            submits=name == "send",
        )

    def answer(self, call: Call) -> Answer:
        """All calls are POST with `account` and `pwd`."""
        if call.name not in _CALLS:
            return Answer("404", b"not found", status=404)
        if call.method != "POST":
            return Answer("405", b"POST only", status=405, headers=(("Allow", "POST"),))
        account = self.account(call)
        if account is None or not _knows(account, call.fields.get("pwd", b"")):
            return self.refuse(call, "01")
        handlers = {"send": self._send, "report": self._reports, "mo": self._inbound}
        return handlers.get(call.name, self._balance)(call, account)

    def refuse(self, call: Call, code: str) -> Answer:
        """`code` and `message`, with `data` null."""
        return _json({"code": code, "data": None, "message": MESSAGES.get(code, "失败")})

    def remember(self, account: str, taken: Submission, at: float) -> None:
        """Know the taskId again."""
        if taken.reference:
            self._tasks.add((account, taken.reference))

    def _send(self, call: Call, account: Account) -> Answer:
        taken = self._submission(call)
        if isinstance(taken, str):
            return self.refuse(call, taken)
        rule = self.options["repeated_task"]
        if rule != "twice" and (account.name, taken.reference) in self._tasks:
            return self.refuse(call, "06") if rule == "refuse" else self._sent(taken.reference)
        if not self.funds_for(account, taken):
            return self.refuse(call, "05")
        serial = self.world.next_serial()
        taken.id = taken.reference or self._task_id(serial)
        answer = self._sent(taken.id)
        answer.taken = taken
        return answer

    def _submission(self, call: Call) -> Submission | str:
        fields = call.fields
        text = decoded(fields.get("content", b""), "utf-8")
        reference = decoded(fields.get("taskId", b""), "utf-8")
        extension = fields.get("extNo", b"").decode("latin-1")
        limit = self.options["content_limit"]
        if not text or reference is None or (limit and len(text) > limit):
            return "02"
        if extension and not _POSITIVE.fullmatch(extension):
            return "02"
        if len(call.numbers) > CAP:
            return "03"
        if not all_match(MOBILES, call.numbers):
            return "04" if call.numbers else "02"
        return Submission(call.numbers, text, segments(text), extension, reference)

    def _task_id(self, serial: int) -> str:
        made = hashlib.md5(f"{self.world.config.seed}:{serial}".encode(), usedforsecurity=False)
        return str(uuid.UUID(bytes=made.digest(), version=4))

    def _sent(self, task: str) -> Answer:
        shown = "" if self.options["answer_task_id"] == "empty" else task
        return _json({"code": "00", "data": {"taskId": shown}, "message": "成功"})

    def _reports(self, call: Call, account: Account) -> Answer:
        queue = self.world.reports(self.name, account.name)
        rows = queue.drain(self.world.clock(), self.options["page"])
        return self._rows([self._report(row, self.options["delivered"]) for row in rows])

    def _inbound(self, call: Call, account: Account) -> Answer:
        box = self.world.inbound(self.name, account.name)
        rows = box.drain(self.world.clock(), self.options["page"])
        return self._rows([_row(row, int(row.extension) if row.extension else "") for row in rows])

    def _report(self, row: Report, delivered: str) -> dict[str, Any]:
        return {
            "sendId": row.id,
            "status": _status(row.status, delivered),
            "times": beijing(row.at),
            "mobile": row.msisdn,
            "extNo": row.extension,
        }

    def _rows(self, rows: list[dict[str, Any]]) -> Answer:
        if self.options["sample_bodies"]:
            return _answer("00", _as_printed(rows))
        body: dict[str, Any] = {"code": "00", "data": rows, "message": "成功"}
        if not rows and self.options["empty"] == "null":
            body["data"] = None
        if not rows and self.options["empty"] == "missing":
            del body["data"]
        return _json(body)

    def _balance(self, call: Call, account: Account) -> Answer:
        """`payment`: 0 is prepaid, 1 postpaid, which the document misprints as 后附."""
        data = {
            "balance": self.world.balance(account),
            "payment": int(account.postpaid),
            "paymentName": "后付" if account.postpaid else "预付",
        }
        return _json({"code": "00", "data": data, "message": "成功"})

    def push_report(self, report: Report) -> dict[str, Any]:
        """回调短信状态: four fields, once."""
        row = self._report(report, "DELIVRD")
        del row["extNo"]
        return row

    def push_inbound(self, inbound: Inbound) -> dict[str, Any]:
        """回调上行短信: here `extNo` is a string."""
        return _row(inbound, inbound.extension)


def _knows(account: Account, given: bytes) -> bool:
    """`pwd` is the MD5 of the interface password; the document does not say in which case."""
    right = hashlib.md5(account.password.encode(), usedforsecurity=False).hexdigest()
    return given.lower() == right.encode()


def _status(status: str, delivered: str) -> str:
    known = {"delivered": delivered, "failed": "UNDELIV", "unknown": "UNKNOWN"}
    return known.get(status, "MBBLACK" if status == "blacklisted" else status)


def _row(row: Inbound, extension: int | str) -> dict[str, Any]:
    return {
        "mobile": row.msisdn,
        "content": row.text,
        "times": beijing(row.at),
        "extNo": extension,
    }


def _json(body: dict[str, Any]) -> Answer:
    return _answer(body["code"], json.dumps(body, ensure_ascii=False))


def _answer(code: str, body: str) -> Answer:
    return Answer(code, body.encode(), "application/json; charset=utf-8")


def _as_printed(rows: list[dict[str, Any]]) -> str:
    """Write rows as the document prints them: bare braces, a comment, no comma at the end."""
    printed = ",\n".join(json.dumps(row, ensure_ascii=False, indent=4) for row in rows)
    printed = printed.replace('",\n    "status"', '", //同 taskId\n    "status"')
    return f'{{\n  "code": "00",\n"data": {{\n  [{printed}]\n}}\n"message": "成功"\n}}'


SIDE = ApiV1
