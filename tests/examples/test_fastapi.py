"""The FastAPI example."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

import producer

from .conftest import Shop

pytest.importorskip("greenlet", reason="AsyncSession needs it: sqlalchemy[asyncio]")


@pytest.fixture(scope="module")
def shop(copied: Callable[[str], Shop]) -> Shop:
    return copied("fastapi")


@pytest.fixture(scope="module")
def app(shop: Shop) -> Any:
    import app

    assert Path(app.__file__).parent == shop.folder
    return app


def order(app: Any, **form: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app.app)
        async with (
            app.lifespan(app.app),
            httpx.AsyncClient(transport=transport, base_url="http://shop") as client,
        ):
            return await client.post("/orders", data=form)

    return asyncio.run(ask())


def test_an_order_and_its_text_are_stored_together(shop: Shop, app: Any) -> None:
    answer = order(app, number="13800138000", item="tea")
    assert answer.status_code == 201
    assert shop.together() == 1
    assert producer.get(answer.json()["text"]).state is producer.MessageState.QUEUED


def test_an_order_that_is_refused_is_not_stored(shop: Shop, app: Any) -> None:
    answer = order(app, number="12", item="tea")
    assert answer.status_code == 422
    assert answer.json()["problems"][0].startswith("to: ")
    assert shop.count("shop_order") == shop.together()


def test_what_fails_after_the_text_was_enqueued_leaves_neither(shop: Shop, app: Any) -> None:
    async def fail() -> None:
        async with app.lifespan(app.app), app.AsyncSession(app.engine) as session, session.begin():
            await app.place(session, "13800138000", "tea")
            raise RuntimeError

    order(app, number="12", item="tea")
    before = shop.together()
    with pytest.raises(RuntimeError):
        asyncio.run(fail())
    assert shop.together() == before
