"""Campaigns: loaded as a whole before anything is sent, then run, paused, resumed, cancelled."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import ClassVar, NoReturn

from sqlalchemy import Connection, Engine

from worker import enqueuing, rendering, routing
from worker import msisdn as numbers
from worker.clock import now
from worker.database import reading, writing
from worker.enqueuing import Order
from worker.errors import NotFound, Problem, Refused, TooLate
from worker.gateway import Account, Content
from worker.lifecycle import FAILED
from worker.settings import Settings
from worker.store import campaigns, messages, outcomes, requests
from worker.store.campaigns import Progress
from worker.terms import CampaignState, MessageState, NumberKind, SubmissionState

#: Rows in one transaction while loading: short enough that a code need not wait for it.
CHUNK = 2000


@dataclass(frozen=True, slots=True)
class Row:
    """One recipient as given: the line that it stood on, its number, its variables.

    `problem` is what its reader found wrong with it; such a row is a bad one.
    """

    line: int
    number: str
    variables: Mapping[str, str] | None = None
    problem: str | None = None


@dataclass
class Loaded:
    """What came of loading: the campaign, and the rows that could not be taken (at most 1,000)."""

    id: int
    total: int = 0
    repeated: int = 0
    invalid: int = 0
    bad_rows: list[Problem] = field(default_factory=list)

    MOST_BAD_ROWS: ClassVar[int] = 1000

    def reject(self, line: int, what: str) -> None:
        """Note a bad row."""
        self.invalid += 1
        if len(self.bad_rows) < self.MOST_BAD_ROWS:
            self.bad_rows.append(Problem(f"row {line}", what))


def create(
    engine: Engine,
    settings: Settings,
    name: str,
    order: Order,
    rows: Iterable[Row],
    *,
    start: bool = True,
    skip_bad: bool = False,
    retry_of: int | None = None,
    watch: Callable[[int], None] = lambda _rows: None,
) -> Loaded:
    """Load a campaign's recipients and start it.

    `order` says everything but the recipients. A number that was there before is left out. With a
    bad row nothing is sent and the campaign stays `ready`, unless `skip_bad`. `watch` is told the
    number of rows read so far. Raises `Refused` when the order itself is at fault; with a key that
    was used for the same campaign, that campaign is returned.
    """
    able = _checked(settings, order)
    new = enqueuing.new_request(settings, order, able.content, set(), ())
    with writing(engine) as connection:
        stored = requests.add(connection, new, 0, due=False)
        loaded = Loaded(stored.id)
        state = campaigns.state_of(connection, stored.id, lock=True) if stored.existed else None
        if stored.existed and state is None:
            enqueuing.same_request(new, stored)
        if state is None:
            campaigns.add(connection, stored.id, name, retry_of)
        elif state == CampaignState.LOADING:
            # Its loader was cut off, and nothing of it was sent: load it again.
            requests.empty(connection, stored.id)
    seal = hashlib.sha256(new.fingerprint.encode())
    chunks = _chunks(loaded, rows, able, seal.update, watch)
    if state not in {None, CampaignState.LOADING}:
        for _ in chunks:
            pass
        if stored.fingerprint != seal.hexdigest():
            enqueuing.same_request(new, stored)
        if state == CampaignState.READY and _goes(loaded, start=start, skip_bad=skip_bad):
            # Its loader was cut off just before it started it, or it waited for this call.
            run(engine, loaded.id)
        return loaded
    found: set[str] = set()
    personal = False
    for first, chunk, chunk_kinds in chunks:
        found |= chunk_kinds
        personal = personal or any(variables for _, variables in chunk)
        with writing(engine) as connection:
            requests.add_campaign_messages(
                connection,
                loaded.id,
                ((first + i, msisdn, variables) for i, (msisdn, variables) in enumerate(chunk)),
            )
    _finish(engine, loaded, ",".join(sorted(found)), seal.hexdigest(), personal=personal)
    if _goes(loaded, start=start, skip_bad=skip_bad):
        run(engine, loaded.id)
    return loaded


def _goes(loaded: Loaded, *, start: bool, skip_bad: bool) -> bool:
    return bool(start and loaded.total and (skip_bad or not loaded.invalid))


@dataclass(frozen=True, slots=True)
class _Able:
    """The accounts that can say a campaign's text: any of them may get any of its messages."""

    content: Content
    accounts: Sequence[Account]
    kinds: frozenset[NumberKind]

    def against(self, msisdn: str, variables: Mapping[str, str] | None) -> str | None:
        """Say why a recipient cannot be sent to; None when it can."""
        kind = numbers.kind(msisdn)
        if kind not in self.kinds:
            return f"no account that can say the text takes {kind} numbers"
        if self.content.template or not rendering.names(self.content.text):
            return None
        try:
            text = rendering.fill(self.content.text, variables or {})
        except KeyError as error:
            return f"has no {error.args[0]}, which the text names"
        content = replace(self.content, text=text)
        found = (problem for one in self.accounts for problem in routing.problems(one, content, ()))
        return next((problem.what for problem in found), None)


def _checked(settings: Settings, order: Order) -> _Able:
    """Return who can carry an order's content; raises `Refused` when nobody can."""
    found: list[Problem] = []
    content = enqueuing.content_of(order, found)
    found += enqueuing.terms_of(order)
    if not found:
        found += enqueuing.carriers(settings, order.message_class, order.account, content, set())
    if found:
        raise Refused(found)
    asked = routing.candidates(settings.accounts.values(), order.message_class, order.account)
    able = [one for one in asked if not routing.problems(one, content, ())]
    kinds = max((one.gateway.capabilities.kinds for one in able), key=len)
    return _Able(content, able, kinds)


def _chunks(
    loaded: Loaded,
    rows: Iterable[Row],
    able: _Able,
    seal: Callable[[bytes], None],
    watch: Callable[[int], None],
) -> Iterator[tuple[int, list[tuple[str, Mapping[str, str] | None]], set[str]]]:
    """Yield the good rows in chunks, with the number of the first and the kinds in each."""
    good = _good(loaded, rows, able)
    while chunk := list(islice(good, CHUNK)):
        first = loaded.total
        loaded.total += len(chunk)
        seal(repr(chunk).encode())
        watch(loaded.total + loaded.invalid + loaded.repeated)
        yield first, chunk, {str(numbers.kind(msisdn)) for msisdn, _ in chunk}


def _good(
    loaded: Loaded, rows: Iterable[Row], able: _Able
) -> Iterator[tuple[str, Mapping[str, str] | None]]:
    seen: set[int] = set()
    for row in rows:
        try:
            msisdn = "" if row.problem else numbers.normalise(row.number)
        except ValueError as error:
            loaded.reject(row.line, str(error))
            continue
        # The leading 1 keeps a landline's 0.
        place = int(f"1{msisdn}")
        against = row.problem or able.against(msisdn, row.variables)
        if against:
            loaded.reject(row.line, against)
        elif place in seen:
            loaded.repeated += 1
        else:
            seen.add(place)
            yield msisdn, row.variables


def _finish(
    engine: Engine, loaded: Loaded, kinds: str, fingerprint: str, *, personal: bool
) -> None:
    with writing(engine) as connection:
        requests.loaded(
            connection,
            loaded.id,
            total=loaded.total,
            kinds=kinds,
            fingerprint=fingerprint,
            personal=personal,
        )
        campaigns.move(
            connection,
            loaded.id,
            CampaignState.READY,
            left_out={"invalid": loaded.invalid, "repeated": loaded.repeated},
        )


def run(engine: Engine, campaign_id: int, until: datetime | None = None) -> Progress:
    """Start a campaign that is ready, or resume one that is paused.

    Raises `TooLate` when its validity is over and `until` gives no new one, or when it has ended.
    """
    with writing(engine) as connection:
        _lock(connection, campaign_id)
        if until is not None:
            requests.extend(connection, campaign_id, until)
        elif requests.validity_over(connection, campaign_id):
            msg = f"campaign {campaign_id} is past its validity; say until when it may be sent"
            raise TooLate(msg)
        if not campaigns.move(connection, campaign_id, CampaignState.RUNNING, started_at=now()):
            _refuse(campaigns.state_of(connection, campaign_id), campaign_id, "run")
        campaigns.release(connection, campaign_id)
    return show(engine, campaign_id)


def pause(engine: Engine, campaign_id: int) -> Progress:
    """Hand out no more of a campaign until it is resumed; what is under way finishes."""
    with writing(engine) as connection:
        _lock(connection, campaign_id)
        if not campaigns.move(connection, campaign_id, CampaignState.PAUSED):
            _refuse(campaigns.state_of(connection, campaign_id), campaign_id, "be paused")
        campaigns.stop(connection, campaign_id)
    return show(engine, campaign_id)


def cancel(engine: Engine, campaign_id: int) -> Progress:
    """End a campaign: what was not handed over yet is `cancelled`, for good."""
    with writing(engine) as connection:
        _lock(connection, campaign_id)
        if not campaigns.move(connection, campaign_id, CampaignState.CANCELLED, finished_at=now()):
            _refuse(campaigns.state_of(connection, campaign_id), campaign_id, "be cancelled")
        requests.end_rest(connection, campaign_id, MessageState.CANCELLED)
        waiting = outcomes.waiting_of(connection, campaign_id)
        messages.end_members(connection, waiting, MessageState.CANCELLED)
        outcomes.close(connection, waiting, SubmissionState.PLANNED, SubmissionState.LEASED)
    return show(engine, campaign_id)


def retry(engine: Engine, settings: Settings, campaign_id: int) -> Loaded | None:
    """Send the failed messages of a campaign again, as a campaign of its own; never the unknown.

    Done twice it sends no message twice: those that a retry carries are left out. None when there
    is nothing to send.
    """
    with reading(engine) as connection:
        row = requests.by_id(connection, campaign_id)
        old = campaigns.progress(connection, campaign_id)
        if old is None or row is None:
            raise _missing(campaign_id)
        failed = campaigns.failed(connection, campaign_id, [state.value for state in FAILED])
    if not failed:
        return None
    order = Order(
        (),
        row.content.text,
        row.message_class,
        row.account,
        extension=row.content.extension,
        template=row.content.template,
        variables=row.content.variables,
        options=row.content.options,
        key=_retry_key(campaign_id, [one.msisdn for one in failed]),
    )
    rows = (
        Row(nth, one.msisdn, dict(one.variables or ()) or None) for nth, one in enumerate(failed, 1)
    )
    return create(engine, settings, f"{old.name} (retry)", order, rows, retry_of=campaign_id)


def _retry_key(campaign_id: int, msisdns: list[str]) -> str:
    """The same failed messages make the same campaign, however often and from how many places."""
    return f"retry-{campaign_id}-{hashlib.sha256(','.join(msisdns).encode()).hexdigest()[:32]}"


def show(engine: Engine, campaign_id: int) -> Progress:
    """Return a campaign as it stands, or raise `NotFound`."""
    with reading(engine) as connection:
        found = campaigns.progress(connection, campaign_id)
    if found is None:
        raise _missing(campaign_id)
    return found


def finish_drained(engine: Engine) -> list[int]:
    """Move campaigns of which nothing is queued or submitting to `done`; returns their ids."""
    with reading(engine) as connection:
        drained = [
            one for one in campaigns.open_ones(connection) if campaigns.is_drained(connection, one)
        ]
    done = []
    for one in drained:
        with writing(engine) as connection:
            if campaigns.is_drained(connection, one) and campaigns.move(
                connection, one, CampaignState.DONE, finished_at=now()
            ):
                done.append(one)
    return done


def _lock(connection: Connection, campaign_id: int) -> None:
    """Lock the request first, as claims do: a claim is then wholly before or after."""
    if not requests.lock(connection, campaign_id):
        raise _missing(campaign_id)
    if campaigns.state_of(connection, campaign_id, lock=True) is None:
        raise _missing(campaign_id)


def _missing(campaign_id: int) -> NotFound:
    return NotFound(f"there is no campaign {campaign_id}; `xinshi campaign list` shows all")


def _refuse(state: str | None, campaign_id: int, what: str) -> NoReturn:
    msg = f"campaign {campaign_id} is {state} and cannot {what}"
    raise TooLate(msg)
