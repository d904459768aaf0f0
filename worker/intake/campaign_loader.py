"""Loading a campaign: its recipients come in as one stream, in memory that does not grow.

Rows are read and checked some thousands at a time, while those before them are stored; each
transaction leaves the campaign with exactly the messages that it counts. A loader that was cut off
is gone on with by the same call.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import ClassVar, NamedTuple

from sqlalchemy import Engine

from worker.config.settings import Settings
from worker.domain import msisdn as numbers
from worker.domain import placeholders
from worker.domain.enums import CampaignState, NumberKind
from worker.domain.errors import Problem, Refused
from worker.gateways.base import Account, Content
from worker.intake import enqueue
from worker.intake.campaign_writer import CampaignWriter
from worker.intake.enqueue import EnqueueRequest
from worker.policy import routing
from worker.store import (
    callbacks,
    campaign_rows,
    campaigns,
    requests,
)
from worker.store.campaign_rows import Batch, Variables
from worker.store.db.database import reading, writing

#: Rows that are read and put into order together.
BLOCK = 20_000


class Row(NamedTuple):
    """One recipient as given: the line that it stood on, its number, its variables.

    `problem` is what its reader found wrong with it; such a row is a bad one.
    """

    line: int
    number: str
    variables: Mapping[str, str] | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Plain:
    """Rows that hold nothing but a mobile number each, in the form that is stored.

    They stand on lines that follow each other, from `line` on.
    """

    line: int
    msisdns: Sequence[str]

    def rows(self) -> Iterator[Row]:
        """Yield them one by one."""
        return (Row(line, one) for line, one in enumerate(self.msisdns, self.line))


@dataclass
class Loaded:
    """What came of loading: the campaign, and the rows that could not be taken (at most 1,000)."""

    id: int
    total: int = 0
    repeated: int = 0
    invalid: int = 0
    #: Recipients who do not want any more.
    suppressed: int = 0
    bad_rows: list[Problem] = field(default_factory=list)

    MOST_BAD_ROWS: ClassVar[int] = 1000

    def reject(self, line: int, what: str) -> None:
        """Note a bad row."""
        self.invalid += 1
        if len(self.bad_rows) < self.MOST_BAD_ROWS:
            self.bad_rows.append(Problem(f"row {line}", what))


def load(
    engine: Engine,
    settings: Settings,
    name: str,
    order: EnqueueRequest,
    rows: Iterable[Row | Plain],
    *,
    retry_of: int | None = None,
    watch: Callable[[int], None] = lambda _rows: None,
) -> tuple[Loaded, bool]:
    """Load a campaign's recipients; it is `ready` then. Says too whether it waits to be started.

    `worker.intake.campaigns.create` says what is promised.
    """
    able = _checked(settings, order)
    new = enqueue.new_request(settings, order, able.content, set(), ())
    with writing(engine) as connection:
        told = callbacks.of(connection, new.sender, new.callback_url)
        stored = requests.add(connection, new, 0, due=False, callback=told)
        state = campaigns.state_of(connection, stored.id, lock=True) if stored.existed else None
        if stored.existed and state is None:
            enqueue.same_request(new, stored)
        if state is None:
            campaigns.add(connection, stored.id, name, retry_of)
    loaded = Loaded(stored.id)
    seal = _Seal(new.fingerprint)
    blocks = _blocks(loaded, rows, able, seal, watch)
    if state in {None, CampaignState.LOADING}:
        held_back = order.message_class in settings.opt_out_classes
        most = campaign_rows.at_once(engine.dialect.name)
        with ThreadPoolExecutor(most, thread_name_prefix="loading") as threads:
            filler = CampaignWriter(
                engine, stored.id, stored.total, threads, able.said, opt_outs=held_back
            )
            for block in blocks:
                filler.take(block)
            filler.finish(seal.hexdigest(), invalid=loaded.invalid, personal=seal.personal)
        loaded.total, loaded.repeated = filler.total, filler.repeated
        loaded.suppressed = filler.suppressed
        return loaded, True
    for _ in blocks:
        pass
    if stored.fingerprint != seal.hexdigest():
        enqueue.same_request(new, stored)
    _recall(engine, loaded, stored.total)
    return loaded, state == CampaignState.READY


def _recall(engine: Engine, loaded: Loaded, total: int) -> None:
    """Fill in what an earlier call loaded."""
    with reading(engine) as connection:
        left_out = campaign_rows.left_out(connection, loaded.id)
    loaded.total = total
    loaded.repeated = left_out.get("repeated", 0)
    loaded.suppressed = left_out.get("suppressed", 0)


# --- which rows are good -------------------------------------------------------------------------


class _Able:
    """The accounts that can say a campaign's text: any of them may get any of its messages."""

    def __init__(self, content: Content, accounts: Sequence[Account]) -> None:
        self.content = content
        #: What the text names; a template's variables are all its own.
        self.names = placeholders.names(content.text) if not content.template else frozenset[str]()
        self.kinds = max((one.gateway.capabilities.kinds for one in accounts), key=len)
        self._accounts = accounts
        # Most rows of a campaign say the same as another one.
        self._problem = lru_cache(maxsize=4096)(self._problem_of)

    @property
    def plain(self) -> bool:
        """Whether a mobile number is all that a row has to hold."""
        return not self.names and NumberKind.MOBILE in self.kinds

    def own(self, row: Row) -> Variables:
        """Return those of a row's variables that make a difference to what it is sent."""
        given = row.variables
        if not given or self.content.template:
            return tuple(given.items()) if given else None
        # What the text does not name is not kept.
        return tuple((name, value) for name, value in given.items() if name in self.names) or None

    def against(self, msisdn: str, variables: Variables) -> str | None:
        """Say why a recipient cannot be sent to; None when it can."""
        kind = numbers.kind(msisdn)
        if kind not in self.kinds:
            return f"no account that can say the text takes {kind} numbers"
        if not self.names:
            return None
        try:
            return self._problem(self.said(variables))
        except KeyError as error:
            return f"has no {error.args[0]}, which the text names"

    def said(self, variables: Variables) -> str:
        """Return the text as a recipient reads it; equal ones may share a submission."""
        if self.content.template:
            return repr(variables)
        return placeholders.fill(self.content.text, dict(variables or ()))

    def _problem_of(self, text: str) -> str | None:
        content = replace(self.content, text=text)
        found = (each for one in self._accounts for each in routing.problems(one, content, ()))
        return next((each.what for each in found), None)


def _checked(settings: Settings, order: EnqueueRequest) -> _Able:
    """Return who can carry an order's content; raises `Refused` when nobody can."""
    found: list[Problem] = []
    content = enqueue.content_of(order, found)
    found += enqueue.terms_of(order)
    found += enqueue.callback_problems(settings, order.callback_url)
    if not found:
        found += enqueue.carriers(settings, order.message_class, order.account, content, set())
    if found:
        raise Refused(found)
    asked = routing.candidates(settings.accounts.values(), order.message_class, order.account)
    return _Able(content, [one for one in asked if not routing.problems(one, content, ())])


class _Seal:
    """A hash of all good rows as they were read, whatever is left out of them later."""

    def __init__(self, fingerprint: str) -> None:
        self._hash = hashlib.sha256(fingerprint.encode())
        self.hexdigest = self._hash.hexdigest
        #: Whether recipients have values of their own.
        self.personal = False

    def take(self, block: Batch) -> None:
        """Take good rows in."""
        written = block.msisdns
        if block.own is not None:
            self.personal = True
            pairs = zip(block.msisdns, block.own, strict=True)
            written = [f"{msisdn}{own or ''}" for msisdn, own in pairs]
        if written:
            self._hash.update("\n".join([*written, ""]).encode("utf-8", "surrogatepass"))


def _blocks(
    loaded: Loaded,
    rows: Iterable[Row | Plain],
    able: _Able,
    seal: _Seal,
    watch: Callable[[int], None],
) -> Iterator[Batch]:
    """Yield the good rows, block by block."""
    read = 0
    for block in _together(rows, able):
        read += len(block.msisdns if isinstance(block, Plain) else block)
        good = _plain(block, able) or _good(loaded, block, able)
        seal.take(good)
        yield good
        watch(read)


def _together(rows: Iterable[Row | Plain], able: _Able) -> Iterator[Plain | list[Row]]:
    """Put rows together in blocks; those that come in one are one where nothing else is asked."""
    block: list[Row] = []
    for some in rows:
        if isinstance(some, Plain) and able.plain:
            if block:
                yield block
            block = []
            yield some
            continue
        for row in some.rows() if isinstance(some, Plain) else (some,):
            block.append(row)
            if len(block) >= BLOCK:
                yield block
                block = []
    if block:
        yield block


def _plain(block: Plain | list[Row], able: _Able) -> Batch | None:
    """Take a block at once in which all is as it is stored, as most are; None for another one."""
    if isinstance(block, Plain):
        return Batch(block.msisdns)
    if not able.plain or any(row[2] for row in block) or any(row[3] for row in block):
        return None
    msisdns = [row[1] for row in block]
    return Batch(msisdns) if numbers.are_mobile(msisdns) else None


def _good(loaded: Loaded, block: Plain | list[Row], able: _Able) -> Batch:
    found: list[tuple[str, Variables]] = []
    for row in block.rows() if isinstance(block, Plain) else block:
        try:
            msisdn = "" if row.problem else numbers.normalise(row.number)
        except ValueError as error:
            loaded.reject(row.line, str(error))
            continue
        own = able.own(row)
        against = row.problem or able.against(msisdn, own)
        if against:
            loaded.reject(row.line, against)
        else:
            found.append((msisdn, own))
    values = [own for _, own in found]
    return Batch([msisdn for msisdn, _ in found], values if any(values) else None)
