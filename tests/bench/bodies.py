"""What both sides of a pair say to ihuyi's side of the sandbox."""

from urllib.parse import quote

from tests.support.stage import LOGINS

TEXT = "【信使】您的验证码是{code}，五分钟内有效"
HEADERS = {"Content-Type": "application/x-www-form-urlencoded"}
PATH = "/webservice/sms.php?method=Submit"


def text(nth: int) -> str:
    """Write the text of one message: each has another code."""
    return TEXT.replace("{code}", f"{nth:06d}")


def body(number: str, nth: int) -> bytes:
    """Write the body of a call."""
    login = LOGINS["codes"]
    return (
        f"account={login['account']}&password={login['api_key']}"
        f"&mobile={number}&content={quote(text(nth))}&format=json"
    ).encode("ascii")
