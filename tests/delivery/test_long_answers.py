"""Answers to submissions that are longer than any that a gateway has a reason to write."""

import asyncio
import threading

import httpx
import pytest
from sqlalchemy import Engine

from tests.support.by_hand import MARKETING, Hand, settings_of
from tests.support.dropping_gateway import gateway
from tests.support.stage import mobiles
from worker.delivery import submit
from worker.delivery.submit import CallAnswer
from worker.domain.enums import Outcome
from worker.gateways.adapters.apiv1 import ApiV1
from worker.gateways.base import OutgoingSubmission
from worker.gateways.results import Results
from worker.gateways.transport.client import GatewayClient

pytestmark = pytest.mark.parametrize("kind", ["sqlite"])
OK = b'{"code":"00","data":{"taskId":"7"}}'


def padded(size: int) -> bytes:
    """Return an answer that says that all was taken, with a body of `size` bytes."""
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (size, OK.ljust(size))


class Call:
    """A submission of some numbers that is to be called now."""

    def __init__(self, engine: Engine, database: str, port: int, count: int) -> None:
        url = f"http://127.0.0.1:{port}"
        self.hand = Hand(engine, settings_of(database, v1={"base_url": url}))
        self.hand.campaign(mobiles(count))
        (self.prepared,) = self.hand.take(MARKETING)

    async def make(self) -> CallAnswer:
        """Call the gateway."""
        client = GatewayClient()
        try:
            return await submit.call_gateway(self.prepared, client.call, self.hand.settings)
        finally:
            await client.close()


@pytest.mark.parametrize("count", [1, 100])
@pytest.mark.parametrize("more", [0, 1])
def test_an_answer_beyond_what_its_messages_need_leaves_them_unknown(
    engine: Engine, database: str, count: int, more: int
) -> None:
    size = 65_536 + 512 * count + more
    with gateway(good=1, answer=lambda _: padded(size)) as there:
        answer = asyncio.run(Call(engine, database, there.port, count).make())
        assert len(there.taken) == 1
    result = answer.results.default
    if more:
        assert (result.outcome, result.code) == (Outcome.UNKNOWN, "OutcomeUnknown")
        assert result.words.startswith("TooLong after")
    else:
        assert (result.outcome, result.gateway_id) == (Outcome.ACCEPTED, "7")


def test_other_calls_go_on_while_a_long_answer_is_read(
    engine: Engine, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader waits here for what only the event loop can do."""
    read_results = ApiV1.read_results
    loop_went_on = threading.Event()

    def wait_for_loop(
        account: ApiV1, response: httpx.Response, submission: OutgoingSubmission
    ) -> Results:
        loop.call_soon_threadsafe(loop_went_on.set)
        assert loop_went_on.wait(20)
        return read_results(account, response, submission)

    async def make(call: Call) -> CallAnswer:
        nonlocal loop
        loop = asyncio.get_running_loop()
        return await call.make()

    loop: asyncio.AbstractEventLoop
    monkeypatch.setattr(ApiV1, "read_results", wait_for_loop)
    with gateway(good=1, answer=lambda _: padded(60_000)) as there:
        answer = asyncio.run(make(Call(engine, database, there.port, 1)))
    assert answer.results.default.outcome is Outcome.ACCEPTED
