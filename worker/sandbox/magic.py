"""Finds magic numbers: MSISDNs at which the sandbox misbehaves without a rule.

They are eleven digits: `1999999`, two digits that say what happens, and two that are free, so that
each behaviour has a hundred numbers. A random mobile number is one of them once in 900,000.
"""

from collections.abc import Mapping, Sequence
from typing import Any

PREFIX = "1999999"

#: By two digits: what happens (a rule's `what`), and with which arguments.
MEANINGS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "01": ("report_status", {"status": "failed"}),
    "02": ("lose_reports", {}),
    "03": ("delay_reports", {}),
    "04": ("double_reports", {"times": 2}),
    "05": ("report_status", {"status": "unknown"}),
    "06": ("unknown_id_reports", {}),
    "07": ("masked_numbers", {}),
    "08": ("report_status", {"status": "blacklisted"}),
    "09": ("double_reports", {"times": 10}),
    "10": ("part_reports", {"failed": [2]}),
    "11": ("reply", {"text": "T"}),
    "12": ("reply", {"text": "TD"}),
    "13": ("reply", {"text": "退订"}),
    "14": ("reply", {"text": "好的，谢谢"}),
    "15": ("reply", {"text": "1||2{&}3\n13900000000||4"}),
    "20": ("refuse_number", {}),
    "21": ("take_others", {}),
    "22": ("blacklisted", {}),
    "23": ("throttled", {}),
    "30": ("take_then_close", {}),
    "31": ("take_then_reset", {}),
    "32": ("take_then_502", {}),
    "33": ("take_then_504", {}),
    "34": ("take_then_hang", {}),
    "35": ("take_then_trickle", {}),
    "36": ("take_then_garbage", {}),
    "37": ("take_then_empty", {}),
    "38": ("take_then_half_header", {}),
    "39": ("take_then_wrong_charset", {}),
    "40": ("not_taken_close", {}),
    "41": ("not_taken_reset", {}),
    "42": ("not_taken_502", {}),
    "43": ("not_taken_hang", {}),
}


def find(numbers: Sequence[str]) -> Sequence[str]:
    """Return the magic ones among these numbers."""
    # Looking through the joined list is much faster than looking at each of 20,000.
    if PREFIX not in ",".join(numbers):
        return ()
    return [
        msisdn
        for msisdn in numbers
        if msisdn.startswith(PREFIX) and behaviour_code(msisdn) in MEANINGS
    ]


def behaviour_code(msisdn: str) -> str:
    """Return the two digits that say what happens."""
    return msisdn[7:9]
