"""The first schema."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """Orders."""

    initial = True
    dependencies: ClassVar[list[tuple[str, str]]] = []
    operations: ClassVar[list[migrations.CreateModel]] = [
        migrations.CreateModel(
            name="Order",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        verbose_name="ID", primary_key=True, auto_created=True, serialize=False
                    ),
                ),
                ("number", models.CharField(max_length=20)),
                ("item", models.CharField(max_length=100)),
                ("text", models.CharField(max_length=40)),
            ],
            options={"db_table": "shop_order"},
        )
    ]
