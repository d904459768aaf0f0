"""Tell rows below a table, a sum or a note, from rows that are recipients."""

import re
from collections.abc import Sequence

#: How cells begin in rows of sums and notes; Alipay's notes begin with #.
_END = re.compile(
    r"#|[-=*_—─]{3,}|[\W\d_]*(?:合\s*计|总\s*计|小\s*计|共\s*计|累\s*计|汇\s*总|总[笔金数人条额件]"
    r"|共\s*\d|(?:grand|sub)?[ -]?total\b|sum\b|count\b|average\b|平均|最大|最小|导出|制表|打印"
    r"|备注|说明|注[:：]|以[上下]|第\s*\d+\s*页|end of)",
    re.IGNORECASE,
)


def is_end(cells: Sequence[str]) -> bool:
    """Tell whether a row without a number is a sum or a note: one of its first cells says so."""
    filled = [cell for cell in cells if cell][:3]
    return any(_END.match(cell.lstrip("`'")) for cell in filled)
