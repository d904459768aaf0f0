"""Logins: fingerprints of what accounts say that they are, to tell an old login from a new one.

A fingerprint is derived slowly (scrypt), salted with what the login is for: whoever reads it in a
table learns no password from it, and equal passwords of different accounts look different.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from pydantic import SecretStr

from worker.gateways.account_settings import AccountSettings
from worker.gateways.base import Account

#: What one derivation costs: some 50 ms and 16 MB, once in a process for each login.
_N, _R, _P = 2**14, 8, 1


@dataclass(frozen=True, slots=True)
class Logins:
    """The logins of a configuration, and under which account's name each is proven.

    Accounts with the same login at the same gateway have one fingerprint, and are proven together.
    """

    #: The fingerprint of each account's login.
    fingerprints: Mapping[str, str]

    def keeper(self, account: str) -> str:
        """Return the account whose row says whether a login was ever accepted."""
        return self.same(account)[0]

    def same(self, account: str) -> list[str]:
        """Return the accounts with the same login, itself among them, in order."""
        mine = self.fingerprints.get(account)
        return sorted(name for name, one in self.fingerprints.items() if one == mine) or [account]


#: No logins at all, for who only looks at what is stored.
NO_LOGINS = Logins({})


def logins_of(accounts: Mapping[str, Account]) -> Logins:
    """Return the logins of accounts; slow the first time that a process asks."""
    return Logins({name: fingerprint(account) for name, account in accounts.items()})


def fingerprint(account: Account) -> str:
    """Return the fingerprint of an account's login: 64 hex digits.

    It changes with the login's name, its host, its secrets, and how the login is written.
    """
    settings = account.settings
    kind = type(settings)
    own = kind.model_fields.keys() - AccountSettings.model_fields.keys()
    values = {name: getattr(settings, name) for name in own}
    secrets = {
        name: value.get_secret_value()
        for name, value in values.items()
        if isinstance(value, SecretStr)
    }
    written = {name: str(values[name]) for name in kind.LOGIN_WRITTEN}
    return _derived(
        json.dumps([secrets, written], sort_keys=True), "\n".join(map(str, account.login))
    )


@lru_cache(maxsize=1024)
def _derived(secret: str, salt: str) -> str:
    derived = hashlib.scrypt(
        secret.encode(), salt=salt.encode(), n=_N, r=_R, p=_P, maxmem=2**26, dklen=32
    )
    return derived.hex()
