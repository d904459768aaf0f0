"""Plays Alibaba Cloud's text messages (Dysmsapi 2017-05-25), written from the vendor's pages alone.

Calls are signed in the RPC style by ACS3-HMAC-SHA256. Refusals of the platform's front (signatures,
keys, pace) have a status outside of 2xx, those of the service have 200; both are the same JSON.
"""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from worker.sandbox.exchange import GatewayCall, SandboxAnswer, SandboxRequest, TakenSubmission
from worker.sandbox.side import MOBILES, Side, all_match
from worker.sandbox.sides.aliyun_caller import CallerCheck, Code, Refusal, claimed_key
from worker.sandbox.texts import format_beijing, segment_count
from worker.sandbox.world import SandboxAccount, SandboxInbound, SandboxReport, World

SUBMITTING = {"SendSms": 1000, "SendBatchSms": 100}
#: The status of what the platform's front refuses; 400 unless named.
STATUSES = {"InvalidAccessKeyId.NotFound": 404, "Forbidden.RAM": 403}
MESSAGES = {
    "OK": "OK",
    "isv.MOBILE_NUMBER_ILLEGAL": "非法手机号",
    "isv.MOBILE_COUNT_OVER_LIMIT": "手机号码数量超过限制",
    "isv.SMS_SIGNATURE_ILLEGAL": "该账号下找不到对应签名",
    "isv.SMS_TEMPLATE_ILLEGAL": "该账号下找不到对应模板",
    "isv.TEMPLATE_MISSING_PARAMETERS": "模板变量缺少对应参数值",
    "isv.INVALID_JSON_PARAM": "JSON参数不合法，只接受字符串值",
    "isv.PARAM_LENGTH_LIMIT": "参数超过长度限制:35",
    "isv.PARAM_NOT_SUPPORT_URL": "参数不支持url",
    "isv.AMOUNT_NOT_ENOUGH": "账户余额不足",
    "isv.BLACK_KEY_CONTROL_LIMIT": "黑名单管控",
    "InvalidAccessKeyId.NotFound": "Specified access key is not found.",
    "InvalidTimeStamp.Expired": "Specified time stamp or date value is expired.",
    "SignatureNonceUsed": "Specified signature nonce was used already.",
    "Throttling.User": "Request was denied due to user flow control.",
}
LONGEST_VALUE = 35

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_DAY = "天"
_LIMITS = ((60, 1, "分钟"), (3600, 5, "小时"), (86_400, 10, _DAY))
_NOTICES_A_DAY, _OF_ALL_A_DAY = 50, 40


class SentMessage(NamedTuple):
    """A message as `QuerySendDetails` shows it."""

    at: float
    reference: str
    template: str
    text: str


class AliyunSide(Side):
    """The side of `SendSms`, `SendBatchSms` and `QuerySendDetails`; it pushes what comes back."""

    name = "aliyun"
    pushable = frozenset({"report", "inbound"})
    push_attempts = 4
    defaults: ClassVar[Mapping[str, Any]] = {
        "templates": {"SMS_154950909": "您的验证码为：${code}，请勿泄露于他人！"},
        "signatures": ["阿里云短信测试"],
        "code_templates": ["SMS_154950909"],  # those that have the limits of codes
        "number_limits": True,
        "hides": False,  # QuerySendDetails shows nothing, as one that lags behind
        "push_pause": 0.5,  # between attempts, in seconds; 1, 5 and 10 minutes at the vendor's
    }
    refusal_codes: ClassVar[Mapping[str, str]] = {
        "refuse": "isp.SYSTEM_ERROR",
        "auth_fail": "SignatureDoesNotMatch",
        "no_funds": "isv.AMOUNT_NOT_ENOUGH",
        "frozen": "isv.ACCOUNT_ABNORMAL",
        "locked": "isv.SECURITY_FROZEN_ACCOUNT",
        "throttle": "Throttling.User",
        "refuse_number": "isv.MOBILE_NUMBER_ILLEGAL",
        "take_others": "isv.MOBILE_NUMBER_ILLEGAL",
        "blacklisted": "isv.BLACK_KEY_CONTROL_LIMIT",
    }

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.options["number_limits"] = world.config.limits
        self._callers = CallerCheck()
        self._sent: dict[tuple[str, str], list[SentMessage]] = defaultdict(list)
        self._references: dict[str, str] = {}

    def accounts(self) -> Sequence[SandboxAccount]:
        """Return a key pair of the sandbox's own."""
        return [SandboxAccount(self.name, "LTAIdemo", "aliyun-demo-secret")]

    def read(self, request: SandboxRequest) -> GatewayCall:
        """Read the fields, which stand in the query or as a form in the body."""
        fields = request.fields()
        name = request.headers.get("x-acs-action", "")
        return GatewayCall(
            name if request.path == "/" else request.path,
            claimed_key(request.headers),
            request.method,
            request.at,
            fields,
            _numbers(fields),
            submits=name in SUBMITTING,
            headers=request.headers,
            body=request.body,
        )

    def answer(self, call: GatewayCall) -> SandboxAnswer:
        """Check who calls and when, then what is wanted."""
        try:
            return self._answer(call, self._callers.check(call, self.account(call)))
        except Refusal as refusal:
            return self._refusal(call, refusal.code, refusal.words)

    def _answer(self, call: GatewayCall, account: SandboxAccount) -> SandboxAnswer:
        if call.name == "QuerySendDetails":
            return self._details(call, account)
        if call.name not in SUBMITTING:
            raise Refusal(Code.ACTION)
        return self._send(call, account)

    def refuse(self, call: GatewayCall, code: str) -> SandboxAnswer:
        """Answer a code; what the front refuses has a status outside of 2xx."""
        return self._refusal(call, code)

    def answer_for_others(self, call: GatewayCall, honest_answer: SandboxAnswer) -> SandboxAnswer:
        """Answer that all is well: no answer tells of single numbers."""
        return honest_answer

    def remember(self, account: str, submission: TakenSubmission, at: float) -> None:
        """Keep what a number was sent, for its limits and for those who ask."""
        self._references[submission.id] = submission.reference
        texts = submission.texts or [submission.text] * len(submission.msisdns)
        for number, text in zip(submission.msisdns, texts, strict=True):
            sent = SentMessage(at, submission.reference, submission.template, text)
            self._sent[account, number].append(sent)

    # What is sent.

    def _send(self, call: GatewayCall, account: SandboxAccount) -> SandboxAnswer:
        if len(call.numbers) > SUBMITTING[call.name]:
            raise Refusal(Code.COUNT)
        if not call.numbers or not all_match(MOBILES, call.numbers):
            raise Refusal(Code.NUMBER)
        template = _text(call.fields, "TemplateCode")
        extension = _text(call.fields, "SmsUpExtendCode")
        texts = list(self._texts(call, template))
        for number, text in zip(call.numbers, texts, strict=True):
            self._check_limits(account.name, number, template, text, call.at)
        shared = call.name == "SendSms"
        submission = TakenSubmission(
            call.numbers,
            texts[0] if shared else "",
            segment_count(texts[0]) if shared else 0,
            extension=extension,
            reference=_text(call.fields, "OutId"),
            template=template,
            texts=[] if shared else texts,
            parts=[] if shared else [segment_count(text) for text in texts],
        )
        if not self.can_pay(account, submission):
            raise Refusal(Code.FUNDS)
        submission.id = f"{900_000_000_000_000_000 + self.world.next_serial()}^0"
        answer = self._json(call, {"Code": "OK", "Message": "OK", "BizId": submission.id})
        answer.submission = submission
        return answer

    def _texts(self, call: GatewayCall, template: str) -> Iterator[str]:
        """Yield the text for each number."""
        body = self.options["templates"].get(template)
        if body is None:
            raise Refusal(Code.TEMPLATE)
        count = len(call.numbers)
        if call.name == "SendSms":
            shared_values = _parse_json(_text(call.fields, "TemplateParam") or "{}")
            text = self._rendered(_text(call.fields, "SignName"), body, shared_values)
            yield from [text] * count
            return
        listed = _numbers(call.fields)
        signatures = _parse_json(_text(call.fields, "SignNameJson"))
        values = _parse_json(_text(call.fields, "TemplateParamJson") or "[]")
        for beside in (signatures, values):
            if not isinstance(beside, list) or len(beside) != len(listed):
                raise Refusal(Code.PARAMETERS, "参数个数不一致")
        by_number = dict(zip(listed, zip(signatures, values, strict=True), strict=True))
        for number in call.numbers:
            yield self._rendered(by_number[number][0], body, by_number[number][1])

    def _rendered(self, signature: str, body: str, values: Any) -> str:
        if signature not in self.options["signatures"]:
            raise Refusal(Code.SIGNATURE)
        if not isinstance(values, dict) or not all(isinstance(v, str) for v in values.values()):
            raise Refusal(Code.JSON)
        if any(len(value) > LONGEST_VALUE for value in values.values()):
            raise Refusal(Code.LENGTH)
        if any("://" in value or "www." in value for value in values.values()):
            raise Refusal(Code.LINK)
        if set(_VARIABLE.findall(body)) - values.keys():
            raise Refusal(Code.MISSING)
        return f"【{signature}】" + _VARIABLE.sub(lambda match: values[match[1]], body)

    def _check_limits(self, account: str, number: str, template: str, text: str, at: float) -> None:
        """Refuse what a number has had too often, in rolling spans; tries that failed count not."""
        if not self.options["number_limits"]:
            return
        day = [sent for sent in self._sent.get((account, number), ()) if at - sent.at < 86_400]
        signature = text.partition("】")[0]
        signed = [sent for sent in day if sent.text.startswith(signature)]
        code_templates = self.options["code_templates"]
        if template in code_templates:
            codes = [sent for sent in signed if sent.template in code_templates]
            for span, most, word in _LIMITS:
                if sum(at - sent.at < span for sent in codes) >= most:
                    raise _limited(word, most)
        elif sum(sent.template == template for sent in signed) >= _NOTICES_A_DAY:
            raise _limited(_DAY, _NOTICES_A_DAY)
        if template in code_templates and len(day) >= _OF_ALL_A_DAY:
            raise _limited(_DAY, _OF_ALL_A_DAY)

    def _details(self, call: GatewayCall, account: SandboxAccount) -> SandboxAnswer:
        """Answer what a number was sent on a day in Beijing, the newest first."""
        number, day = _text(call.fields, "PhoneNumber"), _text(call.fields, "SendDate")
        size = int(_text(call.fields, "PageSize") or 10)
        page = int(_text(call.fields, "CurrentPage") or 1)
        if not 0 < size <= 50 or not re.fullmatch(r"\d{8}", day):
            raise Refusal(Code.PARAMETERS, "参数异常")
        sent = [] if self.options["hides"] else list(self._sent.get((account.name, number), ()))
        of_day = [message for message in sent if format_beijing(message.at, "%Y%m%d") == day]
        of_day.reverse()
        rows = [
            {
                "TemplateCode": message.template,
                "ReceiveDate": format_beijing(message.at),
                "PhoneNum": number,
                "Content": message.text,
                "SendStatus": 3,
                "SendDate": format_beijing(message.at),
                "ErrCode": "DELIVERED",
                "OutId": message.reference,
            }
            for message in of_day[(page - 1) * size : page * size]
        ]
        details = {"SmsSendDetailDTO": rows}
        answer = {"Code": "OK", "Message": "OK", "TotalCount": str(len(of_day))}
        return self._json(call, answer | {"SmsSendDetailDTOs": details})

    # What is answered and pushed.

    def _refusal(self, call: GatewayCall, code: str, words: str = "") -> SandboxAnswer:
        body: dict[str, Any] = {"Code": code, "Message": words or MESSAGES.get(code, code)}
        if code.startswith(("isv.", "isp.")):
            return self._json(call, body)
        body["HostId"] = call.headers.get("host", "")
        body["Recommend"] = "https://next.api.aliyun.com/troubleshoot"
        return self._json(call, body, STATUSES.get(code, 400))

    def _json(self, call: GatewayCall, body: Mapping[str, Any], status: int = 200) -> SandboxAnswer:
        nonce = call.headers.get("x-acs-signature-nonce", "")
        request_id = hashlib.sha256(f"{call.at}{nonce}".encode()).hexdigest()[:32].upper()
        text = json.dumps({**body, "RequestId": request_id}, ensure_ascii=False)
        kind = "application/json;charset=utf-8"
        return SandboxAnswer(str(body["Code"]), text.encode(), kind, status)

    def push_report(self, report: SandboxReport) -> list[dict[str, Any]]:
        """Return a receipt, in a list (`SmsReport`)."""
        words = {
            "delivered": "DELIVERED",
            "failed": "MOBILE_NOT_ON_SERVICE",
            "unknown": "REQUEST_SUCCESS",
            "blacklisted": "MOBILE_IN_BLACK",
        }
        return [
            {
                "phone_number": report.msisdn,
                "send_time": format_beijing(report.at),
                "report_time": format_beijing(report.at),
                "success": report.status == "delivered",
                "err_code": words.get(report.status, report.status),
                "err_msg": "用户接收成功" if report.status == "delivered" else "用户接收失败",
                "sms_size": "1",
                "biz_id": report.id,
                "out_id": self._references.get(report.id, ""),
            }
        ]

    def push_inbound(self, inbound: SandboxInbound) -> list[dict[str, Any]]:
        """Return a reply, in a list (`SmsUp`)."""
        return [
            {
                "phone_number": inbound.msisdn,
                "content": inbound.text,
                "send_time": format_beijing(inbound.at),
                "dest_code": inbound.extension or "1",
                "sequence_id": self.world.next_serial(),
                "sign_name": self.options["signatures"][0],
            }
        ]

    def accepts_push_answer(self, status: int, body: bytes) -> bool:
        """Tell whether the receiver answered 200 and a `code` that is a number."""
        try:
            answer = json.loads(body)
        except ValueError:
            return False
        return status == 200 and isinstance(answer, dict) and type(answer.get("code")) is int


def _limited(word: str, most: int) -> Refusal:
    return Refusal(Code.LIMIT, f"触发{word}级流控Permits:{most}")


def _numbers(fields: Mapping[str, bytes]) -> list[str]:
    """Return the numbers of a call, without the country's prefix."""
    listed = fields.get("PhoneNumbers", b"").decode("latin-1").split(",")
    if "PhoneNumberJson" in fields:
        parsed = _parse_json(_text(fields, "PhoneNumberJson"))
        listed = [str(number) for number in parsed] if isinstance(parsed, list) else []
    return [re.sub(r"^(\+|00)?86(?=1)", "", number) for number in listed if number]


def _text(fields: Mapping[str, bytes], name: str) -> str:
    return fields.get(name, b"").decode("utf-8", "replace")


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


SIDE = AliyunSide
