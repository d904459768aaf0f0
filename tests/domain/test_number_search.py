"""Numbers are looked for as a whole, however they are written."""

import pytest

from worker.domain import number_search

WRITTEN = """
13800138000
+86 138 0013 8000
0086-138-0013-8000
８６１３８００１３８０００
138.0013.8000
"""


@pytest.mark.parametrize("number", WRITTEN.strip().splitlines())
def test_a_whole_number_is_found_in_any_form(number: str) -> None:
    assert number_search.whole(number) == "13800138000"


@pytest.mark.parametrize("part", ["8000", "138", "8000 ", "0013-8000", "1380013", "138****8000"])
def test_a_part_of_a_number_is_answered_in_words(part: str) -> None:
    with pytest.raises(ValueError, match="only whole numbers are searched for"):
        number_search.whole(part)


def test_what_is_no_number_says_what_is_wrong_with_it() -> None:
    with pytest.raises(ValueError, match="abroad"):
        number_search.whole("+1 202 555 0100")
    with pytest.raises(ValueError, match="empty"):
        number_search.whole(" ")
