"""What a campaign's recipients will read: how many texts have how many segments, and samples."""

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import Any

from worker.domain import segments
from worker.intake.checked_block import CheckedBlock

#: How many rendered texts are kept as samples.
MAX_SAMPLES = 3


class TextTally:
    """Counts the texts of a campaign by their segments, and keeps the first of them as samples.

    `common_text` is what all recipients read where rows have no values of their own; None for a
    gateway's template, whose text nobody here knows. `signature` is the longest that an account
    adds which can carry the campaign: of several accounts, what bills most counts.
    """

    def __init__(self, common_text: str | None, signature: str) -> None:
        self._common_text = common_text
        self._signature_units = segments.length(signature)
        self._texts_by_units: Counter[int] = Counter()
        self._samples: list[dict[str, Any]] = []

    def add(self, block: CheckedBlock, texts: Sequence[str] | None) -> None:
        """Count the good rows of a block; `texts` are theirs, None where all read the same."""
        if self._common_text is None:
            return
        if texts is None:
            self._texts_by_units[segments.length(self._common_text)] += len(block.lines)
            return
        self._texts_by_units.update(map(segments.length, texts))
        missing = MAX_SAMPLES - len(self._samples)
        if missing:
            pairs = islice(zip(block.lines, texts, strict=True), missing)
            self._samples += [{"row": line, "text": text} for line, text in pairs]

    def as_json(self) -> dict[str, Any]:
        """Return the texts counted by segments, and the samples with the rows that they stand on.

        There are no samples where all recipients read the same.
        """
        counts: Counter[int] = Counter()
        for units, texts in self._texts_by_units.items():
            counts[segments.count_units(units + self._signature_units)] += texts
        by_segments = {str(number): counts[number] for number in sorted(counts) if counts[number]}
        return {"segments": by_segments, "samples": self._samples}
