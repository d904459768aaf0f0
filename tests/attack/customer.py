"""An honest customer: codes, a campaign, and callbacks, each with how long it took."""

import asyncio
import json
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from tests.attack import wire
from tests.attack.listener import Received, written

TEXT = "【信使】您的验证码是 %s，请勿转发"
CAMPAIGN_TEXT = "【信使】春装上新，回T退订"
#: For so long a call that brings no answer is repeated, in seconds.
PATIENCE = 60.0


@dataclass
class Sent:
    """A code or a campaign that was sent: when, after how many seconds it was accepted, and how."""

    numbers: tuple[str, ...]
    at: float
    #: None until it was accepted.
    accepted: float | None = None
    tries: int = 0
    #: What the last try was answered; "" for no answer.
    last: str = ""


@dataclass
class Customer:
    """Calls with a key of its own, and receives the callbacks of its sender."""

    key: str
    web: int = 0
    sent: list[Sent] = field(default_factory=list)
    #: When each message was first told of, less when it was submitted, by number, in seconds.
    told: dict[str, float] = field(default_factory=dict)
    #: The last state that each number was told with, and the event's time.
    states: dict[str, tuple[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._numbers = (f"138{nth:08d}" for nth in range(100_000_000))

    @property
    def knows_all(self) -> bool:
        """Whether each message was told to be delivered, as all are in the end."""
        numbers = {number for sent in self.sent for number in sent.numbers}
        return all(self.states.get(number, ("", ""))[1] == "delivered" for number in numbers)

    async def receive(self, received: Received) -> None:
        """Receive a callback."""
        now, event = time.time(), json.loads(received.body)
        for told in event["data"].get("messages", ()):
            number = told["to"]
            if told["submitted_at"]:
                submitted = datetime.fromisoformat(told["submitted_at"]).timestamp()
                self.told.setdefault(number, now - submitted)
            last = (event["timestamp"], told["state"])
            self.states[number] = max(self.states.get(number, ("", "")), last)
        received.writer.write(written(status="204 No Content"))

    async def work(self, seconds: float, rate: float, recipients: int) -> list[Sent]:
        """Send a campaign, and codes for so long, however long the answers take; return them."""
        first = len(self.sent)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        calls = [asyncio.create_task(self._campaign(recipients))]
        for nth in range(round(seconds * rate)):
            await asyncio.sleep(max(0.0, begun + nth / rate - loop.time()))
            calls.append(asyncio.create_task(self._code()))
        await asyncio.gather(*calls)
        return self.sent[first:]

    async def ask_for_callbacks(self, port: int) -> None:
        """Have all that becomes of messages told to a port."""
        url = f"http://127.0.0.1:{port}/told"
        status, body = await wire.post(self.web, "/v1/callbacks", self.key, {"url": url})
        assert status == 200, body

    async def _code(self) -> None:
        number = next(self._numbers)
        body = {"to": number, "text": TEXT % number[-4:], "class": "otp"}
        await self._call("/v1/messages", body, (number,), 202)

    async def _campaign(self, size: int) -> None:
        numbers = tuple(next(self._numbers) for _ in range(size))
        body = {"name": "spring", "text": CAMPAIGN_TEXT, "recipients": numbers}
        await self._call("/v1/campaigns", body, numbers, 201)

    async def _call(
        self, path: str, body: dict[str, object], numbers: tuple[str, ...], wanted: int
    ) -> None:
        """Make a call, and repeat it with its key as long as it brings no answer."""
        sent = Sent(numbers, time.time())
        self.sent.append(sent)
        key = f"Idempotency-Key: {numbers[0]}"
        while time.time() < sent.at + PATIENCE:
            sent.tries += 1
            with suppress(*wire.NO_ANSWER):
                sent.last = ""
                status, _ = await wire.post(self.web, path, self.key, body, key)
                sent.last = str(status)
                if status == wanted:
                    sent.accepted = time.time() - sent.at
                    return
            await asyncio.sleep(0.2)
