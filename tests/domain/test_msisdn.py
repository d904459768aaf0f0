"""Numbers are brought to one form, or refused without being repeated."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain import msisdn
from worker.domain.enums import NumberKind

MOBILES = st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True)
LANDLINES = st.from_regex(r"0(10|[2-9][0-9])[0-9]{7,9}", fullmatch=True)
IOT = st.from_regex(r"1[04][0-9]{11}", fullmatch=True)
NOISE = st.sampled_from(["", " ", "-", "\u00a0", "\u200b", "\ufeff", ".", "(", ")", "\u202d"])
FULL_WIDTH = str.maketrans("0123456789+-", "０１２３４５６７８９＋－")


@given(st.text(max_size=24) | st.text("0123456789+- ()", max_size=20) | MOBILES)
def test_normalising_is_idempotent_and_its_errors_never_hold_the_whole_number(text: str) -> None:
    said = ""
    try:
        once = msisdn.normalise(text)
    except ValueError as error:
        said = str(error)
    else:
        assert msisdn.normalise(once) == once
        assert msisdn.kind(once) is not None
    digits = "".join(char for char in text if char.isdigit())
    assert len(digits) < 5 or digits not in said


@given(MOBILES | LANDLINES | IOT, st.sampled_from(["", "+86", "86", "0086"]), NOISE, NOISE)
def test_prefixes_noise_and_full_width_digits_are_forgiven(
    number: str, prefix: str, first: str, second: str
) -> None:
    written = f"{first}{prefix}{second}{number[:3]}{first}{number[3:7]}{second}{number[7:]}{first}"
    assert msisdn.normalise(written) == number
    assert msisdn.normalise(written.translate(FULL_WIDTH)) == number


@given(MOBILES, st.sampled_from(["", "+86", "86", "0086"]))
def test_a_mobile_with_a_trunk_zero_is_that_mobile(number: str, prefix: str) -> None:
    assert msisdn.normalise(f"{prefix}0{number}") == number
    assert msisdn.kind(f"0{number}") is None


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        ("13812345678", NumberKind.MOBILE),
        ("19912345678", NumberKind.MOBILE),
        ("02185418874", NumberKind.LANDLINE),
        ("0218882228", NumberKind.LANDLINE),
        ("01065551234", NumberKind.LANDLINE),
        ("01165551234", None),
        ("1064812345678", NumberKind.IOT),
        ("12812345678", None),
        ("1381234567", None),
        ("１３８１２３４５６７８", None),
    ],
)
def test_a_kind_follows_from_the_form(number: str, kind: NumberKind | None) -> None:
    assert msisdn.kind(number) is kind


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ("", "empty"),
        ("+12025550100", "abroad"),
        ("1381234567a", r"holds U\+0061"),
        ("138123456789", "12 digits"),
        ("2381234567", "neither"),
    ],
)
def test_a_refusal_says_what_is_wrong(number: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        msisdn.normalise(number)


@given(MOBILES | LANDLINES | IOT)
def test_a_mask_hides_the_middle_and_still_fits(number: str) -> None:
    masked = msisdn.mask(number)
    assert masked == f"{number[:3]}****{number[-4:]}"
    if len(number) == 11:
        assert msisdn.matches(masked, number)
        assert not msisdn.matches(masked, number[:-1] + str((int(number[-1]) + 1) % 10))
    assert msisdn.matches(number, number)
