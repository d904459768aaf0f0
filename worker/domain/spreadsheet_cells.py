"""Write cells of a CSV file so that no spreadsheet takes a gateway's words for a formula."""

from typing import Any

#: What a formula begins with, half and full width: spreadsheets in Chinese take either.
_FORMULA_STARTS = tuple("=+-@\t\r＝＋－＠")


def quoted_cell(value: Any) -> Any:
    """Return a cell: a text that begins as a formula with a quote before it, all else as it is."""
    is_formula = isinstance(value, str) and value.startswith(_FORMULA_STARTS)
    return f"'{value}" if is_formula else value
