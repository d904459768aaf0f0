"""What the shop knows."""

from django.db import models


class Order(models.Model):
    """Something that was ordered, and the id of the text that says so."""

    number = models.CharField(max_length=20)
    item = models.CharField(max_length=100)
    text = models.CharField(max_length=40)

    class Meta:
        """Where it is stored."""

        db_table = "shop_order"

    def __str__(self) -> str:
        """Its number in the shop."""
        return f"order {self.pk}"
