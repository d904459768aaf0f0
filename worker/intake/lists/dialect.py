"""Find which character separates the cells of a text file, and which one quotes them."""

import csv
import io
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from worker.domain.errors import Refused
from worker.intake.lists.cells import Record, first_records
from worker.intake.lists.head import Head, find_head
from worker.intake.lists.options import MAX_HEAD_ROWS, ListOptions

#: What separates cells, the most usual first.
_DELIMITERS = ",\t;|，；"
#: A first line that tells a spreadsheet which character separates the cells.
_SEPARATOR_LINE = re.compile(r"\ufeff*sep=([,;\t|])[,;\t|]*\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How the cells of a text file are separated and quoted."""

    delimiter: str
    quote: str = '"'


def detect(sample: str, names: Collection[str], options: ListOptions) -> tuple[Dialect, Head]:
    """Return the dialect of a file that begins with `sample`, and what stands above its rows.

    A character separates the cells if a header can be told with it; else the one that makes most
    cells. Raises `Refused` as `find_head` does.
    """
    first_line = sample.partition("\n")[0].partition("\r")[0]
    separator_line = _SEPARATOR_LINE.fullmatch(first_line)
    given = options.separator or (separator_line[1] if separator_line else None)
    attempts = [
        _Attempt(sample, Dialect(delimiter), names, options, skip_first=bool(separator_line))
        for delimiter in (given or _DELIMITERS)
    ]
    best = max(attempts, key=lambda attempt: attempt.rank)
    if best.is_single_quoted:
        dialect = Dialect(best.form.delimiter, "'")
        best = _Attempt(sample, dialect, names, options, skip_first=bool(separator_line))
    return best.form, best.require_head()


class _Attempt:
    """What comes of reading the beginning of a file in one dialect."""

    def __init__(
        self,
        sample: str,
        dialect: Dialect,
        names: Collection[str],
        options: ListOptions,
        *,
        skip_first: bool,
    ) -> None:
        self.form = dialect
        self._records = _records(sample, dialect)
        if skip_first and self._records:
            self._records[0] = self._records[0]._replace(cells=())
        self._head: Head | None = None
        self._refusal: Refused | None = None
        try:
            self._head = find_head(self._records, names, options)
        except Refused as refusal:
            self._refusal = refusal

    @property
    def rank(self) -> tuple[bool, int]:
        """How well the dialect fits: whether it tells a header, and by how many cells."""
        widths = Counter(sum(map(bool, record.cells)) for record in self._records if record.cells)
        usual = max(widths, key=lambda width: (widths[width], width), default=0)
        if self._head and self._head.recognised and self._head.header:
            return True, len(self._head.header.cells)
        return False, usual

    @property
    def is_single_quoted(self) -> bool:
        """Whether every header stands between apostrophes."""
        cells = self._head.columns if self._head else _first_cells(self._records)
        return bool(cells) and all(
            len(cell) > 2 and cell[0] == cell[-1] == "'" for cell in cells if cell
        )

    def require_head(self) -> Head:
        """Return what stands above the rows, or raise why that cannot be told."""
        if self._head is None:
            raise self._refusal or AssertionError
        return self._head


def _records(sample: str, dialect: Dialect) -> list[Record]:
    """Return the first rows of a sample; a quote that is never closed ends them."""
    lines = io.StringIO(sample, newline="")
    reader = csv.reader(
        lines, delimiter=dialect.delimiter, quotechar=dialect.quote, skipinitialspace=True
    )
    records: list[Record] = []
    try:
        records = first_records(reader, MAX_HEAD_ROWS)
    except csv.Error:
        lines.seek(0)
        # A cell of more characters than the module takes is cut: it is only looked at here.
        cut_lines = (line[: csv.field_size_limit()] for line in lines)
        plain = csv.reader(cut_lines, delimiter=dialect.delimiter, quoting=csv.QUOTE_NONE)
        records = first_records(plain, MAX_HEAD_ROWS)
    return records


def _first_cells(records: Sequence[Record]) -> Sequence[str]:
    return next((record.cells for record in records if record.cells), ())
