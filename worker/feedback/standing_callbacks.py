"""Adds and replaces standing callbacks: one a sender, and changed only by who is entitled to.

A standing callback is told of all that its sender enqueues. Whoever could put another URL in its
place, or be shown its secret, could read or forge what its application is told.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from worker.domain.errors import Problem, Refused
from worker.domain.secret_fields import Secret
from worker.feedback.callback_signatures import derive_secret
from worker.store import keys
from worker.store.feedback import callbacks
from worker.store.feedback.callbacks import Callback


@dataclass(frozen=True, slots=True)
class Entitlement:
    """What a caller shows for itself: its key, whether that may operate, a callback's secret."""

    operates: bool = False
    key_id: int | None = None
    secret: str | None = None

    def covers(self, callback: Callback, masters: Sequence[Secret]) -> bool:
        """Tell whether the caller may change a callback and see its secret.

        The key that added it was shown its secret then.
        """
        if self.operates or (self.key_id is not None and self.key_id == callback.key_id):
            return True
        secrets = [derive_secret(master.get_secret_value(), callback.id) for master in masters]
        shown = (self.secret or "").encode()
        return any(hmac.compare_digest(shown, secret.encode()) for secret in secrets)


#: What to do without an entitlement.
ADVICE = "another key added it: send its secret as Callback-Secret, or use a key that may operate"


def add(
    connection: Connection,
    masters: Sequence[Secret],
    sender: str,
    url: str,
    entitlement: Entitlement,
    *,
    inbound: bool,
) -> int:
    """Tell a URL of all that a sender enqueues from now on; return the callback's id.

    The same again changes nothing. Raises `Refused` when another URL is told of all already, or
    when the caller is not entitled to a callback that has this URL.
    """
    keys.lock_sender(connection, sender)
    existing = callbacks.find(connection, sender, url)
    others = callbacks.standing_of(connection, sender)
    if others and not (existing and existing.standing):
        what = (
            f"{sender or 'this sender'} has the standing callback {others[-1].id} already, and may"
            f" have one: replace callback {others[-1].id}, or remove it"
        )
        raise Refused([Problem("url", what)])
    if existing is None:
        return callbacks.add(connection, sender, url, inbound=inbound, key_id=entitlement.key_id)
    if not entitlement.covers(existing, masters):
        raise Refused([Problem("url", f"is that of callback {existing.id}, and {ADVICE}")])
    callbacks.change(connection, existing.id, url, inbound=inbound or existing.inbound)
    return existing.id


def replace_only(connection: Connection, sender: str, url: str, *, inbound: bool) -> int:
    """Tell another URL in place of a sender's only standing callback; return its id.

    Raises `Refused` as `replace` does, and when the sender has none, or several.
    """
    standing = callbacks.standing_of(connection, sender)
    if len(standing) != 1:
        ids = ", ".join(str(callback.id) for callback in standing)
        what = f"the sender has {f'the standing callbacks {ids}' if ids else 'none to replace'}"
        raise Refused([Problem("--replace", f"{what}; leave one, or add one")])
    replace(connection, standing[0], url, inbound=inbound)
    return standing[0].id


def replace(connection: Connection, callback: Callback, url: str, *, inbound: bool) -> None:
    """Tell another URL in place of a standing callback's; its id, secret and events stay.

    Raises `Refused` when the callback is none of all messages, or another one has the URL.
    """
    keys.lock_sender(connection, callback.sender)
    if not callback.standing:
        what = f"callback {callback.id} is told of calls that name its URL; name another URL there"
        raise Refused([Problem("callback", what)])
    existing = callbacks.find(connection, callback.sender, url)
    if existing is not None and existing.id != callback.id:
        what = f"is that of callback {existing.id} already: remove callback {existing.id} first"
        raise Refused([Problem("url", what)])
    callbacks.change(connection, callback.id, url, inbound=inbound)
