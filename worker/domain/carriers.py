"""Tell which carrier gave a mobile number out, by its prefix: a guess, for statistics only.

The prefixes are those that the Ministry of Industry and Information Technology gave out (the
numbering plan of 2017, 电信网编号计划, and its later grants, the last on 24 December 2019: 190,
192, 196, 197). Since 27 November 2019 a number may be taken to another carrier (携号转网), and
nothing in it shows that: so nothing is refused, billed or promised by what is read here. Numbers
of virtual operators are counted as such, whichever network they use.
"""

from collections.abc import Mapping
from types import MappingProxyType

from worker.domain.enums import Carrier

_PREFIXES: Mapping[Carrier, str] = {
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
#: Prefixes have three digits or four; where both fit, the longer one counts.
CARRIER_BY_PREFIX: Mapping[str, Carrier] = MappingProxyType(
    {prefix: carrier for carrier, prefixes in _PREFIXES.items() for prefix in prefixes.split()}
)
#: The length of the longest prefix: no more digits of a number are looked at.
PREFIX_DIGITS = 4


def carrier(msisdn: str) -> Carrier | None:
    """Return the carrier that gave a number out; None when its prefix is in no list.

    The first `PREFIX_DIGITS` digits are enough, and so is a masked number.
    """
    return CARRIER_BY_PREFIX.get(msisdn[:PREFIX_DIGITS]) or CARRIER_BY_PREFIX.get(msisdn[:3])
