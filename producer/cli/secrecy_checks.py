"""Warn of what others could read: passwords in clear, readable files, cookies without https."""

import contextlib
import stat
from collections.abc import Iterator
from urllib.parse import urlsplit

from producer.cli.doctor_checks import Check
from worker.config import secret_places
from worker.config.settings import Settings
from worker.config.web_settings import is_loopback
from worker.gateways.base import Account


def run_checks(settings: Settings) -> Iterator[Check]:
    """Return a warning for each way in which others could read what is secret."""
    for account in settings.accounts.values():
        yield from _check_transport(account)
    yield from _check_files(settings)
    yield from _check_public_url(settings)


def _check_transport(account: Account) -> Iterator[Check]:
    """Warn of an account whose gateway is spoken to without TLS, beyond this machine."""
    urls = {
        name: getattr(account.settings, name)
        for name in type(account.settings).model_fields
        if name.endswith("base_url")
    }
    for name, url in urls.items():
        if url is not None and _is_plain(url):
            yield _warning(
                f"account {account.name}",
                f"{name} is plain HTTP: its login, numbers and texts can be read on the way",
                "use https:// if the gateway has it, else go through a tunnel",
            )


def _check_files(settings: Settings) -> Iterator[Check]:
    """Warn of files that hold a secret and that every user of this machine may read."""
    for file in secret_places.files_with_secrets(settings):
        # What this user cannot look at is none that every user may read.
        with contextlib.suppress(OSError):
            if not file.stat().st_mode & stat.S_IROTH:
                continue
            problem = "holds a secret, and every user of this machine may read it"
            yield _warning(str(file), problem, f"chmod 600 {file}")


def _check_public_url(settings: Settings) -> Iterator[Check]:
    """Warn when the web process is used from elsewhere and does not know to be behind https."""
    web = settings.top.web
    is_used = (
        not is_loopback(web.host)
        or web.session_secret is not None
        or bool(web.trusted_proxies)
        or any(account.settings.push_tokens for account in settings.accounts.values())
    )
    if is_used and web.public_url is None:
        problem = "is missing: cookies are not kept to https, and printed addresses name no host"
        yield _warning("web.public_url", problem, 'set it, as "https://sms.example.com"')
    elif web.public_url is not None and _is_plain(web.public_url):
        problem = "is plain HTTP: keys, numbers and texts can be read on the way"
        yield _warning("web.public_url", problem, "put a proxy with TLS before the web process")


def _is_plain(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "http" and not is_loopback(parts.hostname)


def _warning(subject: str, problem: str, advice: str) -> Check:
    return Check(subject, problem, advice, is_warning=True)
