"""A person's word on an account: it takes nothing from now on, or it goes on."""

from sqlalchemy import Engine

from worker.config.credentials import Logins
from worker.store import accounts, events
from worker.store.accounts import AccountState
from worker.store.db import database

#: The code of a hold that a person made.
BY_HAND = "by hand"


def hold(engine: Engine, account: str, why: str, who: str) -> None:
    """Hold an account until a person releases it; `why` is shown, `who` stands in the event."""
    with database.writing(engine) as connection:
        # A hold for some minutes gives way to this one, which has no end.
        accounts.release(connection, account)
        accounts.hold(connection, account, BY_HAND, why, None)
        events.add(connection, "account.held", who, account=account, detail={"code": BY_HAND})


def release(engine: Engine, logins: Logins, state: AccountState, who: str) -> None:
    """Let an account go on; one that was held for its login with all that have the same."""
    same = logins.same(state.account) if state.held_login else [state.account]
    with database.writing(engine) as connection:
        for one in same:
            if accounts.release(connection, one):
                events.add(connection, "account.released", who, account=one)


def is_refused_again(logins: Logins, state: AccountState) -> bool:
    """Tell whether an account is held for the very login that the configuration has.

    Released, its next call is refused too, and repeats may lock it: whoever releases it is asked
    first.
    """
    held = state.held and state.held_login is not None
    return held and logins.fingerprints.get(state.account, state.held_login) == state.held_login
