"""The server side of ihuyi (document 002): one number for each submission, XML or JSON back."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from xml.sax.saxutils import escape

from worker.sandbox.exchange import Answer, Call, Request, Submission
from worker.sandbox.side import MOBILES, Side, numbers
from worker.sandbox.texts import beijing, beijing_day, decoded, has_emoji, segments, units
from worker.sandbox.world import Account, Inbound, Report, World

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
TRIAL = ("您的验证码是：", "。请不要把验证码泄露给其他人。")
#: 请求参数: what must be there, and the code where it is not.
NEEDED = (("account", "401"), ("password", "402"), ("mobile", "403"), ("content", "404"))
#: Twenty digits, as the platform's real ones: beyond a signed 64-bit integer.
FIRST_ID = 15_870_246_950_000_000_000


class Ihuyi(Side):
    """`/webservice/sms.php`, `method=Submit` or `method=GetNum`, GET or POST, UTF-8."""

    name = "ihuyi"
    pushed = frozenset({"report", "inbound"})
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
    words: ClassVar[Mapping[str, str]] = {
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
        self._last: dict[tuple[str, str], float] = {}
        self._today: dict[tuple[str, str], int] = {}
        self._day = 0

    def accounts(self) -> Sequence[Account]:
        """An APIID and an APIKEY of the sandbox's own; the document shows none."""
        return [Account(self.name, "cf_demo", "0123456789abcdef0123456789abcdef")]

    def read(self, request: Request) -> Call:
        """`method` stands in the query, also with POST."""
        fields = request.fields()
        right = request.path == "/webservice/sms.php"
        name = fields.get("method", b"").decode("latin-1") if right else request.path
        return Call(
            name,
            fields.get("account", b"").decode("latin-1"),
            request.method,
            request.at,
            fields,
            numbers(fields.get("mobile", b"")),
            submits=name == "Submit",
            form="json" if fields.get("format") == b"json" else "xml",
        )

    def answer(self, call: Call) -> Answer:
        """Refuse with the first thing that is wrong, in the order of the codes."""
        if call.name not in {"Submit", "GetNum"} or call.method not in {"GET", "POST"}:
            return Answer("404", b"not found", status=404)
        code = self._missing(call) or self._credentials(call)
        if code:
            return self.refuse(call, code)
        account = self.account(call)
        assert account is not None  # noqa: S101 - _credentials said so
        if call.name == "GetNum":
            return self._reply(call, "2", ("num", str(self.world.balance(account))))
        return self._submit(call, account)

    def refuse(self, call: Call, code: str) -> Answer:
        """`smsid` is 0 where nothing was taken."""
        return self._reply(call, code, ("num" if call.name == "GetNum" else "smsid", "0"))

    def remember(self, account: str, taken: Submission, at: float) -> None:
        """Count the recipient's second and day."""
        if not self.options["limits"]:
            return
        day = beijing_day(at)
        if day != self._day:
            self._day = day
            self._last.clear()
            self._today.clear()
        for msisdn in taken.msisdns:
            self._last[account, msisdn] = at
            self._today[account, msisdn] = self._today.get((account, msisdn), 0) + 1

    def _missing(self, call: Call) -> str:
        for name, code in NEEDED if call.name == "Submit" else NEEDED[:2]:
            if not call.fields.get(name):
                return code
        return ""

    def _credentials(self, call: Call) -> str:
        """The APIKEY itself, or with `time` a dynamic password.

        The document's end, which tells how to make one, is lost; the formula is that of the
        vendor's published copy: MD5 of account, key, mobile, content, time (balance: without
        mobile and content), gateways.md §2.
        """
        account = self.account(call)
        if account is None:
            return "405"
        given = call.fields["password"]
        if given == account.password.encode():
            return ""
        time = call.fields.get("time", b"")
        if not time:
            return "405"
        parts = [call.fields["account"], account.password.encode()]
        if call.name == "Submit":
            parts += [call.fields["mobile"], call.fields["content"]]
        right = hashlib.md5(b"".join([*parts, time]), usedforsecurity=False).hexdigest()
        if given != right.encode() or len(time) != 10 or not time.isdigit():
            return "40502"
        fresh = abs(call.at - int(time)) <= self.options["password_window"]
        return "" if fresh else "40501"

    def _submit(self, call: Call, account: Account) -> Answer:
        if len(call.numbers) != 1 or MOBILES.fullmatch(call.numbers[0]) is None:
            return self.refuse(call, "406")
        template = call.fields.get("templateid", b"").decode("latin-1")
        text = decoded(call.fields["content"], "utf-8")
        if text is None:
            return self.refuse(call, "0")
        code = self._text_code(text, template) or self._recipient_code(call)
        if code:
            return self.refuse(call, code)
        taken = Submission(call.numbers, text, segments(text), template=template)
        if not self.funds_for(account, taken):
            return self.refuse(call, "4051")
        taken.id = str(FIRST_ID + self.world.next_serial())
        answer = self._reply(call, "2", ("smsid", taken.id))
        answer.taken = taken
        return answer

    def _text_code(self, text: str, template: str) -> str:
        if units(text) > self.options["content_limit"]:
            return "4073"
        if has_emoji(text):
            return "4074"
        if template:
            longest = max(map(len, text.split("|")))
            return "40722" if longest > self.options["variable_limit"] else ""
        return "4072" if self.options["trial"] and not _is_trial(text) else ""

    def _recipient_code(self, call: Call) -> str:
        if not self.options["limits"]:
            return ""
        key = (call.account, call.numbers[0])
        last = self._last.get(key)
        if last is None:
            return ""
        if call.at - last < 1.0:
            return "4080"
        full = self._today[key] >= self.options["per_day"]
        return "4082" if full and beijing_day(call.at) == self._day else ""

    def _reply(self, call: Call, code: str, last: tuple[str, str]) -> Answer:
        message = MESSAGES.get(code, "未知错误")
        if call.form == "json":
            # `code` is a number, the last a string: twenty digits are too many for a number.
            written = f'{{"code":{code},"msg":"{message}","{last[0]}":"{last[1]}"}}'
            return Answer(code, written.encode(), "application/json; charset=utf-8")
        root = "GetNumResult" if call.name == "GetNum" else "SubmitResult"
        xml = (
            f'<?xml version="1.0" encoding="utf-8"?>\n'
            f'<{root} xmlns="{self.options["namespace"]}">\n<code>{code}</code>\n'
            f"<msg>{escape(message)}</msg>\n<{last[0]}>{last[1]}</{last[0]}>\n</{root}>\n"
        )
        return Answer(code, xml.encode(), "text/xml; charset=utf-8")

    def push_report(self, report: Report) -> dict[str, Any]:
        """A form of five fields; `code` 2 is delivered (public client code, gateways.md §2)."""
        good = report.status == "delivered"
        return {
            "smsid": report.id,
            "mobilephone": report.msisdn,
            "code": "2" if good else "0",
            "msg": "DELIVRD" if good else _failure(report.status),
            "report_time": beijing(report.at),
        }

    def push_inbound(self, inbound: Inbound) -> dict[str, Any]:
        """A form of four fields (public client code, gateways.md §2)."""
        return {
            "smsid": inbound.id,
            "mobilephone": inbound.msisdn,
            "content": inbound.text,
            "replyTime": beijing(inbound.at),
        }

    def push_done(self, status: int, body: bytes) -> bool:
        """The receiver answers the word `success`."""
        return status == 200 and body.strip() == b"success"


def _failure(status: str) -> str:
    return {"failed": "UNDELIV", "unknown": "UNKNOWN", "blacklisted": "MBBLACK"}.get(status, status)


def _is_trial(text: str) -> bool:
    begin, end = TRIAL
    bare = text.removeprefix("【互亿无线】").replace(":", "：")
    return bare.startswith(begin) and bare.endswith(end)


SIDE = Ihuyi
