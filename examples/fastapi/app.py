"""A shop that texts its customers: an order and its text commit together, or not at all."""  # noqa: INP001

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from sqlalchemy import String
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from producer import Refused, enqueue_async

FOLDER = Path(__file__).resolve().parent
# Xinshi reads its own file; it names the same database.
os.environ.setdefault("XINSHI_CONFIG", str(FOLDER / "xinshi.toml"))

engine = create_async_engine(f"sqlite+aiosqlite:///{FOLDER / 'shop.db'}")


class Base(DeclarativeBase):
    """The shop's tables."""


class Order(Base):
    """Something that was ordered, and the id of the text that says so."""

    __tablename__ = "shop_order"

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(20))
    item: Mapped[str] = mapped_column(String(100))
    text: Mapped[str] = mapped_column(String(40), default="")


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Make the shop's tables; Xinshi's are made by `xinshi migrate`."""
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


async def place(session: AsyncSession, number: str, item: str) -> Order:
    """Store an order and the text that confirms it; raises `producer.Refused`."""
    order = Order(number=number, item=item)
    session.add(order)
    await session.flush()
    accepted = await enqueue_async(
        number,
        f"【信使】已收到您的订单 {order.id}",
        key=f"order-{order.id}",
        session=session,
    )
    order.text = accepted.ids[0]
    return order


@app.post("/orders")
async def take(request: Request) -> JSONResponse:
    """Take an order."""
    form = parse_qs((await request.body()).decode())
    number, item = (form.get(name, [""])[0] for name in ("number", "item"))
    try:
        async with AsyncSession(engine, expire_on_commit=False) as session, session.begin():
            order = await place(session, number, item)
    except Refused as refused:
        return JSONResponse({"problems": [str(one) for one in refused.problems]}, 422)
    return JSONResponse({"order": order.id, "text": order.text}, 201)
