"""Say why an account is held, what to do about it, and what share of its traffic it gets."""

from typing import TYPE_CHECKING

from producer.cli import output

if TYPE_CHECKING:
    from worker.gateways.base import Account
    from worker.store.accounts import AccountState


def hold_advice(account: "Account | None", state: "AccountState") -> str:
    """Say what to do about a hold: the code table's remedy, and how the account goes on."""
    from worker.delivery import manual_hold

    release = f"`xinshi account release {state.account}`"
    if state.held_code == manual_hold.HAND_HOLD_CODE:
        return f"held by hand; {release} lets it go on"
    sentences = [_remedy(account, state)]
    if state.held_until is not None:
        sentences.append(
            f"goes on by itself at {output.local_time(state.held_until)}; {release} does so now"
        )
    elif state.held_login is not None:
        sentences.append(f"goes on by itself with another login; with the same one, {release}")
    else:
        sentences.append(f"then {release}")
    return "; ".join(filter(None, sentences))


def _remedy(account: "Account | None", state: "AccountState") -> str:
    """Return the code table's remedy for a hold; "" for an account that is not configured."""
    code, words = state.held_code or "", state.held_why or ""
    if account is None:
        return ""
    table = account.gateway.table
    is_mapped = table.read(code, words).mapped
    if not is_mapped and state.held_until is not None:
        return (
            "something between here and the gateway answered in its place: look where it points,"
            f" and at proxy and base_url in [accounts.{account.name}]"
        )
    if not is_mapped:
        return (
            "the gateway refuses the login, in words that no table has: mend the login and restart,"
            f" or say under [accounts.{account.name}.codes] what they mean"
        )
    return table.remedy(code, words) or "mend what the gateway complains of"


def share_notice(state: "AccountState") -> str:
    """Say what share of its traffic an account gets, why, and since when."""
    from datetime import datetime

    health = state.health
    shares = [f"{health.share:.0%} of its traffic"] if health.share < 1 else []
    shares += [
        f"{share:.0%} of {carrier}'s"
        for carrier, share in health.carrier_shares.items()
        if share < 1
    ]
    since = (
        f" since {output.local_time(datetime.fromisoformat(health.since))}" if health.since else ""
    )
    return f"gets {', '.join(shares)}{since}: {health.reason}; it comes back by itself"
