"""Placing an order: its row and its text commit together, or not at all."""

from django.db import connection, transaction

from producer import enqueue, ring
from shop.models import Order


def place(number: str, item: str) -> Order:
    """Store an order and the text that confirms it; raises `producer.Refused`."""
    with transaction.atomic():
        order = Order.objects.create(number=number, item=item)
        accepted = enqueue(
            number,
            f"【信使】已收到您的订单 {order.pk}",
            key=f"order-{order.pk}",
            connection=connection.connection,
        )
        order.text = accepted.ids[0]
        order.save()
        transaction.on_commit(ring)
    return order
