"""The documents' own samples, literally, are answered as the documents say."""

import json
from urllib.parse import urlencode

import httpx

from tests.support.sandbox_customers import dial, hear
from worker.sandbox import Sandbox


def test_001_tx(sandbox: Sandbox, http: httpx.Client) -> None:
    """§四: four numbers, one a landline, a text in GBK; only the stray space is gone."""
    answer = http.get(
        sandbox.url("c123") + "/tx/?uid=9999&pwd=fa246d0262c3925617b0c72bb20eeb1d"
        "&mobile=13900008888,13900009999,13100006666,0218882228"
        "&content=%D6%D0%B9%FA%B6%CC%D0%C5%CD%F8%B7%A2%CB%CD%B2%E2%CA%D4"
    )
    assert (answer.status_code, answer.content) == (200, b"100")
    entry = next(sandbox.entries())
    assert entry.text == "中国短信网发送测试"
    assert entry.taken == ("13900008888", "13900009999", "13100006666", "0218882228")


def test_001_rx(sandbox: Sandbox, http: httpx.Client) -> None:
    """§五: the sample answer, byte for byte, in GBK; then nothing."""
    say = sandbox.control.reply
    say("c123", "13912341234", "中国短信测试回复", at=1211861411.0)
    say("c123", "15912343333", "中国短信测试回复2", at=1211865071.0, extension="00")
    where = sandbox.url("c123") + "/rx/?uid=9999&pwd=fa246d0262c3925617b0c72bb20eeb1d"
    assert http.get(where).content.decode("gbk") == (
        "100{&}13912341234||中国短信测试回复||2008-05-27 12:10:11||1068112227282"
        "{&}15912343333||中国短信测试回复2||2008-05-27 13:11:11||106811222728200"
    )
    assert http.get(where).content == b""


def test_001_mm(sandbox: Sandbox, http: httpx.Client) -> None:
    """§六 and §七, with the sample's balance."""
    sandbox.control.account("c123", "9999", "9999", funds=22348)
    where = sandbox.url("c123") + "/mm/?uid=9999&pwd=fa246d0262c3925617b0c72bb20eeb1d"
    assert http.get(where).text == "100||22348"
    assert http.get(where + "&cmd=send").text == "100||0"


def test_002_submit(sandbox: Sandbox, http: httpx.Client) -> None:
    """The request sample: everything in the query of a GET, XML back by default."""
    sandbox.control.account("ihuyi", "APIID", "APIKEY")
    answer = http.get(
        sandbox.url("ihuyi") + "/webservice/sms.php?method=Submit&account=APIID&password=APIKEY"
        "&mobile=13800138000&content=您的验证码是:1234。请不要把验证码泄露给其他人。"
    )
    head = '<?xml version="1.0" encoding="utf-8"?>\n<SubmitResult xmlns="http://106.ihuyi.com/">\n'
    assert answer.text.startswith(head + "<code>2</code>\n<msg>提交成功</msg>\n<smsid>1587")
    assert next(sandbox.entries()).text == "您的验证码是:1234。请不要把验证码泄露给其他人。"


def test_003_send(sandbox: Sandbox, http: httpx.Client) -> None:
    """文字发送短信: code "00" as a string, and the task's identifier."""
    answer = http.post(
        sandbox.url("apiv1") + "/api/v1/send",
        data={
            "account": "demo",
            "pwd": "fe01ce2a7fbac8fafaed7c982a04e229",
            "taskId": "b681adb3-fc1a-422d-80dd-b95cec7be769",
            "mobiles": "13500009831,13600000014",
            "content": "端午节快乐",
            "extNo": "10",
        },
    )
    data = {"taskId": "b681adb3-fc1a-422d-80dd-b95cec7be769"}
    assert answer.json() == {"code": "00", "data": data, "message": "成功"}


def test_003_samples_are_no_json(sandbox: Sandbox, http: httpx.Client) -> None:
    """On command rows come as the document prints them, which no JSON parser reads."""
    sandbox.control.options("apiv1", sample_bodies=True)
    sandbox.control.report("apiv1", ["13500009831", "13600000014"], id="b681adb3")
    body = http.post(
        sandbox.url("apiv1") + "/api/v1/report",
        data={"account": "demo", "pwd": "fe01ce2a7fbac8fafaed7c982a04e229"},
    ).text
    assert '"sendId": "b681adb3", //同 taskId' in body
    assert '}\n"message": "成功"\n}' in body
    try:
        json.loads(body)
    except ValueError:
        return
    raise AssertionError


def test_004_send(sandbox: Sandbox) -> None:
    """Section 1: all in the query of a POST, the text in GBK."""
    sandbox.control.account("jzyyun", "115", "123456")
    with dial(sandbox) as line:
        line.sendall(
            b"POST /jzyyun/servlet/UserServiceAPI?method=sendSMS&username=115&password=MTIzNDU2"
            b"&smstype=2&mobile=13866194295,15375427702&content=%B6%CC%D0%C5%B2%E2%CA%D4"
            b" HTTP/1.1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        )
        heard = hear(line)
    assert heard.endswith(b"\r\n\r\nsuccess;337017333\r\n")
    entry = next(sandbox.entries())
    assert (entry.text, entry.pool, entry.size) == ("短信测试", "member", 2)


def test_004_update_password(sandbox: Sandbox, http: httpx.Client) -> None:
    """Section 5: the one call whose passwords travel in clear, with the sample's stray space."""
    sandbox.control.account("jzyyun", "test", "123")
    where = sandbox.url("jzyyun") + "/servlet/UserServiceAPI?method=updatePassword%20&username=test"
    assert http.get(where + "&password=123&newPassword=122").text.strip() == "1"
    assert http.get(where + "&password=123&newPassword=124").text.strip() == "2"
    assert http.get(where.replace("test", "nobody")).text.strip() == "3"


def test_000_send(sandbox: Sandbox, http: httpx.Client) -> None:
    """Section 4: without `to`, to oneself; `sendCode` is a string."""
    sandbox.control.account("fetion", "13900000000", "123456")
    data = urlencode({"from": "13900000000", "pswd": "123456", "msg": "测试"})
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = http.post(sandbox.url("fetion"), content=data, headers=kind)
    assert answer.json() == {"info": "发送成功", "sendCode": "200"}
    assert rb"\u53d1\u9001\u6210\u529f" in answer.content
    assert next(sandbox.entries()).taken == ("13900000000",)


def test_000_several_recipients(sandbox: Sandbox, http: httpx.Client) -> None:
    """Section 1: `to` takes several, with commas; also by GET."""
    fields = {"from": "13900000000", "pswd": "fetion", "to": "13900000000,13911111111", "msg": "a"}
    assert http.get(sandbox.url("fetion") + "/", params=fields).json()["sendCode"] == "200"
    assert next(sandbox.entries()).taken == ("13900000000", "13911111111")
    wrong = fields | {"pswd": "wrong"}
    assert http.get(sandbox.url("fetion") + "/", params=wrong).json()["sendCode"] == -1
