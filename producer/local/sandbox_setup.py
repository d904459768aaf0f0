"""The sandbox beside `xinshi up`: a configuration where there is none, and where it has to listen.

No message of a customer may end in a sandbox, and none of a developer at a gateway: so an account
at a real gateway beside it is refused unless somebody says that it is meant.
"""

import os
import socket
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from worker.config.settings import DEFAULT_FILE, Settings
from worker.config.web_settings import is_loopback
from worker.domain.errors import Problem, Refused
from worker.sandbox.configuration import CONFIGURATION
from worker.sandbox.sides import find

HOST = "127.0.0.1"


def write_configuration(folder: Path) -> Path | None:
    """Write a configuration for the sandbox where a folder has none; return its file."""
    file = folder / DEFAULT_FILE
    try:
        with open(file, "x", encoding="utf-8", opener=_open_private) as stream:
            stream.write(CONFIGURATION)
    except FileExistsError:
        return None
    return file


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def listening_port(settings: Settings, *, beside_real_accounts: bool) -> int:
    """Return the port at which the accounts of a configuration expect the sandbox.

    Raises `Refused` when they expect none, or several; and when one is at a real gateway, unless
    that is meant.
    """
    addresses = {
        name: urlsplit(account.settings.base_url) for name, account in settings.accounts.items()
    }
    real_accounts = [name for name, address in addresses.items() if not _is_sandbox(address)]
    if real_accounts and not beside_real_accounts:
        what = (
            f"{', '.join(real_accounts)} is no sandbox's: what is sent by it reaches people."
            " Use another configuration, or say --beside-real-accounts"
        )
        raise Refused([Problem("accounts", what)])
    ports = {address.port or 80 for address in addresses.values() if _is_sandbox(address)}
    if not ports:
        what = "none is at a sandbox; `xinshi sandbox` prints some to paste"
        raise Refused([Problem("accounts", what)])
    if len(ports) > 1:
        what = f"are at sandboxes on ports {', '.join(map(str, sorted(ports)))}; choose one"
        raise Refused([Problem("accounts", what)])
    return ports.pop()


def require_free(port: int) -> None:
    """Raise `Refused` when something listens on the sandbox's port already."""
    try:
        socket.create_server((HOST, port)).close()
    except OSError:
        what = f"port {port} is taken: end what listens there, as another sandbox"
        raise Refused([Problem("--sandbox", what)]) from None


def _is_sandbox(address: SplitResult) -> bool:
    """Tell whether an address is that of a sandbox's gateway on this machine."""
    return is_loopback(address.hostname) and address.path.strip("/") in find()
