"""A shop that texts its customers: an order and its text commit together, or not at all."""  # noqa: INP001

import os
from pathlib import Path

from flask import Flask, request
from flask.typing import ResponseReturnValue
from sqlalchemy import String, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from producer import Refused, enqueue

FOLDER = Path(__file__).resolve().parent
# Xinshi reads its own file; it names the same database.
os.environ.setdefault("XINSHI_CONFIG", str(FOLDER / "xinshi.toml"))

app = Flask(__name__)
engine = create_engine(f"sqlite:///{FOLDER / 'shop.db'}")


class Base(DeclarativeBase):
    """The shop's tables."""


class Order(Base):
    """Something that was ordered, and the id of the text that says so."""

    __tablename__ = "shop_order"

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(20))
    item: Mapped[str] = mapped_column(String(100))
    text: Mapped[str] = mapped_column(String(40), default="")


Base.metadata.create_all(engine)


def place(session: Session, number: str, item: str) -> Order:
    """Store an order and the text that confirms it; raises `producer.Refused`."""
    order = Order(number=number, item=item)
    session.add(order)
    session.flush()
    accepted = enqueue(
        number,
        f"【信使】已收到您的订单 {order.id}",
        key=f"order-{order.id}",
        session=session,
    )
    order.text = accepted.ids[0]
    return order


@app.post("/orders")
def take() -> ResponseReturnValue:
    """Take an order."""
    try:
        with Session(engine, expire_on_commit=False) as session, session.begin():
            order = place(session, request.form.get("number", ""), request.form.get("item", ""))
    except Refused as refused:
        return {"problems": [str(one) for one in refused.problems]}, 422
    return {"order": order.id, "text": order.text}, 201
