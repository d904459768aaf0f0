"""Plays c123 (document 001): one status number for each submission, in plain text."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from worker.sandbox.exchange import GatewayCall, SandboxAnswer, SandboxRequest, TakenSubmission
from worker.sandbox.side import MOBILES_AND_LANDLINES, Side, all_match, split_numbers
from worker.sandbox.texts import decode, format_beijing, parse_beijing, segment_count, utf16_units
from worker.sandbox.world import SandboxAccount, SandboxInbound, World

#: Document 001 §四, `mobile`: the most numbers of one submission, by HTTP method.
BATCH_CAPS = {"GET": 50, "POST": 2000}
#: How long an account is locked after wrong passwords: ten minutes (status 114).
LOCK_SECONDS = 600.0


class C123Side(Side):
    """The side of `/tx/` (submits), `/rx/` (reads replies) and `/mm/` (balance, sent counter)."""

    name = "c123"
    pullable = frozenset({"inbound"})
    defaults: ClassVar[Mapping[str, Any]] = {
        "content_limit": 500,  # 105 has no number in the document
        "rx_spacing": 0.0,  # §五 asks for 10 minutes, and does not say what happens else
        "rx_too_soon": "107",
        "rx_time_consumes": False,
        "rx_limit": 1_000_000,
        "sent_unit": "segments",
        "lock_after": 0,  # wrong passwords that lead to 114; 0 never
        "tail": "",  # what follows the status: the vendor's sample trims
    }
    refusal_codes: ClassVar[Mapping[str, str]] = {
        "refuse": "103",
        "auth_fail": "101",
        "no_funds": "102",
        "throttle": "107",
        "frozen": "109",
        "too_many_singles": "110",
        "refuse_number": "112",
        "take_others": "112",
        "blacklisted": "112",
        "locked": "114",
    }

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._wrong_passwords: dict[str, int] = {}
        self._locked_until: dict[str, float] = {}
        self._last_rx: dict[str, float] = {}

    def accounts(self) -> Sequence[SandboxAccount]:
        """Return the account of the document's samples: 9999, whose password is 9999 too."""
        return [SandboxAccount(self.name, "9999", "9999")]

    def read(self, request: SandboxRequest) -> GatewayCall:
        """Read a call of `/tx/`, `/rx/` or `/mm/`, by GET or POST (§四 to §七)."""
        fields = request.fields()
        name = request.path.strip("/")
        if name == "mm" and fields.get("cmd") == b"send":
            name = "mm-send"
        return GatewayCall(
            name,
            fields.get("uid", b"").decode("latin-1"),
            request.method,
            request.at,
            fields,
            split_numbers(fields.get("mobile", b"")) if name == "tx" else [],
            submits=name == "tx",
        )

    def answer(self, call: GatewayCall) -> SandboxAnswer:
        """Answer a call; check the password first, as every call has one."""
        handlers = {"tx": self._tx, "rx": self._rx, "mm": self._mm, "mm-send": self._mm}
        if call.name not in handlers or call.method not in BATCH_CAPS:
            return SandboxAnswer("404", b"not found", status=404)
        account = self.account(call)
        if account is None:
            return self.refuse(call, "101")
        if call.at < self._locked_until.get(account.name, 0.0):
            return self.refuse(call, "114")
        if not self._password_matches(account, call):
            return self.refuse(call, "101")
        return handlers[call.name](call, account)

    def refuse(self, call: GatewayCall, code: str) -> SandboxAnswer:
        """Answer a bare status number (§三)."""
        return self._plain_answer(code, code)

    def _plain_answer(self, code: str, text: str) -> SandboxAnswer:
        body = (text + self.options["tail"]).encode("gbk", "replace")
        return SandboxAnswer(code, body, "text/plain; charset=GBK")

    def _password_matches(self, account: SandboxAccount, call: GatewayCall) -> bool:
        """Tell whether `pwd` is the password's MD5 in lower case (§四, §五); count wrong ones."""
        expected = hashlib.md5(account.password.encode(), usedforsecurity=False).hexdigest()
        if call.fields.get("pwd") == expected.encode():
            self._wrong_passwords[account.name] = 0
            return True
        self._wrong_passwords[account.name] = self._wrong_passwords.get(account.name, 0) + 1
        if self._wrong_passwords[account.name] == self.options["lock_after"]:
            self._wrong_passwords[account.name] = 0
            self._locked_until[account.name] = call.at + LOCK_SECONDS
        return False

    def _tx(self, call: GatewayCall, account: SandboxAccount) -> SandboxAnswer:
        submission = self._submission(call)
        if isinstance(submission, str):
            return self.refuse(call, submission)
        if not self.can_pay(account, submission):
            return self.refuse(call, "102")
        answer = self._plain_answer("100", "100")
        answer.submission = submission
        return answer

    def _submission(self, call: GatewayCall) -> TakenSubmission | str:
        """Read what is to be sent, or return the code that refuses it."""
        fields = call.fields
        charset = "utf-8" if fields.get("encode") == b"utf8" else "gbk"
        text = decode(fields.get("content", b""), charset)
        schedule = fields.get("time", b"").decode("latin-1")
        extension = fields.get("mid", b"").decode("latin-1")
        code = self._numbers_code(call) or self._text_code(text)
        if code:
            return code
        if schedule and parse_beijing(schedule, "%Y-%m-%d %H:%M") is None:
            return "113"
        if extension and not extension.isdecimal():
            return "103"
        assert text is not None  # noqa: S101 - _text_code said so
        return TakenSubmission(
            call.numbers, text, segment_count(text), extension, schedule=schedule
        )

    def _numbers_code(self, call: GatewayCall) -> str:
        if not call.numbers:
            return "108"
        if len(call.numbers) > BATCH_CAPS[call.method]:
            return "106"
        return "" if all_match(MOBILES_AND_LANDLINES, call.numbers) else "112"

    def _text_code(self, text: str | None) -> str:
        if text is None:
            return "104"
        if not text:
            return "103"
        return "105" if utf16_units(text) > self.options["content_limit"] else ""

    def _rx(self, call: GatewayCall, account: SandboxAccount) -> SandboxAnswer:
        spacing = self.options["rx_spacing"]
        if call.at - self._last_rx.get(account.name, 0.0) < spacing:
            return self.refuse(call, self.options["rx_too_soon"])
        hour = call.fields.get("time", b"").decode("latin-1")
        begin = parse_beijing(hour, "%Y-%m-%d_%H") if hour else None
        if hour and begin is None:
            return self.refuse(call, "103")
        self._last_rx[account.name] = call.at
        return self._replies(account, self._inbound(account, begin))

    def _inbound(self, account: SandboxAccount, begin: float | None) -> list[SandboxInbound]:
        box = self.world.inbound(self.name, account.name)
        now = self.world.clock()
        if begin is None:
            return box.drain(now, self.options["rx_limit"])
        rows = box.of_hour(begin, now)
        if self.options["rx_time_consumes"]:
            box.forget(rows)
        return rows

    def _replies(self, account: SandboxAccount, rows: list[SandboxInbound]) -> SandboxAnswer:
        """Answer records behind `{&}`, fields between `||` (§五); nothing when there are none."""
        if not rows:
            return self._plain_answer("100", "")
        records = [
            f"{row.msisdn}||{row.text}||{format_beijing(row.at)}||{account.service_number}{row.extension}"
            for row in rows
        ]
        return self._plain_answer("100", "{&}".join(["100", *records]))

    def _mm(self, call: GatewayCall, account: SandboxAccount) -> SandboxAnswer:
        """Answer the balance (§六), or with `cmd=send` how much was ever sent (§七)."""
        messages = self.options["sent_unit"] == "messages"
        count = self.world.balance(account)
        if call.name == "mm-send":
            count = self.world.sent(account, messages=messages)
        return self._plain_answer("100", f"100||{count}")


SIDE = C123Side
