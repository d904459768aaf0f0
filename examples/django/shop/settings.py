"""Settings of the shop: one SQLite file, which Xinshi's tables share."""

import os
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent
# Xinshi reads its own file; it names the same database.
os.environ.setdefault("XINSHI_CONFIG", str(FOLDER / "xinshi.toml"))

SECRET_KEY = "only for this example"  # noqa: S105
DEBUG = True
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["shop"]
ROOT_URLCONF = "shop.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": FOLDER / "shop.db",
        # A transaction that will write says so when it begins, and waits for its turn.
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 5},
    }
}
