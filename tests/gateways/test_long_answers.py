"""Reading an answer: its cost is bounded by its length, whatever a server writes into it."""

import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import long_answers
from tests.support.long_answers import FORMS, HONEST
from worker.gateways.formats import json_reader, json_rows, xml_elements, xml_reader
from worker.gateways.transport import answer_bounds

ROOT = Path(__file__).parents[2]
#: What a process may grow by while it reads: so many times the answer, and so many bytes.
MOST_TIMES, MOST_BEYOND = 5, 50_000_000
#: The answers whose reading is slow, since nothing in them is a row, are left to the other law.
LONGEST = [*HONEST, "empty objects", "lists", "fields", "elements that end nowhere"]
LONGEST += ["rows that end nowhere", "names", "attributes", "elements in SOAP that end nowhere"]
FEW = settings(max_examples=100, deadline=None, database=None, derandomize=True)
FIELDS = st.dictionaries(
    st.sampled_from(["status", "times", "extNo", "a b"]), st.text(max_size=8) | st.integers()
)
ROWS = st.lists(
    st.builds(lambda fields, number: {**fields, "mobile": number}, FIELDS, st.text(max_size=8)),
    max_size=6,
)
WRAPPERS: dict[str, Callable[[list[Any]], Any]] = {
    "a list": list,
    "an object around a list": lambda rows: {"list": rows, "total": len(rows)},
    "by number": lambda rows: {str(number): row for number, row in enumerate(rows)},
    "alone": lambda rows: rows[0] if rows else None,
    "with others": lambda rows: [*rows, {"x": 1}, 7, {"mobile": "1", "deep": {"x": []}}],
}


@pytest.mark.parametrize("name", LONGEST)
def test_reading_the_longest_page_takes_little_more_memory_than_the_page(
    name: str, tmp_path: Path
) -> None:
    answer = long_answers.body(FORMS[name], answer_bounds.PAGE.max_bytes)
    file = tmp_path / "answer"
    file.write_bytes(answer)
    told = subprocess.run(
        [sys.executable, "-m", "tests.support.long_answers", name, str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    growth, items = map(int, told.stdout.split())
    assert growth < MOST_TIMES * len(answer) + MOST_BEYOND - len(answer)
    assert (items > 10_000) is (name in HONEST)


@pytest.mark.parametrize("name", FORMS)
def test_reading_twice_as_much_takes_twice_as_long(name: str) -> None:
    """The ratio of medians, in the thread's own time: others on the machine do not count.

    Nor does the collector of garbage, which looks at all that earlier tests have left.
    """
    form = FORMS[name]
    reads = [
        long_answers.reading(form, long_answers.body(form, size)) for size in (100_000, 200_000)
    ]

    def measure(read: Callable[[], object]) -> float:
        started_at = time.thread_time()
        read()
        return time.thread_time() - started_at

    gc.collect()
    gc.disable()
    try:
        rounds = [[measure(read) for read in reads] for _ in range(5)]
    finally:
        gc.enable()
    short, long = (statistics.median(times) for times in zip(*rounds, strict=True))
    assert long < 2.8 * short + 0.002


@pytest.mark.parametrize("odd", [{"x": []}, {"mobile": [[]]}, {"mobile": "1", "deep": {"x": {}}}])
def test_a_long_row_with_more_in_it_than_fields_costs_no_other(odd: dict[str, Any]) -> None:
    long = odd | {"content": "x" * (json_rows.MAX_ENVELOPE_LENGTH + 1)}
    rows = [{"mobile": "1", "nth": 1}, long, long, {"mobile": "2", "nth": 2}]
    page = json_rows.read(json.dumps({"code": "00", "data": rows}), "mobile", dict)
    assert [row["nth"] for row in page.items if "nth" in row] == [1, 2]
    assert page.envelope is None
    assert page.damaged >= 1


def test_of_a_page_with_more_rows_than_a_page_can_have_the_first_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(json_rows, "MAX_ROWS", 3)
    monkeypatch.setattr(xml_reader, "MAX_ROWS", 3)
    whole, broken = '{"mobile":1},', '{"mobile"},'
    page = json_rows.read(f"[{whole * 2}{broken}{whole * 9}]", "mobile", lambda row: row or None)
    assert (len(page.items), page.damaged) == (2, 1)
    xml_whole, xml_broken = "<row><mobile>1</mobile></row>", "<row>&</row>"
    text = f"<page>{xml_whole * 2}{xml_broken}{xml_whole * 9}</page>"
    assert xml_reader.rows(text, "page", "row", dict) == ([{"mobile": "1"}] * 2, 1)


@pytest.mark.parametrize("opening", ["[", '{"a":', '{"a":"{[","b":['])
def test_json_is_read_to_a_depth_that_is_a_number(opening: str) -> None:
    """It does not hang on how deep the caller stands in the stack."""
    depth = sum(opening.replace('"{["', "").count(mark) for mark in "[{")
    closing = {"[": "]", '{"a":': "}", '{"a":"{[","b":[': "]}"}[opening]

    def nested(times: int) -> str:
        return opening * times + "1" + closing * times

    json_reader.parse(nested(json_reader.MAX_DEPTH // depth))
    for damage in ("", " //", ",,"):
        with pytest.raises(ValueError, match="too deep"):
            json_reader.parse(nested(json_reader.MAX_DEPTH // depth + 1) + damage)


def test_xml_is_read_to_a_depth_that_is_a_number() -> None:
    def nested(times: int) -> str:
        return "<a>" * times + "</a>" * times

    xml_reader.child_texts(nested(xml_elements.MAX_DEPTH), "a")
    with pytest.raises(ValueError, match="too deep"):
        xml_reader.child_texts(nested(xml_elements.MAX_DEPTH + 1), "a")


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("wrapper", WRAPPERS)
@FEW
@given(rows=ROWS)
def test_rows_that_are_read_one_at_a_time_are_those_of_the_whole(
    wrapper: str, indent: int | None, rows: list[dict[str, Any]]
) -> None:
    answer = {"code": "00", "data": WRAPPERS[wrapper](rows), "message": "} //"}
    page = json_rows.read(json.dumps(answer, indent=indent), "mobile", dict)
    around, damaged = json_reader.rows(page.envelope["data"], "mobile")
    expected, expected_damaged = json_reader.rows(answer["data"], "mobile")
    assert [*page.items, *around] == expected
    assert page.damaged + damaged == expected_damaged
    assert (page.envelope["code"], page.envelope["message"]) == ("00", "} //")


@FEW
@given(rows=ROWS, where=st.integers(0, 10_000))
def test_of_a_page_that_is_cut_the_rows_before_the_cut_are_read(
    rows: list[dict[str, Any]], where: int
) -> None:
    texts = [json.dumps(row) for row in rows]
    text = f'{{"code":"00","data":[{",".join(texts)}]}}'
    cut = text[: where % len(text)]
    page = json_rows.read(cut, "mobile", dict)
    ends = [len('{"code":"00","data":[') + len(",".join(texts[: n + 1])) for n in range(len(rows))]
    assert page.items == rows[: sum(end <= len(cut) for end in ends)]
    assert page.damaged >= 1
