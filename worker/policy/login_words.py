"""Tell whether a gateway's words speak of the login, though no table has them.

Words that also speak of a text or of money do not count: a gateway that refuses a text quotes the
word that it minds, and a code's text often has 密码 or 登录 in it.
"""

import re

#: What names a password or a key, or says of an account that it is not the right one.
_LOGIN = re.compile(
    r"密码|口令|鉴权|验签|登录|登陆|用户名|身份验证"
    r"|[账帐][号户](名|或\S{1,6})?(不存在|不正确|错误|有误|无效)|无效的?[账帐][号户]"
    r"|passwd|password|\blogin\b|\blog ?in\b|authenticat|unauthori[sz]ed|\bauth(orization)?\b"
    r"|(api|access|secret)[ _-]?key|credential|signaturedoesnotmatch",
    re.IGNORECASE,
)
#: What speaks of a text, a template, a signature of a text, or of money.
_OTHER = re.compile(
    r"内容|敏感|屏蔽|违禁|违规|非法|关键[词字]|黑词|模板|短信签名|【|余额|欠费|条数"
    r"|content|keyword|sensitive|template|forbidden word|balance|fund",
    re.IGNORECASE,
)
#: What HTTP itself says of a login that is missing or wrong (RFC 9110, section 15.5.2).
_UNAUTHORIZED = "HTTP 401"


def speak_of_login(code: str, words: str) -> bool:
    """Tell whether a refusal that is in no table is about the login, by its code and words."""
    if code == _UNAUTHORIZED:
        return True
    refusal = f"{code} {words}"
    return bool(_LOGIN.search(refusal)) and not _OTHER.search(refusal)
