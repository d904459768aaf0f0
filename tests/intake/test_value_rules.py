"""Values of recipients: what would be nonsense in a text makes the row a bad one, at every door."""

from contextlib import closing
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer import Producer
from tests.support.by_hand import MARKETING, Hand, settings_of
from worker.domain.errors import Refused
from worker.domain.texts import characters
from worker.intake import campaigns, enqueue, value_rules
from worker.intake.enqueue_request import EnqueueRequest
from worker.intake.recipient_rows import Row
from worker.intake.value_rules import OddValue

TEXT = "【店】{name}您好 回T退订"


@pytest.mark.parametrize(
    "value",
    [
        "nan", "NaN", "-nan", "NaT", "<NA>", "NA", "N/A", "n/a", "#N/A", "#N/A N/A", "None", "none",
        "NULL", "null", "nil", "\\N", "(null)", "<null>", "undefined", "[object Object]", "#REF!",
        "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!", "########", "Err:502", "1.#QNAN", "inf", "--",
        "0000-00-00", "??", "？？？",
    ],
)  # fmt: skip
def test_what_programs_write_for_a_missing_value_is_refused_unless_it_is_allowed(
    value: str,
) -> None:
    assert "missing" in str(value_rules.problem([("name", value)]))
    assert value_rules.problem([("name", value)], {OddValue.MISSING}) is None
    assert not value_rules.all_plain([value])


@pytest.mark.parametrize(
    "value", ["Na", "Nana", "娜", "Nancy", "无", "a none", "3:30", "#1", "李😀", "陈❤️", "𠮷", "A·B"]
)
def test_a_value_of_somebody_s_is_taken(value: str) -> None:
    assert value_rules.problem([("name", value)]) is None


@pytest.mark.parametrize(
    "character",
    ["\x00", "\t", "\x07", "\x7f", "\x85", "\x9f", "\u2028", "\ue863", "\U0010fffd", "\ufffd"],
)
def test_what_no_handset_shows_is_refused_by_its_code(character: str) -> None:
    said = str(value_rules.problem([("name", f"小{character}明")], set(OddValue)))
    assert f"U+{ord(character):04X}" in said
    assert "小" not in said


def test_a_list_s_values_may_hold_what_texts_may_hold_and_nothing_else() -> None:
    """But for line ends, which have to be allowed, and tabs: they show cells told apart wrongly."""
    for code in (*range(0x10000), *range(0x10000, 0x110000, 61)):
        value = f"小{chr(code)}明"
        if chr(code) not in "\t\n\r":
            is_bad = value_rules.problem([("name", value)]) is not None
            assert is_bad is bool(characters.problems(value)), f"U+{code:04X}"
            assert not (is_bad and value_rules.all_plain([value])), f"U+{code:04X}"


@pytest.mark.parametrize(
    ("value", "is_taken"),
    [
        ("小\u200b明", False),
        ("小\ufeff明", False),
        ("\u202e小明", False),
        ("小\u00ad明", False),
        ("小\u2060明", False),
        ("小\u200d明", False),
        ("小\ufe0f明", False),
        ("小\u3164明", False),
        ("小\x85明", False),
        ("陈❤️", True),
        ("👩\u200d👧", True),
        ("می\u200cخواهم", True),
        ("ᠮᠣᠩ\u180eᠭᠣᠯ", True),
        ("🏴\U000e0067\U000e0062\U000e007f", True),
    ],
)
def test_a_single_text_and_a_list_s_row_are_refused_for_the_same_characters(
    hand: Hand, value: str, *, is_taken: bool
) -> None:
    settings = settings_of(str(hand.engine.url), v1={})
    single = EnqueueRequest(["13800138000"], TEXT, variables={"name": value})
    file = BytesIO(f"手机号,name,rest\n13800138000,{value},x\n".encode())
    with closing(Producer(settings)) as producer:
        loaded = producer.enqueue_campaign("x", file, TEXT, start=False)
        rows = [{"msisdn": "13800138000", "name": value}]
        by_rows = producer.enqueue_campaign("x", rows, TEXT, start=False)
    assert (loaded.total, by_rows.total) == (int(is_taken), int(is_taken))
    if is_taken:
        assert enqueue.check(settings, single).msisdns
    else:
        with pytest.raises(Refused):
            enqueue.check(settings, single)


def test_what_was_damaged_before_is_refused() -> None:
    assert "damaged" in str(value_rules.problem([("name", "小锟斤拷")], set(OddValue)))
    assert not value_rules.all_plain(["小锟斤拷"])
    assert value_rules.problem([("name", "在吗?")]) is None


@given(
    st.lists(
        st.text(max_size=8) | st.sampled_from(["nan", "NA", "###", "Err:502", "a\nb", "??", "？？"])
    )
)
def test_values_that_are_plain_together_are_plain_one_by_one(values: list[str]) -> None:
    if value_rules.all_plain(values):
        assert value_rules.problem([("name", value) for value in values]) is None


@pytest.fixture
def hand(engine: Any, database: str) -> Hand:
    return Hand(engine, settings_of(database, bulk={}))


def test_rows_of_every_door_are_held_to_the_rules(hand: Hand) -> None:
    rows = [
        Row(1, "13800138000", {"name": "nan"}),
        Row(2, "13800138001", {"name": "a\nb"}),
        Row(3, "13800138002", {"name": "\ue863"}),
        Row(4, "13800138003", {"name": " "}),
        Row(5, "nan", {"name": "小明"}),
        Row(6, "13800138004", {"name": "小明", "note": "nan\n"}),
    ]
    request = EnqueueRequest((), TEXT, MARKETING)
    loaded = campaigns.create(hand.engine, hand.settings, "x", request, rows)
    assert [bad.where for bad in loaded.bad_rows] == [f"row {n}" for n in range(1, 6)]
    assert (loaded.total, loaded.invalid) == (1, 5)
    allowed = campaigns.create(
        hand.engine, hand.settings, "y", request, rows, allowed=set(OddValue)
    )
    assert [bad.where for bad in allowed.bad_rows] == ["row 3", "row 4", "row 5"]


def test_a_bad_row_counts_its_lines_and_names_them(hand: Hand) -> None:
    rows = [Row(1, "13800138000"), Row(2, "", None, "is torn", 4)]
    request = EnqueueRequest((), "【店】你好 回T退订", MARKETING)
    loaded = campaigns.create(hand.engine, hand.settings, "x", request, rows)
    assert str(loaded.bad_rows[0]) == "rows 2 to 5: is torn"
    assert loaded.invalid == 4


def test_python_gives_files_and_rows_as_data_frames_have_them(hand: Hand, tmp_path: Any) -> None:
    producer = Producer(hand.settings)
    records = [
        {"手机号": 13800138000, "name": "小明"},
        {"手机号": 13800138001.0, "name": "小红"},
        {"手机号": "13800138002", "name": float("nan")},
        {"手机号": None, "name": "小丽"},
    ]
    loaded = producer.enqueue_campaign("rows", records, TEXT, skip_bad=True, start=False)
    assert [bad.where for bad in loaded.bad_rows] == ["row 3", "row 4"]
    assert (loaded.total, loaded.file) == (2, None)
    path = tmp_path / "people.csv"
    path.write_bytes("姓名,手机号\n小明,13800138000\n".encode("gbk"))
    text = "【店】{姓名}您好 回T退订"
    for recipients in (path, str(path), path.open("rb")):
        loaded = producer.enqueue_campaign("file", recipients, text, start=False)
        assert loaded.total == 1
        assert loaded.file is not None
        assert loaded.file.encoding == "gb18030"
        if hasattr(recipients, "close"):
            recipients.close()
    producer.close()
