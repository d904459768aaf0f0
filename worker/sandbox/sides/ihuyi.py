"""Plays ihuyi (document 002): one number for each submission, XML or JSON back."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from xml.sax.saxutils import escape

from worker.sandbox.exchange import GatewayCall, SandboxAnswer, SandboxRequest, TakenSubmission
from worker.sandbox.side import MOBILES, Side, split_numbers
from worker.sandbox.texts import (
    beijing_day_number,
    decode,
    format_beijing,
    has_emoji,
    segment_count,
    utf16_units,
)
from worker.sandbox.world import SandboxAccount, SandboxInbound, SandboxReport, World

#: The codes of document 002 and their messages; 4081 is known from public client code only.
MESSAGES = {
    "0": "提交失败",
    "2": "提交成功",
    "400": "非法ip访问",
    "401": "帐号不能为空",
    "402": "密码不能为空",
    "403": "手机号码不能为空",
    "4030": "手机号码已被列入黑名单",
    "404": "短信内容不能为空",
    "405": "API ID 或 API KEY 不正确",
    "4050": "账号被冻结",
    "40501": "动态密码已过期",
    "40502": "动态密码校验失败",
    "4051": "剩余条数不足",
    "4052": "访问 ip 与备案 ip 不符",
    "406": "手机格式不正确",
    "407": "短信内容含有敏感字符",
    "4070": "签名格式不正确",
    "4071": "签名格式不正确",
    "4072": "签名格式不正确",
    "40722": "变量内容超过指定的长度【8】",
    "4073": "短信内容超出长度限制",
    "4074": "短信内容包含 emoji 符号",
    "4075": "签名未通过审核",
    "408": "发送超限([20]条),已加入黑名单,可登入平台解除",
    "4080": "同一手机号码同一秒钟之内发送频率不能超过 1 条",
    "4081": "系统繁忙",
    "4082": "超出同一手机号一天之内【5】条短信限制",
    "4085": "同一手机号验证码短信发送超出【5】条",
}
#: Items 4 and 5 of the document's interface notes: what an untested account may send.
TRIAL_TEXT = ("您的验证码是：", "。请不要把验证码泄露给其他人。")
#: The required fields (请求参数), and the code for each that is missing.
REQUIRED_FIELDS = (("account", "401"), ("password", "402"), ("mobile", "403"), ("content", "404"))
#: Twenty digits, as the platform's real ones: beyond a signed 64-bit integer.
BASE_ID = 15_870_246_950_000_000_000


class IhuyiSide(Side):
    """The side of `/webservice/sms.php`: `method=Submit` or `GetNum`, GET or POST, UTF-8."""

    name = "ihuyi"
    pushable = frozenset({"report", "inbound"})
    push_attempts = 3
    defaults: ClassVar[Mapping[str, Any]] = {
        "content_limit": 300,  # 参数 content; the live document says 500
        "variable_limit": 8,  # 40722
        "per_day": 5,  # 4082
        "limits": True,
        "trial": False,
        "password_window": 300.0,  # 40501 gives no length
        "namespace": "http://106.ihuyi.com/",
        "push_pause": 0.5,  # between attempts, in seconds; undocumented
    }
    refusal_codes: ClassVar[Mapping[str, str]] = {
        "refuse": "0",
        "auth_fail": "405",
        "no_funds": "4051",
        "frozen": "4050",
        "throttle": "4081",
        "refuse_number": "406",
        "take_others": "406",
        "blacklisted": "4030",
    }

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.options["limits"] = world.config.limits
        self._last_sent: dict[tuple[str, str], float] = {}
        self._sent_today: dict[tuple[str, str], int] = {}
        self._day = 0

    def accounts(self) -> Sequence[SandboxAccount]:
        """Return an APIID and an APIKEY of the sandbox's own; the document shows none."""
        return [SandboxAccount(self.name, "cf_demo", "0123456789abcdef0123456789abcdef")]

    def read(self, request: SandboxRequest) -> GatewayCall:
        """Read a call; `method` stands in the query, also with POST."""
        fields = request.fields()
        is_endpoint = request.path == "/webservice/sms.php"
        name = fields.get("method", b"").decode("latin-1") if is_endpoint else request.path
        return GatewayCall(
            name,
            fields.get("account", b"").decode("latin-1"),
            request.method,
            request.at,
            fields,
            split_numbers(fields.get("mobile", b"")),
            submits=name == "Submit",
            form="json" if fields.get("format") == b"json" else "xml",
        )

    def answer(self, call: GatewayCall) -> SandboxAnswer:
        """Answer a call; refuse it for the first thing that is wrong, in the order of the codes."""
        if call.name not in {"Submit", "GetNum"} or call.method not in {"GET", "POST"}:
            return SandboxAnswer("404", b"not found", status=404)
        code = self._missing_field_code(call) or self._login_code(call)
        if code:
            return self.refuse(call, code)
        account = self.account(call)
        assert account is not None  # noqa: S101 - _credentials said so
        if call.name == "GetNum":
            return self._reply(call, "2", ("num", str(self.world.balance(account))))
        return self._submit(call, account)

    def refuse(self, call: GatewayCall, code: str) -> SandboxAnswer:
        """Answer a code; `smsid` is 0, since nothing was taken."""
        return self._reply(call, code, ("num" if call.name == "GetNum" else "smsid", "0"))

    def remember(self, account: str, submission: TakenSubmission, at: float) -> None:
        """Count the recipient's second and day."""
        if not self.options["limits"]:
            return
        day = beijing_day_number(at)
        if day != self._day:
            self._day = day
            self._last_sent.clear()
            self._sent_today.clear()
        for msisdn in submission.msisdns:
            self._last_sent[account, msisdn] = at
            self._sent_today[account, msisdn] = self._sent_today.get((account, msisdn), 0) + 1

    def _missing_field_code(self, call: GatewayCall) -> str:
        for name, code in REQUIRED_FIELDS if call.name == "Submit" else REQUIRED_FIELDS[:2]:
            if not call.fields.get(name):
                return code
        return ""

    def _login_code(self, call: GatewayCall) -> str:
        """Check the APIKEY, or with `time` a dynamic password; return the code of a wrong one.

        The document's end, which tells how to make one, is lost; the formula is that of the
        vendor's published copy: MD5 of account, key, mobile, content, time (balance: without
        mobile and content), gateways.md §2.
        """
        account = self.account(call)
        if account is None:
            return "405"
        password = call.fields["password"]
        if password == account.password.encode():
            return ""
        time = call.fields.get("time", b"")
        if not time:
            return "405"
        signed_parts = [call.fields["account"], account.password.encode()]
        if call.name == "Submit":
            signed_parts += [call.fields["mobile"], call.fields["content"]]
        expected = hashlib.md5(b"".join([*signed_parts, time]), usedforsecurity=False).hexdigest()
        if password != expected.encode() or len(time) != 10 or not time.isdigit():
            return "40502"
        is_fresh = abs(call.at - int(time)) <= self.options["password_window"]
        return "" if is_fresh else "40501"

    def _submit(self, call: GatewayCall, account: SandboxAccount) -> SandboxAnswer:
        if len(call.numbers) != 1 or MOBILES.fullmatch(call.numbers[0]) is None:
            return self.refuse(call, "406")
        template = call.fields.get("templateid", b"").decode("latin-1")
        text = decode(call.fields["content"], "utf-8")
        if text is None:
            return self.refuse(call, "0")
        code = self._text_code(text, template) or self._recipient_code(call)
        if code:
            return self.refuse(call, code)
        submission = TakenSubmission(call.numbers, text, segment_count(text), template=template)
        if not self.can_pay(account, submission):
            return self.refuse(call, "4051")
        submission.id = str(BASE_ID + self.world.next_serial())
        answer = self._reply(call, "2", ("smsid", submission.id))
        answer.submission = submission
        return answer

    def _text_code(self, text: str, template: str) -> str:
        if utf16_units(text) > self.options["content_limit"]:
            return "4073"
        if has_emoji(text):
            return "4074"
        if template:
            longest = max(map(len, text.split("|")))
            return "40722" if longest > self.options["variable_limit"] else ""
        return "4072" if self.options["trial"] and not _is_trial(text) else ""

    def _recipient_code(self, call: GatewayCall) -> str:
        if not self.options["limits"]:
            return ""
        key = (call.account, call.numbers[0])
        last_sent = self._last_sent.get(key)
        if last_sent is None:
            return ""
        if call.at - last_sent < 1.0:
            return "4080"
        is_day_full = self._sent_today[key] >= self.options["per_day"]
        return "4082" if is_day_full and beijing_day_number(call.at) == self._day else ""

    def _reply(self, call: GatewayCall, code: str, id_field: tuple[str, str]) -> SandboxAnswer:
        id_name, id_value = id_field
        message = MESSAGES.get(code, "未知错误")
        if call.form == "json":
            # `code` is a number, the identifier a string: a number cannot hold twenty digits.
            body = f'{{"code":{code},"msg":"{message}","{id_name}":"{id_value}"}}'
            return SandboxAnswer(code, body.encode(), "application/json; charset=utf-8")
        root = "GetNumResult" if call.name == "GetNum" else "SubmitResult"
        xml = (
            f'<?xml version="1.0" encoding="utf-8"?>\n'
            f'<{root} xmlns="{self.options["namespace"]}">\n<code>{code}</code>\n'
            f"<msg>{escape(message)}</msg>\n<{id_name}>{id_value}</{id_name}>\n</{root}>\n"
        )
        return SandboxAnswer(code, xml.encode(), "text/xml; charset=utf-8")

    def push_report(self, report: SandboxReport) -> dict[str, Any]:
        """Return the five fields of a receipt; `code` 2 is delivered.

        Public client code, gateways.md §2.
        """
        is_delivered = report.status == "delivered"
        return {
            "smsid": report.id,
            "mobilephone": report.msisdn,
            "code": "2" if is_delivered else "0",
            "msg": "DELIVRD" if is_delivered else _status_word(report.status),
            "report_time": format_beijing(report.at),
        }

    def push_inbound(self, inbound: SandboxInbound) -> dict[str, Any]:
        """Return the four fields of a reply (public client code, gateways.md §2)."""
        return {
            "smsid": inbound.id,
            "mobilephone": inbound.msisdn,
            "content": inbound.text,
            "replyTime": format_beijing(inbound.at),
        }

    def accepts_push_answer(self, status: int, body: bytes) -> bool:
        """Tell whether the receiver answered the word `success`."""
        return status == 200 and body.strip() == b"success"


def _status_word(status: str) -> str:
    return {"failed": "UNDELIV", "unknown": "UNKNOWN", "blacklisted": "MBBLACK"}.get(status, status)


def _is_trial(text: str) -> bool:
    beginning, end = TRIAL_TEXT
    unsigned_text = text.removeprefix("【互亿无线】").replace(":", "：")
    return unsigned_text.startswith(beginning) and unsigned_text.endswith(end)


SIDE = IhuyiSide
