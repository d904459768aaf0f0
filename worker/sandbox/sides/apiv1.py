"""Plays apiv1 (document 003, the unnamed platform): POST forms, JSON back.

The document names one code, "00". The refusals are the sandbox's own invention: other
two-digit codes, `data` null, a message.
"""

import hashlib
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from worker.sandbox.exchange import GatewayCall, SandboxAnswer, SandboxRequest, TakenSubmission
from worker.sandbox.side import MOBILES, Side, all_match, split_numbers
from worker.sandbox.texts import decode, format_beijing, segment_count
from worker.sandbox.world import SandboxAccount, SandboxInbound, SandboxReport, World

#: 投递参数, `mobiles`: the most numbers of one submission.
BATCH_CAP = 3000

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
_POSITIVE_INTEGER = re.compile(r"[1-9]\d*")


class ApiV1Side(Side):
    """The side of `/api/v1/send`, `report`, `mo`, `queryBalance`; rows are gone once read."""

    name = "apiv1"
    pullable = frozenset({"report", "inbound"})
    pushable = frozenset({"report", "inbound"})
    defaults: ClassVar[Mapping[str, Any]] = {
        "repeated_task": "twice",  # or "idempotent" or "refuse"; undocumented
        "answer_task_id": "echo",  # or "empty", as the sample shows it
        "content_limit": 0,  # 500 is advised, not required; 0 is none
        "page": 20_000,  # rows of one read; undocumented
        "empty": "list",  # what `data` is without rows: "list", "null" or "missing"
        "delivered": "DELIVER",  # what a pulled row says; the callback section says DELIVRD
        "sample_bodies": False,  # rows in the literal, malformed style of the samples
    }
    refusal_codes: ClassVar[Mapping[str, str]] = {
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
        self._task_ids: set[tuple[str, str]] = set()

    def accounts(self) -> Sequence[SandboxAccount]:
        """Return an account of the sandbox's own; the document shows none."""
        return [SandboxAccount(self.name, "demo", "demo")]

    def read(self, request: SandboxRequest) -> GatewayCall:
        """Read the form only (Content-Type of each call), never the query."""
        request.query = b""
        fields = request.fields()
        name = request.path.removeprefix("/api/v1/")
        return GatewayCall(
            name,
            fields.get("account", b"").decode("latin-1"),
            request.method,
            request.at,
            fields,
            split_numbers(fields.get("mobiles", b"")) if name == "send" else [],
            submits=name == "send",
        )

    def answer(self, call: GatewayCall) -> SandboxAnswer:
        """Answer a call; all are POST with `account` and `pwd`."""
        if call.name not in _CALLS:
            return SandboxAnswer("404", b"not found", status=404)
        if call.method != "POST":
            return SandboxAnswer("405", b"POST only", status=405, headers=(("Allow", "POST"),))
        account = self.account(call)
        if account is None or not _password_matches(account, call.fields.get("pwd", b"")):
            return self.refuse(call, "01")
        handlers = {"send": self._send, "report": self._reports, "mo": self._inbound}
        return handlers.get(call.name, self._balance)(call, account)

    def refuse(self, call: GatewayCall, code: str) -> SandboxAnswer:
        """Answer `code` and `message`, with `data` null."""
        return _json({"code": code, "data": None, "message": MESSAGES.get(code, "失败")})

    def remember(self, account: str, submission: TakenSubmission, at: float) -> None:
        """Remember the taskId."""
        if submission.reference:
            self._task_ids.add((account, submission.reference))

    def _send(self, call: GatewayCall, account: SandboxAccount) -> SandboxAnswer:
        submission = self._submission(call)
        if isinstance(submission, str):
            return self.refuse(call, submission)
        repeat_option = self.options["repeated_task"]
        if repeat_option != "twice" and (account.name, submission.reference) in self._task_ids:
            return (
                self.refuse(call, "06")
                if repeat_option == "refuse"
                else self._sent_answer(submission.reference)
            )
        if not self.can_pay(account, submission):
            return self.refuse(call, "05")
        serial = self.world.next_serial()
        submission.id = submission.reference or self._task_id(serial)
        answer = self._sent_answer(submission.id)
        answer.submission = submission
        return answer

    def _submission(self, call: GatewayCall) -> TakenSubmission | str:
        fields = call.fields
        text = decode(fields.get("content", b""), "utf-8")
        reference = decode(fields.get("taskId", b""), "utf-8")
        extension = fields.get("extNo", b"").decode("latin-1")
        limit = self.options["content_limit"]
        if not text or reference is None or (limit and len(text) > limit):
            return "02"
        if extension and not _POSITIVE_INTEGER.fullmatch(extension):
            return "02"
        if len(call.numbers) > BATCH_CAP:
            return "03"
        if not all_match(MOBILES, call.numbers):
            return "04" if call.numbers else "02"
        return TakenSubmission(call.numbers, text, segment_count(text), extension, reference)

    def _task_id(self, serial: int) -> str:
        digest = hashlib.md5(f"{self.world.config.seed}:{serial}".encode(), usedforsecurity=False)
        return str(uuid.UUID(bytes=digest.digest(), version=4))

    def _sent_answer(self, task_id: str) -> SandboxAnswer:
        task_id_shown = "" if self.options["answer_task_id"] == "empty" else task_id
        return _json({"code": "00", "data": {"taskId": task_id_shown}, "message": "成功"})

    def _reports(self, call: GatewayCall, account: SandboxAccount) -> SandboxAnswer:
        queue = self.world.reports(self.name, account.name)
        rows = queue.drain(self.world.clock(), self.options["page"])
        return self._rows([self._report(row, self.options["delivered"]) for row in rows])

    def _inbound(self, call: GatewayCall, account: SandboxAccount) -> SandboxAnswer:
        box = self.world.inbound(self.name, account.name)
        rows = box.drain(self.world.clock(), self.options["page"])
        return self._rows([_row(row, int(row.extension) if row.extension else "") for row in rows])

    def _report(self, row: SandboxReport, delivered: str) -> dict[str, Any]:
        return {
            "sendId": row.id,
            "status": _status(row.status, delivered),
            "times": format_beijing(row.at),
            "mobile": row.msisdn,
            "extNo": row.extension,
        }

    def _rows(self, rows: list[dict[str, Any]]) -> SandboxAnswer:
        if self.options["sample_bodies"]:
            return _json_answer("00", _sample_body(rows))
        body: dict[str, Any] = {"code": "00", "data": rows, "message": "成功"}
        if not rows and self.options["empty"] == "null":
            body["data"] = None
        if not rows and self.options["empty"] == "missing":
            del body["data"]
        return _json(body)

    def _balance(self, call: GatewayCall, account: SandboxAccount) -> SandboxAnswer:
        """Answer the balance; `payment` 0 is prepaid, 1 postpaid (the document misprints 后附)."""
        data = {
            "balance": self.world.balance(account),
            "payment": int(account.postpaid),
            "paymentName": "后付" if account.postpaid else "预付",
        }
        return _json({"code": "00", "data": data, "message": "成功"})

    def push_report(self, report: SandboxReport) -> dict[str, Any]:
        """Return the four fields of a pushed report (回调短信状态), which is pushed once."""
        row = self._report(report, "DELIVRD")
        del row["extNo"]
        return row

    def push_inbound(self, inbound: SandboxInbound) -> dict[str, Any]:
        """Return the fields of a pushed reply (回调上行短信); here `extNo` is a string."""
        return _row(inbound, inbound.extension)


def _password_matches(account: SandboxAccount, password_field: bytes) -> bool:
    """Tell whether `pwd` is the MD5 of the interface password, in either letter case.

    The document does not say in which case it is written.
    """
    expected = hashlib.md5(account.password.encode(), usedforsecurity=False).hexdigest()
    return password_field.lower() == expected.encode()


def _status(status: str, delivered: str) -> str:
    words = {"delivered": delivered, "failed": "UNDELIV", "unknown": "UNKNOWN"}
    return words.get(status, "MBBLACK" if status == "blacklisted" else status)


def _row(row: SandboxInbound, extension: int | str) -> dict[str, Any]:
    return {
        "mobile": row.msisdn,
        "content": row.text,
        "times": format_beijing(row.at),
        "extNo": extension,
    }


def _json(body: dict[str, Any]) -> SandboxAnswer:
    return _json_answer(body["code"], json.dumps(body, ensure_ascii=False))


def _json_answer(code: str, body: str) -> SandboxAnswer:
    return SandboxAnswer(code, body.encode(), "application/json; charset=utf-8")


def _sample_body(rows: list[dict[str, Any]]) -> str:
    """Write rows as the document prints them: bare braces, a comment, no comma at the end."""
    text = ",\n".join(json.dumps(row, ensure_ascii=False, indent=4) for row in rows)
    text = text.replace('",\n    "status"', '", //同 taskId\n    "status"')
    return f'{{\n  "code": "00",\n"data": {{\n  [{text}]\n}}\n"message": "成功"\n}}'


SIDE = ApiV1Side
