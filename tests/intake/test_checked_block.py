"""The kinds of a block's numbers are those of its good rows, however it was checked."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.by_hand import NOWHERE
from tests.support.stage import LOGINS
from worker.config.settings import Settings, parse
from worker.domain import msisdn
from worker.domain.enums import LeftOutReason, MessageClass, NumberKind
from worker.intake import campaign_loader, recipient_rows
from worker.intake.checked_block import CheckedBlock
from worker.intake.enqueue_request import EnqueueRequest
from worker.intake.recipient_rows import PlainRows, RecipientsHash, Row

MOBILE, LANDLINE = ("13800138000", "19912345678", "+8613800138001"), ("02185418874", "0108882228")
_ROW = st.builds(Row, st.just(1), st.sampled_from([*MOBILE, *LANDLINE, "abc"]))
_ROWS = st.lists(_ROW | st.just(PlainRows(1, MOBILE[:2])), max_size=12)


@pytest.fixture(scope="module")
def settings() -> Settings:
    """Return settings of an account that takes landlines too."""
    accounts: dict[str, Any] = {"bulk": {**LOGINS["bulk"], "base_url": NOWHERE}}
    return parse({"database_url": "sqlite:////nowhere.db", "accounts": accounts}, Path("/"), {})


def blocks(settings: Settings, rows: list[Row | PlainRows], size: int) -> Iterator[CheckedBlock]:
    """Check rows as a campaign of them is checked, so many in a block."""
    request = EnqueueRequest((), "【信使】周年庆 回T退订", MessageClass.MARKETING)
    checker, _ = campaign_loader.check(settings, request, (), ())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipient_rows, "BLOCK_SIZE", size)
        yield from recipient_rows.checked_blocks(
            rows, checker, RecipientsHash(""), reject=lambda *_: None, on_progress=lambda _: None
        )


@given(_ROWS, st.integers(1, 5), st.sets(st.integers(0, 4)))
def test_a_block_has_the_kinds_of_the_numbers_that_are_left(
    settings: Settings, rows: list[Row | PlainRows], size: int, left_out: set[int]
) -> None:
    """Also of what stays when a number was left out that was the only one of its kind."""
    for block in blocks(settings, rows, size):
        positions = [position for position in left_out if position < len(block.lines)]
        for part in (block, block.leave_out(positions, LeftOutReason.REPEATED)):
            kinds = {NumberKind(kind) for kind in map(msisdn.kind, part.good.msisdns) if kind}
            assert part.kinds() == kinds
