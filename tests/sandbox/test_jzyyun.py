"""jzyyun: by form, by its UTF-8 twin and by SOAP, with the same effect."""

import base64
from xml.etree import ElementTree as ET

import httpx
import pytest

from tests.support.sandbox_customers import JZYYUN, send_sms, user_api
from worker.sandbox import Sandbox

ENVELOPE = (
    '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>'
    "{}</soap:Body></soap:Envelope>"
)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "success;337017334"),
        ({"password": "test"}, "failure;用户名或密码错误"),
        ({"username": "nobody"}, "failure;用户名或密码错误"),
        ({"smstype": ""}, "failure;短信类型错误"),
        ({"smstype": "3"}, "failure;短信类型错误"),
        ({"content": ""}, "failure;短信内容为空"),
        ({"mobile": ""}, "failure;手机号码为空"),
        ({"mobile": "1380013800"}, "failure;手机号码错误"),
        ({"mobile": ",".join(["13800138000"] * 20_001)}, "failure;号码过多"),
        ({"isLongSms": "1", "extenno": "123"}, "success;337017334"),
    ],
)
def test_send(sandbox: Sandbox, http: httpx.Client, fields: dict[str, str], text: str) -> None:
    """Section 1: `success;` and a batch, or `failure;` and a reason, in GBK."""
    # One before, so that the batch's number is not the first.
    assert send_sms(sandbox, http, "13866194295") == "success;337017333\r\n"
    mobile = fields.pop("mobile", "13866194295")
    assert send_sms(sandbox, http, mobile, **fields) == text + "\r\n"


def test_bytes_that_are_not_gbk_are_refused(sandbox: Sandbox, http: httpx.Client) -> None:
    where = sandbox.url("jzyyun") + "/servlet/UserServiceAPI"
    fields = JZYYUN | {"method": "sendSMS", "smstype": "1", "mobile": "13866194295"}
    answer = http.post(where, data=fields | {"content": "你"})  # UTF-8, three bytes
    assert answer.text == "failure;内容编码错误\r\n"


def test_utf8_twin(sandbox: Sandbox, http: httpx.Client) -> None:
    """UTF-8 and a password in clear (resellers, gateways.md §4)."""
    where = sandbox.url("jzyyun") + "/servlet/UserServiceAPIUTF8"
    fields = {"method": "sendSMS", "username": "test", "password": "test", "smstype": "0"}
    fields |= {"mobile": "13866194295", "content": "短信测试"}
    assert http.post(where, data=fields).text.startswith("success;")
    assert http.post(where, data=fields | JZYYUN).text.startswith("failure;")
    assert next(sandbox.entries()).text == "短信测试"


def test_balances(sandbox: Sandbox, http: httpx.Client) -> None:
    """Section 2: three balances, of which `smstype` chooses one."""
    funds = {"member": 684, "gate": 49919, "ka": 1}
    sandbox.control.account("jzyyun", "test", "test", funds=funds)
    assert send_sms(sandbox, http, "13866194295,13866194296", smstype="0").startswith("failure")
    assert send_sms(sandbox, http, "13866194295", smstype="0").startswith("success")
    text = user_api(sandbox, http, "getRestMoney").text.strip()
    assert text == "memberSmsNum=684;gateSmsNum=49919;kaSmsNum=0"
    sandbox.control.options("jzyyun", rest_money_spacing=60)
    assert user_api(sandbox, http, "getRestMoney").text.strip() == "failure;查询频繁"


def test_reports(sandbox: Sandbox, http: httpx.Client) -> None:
    """Section 3: XML, each row once."""
    send_sms(sandbox, http, "13866194295,19999990500")
    rows = ET.fromstring(user_api(sandbox, http, "getSmsReport").content)
    assert rows.tag == "smsreport"
    assert [{field.tag: field.text for field in row} for row in rows] == [
        {
            "mobile": mobile,
            "username": "test",
            "smslogid": "337017333",
            "status": status,
            "sendtime": "2023-11-15 06:13:20.0",
        }
        for mobile, status in (("13866194295", "1"), ("19999990500", "2"))
    ]
    assert len(ET.fromstring(user_api(sandbox, http, "getSmsReport").content)) == 0


def test_replies(sandbox: Sandbox, http: httpx.Client) -> None:
    """Section 4: the text as BASE64 of GBK, with the sample's value."""
    sandbox.control.reply("jzyyun", "15256560065", "你谁啊?")
    (row,) = ET.fromstring(user_api(sandbox, http, "getRecvSMS").content)
    assert row.findtext("content") == "xOPLrbChPw=="
    assert row.findtext("receiver") == "test"


def test_samples_are_no_xml(sandbox: Sandbox, http: httpx.Client) -> None:
    """On command rows come with the damage that the document prints."""
    sandbox.control.options("jzyyun", sample_bodies=True)
    sandbox.control.report("jzyyun", ["15275427712"], id="66")
    body = user_api(sandbox, http, "getSmsReport").text
    assert body.startswith('<?xmlversion="1.0" encoding="utf-8" ?>\n-<smsreport>\n-<psreport>')


def soap(sandbox: Sandbox, http: httpx.Client, inner: str) -> httpx.Response:
    where = sandbox.url("jzyyun") + "/services/userApi"
    kind = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'}
    return http.post(where, content=ENVELOPE.format(inner).encode(), headers=kind)


def returned(answer: httpx.Response) -> str:
    return ET.fromstring(answer.content).findtext(".//{http://api.sms}return") or ""


SECRET = base64.b64encode(b"test").decode()
ARGUMENTS = ("test", SECRET, "0", "短信 <测试>", "13866194295", "0")


@pytest.mark.parametrize("open_tag", ['sendSms xmlns="http://api.sms"', 'sendSms xmlns="urn:x"'])
def test_soap_by_name(sandbox: Sandbox, http: httpx.Client, open_tag: str) -> None:
    """Second part, 1: the signature's names, in any namespace; the answer is `success` alone."""
    names = ("username", "password", "smstype", "content", "mobile", "isLongSms")
    inner = "".join(
        f"<{name}>{value.replace('<', '&lt;')}</{name}>"
        for name, value in zip(names, ARGUMENTS, strict=True)
    )
    assert returned(soap(sandbox, http, f"<{open_tag}>{inner}</sendSms>")) == "success"
    entry = next(sandbox.entries())
    assert (entry.call, entry.text, entry.id) == ("sendSms", "短信 <测试>", "337017333")


def test_soap_by_position_with_seven(sandbox: Sandbox, http: httpx.Client) -> None:
    """A generated client may name its arguments anyhow, and pass a seventh (gateways.md §4)."""
    sandbox.control.options("jzyyun", soap_batch_id=True)
    values = ("test", SECRET, "0", "text", "13866194295", "0", "88")
    inner = "".join(f"<args{n}>{value}</args{n}>" for n, value in enumerate(values))
    assert returned(soap(sandbox, http, f"<sendSms>{inner}</sendSms>")) == "success;337017333"
    assert next(sandbox.entries()).extension == "88"


def test_soap_reads(sandbox: Sandbox, http: httpx.Client) -> None:
    """Second part, 2 to 4: strings, the XML among them as text."""
    who = f"<username>test</username><password>{SECRET}</password>"
    sandbox.control.report("jzyyun", ["15275427712"], id="66")
    money = returned(soap(sandbox, http, f"<getRestMoney>{who}</getRestMoney>"))
    assert money.startswith("memberSmsNum=")
    rows = returned(soap(sandbox, http, f"<getSmsReport>{who}</getSmsReport>"))
    assert ET.fromstring(rows.encode()).findtext("psreport/mobile") == "15275427712"
    wrong = who.replace(SECRET, "test")
    assert returned(soap(sandbox, http, f"<getRecvSMS>{wrong}</getRecvSMS>")).startswith("failure;")


@pytest.mark.parametrize("inner", ["<updatePassword/>", "<sendSMS/>", "", "<broken"])
def test_soap_faults(sandbox: Sandbox, http: httpx.Client, inner: str) -> None:
    """What the description does not offer is a fault; a password cannot be changed here."""
    answer = soap(sandbox, http, inner)
    assert answer.status_code == 500
    assert b"faultstring" in answer.content


def test_wsdl(sandbox: Sandbox, http: httpx.Client) -> None:
    """The description names the namespace, four operations and where to call."""
    sandbox.control.options("jzyyun", namespace="http://sms.example")
    root = ET.fromstring(http.get(sandbox.url("jzyyun") + "/services/userApi?wsdl").content)
    assert root.get("targetNamespace") == "http://sms.example"
    wsdl = "{http://schemas.xmlsoap.org/wsdl/}"
    assert len(root.findall(f"{wsdl}portType/{wsdl}operation")) == 4
    address = root.find(".//{http://schemas.xmlsoap.org/wsdl/soap/}address")
    assert address is not None
    assert address.get("location") == sandbox.url("jzyyun") + "/services/userApi"
