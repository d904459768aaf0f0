"""Tell by a name, of a column or before a number, whether it names a telephone number.

Names are compared without what people write around them: `*手机号（必填）`, `Phone_Number:` and
`ＭＯＢＩＬＥ` are 手机号, phonenumber and mobile.
"""

import re
import unicodedata

from worker.domain import invisible

_NOTE = re.compile(r"[(\[{<【〔「《].*?[)\]}>】〕」》]", re.DOTALL)
_TRADITIONAL = str.maketrans("機號碼電話聯絡動繫繋係", "机号码电话联络动系系系")
#: Marks that separate cells are no part of a name, and stay: a cell that holds one is two cells.
_DELIMITERS = frozenset(",;|")
_WHOSE = (
    "联系人?|联络人?|客户|会员|用户|顾客|买家|收件人?|收货人?|接收[人方]?|发送|目标|本人|个人|员工"
    "|学[员生]|家长|患者|业主|商户|店主|司机|乘客|报名|预约|登记|注册|绑定|预留|常用|被叫|您的|你的"
)
_CHINESE = re.compile(
    rf"(?:{_WHOSE})?(?:手机|移动|行动|短信)?(?:手机|电话|联系电话|联络电话|联系手机|联系方式|号)?"
    r"(?:号码?|码)?"
)
#: 会员号码 may be the number of a card: 号码 alone is a telephone's, and what is sent to or called.
_CHINESE_NOUN = re.compile(
    "手机|电话|移动号|短信号|联系方式|^号码$|^(?:接收[人方]?|发送|目标|被叫|联系人?)号码$"
)
_ENGLISH = re.compile(
    r"(?:contact|customer|client|user|member|recipient|receiver|buyer|guest)?"
    r"(?:msisdn|mobile|cell(?:ular)?|tel(?:e?phone)?|phone|handphone|handset"
    r"|(?:mobile|cell|cellular)(?:tel(?:e?phone)?|phone)|(?:destination|dest)(?=n))"
    r"(?:number|num|no|nr)?s?"
)
_PINYIN = frozenset({"shouji", "shoujihao", "shoujihaoma", "dianhua", "dianhuahaoma", "haoma"})
#: Names of a telephone number where no other column has one: our exports write `number`.
_WEAK_NAMES = frozenset({"number", "numbers", "to", "contactnumber", "contactno"})


def plain_name(name: str) -> str:
    """Return a name without case, width, blanks, marks and notes in brackets."""
    text = invisible.remove(unicodedata.normalize("NFKC", name)).casefold()
    text = _NOTE.sub("", text) or text
    return "".join(character for character in text if character.isalnum() or _delimits(character))


def names_number(name: str) -> bool:
    """Tell whether a name is a telephone number's: in Chinese, English, both, or pinyin."""
    plain = plain_name(name).translate(_TRADITIONAL).strip("0123456789")
    if _is_known(plain):
        return True
    words = re.split(r"[/|\n\r]", name) if len(name) <= 64 else []
    return (
        any(_is_known(plain_name(word).translate(_TRADITIONAL)) for word in words[1:])
        or bool(words[1:] and _is_known(plain_name(words[0]).translate(_TRADITIONAL)))
        or _is_bilingual(plain)
    )


def may_name_number(name: str) -> bool:
    """Tell whether a name is a number's where nothing else is."""
    return plain_name(name) in _WEAK_NAMES


def _is_known(plain: str) -> bool:
    if plain.isascii():
        return bool(_ENGLISH.fullmatch(plain)) or plain in _PINYIN
    return bool(_CHINESE.fullmatch(plain) and _CHINESE_NOUN.search(plain))


def _is_bilingual(plain: str) -> bool:
    """Tell whether each of a name's scripts names a number: 手机号mobile."""
    words = re.findall(r"[a-z]+|[^a-z]+", plain)
    return len(words) == 2 and all(map(_is_known, words))


def _delimits(character: str) -> bool:
    return character in _DELIMITERS
