"""docs/lifecycle.md draws each move of worker/domain/transitions.py, and invents none."""

import re
from collections.abc import Mapping
from typing import Any

import pytest

from tests.support import documents
from worker.domain import transitions

PAGE = documents.read("docs/lifecycle.md")
ARROW = re.compile(r"^ *(\S+) --> ([^\s:]+)(?:: *(.+))?$", re.MULTILINE)
MOVES: dict[str, Mapping[Any, frozenset[Any]]] = {
    "A message": transitions.MESSAGE_MOVES,
    "A submission": transitions.SUBMISSION_MOVES,
    "A campaign": transitions.CAMPAIGN_MOVES,
}


def drawn(heading: str) -> list[tuple[str, str]]:
    """Return the arrows of the picture below a heading."""
    (picture,) = [
        block
        for block in documents.blocks(documents.section(PAGE, heading))
        if block.language == "mermaid"
    ]
    assert picture.text.startswith("stateDiagram-v2\n")
    lines = picture.text.strip().splitlines()[1:]
    arrows = [(match[1], match[2]) for match in ARROW.finditer(picture.text)]
    assert len(arrows) == len(lines), "a line of the picture is no arrow"
    assert len(arrows) == len(set(arrows)), "an arrow is drawn twice"
    return arrows


@pytest.mark.parametrize("heading", MOVES)
def test_the_picture_has_the_moves_and_no_others(heading: str) -> None:
    arrows = {arrow for arrow in drawn(heading) if "[*]" not in arrow}
    assert arrows == {
        (source.value, target.value)
        for source, targets in MOVES[heading].items()
        for target in targets
    }


@pytest.mark.parametrize("heading", MOVES)
def test_every_state_is_in_the_picture(heading: str) -> None:
    seen = {state for arrow in drawn(heading) for state in arrow} - {"[*]"}
    assert seen == {state.value for state in MOVES[heading]}


def test_the_ends_are_drawn_as_ends() -> None:
    ends = {source for source, target in drawn("A message") if target == "[*]"}
    assert ends == {state.value for state in transitions.END_STATES}
    for heading in ("A submission", "A campaign"):
        ends = {source for source, target in drawn(heading) if target == "[*]"}
        assert ends == {state.value for state, targets in MOVES[heading].items() if not targets}


def test_what_a_submission_says_of_its_messages_is_told() -> None:
    told = {
        documents.coded(left): documents.coded(right)
        for left, right in documents.rows(documents.section(PAGE, "A submission"))
    }
    assert told == {
        state.value: messages.value for state, messages in transitions.MESSAGE_STATE_OF.items()
    }
