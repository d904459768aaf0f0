"""Hold and release accounts by hand: a person's word lasts until a person ends it."""

from sqlalchemy import Engine

from worker.config.credentials import Logins
from worker.store import accounts, events
from worker.store.accounts import AccountState
from worker.store.db import database

#: The code of a hold that a person made.
HAND_HOLD_CODE = "by hand"


def hold(engine: Engine, account: str, reason: str, person: str) -> None:
    """Hold an account until a person releases it; the event keeps the reason and the person."""
    with database.writing(engine) as connection:
        # A hold for some minutes gives way to this one, which has no end.
        accounts.release(connection, account)
        accounts.hold(connection, account, HAND_HOLD_CODE, reason, None)
        detail = {"code": HAND_HOLD_CODE, "why": reason[:200]}
        events.add(connection, "account.held", person, account=account, detail=detail)


def release(engine: Engine, state: AccountState, person: str) -> None:
    """Let an account go on; one that was held for its login with all that are held for it."""
    with database.writing(engine) as connection:
        account_names = [state.account]
        if state.held_login is not None:
            account_names = accounts.names_held_for(connection, state.held_login)
        for account_name in account_names:
            if accounts.release(connection, account_name):
                events.add(connection, "account.released", person, account=account_name)


def is_refused_again(logins: Logins, state: AccountState) -> bool:
    """Tell whether an account is held for the very login that the configuration has.

    So it is taken to be where the login cannot be read here.
    Released, its next call is refused too, and repeats may lock it: a person who releases it is
    asked first.
    """
    held_for_login = state.held and state.held_login is not None
    current_login = logins.fingerprints.get(state.account, state.held_login)
    return held_for_login and current_login == state.held_login
