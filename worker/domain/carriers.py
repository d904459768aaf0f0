"""Which carrier a mobile number was given out by, from its beginning: a guess for statistics only.

The beginnings are those that the Ministry of Industry and Information Technology gave out (the
numbering plan of 2017, 电信网编号计划, and its later grants, the last on 24 December 2019: 190,
192, 196, 197). Since 27 November 2019 a number may be taken to another carrier (携号转网), and
nothing in it shows that: so nothing is refused, billed or promised by what is read here. Numbers
of virtual operators are counted as such, whosever network they use.
"""

from collections.abc import Mapping
from types import MappingProxyType

from worker.domain.enums import Carrier

_GIVEN: Mapping[Carrier, str] = {
    Carrier.CHINA_MOBILE: (
        "134 135 136 137 138 139 144 147 148 150 151 152 157 158 159 172 178 182 183 184 187 188"
        " 195 197 198"
    ),
    Carrier.CHINA_UNICOM: "130 131 132 140 145 146 155 156 166 175 176 185 186 196",
    # 1349 is the satellite service's, within what is otherwise China Mobile's.
    Carrier.CHINA_TELECOM: "133 1349 141 149 153 173 174 177 180 181 189 190 191 193 199",
    Carrier.CHINA_BROADNET: "192",
    Carrier.VIRTUAL: "162 165 167 170 171",
}
#: By beginning, of three digits or of four: the longer one counts.
BEGINNINGS: Mapping[str, Carrier] = MappingProxyType(
    {one: carrier for carrier, given in _GIVEN.items() for one in given.split()}
)
#: So many digits of a number say all that can be said.
DIGITS = 4


def carrier(msisdn: str) -> Carrier | None:
    """Tell whose number it was when it was given out; None when it is no mobile number we know.

    The first `DIGITS` digits are enough; a masked number is told as well.
    """
    return BEGINNINGS.get(msisdn[:DIGITS]) or BEGINNINGS.get(msisdn[:3])
