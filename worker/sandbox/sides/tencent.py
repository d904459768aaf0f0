"""Plays Tencent Cloud SMS, version 2021-01-11: signed JSON in, `Response` back, always HTTP 200.

An account is an SmsSdkAppId; its SecretId is that number too, and its SecretKey the password.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any, ClassVar

from worker.sandbox.exchange import GatewayCall, SandboxAnswer, SandboxRequest, TakenSubmission
from worker.sandbox.side import MOBILES, PushBody, Side
from worker.sandbox.sides import tencent_rows, tencent_signature, tencent_templates
from worker.sandbox.texts import format_beijing, segment_count
from worker.sandbox.world import SandboxAccount, SandboxInbound, SandboxReport, World

BATCH_CAP = 200
PAGE_CAP = 100
PACKAGE_CAP = 500
#: For how long a query shows what was sent, and how far a timestamp may be off, in seconds.
SHOWN_SECONDS = 7 * 86_400
MAX_SKEW = 300
EXPIRED_AMOUNT = 1000
VERSION = "2021-01-11"
ACTIONS = {
    "SendSms",
    "PullSmsSendStatus",
    "PullSmsReplyStatus",
    "PullSmsSendStatusByPhoneNumber",
    "SmsPackagesStatistics",
}


class TencentSide(Side):
    """The side of `SendSms`, both pulls, the query by number, packages, and both pushes."""

    name = "tencent"
    pullable = frozenset({"report", "inbound"})
    pushable = frozenset({"report", "inbound"})
    push_attempts = 3
    defaults: ClassVar[Mapping[str, Any]] = {
        "templates": {},  # approved texts by their ids, with {1}, {2}…; without any, all ids are
        "code_templates": [],  # those that take up to six digits a value
        "signatures": [],  # approved ones; without any, all are
        "codes": {},  # codes by number
        "codes_once": False,  # whether each of these stands once alone
        "limits": True,  # 30 s for an equal text, `per_day` a day
        "per_day": 10,
        "session_echo": False,  # whether reports bring the SessionContext; support enables it
        "query_session": True,  # whether a query shows it
        "hides": False,  # whether a query shows nothing, as one that lags behind
        "pulls": True,  # whether support has switched the pulls on
        "push_pause": 0.5,
    }
    refusal_codes: ClassVar[Mapping[str, str]] = {
        "refuse": "InternalError.OtherError",
        "auth_fail": "AuthFailure.SignatureFailure",
        "no_funds": "FailedOperation.InsufficientBalanceInSmsPackage",
        "frozen": "UnauthorizedOperation.SerivceSuspendDueToArrears",
        "locked": "UnauthorizedOperation.SdkAppIdIsDisabled",
        "refuse_number": "InvalidParameterValue.IncorrectPhoneNumber",
        "take_others": "InvalidParameterValue.IncorrectPhoneNumber",
        "blacklisted": "FailedOperation.PhoneNumberInBlacklist",
        "throttle": "RequestLimitExceeded",
    }

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._sessions: dict[str, str] = {}
        self._sent: dict[tuple[str, str], list[tuple[float, str, str]]] = {}
        self._coded: set[str] = set()

    def accounts(self) -> Sequence[SandboxAccount]:
        """Return one application."""
        return [SandboxAccount(self.name, "1400006666", "sandbox-secret-key")]

    def read(self, request: SandboxRequest) -> GatewayCall:
        """Read the action out of its header and the numbers out of the body."""
        fields = _parse(request.body)
        numbers = fields.get("PhoneNumberSet")
        action = request.headers.get("x-tc-action", "")
        return GatewayCall(
            action,
            str(fields.get("SmsSdkAppId", "")),
            request.method,
            request.at,
            {},
            [_bare(number) for number in numbers] if isinstance(numbers, list) else [],
            submits=action == "SendSms",
            headers=request.headers,
            body=request.body,
        )

    def answer(self, call: GatewayCall) -> SandboxAnswer:
        """Answer a call once its signature was checked."""
        fields = _parse(call.body)
        account, code = self._authenticate(call)
        if account is not None:
            code = _form_fault(call, fields)
        if account is None or code:
            return self.refuse(call, code)
        handlers = {
            "SendSms": self._send,
            "PullSmsSendStatus": self._pull,
            "PullSmsReplyStatus": self._pull,
            "PullSmsSendStatusByPhoneNumber": self._query,
            "SmsPackagesStatistics": self._packages,
        }
        return handlers[call.name](call, account, fields)

    def refuse(self, call: GatewayCall, code: str) -> SandboxAnswer:
        """Answer `Error` alone."""
        return self._json(call, code, {"Error": {"Code": code, "Message": f"sandbox: {code}"}})

    def answer_for_others(self, call: GatewayCall, honest_answer: SandboxAnswer) -> SandboxAnswer:
        """Answer a row for each number, those that were bad among them."""
        rows = json.loads(honest_answer.body)["Response"]["SendStatusSet"]
        answered = {row["PhoneNumber"] for row in rows}
        code = self.refusal_codes["take_others"]
        rows += [tencent_rows.row(n, code) for n in call.numbers if f"+86{n}" not in answered]
        answer = self._json(call, "Ok", {"SendStatusSet": rows})
        answer.submission = honest_answer.submission
        return answer

    def remember(self, account: str, submission: TakenSubmission, at: float) -> None:
        """Remember the sessions of messages, and what each number was sent."""
        for msisdn, serial in zip(submission.msisdns, submission.ids, strict=False):
            self._sessions[serial] = submission.reference
            sent = self._sent.setdefault((account, msisdn), [])
            sent.append((at, serial, submission.text))

    def push_report(self, report: SandboxReport) -> PushBody:
        """Return a list with one report; here `errmsg` is the code."""
        status, code = tencent_rows.carrier_status(report.status)
        row = {
            "user_receive_time": format_beijing(report.at),
            "nationcode": "86",
            "mobile": report.msisdn,
            "report_status": status,
            "errmsg": code,
            "description": "用户短信送达成功" if status == "SUCCESS" else "用户短信接收失败",
            "sid": report.id,
        }
        if self.options["session_echo"]:
            row["ext"] = self._sessions.get(report.id, "")
        return [row]

    def push_inbound(self, inbound: SandboxInbound) -> PushBody:
        """Return one reply, which is an object."""
        return {
            "extend": inbound.extension,
            "mobile": inbound.msisdn,
            "nationcode": "86",
            "sign": "信使",
            "text": inbound.text,
            "time": int(inbound.at),
        }

    def accepts_push_answer(self, status: int, body: bytes) -> bool:
        """Want `{"result":0,…}`."""
        return status == 200 and _parse(body).get("result") == 0

    def _authenticate(self, call: GatewayCall) -> tuple[SandboxAccount | None, str]:
        """Return the account whose key signed a call; else None and the code of the refusal."""
        claim = tencent_signature.read(call.headers.get("authorization", ""))
        timestamp = call.headers.get("x-tc-timestamp", "")
        if claim is None or not timestamp.isascii() or not timestamp.isdigit():
            return None, "AuthFailure.InvalidAuthorization"
        account, code = self._find_account(call, claim.secret_id)
        if account is None:
            return None, code
        day = datetime.fromtimestamp(int(timestamp), UTC).strftime("%Y-%m-%d")
        if abs(int(timestamp) - call.at) > MAX_SKEW or claim.day != day:
            return None, "AuthFailure.SignatureExpire"
        if not claim.is_signed_with(account.password, call.headers, call.body):
            return None, "AuthFailure.SignatureFailure"
        return account, ""

    def _find_account(self, call: GatewayCall, secret_id: str) -> tuple[SandboxAccount | None, str]:
        """Return the application that a call is about, if the key is one of it."""
        account = self.account(call)
        if (self.name, secret_id) not in self.world.accounts:
            return None, "AuthFailure.SecretIdNotFound"
        if account is None:
            return None, "InvalidParameterValue.SdkAppIdNotExist"
        if secret_id != account.name:
            return None, "UnauthorizedOperation.SmsSdkAppIdVerifyFail"
        return account, ""

    def _send(
        self, call: GatewayCall, account: SandboxAccount, fields: Mapping[str, Any]
    ) -> SandboxAnswer:
        if not call.numbers:
            return self.refuse(call, "MissingParameter.EmptyPhoneNumberSet")
        if len(call.numbers) > BATCH_CAP:
            return self.refuse(call, "LimitExceeded.PhoneNumberCountLimit")
        text, code = tencent_templates.text(fields, self.options)
        if code:
            return self.refuse(call, code)
        session = str(fields.get("SessionContext", ""))
        taken = TakenSubmission(
            [], text, segment_count(text), str(fields.get("ExtendCode", "")), session
        )
        taken.template = str(fields["TemplateId"])
        rows = []
        for msisdn in call.numbers:
            code = self._code(account, msisdn, text, call.at)
            if code == "Ok":
                taken.msisdns.append(msisdn)
                taken.ids.append(f"2640:{self.world.next_serial():020d}")
                rows.append(tencent_rows.row(msisdn, code, taken.ids[-1], taken.segments, session))
            else:
                rows.append(tencent_rows.row(msisdn, code))
        if not self.can_pay(account, taken):
            code = self.refusal_codes["no_funds"]
            return self._json(
                call, code, {"SendStatusSet": [tencent_rows.row(n, code) for n in call.numbers]}
            )
        answer = self._json(call, "Ok" if taken.msisdns else code, {"SendStatusSet": rows[::-1]})
        if taken.msisdns:
            taken.id = taken.ids[0]
            answer.submission = taken
        return answer

    def _code(self, account: SandboxAccount, msisdn: str, text: str, at: float) -> str:
        """Return the code for one number."""
        if not MOBILES.fullmatch(msisdn):
            return "InvalidParameterValue.IncorrectPhoneNumber"
        code = self.options["codes"].get(msisdn)
        if code and not (self.options["codes_once"] and msisdn in self._coded):
            self._coded.add(msisdn)
            return str(code)
        if not (self.options["limits"] and self.world.config.limits):
            return "Ok"
        sent = self._sent.get((account.name, msisdn), ())
        if any(text == earlier and at - when < 30 for when, _, earlier in sent):
            return "LimitExceeded.PhoneNumberThirtySecondLimit"
        today = format_beijing(at, "%Y%m%d")
        of_day = sum(format_beijing(when, "%Y%m%d") == today for when, _, _ in sent)
        return "LimitExceeded.PhoneNumberDailyLimit" if of_day >= self.options["per_day"] else "Ok"

    def _pull(
        self, call: GatewayCall, account: SandboxAccount, fields: Mapping[str, Any]
    ) -> SandboxAnswer:
        """Take rows out of a queue: what was pulled is not returned again."""
        limit = fields.get("Limit")
        if not self.options["pulls"]:
            return self.refuse(call, "UnauthorizedOperation.RequestPermissionDeny")
        if not isinstance(limit, int) or not 0 < limit <= PAGE_CAP:
            return self.refuse(call, "InvalidParameterValue.LimitVerifyFail")
        if call.name == "PullSmsSendStatus":
            queue = self.world.reports(self.name, account.name)
            reports = queue.drain(self.world.clock(), limit)
            return self._json(
                call, "Ok", {"PullSmsSendStatusSet": [self._report(row) for row in reports]}
            )
        box = self.world.inbound(self.name, account.name)
        replies = [tencent_rows.reply(row) for row in box.drain(self.world.clock(), limit)]
        return self._json(call, "Ok", {"PullSmsReplyStatusSet": replies})

    def _report(self, report: SandboxReport) -> dict[str, Any]:
        """Return a row of a pull; here `Description` is the code."""
        session = self._sessions.get(report.id, "") if self.options["session_echo"] else ""
        return tencent_rows.status_row(report.msisdn, report.id, report.status, report.at, session)

    def _query(
        self, call: GatewayCall, account: SandboxAccount, fields: Mapping[str, Any]
    ) -> SandboxAnswer:
        begin, end = fields.get("BeginTime"), fields.get("EndTime", call.at)
        limit = fields.get("Limit")
        if not isinstance(begin, int) or begin < call.at - SHOWN_SECONDS:
            return self.refuse(call, "InvalidParameterValue.BeginTimeVerifyFail")
        if not isinstance(end, int | float) or end < begin:
            return self.refuse(call, "InvalidParameterValue.EndTimeVerifyFail")
        if fields.get("Offset") != 0:
            return self.refuse(call, "InvalidParameterValue.OffsetVerifyFail")
        if not isinstance(limit, int) or not 0 < limit <= PAGE_CAP:
            return self.refuse(call, "InvalidParameterValue.LimitVerifyFail")
        msisdn = _bare(fields.get("PhoneNumber"))
        sent = [] if self.options["hides"] else self._sent.get((account.name, msisdn), [])
        rows = []
        for at, serial, _ in sent:
            session = self._sessions.get(serial, "") if self.options["query_session"] else ""
            if begin <= at < end + 1:
                rows.append(tencent_rows.status_row(msisdn, serial, "delivered", at, session))
        return self._json(call, "Ok", {"PullSmsSendStatusSet": rows[:limit]})

    def _packages(
        self, call: GatewayCall, account: SandboxAccount, fields: Mapping[str, Any]
    ) -> SandboxAnswer:
        """Answer the package that is drawn on, and one that has expired."""
        times = [str(fields.get(name, "")) for name in ("BeginTime", "EndTime")]
        limit = fields.get("Limit")
        if not all(re.fullmatch(r"\d{10}", time) for time in times) or times[0] >= times[1]:
            return self.refuse(call, "InvalidParameterValue.BeginTimeVerifyFail")
        if not isinstance(limit, int) or not 0 < limit <= PACKAGE_CAP:
            return self.refuse(call, "InvalidParameterValue.LimitVerifyFail")
        used = self.world.sent(account)
        year = 365 * 86_400
        rows = [
            tencent_rows.package(
                1, self.world.balance(account) + used, used, call.at - 86_400, year
            ),
            tencent_rows.package(2, EXPIRED_AMOUNT, 0, call.at - 2 * year, year),
        ]
        return self._json(call, "Ok", {"SmsPackagesStatisticsSet": rows})

    def _json(self, call: GatewayCall, code: str, response: dict[str, Any]) -> SandboxAnswer:
        response["RequestId"] = f"{self.world.serial:08x}-0000-4000-8000-000000000000"
        body = json.dumps({"Response": response}, ensure_ascii=False).encode()
        headers = (("Date", formatdate(call.at, usegmt=True)),)
        return SandboxAnswer(code, body, "application/json", headers=headers)


def _form_fault(call: GatewayCall, fields: Mapping[str, Any]) -> str:
    """Return the code of what is wrong with a call's form; "" where nothing is."""
    if call.headers.get("x-tc-version") != VERSION or not call.headers.get("x-tc-region"):
        return "MissingParameter"
    if call.name not in ACTIONS:
        return "InvalidAction"
    return "" if fields else "FailedOperation.JsonParseFail"


def _parse(body: bytes) -> dict[str, Any]:
    """Return a JSON object; an empty one for anything else."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _bare(number: object) -> str:
    """Return a number without its country code."""
    return str(number).removeprefix("+86")


SIDE = TencentSide
