"""Check the rows of a campaign, block by block, in memory that does not grow."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain, islice
from typing import TYPE_CHECKING, NamedTuple

from worker.domain import msisdn as numbers
from worker.domain import placeholders
from worker.domain.enums import MessageClass, NumberKind
from worker.gateways.base import Account, Content
from worker.intake import checked_block, value_rules
from worker.intake.checked_block import CheckedBlock
from worker.intake.template_forms import Forms
from worker.intake.text_tally import TextTally
from worker.intake.value_rules import OddValue
from worker.policy import eligibility
from worker.store.intake.campaign_rows import MessageColumns, Variables

if TYPE_CHECKING:
    from worker.store.intake.left_out_rows import LeftOutRow

#: How many rows are read and checked together.
BLOCK_SIZE = 20_000


class Row(NamedTuple):
    """One recipient as it was read: the line that it stood on, its number, its variables.

    `problem` is what its reader found wrong with it; a row with one is bad. `lines` is how many
    lines it stands on.
    """

    line: int
    number: str
    variables: Mapping[str, str] | None = None
    problem: str | None = None
    lines: int = 1


@dataclass(frozen=True, slots=True)
class PlainRows:
    """Rows that hold nothing but a mobile number each, already in the form that is stored.

    They stand on lines that follow each other, from `line` on.
    """

    line: int
    msisdns: Sequence[str]

    def rows(self) -> Iterator[Row]:
        """Yield the rows one by one."""
        return (Row(line, msisdn) for line, msisdn in enumerate(self.msisdns, self.line))


def peek_names(
    rows: Iterator[Row | PlainRows],
) -> tuple[Iterator[Row | PlainRows], Collection[str]]:
    """Return the rows, and the names of the values that the first of them has."""
    first_rows = list(islice(rows, 1))
    names = [name for row in first_rows if isinstance(row, Row) for name in row.variables or ()]
    return chain(first_rows, rows), names


class RowChecker:
    """Tells which rows can be sent to, by the accounts that can carry a campaign's text.

    Any of these accounts may get any of the campaign's messages.
    """

    def __init__(
        self,
        content: Content,
        message_class: MessageClass,
        accounts: Sequence[Account],
        names: frozenset[str] = frozenset(),
        allowed: Collection[OddValue] | None = (),
        forms: Forms | None = None,
    ) -> None:
        """`names` are the variables that the text names, of which each row has its own.

        A gateway's own template takes any. `allowed` has the odd values that are allowed; None
        allows whatever a value holds. `forms` are how accounts can send a registered template: one
        of them has to take a row's values.
        """
        self._forms = forms
        self.content = content
        self.names = names
        self._allowed = allowed
        self.kinds = max((account.gateway.capabilities.kinds for account in accounts), key=len)
        self._accounts = accounts
        self._message_class = message_class
        # Many rows of a campaign have the same text.
        self._cached_text_problem = lru_cache(maxsize=4096)(self._text_problem)

    @property
    def numbers_suffice(self) -> bool:
        """Whether a mobile number is all that a row has to hold."""
        return not self.names and NumberKind.MOBILE in self.kinds

    def variables_of(self, row: Row) -> Variables:
        """Return those of a row's variables that make a difference to what is sent."""
        if not row.variables or self.content.template:
            return tuple(row.variables.items()) if row.variables else None
        named = ((name, value) for name, value in row.variables.items() if name in self.names)
        return tuple(named) or None

    def all_plain(self, rows: Iterable[Row]) -> bool:
        """Tell, at one go, whether no value of some rows needs a look of its own."""
        return self._allowed is None or value_rules.all_plain(
            [value for row in rows if row[2] for value in row[2].values()]
        )

    def value_problem(self, variables: Variables) -> str | None:
        """Return why a recipient's values cannot be sent, whoever carries them."""
        empty_name = next(
            (name for name, value in variables or () if name in self.names and not value.strip()),
            None,
        )
        if empty_name is not None:
            return f"has no {empty_name}, which the text names"
        return value_rules.problem(variables or (), self._allowed or ())

    def problem(self, msisdn: str, variables: Variables) -> str | None:
        """Return why a recipient cannot be sent to; None when that is possible."""
        kind = numbers.kind(msisdn)
        if kind not in self.kinds:
            return f"no account that can say the text takes {kind} numbers"
        if not self.names:
            return None
        if self._forms is not None:
            problems = self._forms.problems(dict(variables or ()))
            return f"{problems[0].where} {problems[0].what}" if problems else None
        try:
            return self._cached_text_problem(self.text_of(variables))
        except KeyError as error:
            return f"has no {error.args[0]}, which the text names"

    def tally(self) -> TextTally:
        """Return what counts the texts of the campaign."""
        text = None if self.content.template else self.content.text
        if self._forms is not None:
            return TextTally(text, self._forms.signature)
        signatures = (account.settings.added_signature for account in self._accounts)
        return TextTally(text, max(signatures, key=len, default=""))

    def texts_of(self, messages: MessageColumns) -> list[str] | None:
        """Return the texts of messages that have values; None where none has."""
        if messages.variables is None:
            return None
        return [self.text_of(variables) for variables in messages.variables]

    def text_of(self, variables: Variables) -> str:
        """Return the text for a recipient; messages with the same one may share a submission."""
        if self.content.template:
            return repr(variables)
        return placeholders.fill(self.content.text, dict(variables or ()))

    def _text_problem(self, text: str) -> str | None:
        """Return why one of the accounts cannot carry a text; None when all can."""
        content = replace(self.content, text=text)
        problems = (
            problem
            for account in self._accounts
            for problem in eligibility.problems(account, content, (), self._message_class)
        )
        return next((problem.what for problem in problems), None)


class RecipientsHash:
    """A hash of all good rows as they were read, whatever is left out of them later."""

    def __init__(self, fingerprint: str) -> None:
        self._hash = hashlib.sha256(fingerprint.encode())
        self.hexdigest = self._hash.hexdigest
        #: Whether recipients have variables of their own.
        self.personal = False

    def update(self, block: MessageColumns) -> None:
        """Add good rows to the hash."""
        lines = block.msisdns
        if block.variables is not None:
            self.personal = True
            pairs = zip(block.msisdns, block.variables, strict=True)
            lines = [f"{msisdn}{variables or ''}" for msisdn, variables in pairs]
        if lines:
            self._hash.update("\n".join([*lines, ""]).encode("utf-8", "surrogatepass"))


def checked_blocks(
    rows: Iterable[Row | PlainRows],
    checker: RowChecker,
    recipients_hash: RecipientsHash,
    *,
    reject: Callable[[Row, str], None],
    on_progress: Callable[[int], None],
) -> Iterator[CheckedBlock]:
    """Yield the good rows, block by block, with the bad ones; add the good ones to the hash.

    `reject` is called with each bad row and its fault, `on_progress` with the number of rows read
    so far.
    """
    rows_read = 0
    for block in _blocks(rows, checker):
        checked = _accept_whole(block, checker, rows_read)
        checked = checked or _accept_good(block, checker, rows_read, reject)
        rows_read += checked.row_count
        recipients_hash.update(checked.good)
        yield checked
        on_progress(rows_read)


def _blocks(
    rows: Iterable[Row | PlainRows], checker: RowChecker
) -> Iterator[PlainRows | list[Row]]:
    """Gather rows into blocks; plain rows are a block as they are, where numbers suffice."""
    block: list[Row] = []
    for row_or_rows in rows:
        if isinstance(row_or_rows, PlainRows) and checker.numbers_suffice:
            if block:
                yield block
            block = []
            yield row_or_rows
            continue
        for row in row_or_rows.rows() if isinstance(row_or_rows, PlainRows) else (row_or_rows,):
            block.append(row)
            if len(block) >= BLOCK_SIZE:
                yield block
                block = []
    if block:
        yield block


def _accept_whole(
    block: PlainRows | list[Row], checker: RowChecker, first_row: int
) -> CheckedBlock | None:
    """Return a block as it is, where all its rows are as they are stored; None for another one.

    Most blocks are such, and to look at their rows one by one would be slow.
    """
    if isinstance(block, PlainRows):
        count = len(block.msisdns)
        return CheckedBlock(
            first_row,
            count,
            MessageColumns(block.msisdns),
            range(block.line, block.line + count),
            all_mobile=True,
        )
    if not checker.numbers_suffice or any(row[2] for row in block) or any(row[3] for row in block):
        return None
    msisdns = [row[1] for row in block]
    if not numbers.are_mobile(msisdns):
        return None
    lines = [row[0] for row in block]
    return CheckedBlock(first_row, len(block), MessageColumns(msisdns), lines, all_mobile=True)


def _accept_good(
    block: PlainRows | list[Row],
    checker: RowChecker,
    first_row: int,
    reject: Callable[[Row, str], None],
) -> CheckedBlock:
    """Return the good rows of a block, and the bad ones, which are rejected."""
    msisdns: list[str] = []
    variables_by_row: list[Variables] = []
    lines: list[int] = []
    bad_rows: list[LeftOutRow] = []
    rows = list(block.rows()) if isinstance(block, PlainRows) else block
    all_plain = checker.all_plain(rows)
    for row in rows:
        variables = checker.variables_of(row)
        problem: str | None
        try:
            msisdn = "" if row.problem else numbers.normalise(row.number)
        except ValueError as error:
            problem = "has no number" if value_rules.is_missing(row.number) else str(error)
        else:
            problem = row.problem or (None if all_plain else checker.value_problem(variables))
            problem = problem or checker.problem(msisdn, variables)
        if problem:
            reject(row, problem)
            bad_rows.append(checked_block.bad_row(row.line, row.number, problem))
        else:
            msisdns.append(msisdn)
            variables_by_row.append(variables)
            lines.append(row.line)
    good = MessageColumns(msisdns, variables_by_row if any(variables_by_row) else None)
    return CheckedBlock(first_row, len(rows), good, lines, bad_rows)
