"""Which words of a refusal speak of the login; a wrong guess rests an account for ten minutes."""

import pytest

from worker.policy.login_words import speak_of_login


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("01", "账号或密码错误"),
        ("failure", "用户名或密码错误"),
        ("9", "帐号不存在"),
        ("9", "鉴权失败"),
        ("9", "Invalid password"),
        ("9", "login failed"),
        ("9", "apikey is wrong"),
        ("9", "Unauthorized"),
        ("HTTP 401", ""),
    ],
)
def test_words_speak_of_the_login(code: str, words: str) -> None:
    assert speak_of_login(code, words)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("9", "签名错误"),
        ("9", "签名未报备"),
        ("9", "内容含敏感词：密码"),
        ("9", "屏蔽词[登录]"),
        ("9", "模板不匹配：您的登录密码是"),
        ("9", "账号余额不足"),
        ("9", "账户已欠费，请重新登录充值"),
        ("9", "非法关键字 password"),
        ("9", "author of the text"),
        ("HTTP 403", "blogin"),
        ("9", "操作失败"),
        ("", ""),
    ],
)
def test_words_of_a_text_or_of_money_do_not(code: str, words: str) -> None:
    assert not speak_of_login(code, words)
