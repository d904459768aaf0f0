"""Note what answers say of their accounts, and decide which account may be asked now.

A gateway that says that the account is at fault is not asked again: the account is held, for the
time that the code table says or until a person releases it, and one smallest submission asks first
when that is over. A login that the gateway has not accepted yet is proven by one call at a time,
over all processes and all of its endpoints: if it is refused, that was the only one.

A login that was accepted before and is refused in words that no table has, but that speak of a
login, was perhaps changed at the gateway: it is asked again once, after ten minutes, by a call that
reaches nobody where the gateway has one.
"""

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import replace

import httpx
import structlog
from sqlalchemy import Connection, Engine

from worker.config.settings import Settings
from worker.domain.enums import (
    Advice,
    Fault,
    Outcome,
    SubmissionState,
)
from worker.domain.errors import NotAsked, ProxyRefusal
from worker.gateways.base import Account
from worker.gateways.results import Result
from worker.gateways.transport import answer_bounds
from worker.gateways.transport.answer_bounds import AnswerBound
from worker.gateways.transport.client import GatewayClient
from worker.policy import login_words
from worker.store import accounts, events, ticks
from worker.store.db import database
from worker.store.delivery import account_doubts
from worker.store.delivery.account_doubts import AccountTrust, DoubtCounts
from worker.store.delivery.call_outcomes import CallOutcome
from worker.store.delivery.claims import Lease

log = structlog.get_logger()

#: Seconds beyond the settling delay that reading a counter twice may take.
SETTLING_SLACK = 15.0
#: How long a refusal that was to be gone the second time holds its account, in seconds.
ONCE_MORE_FAILED_HOLD = 600.0
#: How long an account rests whose proven login is refused in words that no table has, in seconds.
REFUSED_LOGIN_HOLD = 600.0
#: How long after that its balance may take to answer, before a submission asks, in seconds.
BALANCE_GRACE = 60.0
#: How long an account is held when something between us and its gateway answered: at first, and
#: doubled by each probe that ends so too, up to the longest. Each probe may cost a message.
FIRST_FOREIGN_HOLD = 60.0
MAX_FOREIGN_HOLD = 600.0
_MAX_DOUBLINGS = 16
#: The outcomes of such answers; the others are in a table of the account's own.
_FOREIGN_OUTCOMES = {Outcome.UNKNOWN, Outcome.NOT_SENT}
#: How often a call that waits for another's proof looks, in seconds.
PROOF_CHECK_INTERVAL = 0.1
#: Codes of what stands before the gateway, or of answers that cannot be read: not its own words.
_FOREIGN_CODE = re.compile(r"HTTP ([235]\d\d|408)|unreadable|fault")


def _read_proven_login(connection: Connection, keeper: str) -> str | None:
    """Return the login that is proven in a keeper's row; None when there is none."""
    return (
        account_doubts.trust_by_name(connection, {keeper}).get(keeper, AccountTrust()).proven_login
    )


def note_outcomes(
    connection: Connection,
    calls: Sequence[CallOutcome],
    settings: Settings,
    owner: str,
    *,
    current_settings: bool = True,
) -> None:
    """Note what the outcomes of submissions say of their accounts.

    An outcome that nobody knows is a doubt, a known one is trust, an accepted one proves the login,
    and what the account is to blame for holds it. So does an answer of something between us and the
    gateway: what goes on into a portal is lost there. A call that never left says nothing else.
    What is said of a login counts with `current_settings` only: if the calls were made with these
    settings.
    """
    account_names = {call.lease.account for call in calls}
    notes = _AccountNotes(
        connection, settings, account_names, owner, current_settings=current_settings
    )
    for call in calls:
        notes.note_certainty(call)
        if current_settings and call.result.outcome is Outcome.ACCEPTED:
            notes.prove_login(call.lease.account)
        for result in call.verdicts:
            notes.note_fault(call.lease, result)


def note_answer(
    connection: Connection, settings: Settings, account: str, refusal: Result | None, owner: str
) -> None:
    """Note how an account answered a call that submits nothing; None when it did what was asked."""
    notes = _AccountNotes(connection, settings, {account}, owner)
    if refusal is None:
        notes.prove_login(account)
    elif not notes.hold_if_at_fault(account, refusal) and notes.is_unproven(account):
        account_doubts.release_probe(connection, settings.logins.keeper(account))


def proxy_result(refusal: ProxyRefusal) -> Result:
    """Return the result of a call that the account's own proxy refused.

    Credentials that it refuses are not shown to it again for as long as may be: that would lock
    their user.
    """
    hold = MAX_FOREIGN_HOLD if refusal.wants_login else None
    code = type(refusal).__name__
    return Result(Outcome.NOT_SENT, code, str(refusal), fault=Fault.NETWORK, hold=hold)


def note_proxy_refusal(
    connection: Connection, settings: Settings, account: str, refusal: ProxyRefusal, owner: str
) -> None:
    """Hold an account whose proxy refused its credentials to a call that submits nothing."""
    notes = _AccountNotes(connection, settings, {account}, owner)
    result = replace(proxy_result(refusal), outcome=Outcome.ACCOUNT_HELD)
    notes.hold_if_at_fault(account, result)


class _AccountNotes:
    """Writes down what answers say of some accounts, within one transaction."""

    def __init__(
        self,
        connection: Connection,
        settings: Settings,
        account_names: set[str],
        owner: str,
        *,
        current_settings: bool = True,
    ) -> None:
        self._connection = connection
        self._settings = settings
        self._logins = settings.logins
        self._owner = owner
        self._current_settings = current_settings
        keepers = {self._logins.keeper(account_name) for account_name in account_names}
        self._trust = account_doubts.trust_by_name(connection, account_names | keepers)

    def is_unproven(self, account_name: str) -> bool:
        """Whether the gateway has not accepted the account's login yet."""
        login = self._logins.fingerprints.get(account_name)
        keeper_trust = self._trust.get(self._logins.keeper(account_name), AccountTrust())
        return login is not None and keeper_trust.proven_login != login

    def note_certainty(self, call: CallOutcome) -> None:
        """Note whether a submission's outcome is known: a doubt, or trust in its account.

        A probe that is over without a word, or the proof of a login, is given to the next call.
        """
        account_name, outcome = call.lease.account, call.result.outcome
        trust = self._trust.get(account_name, AccountTrust())
        was_doubted, was_unproven = trust.doubts > 0, self.is_unproven(account_name)
        is_unknown = call.state is SubmissionState.UNKNOWN
        if is_unknown:
            seconds = settling_seconds(self._settings, account_name)
            account_doubts.add(self._connection, account_name, seconds)
            self._trust[account_name] = trust._replace(doubts=trust.doubts + 1)
        elif outcome is Outcome.NOT_SENT and was_doubted:
            account_doubts.release_probe(self._connection, account_name)
        elif outcome is not Outcome.ACCOUNT_HELD and was_doubted:
            login = self._logins.fingerprints.get(account_name, "")
            account_doubts.clear(self._connection, account_name, login)
            self._trust[account_name] = trust._replace(doubts=0)
        keeper = self._logins.keeper(account_name)
        if was_unproven and (keeper != account_name or not is_unknown):
            account_doubts.release_probe(self._connection, keeper)

    def prove_login(self, account_name: str) -> None:
        """Note that the gateway accepts the login: from now on all its accounts take batches."""
        if not self.is_unproven(account_name):
            return
        keeper = self._logins.keeper(account_name)
        accounts.ensure(self._connection, keeper)
        if account_doubts.prove_login(
            self._connection, keeper, self._logins.fingerprints[account_name]
        ):
            events.add(self._connection, "account.proven", self._owner, account=account_name)

    def note_fault(self, lease: Lease, result: Result) -> None:
        """Hold the account of a call if it is to blame for a result that the gateway gave."""
        if result.advice is Advice.ONCE_MORE and lease.attempts > 1:
            result = replace(result, outcome=Outcome.ACCOUNT_HELD, hold=ONCE_MORE_FAILED_HOLD)
        if result.fault is Fault.NETWORK and result.outcome in _FOREIGN_OUTCOMES:
            seconds = result.hold or self.foreign_hold(lease.account)
            result = replace(result, outcome=Outcome.ACCOUNT_HELD, hold=seconds)
        self.hold_if_at_fault(lease.account, result)

    def foreign_hold(self, account_name: str) -> float:
        """Return for how long an account is held that something else answers for, in seconds."""
        doubts = self._trust.get(account_name, AccountTrust()).doubts
        probes = min(DoubtCounts.unpacked(doubts).probes, _MAX_DOUBLINGS)
        return min(MAX_FOREIGN_HOLD, FIRST_FOREIGN_HOLD * 2.0**probes)

    def hold_if_at_fault(self, account_name: str, refusal: Result) -> bool:
        """Hold an account that a refusal says is at fault, and say whether it does.

        A login's fault is that of all accounts that have it. So is a refusal in words that nobody
        knows of a login that was never accepted: asking again could lock it. Of one that was
        accepted it is, for ten minutes, where the words speak of a login.
        """
        unproven = self._current_settings and self.is_unproven(account_name)
        says_so = refusal.outcome is Outcome.ACCOUNT_HELD
        if not unproven and self._current_settings and _is_unmapped_login_refusal(refusal):
            refusal = replace(refusal, fault=Fault.LOGIN, hold=REFUSED_LOGIN_HOLD)
        elif not says_so and not (unproven and _is_unmapped_refusal(refusal)):
            return False
        by_login = refusal.fault is Fault.LOGIN or (unproven and refusal.fault is None)
        login = None
        if self._current_settings and by_login:
            login = self._logins.fingerprints.get(account_name)
        for held_name in self._logins.accounts_sharing(account_name) if login else [account_name]:
            self._hold(held_name, refusal, login)
        return True

    def _hold(self, account_name: str, refusal: Result, login: str | None) -> None:
        """Hold an account, unless it is held already, and let one submission ask afterwards."""
        code, words, seconds = refusal.code, refusal.words, refusal.hold
        # An answer in unknown words to what was under way before a hold says nothing new.
        if not accounts.hold(
            self._connection, account_name, code, words, seconds, login, prolongs=refusal.mapped
        ):
            return
        account_doubts.require_probe(self._connection, account_name, seconds)
        if seconds is not None and _is_unmapped_login_refusal(refusal):
            self._let_balance_ask(account_name, seconds)
        detail = {"code": code, "seconds": seconds}
        events.add(
            self._connection, "account.held", self._owner, account=account_name, detail=detail
        )
        log.warning("account.held", account=account_name, code=code, seconds=seconds)

    def _let_balance_ask(self, account_name: str, seconds: float) -> None:
        """Let the balance be asked for first when a hold ends, where the account has one."""
        account = self._settings.accounts.get(account_name)
        if account is None or not account.gateway.capabilities.balance:
            return
        account_doubts.settle_for(self._connection, account_name, seconds + BALANCE_GRACE)
        ticks.run_in(self._connection, f"balance:{account_name}", seconds)


def _is_unmapped_refusal(refusal: Result) -> bool:
    """Whether a gateway answered in its own words, and no table has them."""
    return (
        refusal.outcome is Outcome.UNKNOWN
        and not refusal.mapped
        and refusal.fault is not Fault.NETWORK
        and _FOREIGN_CODE.fullmatch(refusal.code) is None
    )


def _is_unmapped_login_refusal(refusal: Result) -> bool:
    """Whether a gateway answered in words that no table has, and that speak of the login."""
    return _is_unmapped_refusal(refusal) and login_words.speak_of_login(refusal.code, refusal.words)


def settling_seconds(settings: Settings, account: str) -> float | None:
    """Return how long a doubtful account takes nothing so that its counter can tell.

    None for an account without a counter, or that is configured no longer.
    """
    configured = settings.accounts.get(account)
    if configured is None or not configured.gateway.capabilities.sent_count:
        return None
    delay, timeout = configured.settings.settling_delay, configured.settings.timeout
    return delay + 2 * timeout + SETTLING_SLACK


class GuardedClient:
    """Sends what submits nothing, and no call to a held account.

    While a login is not proven, one call at a time is sent with it.
    """

    def __init__(self, settings: Settings, engine: Engine, client: GatewayClient) -> None:
        self._settings = settings
        self._engine = engine
        self._client = client

    async def send(
        self,
        account: Account,
        request: httpx.Request,
        bound: AnswerBound = answer_bounds.STATUS,
    ) -> httpx.Response:
        """Send a request and return the answer; its reader tells `note_answer` what it says.

        A held account is asked for nothing. For another call's proof of the login it waits as long
        as that may take. Raises `NotAsked` when its turn does not come, else as the client does.
        """
        timeout = account.settings.timeout
        deadline = time.monotonic() + timeout + 1.0
        while not await asyncio.to_thread(self._may_ask, account):
            if time.monotonic() > deadline:
                msg = "another call is finding out whether its login is accepted; ask again later"
                raise NotAsked(msg)
            await asyncio.sleep(PROOF_CHECK_INTERVAL)
        try:
            return await self._client.call(request, timeout, bound, account.settings.egress)
        except BaseException as error:
            await asyncio.to_thread(self._give_probe_back, account)
            if isinstance(error, ProxyRefusal) and error.wants_login:
                await asyncio.to_thread(self._hold, account, error)
            raise

    def _may_ask(self, account: Account) -> bool:
        """Whether it is the turn of a call now. Raises `NotAsked` when the account is held."""
        logins = self._settings.logins
        keeper, login = logins.keeper(account.name), logins.fingerprints[account.name]
        with database.reading(self._engine) as connection:
            state = accounts.states(connection, logins).get(account.name)
            proven = _read_proven_login(connection, keeper) == login
        if state is not None and state.held:
            msg = " ".join(filter(None, ["held:", state.held_code, state.held_why]))
            raise NotAsked(msg)
        if proven:
            return True
        with database.writing(self._engine) as connection:
            # The call, and what is written of its answer.
            seconds = account.settings.timeout + self._settings.top.lease
            return account_doubts.take_probe(connection, keeper, seconds, login, counts=False)

    def _hold(self, account: Account, refusal: ProxyRefusal) -> None:
        """Hold an account whose proxy refuses its credentials."""
        with database.writing(self._engine) as connection:
            note_proxy_refusal(connection, self._settings, account.name, refusal, "proxy")

    def _give_probe_back(self, account: Account) -> None:
        """Let the next call prove the login, unless it is proven by now."""
        logins = self._settings.logins
        keeper = logins.keeper(account.name)
        with database.writing(self._engine) as connection:
            if _read_proven_login(connection, keeper) != logins.fingerprints[account.name]:
                account_doubts.release_probe(connection, keeper)
