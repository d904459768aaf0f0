"""Plays jzyyun (document 004): `success;…` or `failure;…`, XML for what is read.

The same calls come by form (`/servlet/UserServiceAPI`: GBK, password in BASE64), by its UTF-8 twin
at resellers (`UserServiceAPIUTF8`: UTF-8, password in clear) and by SOAP (`/services/userApi`).
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from worker.sandbox.exchange import GatewayCall, SandboxAnswer, SandboxRequest, TakenSubmission
from worker.sandbox.side import MOBILES, Side, all_match, split_numbers
from worker.sandbox.sides import jzyyun_soap
from worker.sandbox.texts import decode, format_beijing, segment_count
from worker.sandbox.world import DEFAULT_FUNDS, SandboxAccount, World

#: Section 1, `mobile`: the most numbers of one submission.
BATCH_CAP = 20_000
#: Section 1, `smstype`, and section 2, whose balances pay: card, gateway, member.
POOLS = {b"0": "ka", b"1": "gate", b"2": "member"}
#: Batch ids count from here; it is close to a real one (gateways.md §4).
BASE_BATCH_ID = 337_017_332

CHARSET_FORMS = {"/servlet/UserServiceAPI": "gbk", "/servlet/UserServiceAPIUTF8": "utf8"}
_CALLS = {"sendSMS", "getRestMoney", "getSmsReport", "getRecvSMS", "updatePassword"}


class JzyyunSide(Side):
    """The side of five calls by form and four by SOAP; rows are gone once they are read."""

    name = "jzyyun"
    pullable = frozenset({"report", "inbound"})
    defaults: ClassVar[Mapping[str, Any]] = {
        "page": 20_000,  # rows of one read; undocumented
        "line_end": "\r\n",  # real answers end so; the document does not show it
        "long_needs_flag": False,  # refuse more than 70 characters without isLongSms=1
        "rest_money_spacing": 0.0,  # seconds between two getRestMoney, else 查询频繁
        "soap_batch_id": False,  # §二.1 promises `success` alone
        "namespace": "http://api.sms",  # undocumented: read it from the WSDL
        "sample_bodies": False,  # XML as the document prints it, with its damage
    }
    refusal_codes: ClassVar[Mapping[str, str]] = {
        "refuse": "发送失败",
        "auth_fail": "用户名或密码错误",
        "no_funds": "余额不足",
        "frozen": "账号已冻结",
        "locked": "账号已锁定",
        "refuse_number": "手机号码错误",
        "take_others": "手机号码错误",
        "blacklisted": "黑名单号码",
    }

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._last_balance_call: dict[str, float] = {}

    def accounts(self) -> Sequence[SandboxAccount]:
        """Return the user of the document's samples."""
        return [
            SandboxAccount(self.name, "test", "test", dict.fromkeys(POOLS.values(), DEFAULT_FUNDS))
        ]

    def read(self, request: SandboxRequest) -> GatewayCall:
        """Read a call; samples put all parameters, `method` too, into the query of a POST."""
        if request.path == "/services/userApi":
            return jzyyun_soap.read(request)
        fields = request.fields()
        form = CHARSET_FORMS.get(request.path, "")
        name = fields.get("method", b"").decode("latin-1").strip() if form else request.path
        return GatewayCall(
            name,
            fields.get("username", b"").decode("latin-1"),
            request.method,
            request.at,
            fields,
            split_numbers(fields.get("mobile", b"")) if name == "sendSMS" else [],
            submits=name == "sendSMS",
            form=form,
        )

    def answer(self, call: GatewayCall) -> SandboxAnswer:
        """Answer the call, whichever way it came."""
        if call.form in {"soap", "wsdl"} and call.name not in jzyyun_soap.OPERATIONS:
            return (
                self._description() if call.form == "wsdl" else jzyyun_soap.unknown_operation(call)
            )
        name = "sendSMS" if call.submits else call.name
        if name not in _CALLS or call.method not in {"GET", "POST"}:
            return SandboxAnswer("404", b"not found", status=404)
        if name == "updatePassword":
            return self._update_password(call)
        account = self.account(call)
        if account is None or not _password_matches(account, call):
            return self.refuse_for(call, "auth_fail")
        handlers = {
            "sendSMS": self._send,
            "getRestMoney": self._rest_money,
            "getSmsReport": self._reports,
        }
        return handlers.get(name, self._inbound)(call, account)

    def _description(self) -> SandboxAnswer:
        address = f"{self.world.base_url}/{self.name}/services/userApi"
        return jzyyun_soap.wsdl(self.options["namespace"], address)

    def refuse(self, call: GatewayCall, code: str) -> SandboxAnswer:
        """Answer `failure;` and a text; the document has no list of texts."""
        if call.name == "updatePassword":
            return self._text_answer(call, "4", "4")
        return self._text_answer(call, f"failure;{code}", f"failure;{code}")

    def _text_answer(self, call: GatewayCall, code: str, text: str) -> SandboxAnswer:
        if call.form == "soap":
            return jzyyun_soap.format_result(call, code, text, self.options["namespace"])
        charset = "utf-8" if call.form == "utf8" else "gbk"
        body = (text + self.options["line_end"]).encode(charset, "replace")
        return SandboxAnswer(code, body, f"text/plain; charset={charset.upper()}")

    def _send(self, call: GatewayCall, account: SandboxAccount) -> SandboxAnswer:
        submission = self._submission(call)
        if isinstance(submission, str):
            return self.refuse(call, submission)
        if not self.can_pay(account, submission):
            return self.refuse_for(call, "no_funds")
        submission.id = str(BASE_BATCH_ID + self.world.next_serial())
        is_bare = call.form == "soap" and not self.options["soap_batch_id"]
        answer = self._text_answer(
            call, "success", "success" if is_bare else f"success;{submission.id}"
        )
        answer.submission = submission
        return answer

    def _submission(self, call: GatewayCall) -> TakenSubmission | str:
        """Read what is to be sent, or return the text that refuses it."""
        fields = call.fields
        text = decode(fields.get("content", b""), "gbk" if call.form == "gbk" else "utf-8")
        pool = POOLS.get(fields.get("smstype", b"").strip())
        extension = fields.get("extenno", b"").decode("latin-1")
        if not text:
            return "内容编码错误" if text is None else "短信内容为空"
        if pool is None:
            return "短信类型错误"
        if len(call.numbers) > BATCH_CAP:
            return "号码过多"
        if not all_match(MOBILES, call.numbers):
            return self.refusal_codes["refuse_number"] if call.numbers else "手机号码为空"
        segments = segment_count(text)
        if self.options["long_needs_flag"] and segments > 1 and fields.get("isLongSms") != b"1":
            return "短信内容过长"
        return TakenSubmission(call.numbers, text, segments, extension, pool=pool)

    def _rest_money(self, call: GatewayCall, account: SandboxAccount) -> SandboxAnswer:
        """Answer the three balances, by name (section 2)."""
        last_call = self._last_balance_call.get(account.name)
        self._last_balance_call[account.name] = call.at
        if last_call is not None and call.at - last_call < self.options["rest_money_spacing"]:
            return self.refuse(call, "查询频繁")
        member, gate, ka = (self.world.balance(account, pool) for pool in ("member", "gate", "ka"))
        text = f"memberSmsNum={member};gateSmsNum={gate};kaSmsNum={ka}"
        return self._text_answer(call, "success", text)

    def _reports(self, call: GatewayCall, account: SandboxAccount) -> SandboxAnswer:
        """Answer a `smsreport` of `psreport`s: 1 delivered, 0 failed, 2 not known (section 3)."""
        queue = self.world.reports(self.name, account.name)
        rows = "".join(
            f"<psreport><mobile>{row.msisdn}</mobile><username>{account.name}</username>"
            f"<smslogid>{row.id}</smslogid><status>{_status(row.status)}</status>"
            f"<sendtime>{format_beijing(row.at)}.0</sendtime></psreport>\n"
            for row in queue.drain(self.world.clock(), self.options["page"])
        )
        return self._xml_answer(call, "smsreport", rows)

    def _inbound(self, call: GatewayCall, account: SandboxAccount) -> SandboxAnswer:
        """Answer a `smsrerecv`; `content` is BASE64 of GBK, `receiver` the account (section 4)."""
        box = self.world.inbound(self.name, account.name)
        rows = "".join(
            f"<psrerecv><mobile>{row.msisdn}</mobile><receiver>{account.name}</receiver>"
            f"<content>{_encode_content(row.text)}</content>"
            f"<sendtime>{format_beijing(row.at)}.0</sendtime></psrerecv>\n"
            for row in box.drain(self.world.clock(), self.options["page"])
        )
        return self._xml_answer(call, "smsrerecv", rows)

    def _xml_answer(self, call: GatewayCall, root: str, rows: str) -> SandboxAnswer:
        xml = f'<?xml version="1.0" encoding="utf-8" ?>\n<{root}>\n{rows}</{root}>\n'
        if self.options["sample_bodies"]:
            xml = xml.replace("<?xml ", "<?xml").replace("<ps", "-<ps").replace("<sms", "-<sms", 1)
        if call.form == "soap":
            return jzyyun_soap.format_result(call, "success", xml, self.options["namespace"])
        return SandboxAnswer("success", xml.encode(), "text/xml; charset=utf-8")

    def _update_password(self, call: GatewayCall) -> SandboxAnswer:
        """Change the password, in clear (section 5): 1 done, 2 failed, 3 no such user."""
        account = self.account(call)
        if account is None:
            return self._text_answer(call, "3", "3")
        password = call.fields.get("password", b"").decode("latin-1")
        new_password = call.fields.get("newPassword", b"").decode("latin-1")
        if password != account.password or not (new_password.isascii() and new_password.isalnum()):
            return self._text_answer(call, "2", "2")
        account.password = new_password
        return self._text_answer(call, "1", "1")


def _password_matches(account: SandboxAccount, call: GatewayCall) -> bool:
    expected = account.password.encode()
    if call.form != "utf8":
        expected = base64.b64encode(expected)
    return call.fields.get("password", b"") == expected


def _status(status: str) -> str:
    return {"delivered": "1", "unknown": "2", "failed": "0", "blacklisted": "0"}.get(status, status)


def _encode_content(text: str) -> str:
    return base64.b64encode(text.encode("gbk", "replace")).decode()


SIDE = JzyyunSide
