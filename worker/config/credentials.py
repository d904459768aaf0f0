"""Derive fingerprints of the accounts' logins, by which an old login is told from a new one.

A fingerprint is derived slowly (scrypt) and salted with the gateway, host and name that the login
is for: nobody who reads it in a table learns a password from it, and equal passwords of different
accounts look different.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from pydantic import SecretStr

from worker.domain.secret_fields import MissingSecret
from worker.gateways.account_settings import AccountSettings
from worker.gateways.base import Account

#: The parameters of scrypt. A derivation costs some 50 ms and 16 MB, once in a process for each
#: login.
_COST, _BLOCK_SIZE, _PARALLELISM = 2**14, 8, 1


@dataclass(frozen=True, slots=True)
class Logins:
    """The logins of a configuration, and the account in whose row each of them is proven.

    Accounts with the same login at the same gateway have one fingerprint, and are proven together.
    """

    #: The fingerprint of each account's login, where its secrets can be read.
    fingerprints: Mapping[str, str]

    def keeper(self, account: str) -> str:
        """Return the account whose row says whether an account's login was ever accepted."""
        return self.accounts_sharing(account)[0]

    def accounts_sharing(self, account: str) -> list[str]:
        """Return the names of the accounts with the same login, this one among them, sorted."""
        own = self.fingerprints.get(account)
        sharing = [name for name, fingerprint in self.fingerprints.items() if fingerprint == own]
        return sorted(sharing) or [account]


#: No logins at all, for callers that only read what is stored.
NO_LOGINS = Logins({})


def logins_of(accounts: Mapping[str, Account]) -> Logins:
    """Return the logins of accounts; slow the first time in a process."""
    fingerprints = {name: fingerprint(account) for name, account in accounts.items()}
    return Logins({name: known for name, known in fingerprints.items() if known is not None})


def fingerprint(account: Account) -> str | None:
    """Return the fingerprint of an account's login, 64 hex digits; None without its secrets.

    It changes with the login's name, its host, its secrets, and how the login is written.
    """
    settings = account.settings
    schema = type(settings)
    gateway_fields = schema.model_fields.keys() - AccountSettings.model_fields.keys()
    values = {name: getattr(settings, name) for name in gateway_fields}
    if any(isinstance(value, MissingSecret) for value in values.values()):
        return None
    secrets = {
        name: value.get_secret_value()
        for name, value in values.items()
        if isinstance(value, SecretStr)
    }
    forms = {name: str(values[name]) for name in schema.LOGIN_FORMAT_FIELDS}
    return _derive(json.dumps([secrets, forms], sort_keys=True), "\n".join(map(str, account.login)))


@lru_cache(maxsize=1024)
def _derive(secret: str, salt: str) -> str:
    """Return the scrypt hash of a secret, in hexadecimal."""
    derived = hashlib.scrypt(
        secret.encode(),
        salt=salt.encode(),
        n=_COST,
        r=_BLOCK_SIZE,
        p=_PARALLELISM,
        maxmem=2**26,
        dklen=32,
    )
    return derived.hex()
