"""Load a campaign: its recipients come in as one stream, in memory that does not grow.

Rows are read and checked some thousands at a time, while those before them are stored; each
transaction leaves the campaign with exactly the messages that it counts. Where a loader was cut
off, the same call goes on.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import ClassVar

from sqlalchemy import Engine

from worker import instrumentation
from worker.config.settings import Settings
from worker.domain import placeholders
from worker.domain.enums import CampaignState, MessageClass, OptOutScope
from worker.domain.errors import Problem, Refused
from worker.intake import campaign_twins, enqueue, left_out, template_choice, template_forms
from worker.intake.account_checks import account_findings
from worker.intake.campaign_writer import CampaignWriter
from worker.intake.checked_block import CheckedBlock
from worker.intake.enqueue_request import EnqueueRequest
from worker.intake.lists.facts import ListFacts, lines_name
from worker.intake.recipient_rows import (
    PlainRows,
    RecipientsHash,
    Row,
    RowChecker,
    checked_blocks,
    peek_names,
)
from worker.intake.value_rules import OddValue
from worker.policy import eligibility
from worker.store import events
from worker.store.db.database import reading, writing
from worker.store.feedback import named_callbacks
from worker.store.intake import campaign_rows, campaigns, new_requests
from worker.store.intake.new_requests import NewRequest, StoredRequest
from worker.store.templates.usable import RegisteredTemplate


@dataclass
class Loaded:
    """A campaign that was loaded: what was counted, and the bad rows (the first 1,000 of them)."""

    id: int
    total: int = 0
    repeated: int = 0
    #: How many lines are bad; a row may stand on several.
    invalid: int = 0
    #: How many recipients were left out because they have opted out.
    suppressed: int = 0
    bad_rows: list[Problem] = field(default_factory=list)
    #: What a person should know of the text; it held nothing up.
    warnings: tuple[Problem, ...] = ()
    #: How the file was read that the recipients came from; None where they came from no file.
    file: ListFacts | None = None

    MAX_BAD_ROWS: ClassVar[int] = 1000

    def reject(self, row: Row, reason: str) -> None:
        """Count the lines of a bad row, and keep it with the reason."""
        self.invalid += row.lines
        if len(self.bad_rows) < self.MAX_BAD_ROWS:
            where = lines_name("row", row.line, row.line + row.lines - 1)
            self.bad_rows.append(Problem(where, reason))


def load(
    engine: Engine,
    settings: Settings,
    name: str,
    request: EnqueueRequest,
    rows: Iterable[Row | PlainRows],
    *,
    who: str,
    given_names: Collection[str] = (),
    retry_of: int | None = None,
    allowed: Collection[OddValue] | None = (),
    on_progress: Callable[[int], None] = lambda _rows: None,
) -> tuple[Loaded, bool]:
    """Load a campaign's recipients; return what came of it, and whether it waits to be started.

    `worker.intake.campaigns.create` says what is promised.
    """
    began = time.monotonic()
    if not given_names:
        rows, given_names = peek_names(iter(rows))
    registered = template_choice.look_up(engine, settings, request)
    checker, warnings = check(settings, request, given_names, allowed, registered)
    new_request = enqueue.request_row(settings, request, checker.content, set(), (), registered)
    stored, state = _open(engine, new_request, name, retry_of, who)
    loaded = Loaded(stored.id, warnings=warnings)
    recipients_hash = RecipientsHash(new_request.fingerprint)
    blocks = checked_blocks(
        rows, checker, recipients_hash, reject=loaded.reject, on_progress=on_progress
    )
    if state is CampaignState.LOADING:
        _write(
            engine,
            stored,
            loaded,
            blocks,
            checker,
            recipients_hash,
            opt_out_scopes=left_out.heeded_scopes(settings, request.message_class),
        )
        seconds = time.monotonic() - began
        instrumentation.backend.enqueued(
            request.message_class.value, "campaign", loaded.total, seconds
        )
    else:
        _compare(engine, new_request, stored, loaded, blocks, recipients_hash)
    if retry_of is None:
        fingerprint = recipients_hash.hexdigest()
        loaded.warnings += campaign_twins.warnings(engine, request, fingerprint, stored.id)
    return loaded, state in {CampaignState.LOADING, CampaignState.READY}


def _compare(
    engine: Engine,
    new_request: NewRequest,
    stored: StoredRequest,
    loaded: Loaded,
    blocks: Iterator[CheckedBlock],
    recipients_hash: RecipientsHash,
) -> None:
    """Compare the rows with those that an earlier call loaded, and fill in what it counted."""
    for _ in blocks:
        pass
    if stored.fingerprint != recipients_hash.hexdigest():
        enqueue.require_same_request(new_request, stored)
    _recall(engine, loaded, stored.total)


def _open(
    engine: Engine, new_request: NewRequest, name: str, retry_of: int | None, who: str
) -> tuple[StoredRequest, CampaignState]:
    """Store a campaign without its recipients, or find the one with its key; with its state.

    It is `loading` when it is new, and when an earlier call was cut off while it loaded it. Raises
    `KeyConflict` when the key belongs to a request that is no campaign.
    """
    with writing(engine) as connection:
        callback_id = named_callbacks.id_for_request(
            connection, new_request.sender, new_request.callback
        )
        stored = new_requests.add(connection, new_request, 0, due=False, callback_id=callback_id)
        if stored.existed:
            state = campaigns.state_of(connection, stored.id, lock=True)
            if state is not None:
                return stored, CampaignState(state)
            enqueue.require_same_request(new_request, stored)
        campaigns.add(connection, stored.id, name, retry_of)
        detail = {"retry_of": retry_of} if retry_of else None
        events.add(connection, "campaign.created", who, request_id=stored.id, detail=detail)
    return stored, CampaignState.LOADING


def _write(
    engine: Engine,
    stored: StoredRequest,
    loaded: Loaded,
    blocks: Iterator[CheckedBlock],
    checker: RowChecker,
    recipients_hash: RecipientsHash,
    *,
    opt_out_scopes: Collection[OptOutScope],
) -> None:
    """Store the recipients of a campaign that is loading; it is `ready` then."""
    max_threads = campaign_rows.transactions_at_once(engine)
    with ThreadPoolExecutor(max_threads, thread_name_prefix="loading") as threads:
        writer = CampaignWriter(
            engine,
            stored,
            threads,
            checker.texts_of,
            checker.tally(),
            opt_out_scopes=opt_out_scopes,
        )
        for block in blocks:
            writer.add_block(block)
        writer.finish(
            recipients_hash.hexdigest(),
            invalid=loaded.invalid,
            personal=recipients_hash.personal,
        )
    loaded.total, loaded.repeated = writer.total, writer.repeated
    loaded.suppressed = writer.suppressed


def _recall(engine: Engine, loaded: Loaded, total: int) -> None:
    """Fill in the counts of a campaign that an earlier call loaded."""
    with reading(engine) as connection:
        left_out_counts = campaign_rows.left_out_counts(connection, loaded.id)
    loaded.total = total
    loaded.repeated = left_out_counts.get("repeated", 0)
    loaded.suppressed = left_out_counts.get("suppressed", 0)


def class_problems(message_class: MessageClass) -> list[Problem]:
    """Return why a class cannot be a campaign's; [] when it can.

    Codes are counted for each number and client where they are enqueued; a campaign has no client,
    and would go past these counts.
    """
    if message_class is not MessageClass.OTP:
        return []
    advice = "a code is for one person: enqueue it; a campaign is notice or marketing"
    return [Problem("message_class", advice)]


def check(
    settings: Settings,
    request: EnqueueRequest,
    given_names: Collection[str],
    allowed: Collection[OddValue] | None,
    registered: RegisteredTemplate | None = None,
) -> tuple[RowChecker, tuple[Problem, ...]]:
    """Check all of a campaign but its rows, or raise `Refused`.

    Returns what checks the rows, and what a person should know of the text. `registered` is the
    template that the request names, as `template_choice.look_up` returns it.
    """
    problems: list[Problem] = []
    content = enqueue.render_content(request, problems, registered, values_by_row=True)
    warnings = enqueue.text_warnings(settings, request, content, problems, given_names)
    problems += class_problems(request.message_class) + enqueue.terms_problems(request)
    problems += enqueue.callback_problems(settings, request.callback_url)
    forms = None
    if registered is not None:
        by_row = not content.variables and bool(placeholders.names(content.text))
        forms = template_forms.Forms(
            settings,
            content,
            registered.renderings,
            (),
            request.message_class,
            by_row=by_row,
        )
    if not problems:
        problems, account_warnings = account_findings(
            settings, request, content, set(), forms=forms
        )
        warnings = (*warnings, *account_warnings)
    if problems:
        raise Refused(problems)
    if forms is not None:
        names = frozenset() if content.variables else placeholders.names(content.text)
        return RowChecker(
            content, request.message_class, forms.accounts, names, allowed, forms
        ), warnings
    candidates = eligibility.candidates(
        settings.accounts.values(), request.message_class, request.account
    )
    able = [
        account
        for account in candidates
        if not eligibility.problems(account, content, (), request.message_class)
    ]
    has_own_values = not request.template and not request.variables
    names = placeholders.names(request.text) if has_own_values else frozenset[str]()
    return RowChecker(content, request.message_class, able, names, allowed), warnings
