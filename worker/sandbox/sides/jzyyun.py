"""The server side of jzyyun (document 004): `success;…` or `failure;…`, XML for what is read.

The same calls come by form (`/servlet/UserServiceAPI`: GBK, password in BASE64), by its UTF-8 twin
at resellers (`UserServiceAPIUTF8`: UTF-8, password in clear) and by SOAP (`/services/userApi`).
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from worker.sandbox.exchange import Answer, Call, Request, Submission
from worker.sandbox.side import MOBILES, Side, all_match, numbers
from worker.sandbox.sides import jzyyun_soap as soap
from worker.sandbox.texts import beijing, decoded, segments
from worker.sandbox.world import PLENTY, Account, World

#: Section 1, `mobile`: the most numbers of one submission.
CAP = 20_000
#: Section 1, `smstype`, and section 2, whose balances pay: card, gateway, member.
POOLS = {b"0": "ka", b"1": "gate", b"2": "member"}
#: Close to a real one (gateways.md §4).
FIRST_BATCH = 337_017_332

FORMS = {"/servlet/UserServiceAPI": "gbk", "/servlet/UserServiceAPIUTF8": "utf8"}
_CALLS = {"sendSMS", "getRestMoney", "getSmsReport", "getRecvSMS", "updatePassword"}


class Jzyyun(Side):
    """Five calls by form and four by SOAP; reports and replies leave when read."""

    name = "jzyyun"
    pulled = frozenset({"report", "inbound"})
    defaults: ClassVar[Mapping[str, Any]] = {
        "page": 20_000,  # rows of one read; undocumented
        "line_end": "\r\n",  # real answers end so; the document does not show it
        "long_needs_flag": False,  # refuse more than 70 characters without isLongSms=1
        "rest_money_spacing": 0.0,  # seconds between two getRestMoney, else 查询频繁
        "soap_batch_id": False,  # §二.1 promises `success` alone
        "namespace": "http://api.sms",  # undocumented: read it from the WSDL
        "sample_bodies": False,  # XML as the document prints it, with its damage
    }
    words: ClassVar[Mapping[str, str]] = {
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
        self._asked: dict[str, float] = {}

    def accounts(self) -> Sequence[Account]:
        """The user of the document's samples."""
        return [Account(self.name, "test", "test", dict.fromkeys(POOLS.values(), PLENTY))]

    def read(self, request: Request) -> Call:
        """`method` is a parameter; samples put it and all others into the query of a POST."""
        if request.path == "/services/userApi":
            return soap.read(request)
        fields = request.fields()
        form = FORMS.get(request.path, "")
        name = fields.get("method", b"").decode("latin-1").strip() if form else request.path
        return Call(
            name,
            fields.get("username", b"").decode("latin-1"),
            request.method,
            request.at,
            fields,
            numbers(fields.get("mobile", b"")) if name == "sendSMS" else [],
            submits=name == "sendSMS",
            form=form,
        )

    def answer(self, call: Call) -> Answer:
        """Answer the call, whichever way it came."""
        if call.form in {"soap", "wsdl"} and call.name not in soap.OPERATIONS:
            return self._description() if call.form == "wsdl" else soap.unknown(call)
        name = "sendSMS" if call.submits else call.name
        if name not in _CALLS or call.method not in {"GET", "POST"}:
            return Answer("404", b"not found", status=404)
        if name == "updatePassword":
            return self._update_password(call)
        account = self.account(call)
        if account is None or not _knows(account, call):
            return self.refuse_as(call, "auth_fail")
        handlers = {
            "sendSMS": self._send,
            "getRestMoney": self._rest_money,
            "getSmsReport": self._reports,
        }
        return handlers.get(name, self._inbound)(call, account)

    def _description(self) -> Answer:
        address = f"{self.world.base_url}/{self.name}/services/userApi"
        return soap.wsdl(self.options["namespace"], address)

    def refuse(self, call: Call, code: str) -> Answer:
        """`failure;` and a text; the document has no list of texts."""
        if call.name == "updatePassword":
            return self._text(call, "4", "4")
        return self._text(call, f"failure;{code}", f"failure;{code}")

    def _text(self, call: Call, code: str, text: str) -> Answer:
        if call.form == "soap":
            return soap.written(call, code, text, self.options["namespace"])
        charset = "utf-8" if call.form == "utf8" else "gbk"
        body = (text + self.options["line_end"]).encode(charset, "replace")
        return Answer(code, body, f"text/plain; charset={charset.upper()}")

    def _send(self, call: Call, account: Account) -> Answer:
        taken = self._submission(call)
        if isinstance(taken, str):
            return self.refuse(call, taken)
        if not self.funds_for(account, taken):
            return self.refuse_as(call, "no_funds")
        taken.id = str(FIRST_BATCH + self.world.next_serial())
        bare = call.form == "soap" and not self.options["soap_batch_id"]
        answer = self._text(call, "success", "success" if bare else f"success;{taken.id}")
        answer.taken = taken
        return answer

    def _submission(self, call: Call) -> Submission | str:
        """Read what is to be sent, or return the text that refuses it."""
        fields = call.fields
        text = decoded(fields.get("content", b""), "gbk" if call.form == "gbk" else "utf-8")
        pool = POOLS.get(fields.get("smstype", b"").strip())
        extension = fields.get("extenno", b"").decode("latin-1")
        if not text:
            return "内容编码错误" if text is None else "短信内容为空"
        if pool is None:
            return "短信类型错误"
        if len(call.numbers) > CAP:
            return "号码过多"
        if not all_match(MOBILES, call.numbers):
            return self.words["refuse_number"] if call.numbers else "手机号码为空"
        parts = segments(text)
        if self.options["long_needs_flag"] and parts > 1 and fields.get("isLongSms") != b"1":
            return "短信内容过长"
        return Submission(call.numbers, text, parts, extension, pool=pool)

    def _rest_money(self, call: Call, account: Account) -> Answer:
        """Section 2: the three balances, by name."""
        last = self._asked.get(account.name)
        self._asked[account.name] = call.at
        if last is not None and call.at - last < self.options["rest_money_spacing"]:
            return self.refuse(call, "查询频繁")
        left = {pool: self.world.balance(account, pool) for pool in POOLS.values()}
        text = f"memberSmsNum={left['member']};gateSmsNum={left['gate']};kaSmsNum={left['ka']}"
        return self._text(call, "success", text)

    def _reports(self, call: Call, account: Account) -> Answer:
        """Section 3: `smsreport` of `psreport`s; status 1 delivered, 0 failed, 2 not known."""
        queue = self.world.reports(self.name, account.name)
        rows = "".join(
            f"<psreport><mobile>{row.msisdn}</mobile><username>{account.name}</username>"
            f"<smslogid>{row.id}</smslogid><status>{_status(row.status)}</status>"
            f"<sendtime>{beijing(row.at)}.0</sendtime></psreport>\n"
            for row in queue.drain(self.world.clock(), self.options["page"])
        )
        return self._xml(call, "smsreport", rows)

    def _inbound(self, call: Call, account: Account) -> Answer:
        """Section 4: `content` is BASE64 of GBK, `receiver` the account."""
        box = self.world.inbound(self.name, account.name)
        rows = "".join(
            f"<psrerecv><mobile>{row.msisdn}</mobile><receiver>{account.name}</receiver>"
            f"<content>{_content(row.text)}</content>"
            f"<sendtime>{beijing(row.at)}.0</sendtime></psrerecv>\n"
            for row in box.drain(self.world.clock(), self.options["page"])
        )
        return self._xml(call, "smsrerecv", rows)

    def _xml(self, call: Call, root: str, rows: str) -> Answer:
        xml = f'<?xml version="1.0" encoding="utf-8" ?>\n<{root}>\n{rows}</{root}>\n'
        if self.options["sample_bodies"]:
            xml = xml.replace("<?xml ", "<?xml").replace("<ps", "-<ps").replace("<sms", "-<sms", 1)
        if call.form == "soap":
            return soap.written(call, "success", xml, self.options["namespace"])
        return Answer("success", xml.encode(), "text/xml; charset=utf-8")

    def _update_password(self, call: Call) -> Answer:
        """Section 5: passwords in clear; 1 done, 2 failed, 3 no such user."""
        account = self.account(call)
        if account is None:
            return self._text(call, "3", "3")
        old = call.fields.get("password", b"").decode("latin-1")
        new = call.fields.get("newPassword", b"").decode("latin-1")
        if old != account.password or not (new.isascii() and new.isalnum()):
            return self._text(call, "2", "2")
        account.password = new
        return self._text(call, "1", "1")


def _knows(account: Account, call: Call) -> bool:
    right = account.password.encode()
    if call.form != "utf8":
        right = base64.b64encode(right)
    return call.fields.get("password", b"") == right


def _status(status: str) -> str:
    return {"delivered": "1", "unknown": "2", "failed": "0", "blacklisted": "0"}.get(status, status)


def _content(text: str) -> str:
    return base64.b64encode(text.encode("gbk", "replace")).decode()


SIDE = Jzyyun
