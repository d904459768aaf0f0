"""The doctor says why a gateway is not reached: its certificate, the account's proxy."""

import ssl
from typing import Any

import trustme

from tests.cli.conftest import Place
from tests.support.dropping_gateway import gateway
from tests.support.stage import LOGINS
from tests.support.tunnels import proxy, refusing


def account_check(place: Place, **more: Any) -> dict[str, str]:
    """Return what the doctor says of an account."""
    place.configure(more={"v1": {**LOGINS["v1"], "timeout": "5s", **more}})
    (check,) = [check for check in place.data("doctor", code=1) if check["what"] == "account v1"]
    return dict(check)


def test_a_certificate_for_other_names_is_told_with_them(place: Place) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(place.folder / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("gw.example", "sms.example").configure_cert(context)
    with gateway(trust=context) as there:
        url = f"https://127.0.0.1:{there.port}"
        check = account_check(place, base_url=url, ca_file="ca.pem")
        assert there.taken == []
    assert "its certificate is for another name than 127.0.0.1" in check["problem"]
    assert "its certificate is for gw.example, sms.example" in check["advice"]
    assert "server_name" in check["advice"]


def test_a_proxy_that_wants_other_credentials_is_told(place: Place) -> None:
    with proxy(refusing(407)) as between:
        url = f"http://me:secret@127.0.0.1:{between.port}"
        check = account_check(place, base_url="http://127.0.0.1:9", proxy=url)
    assert "it wants other credentials (407): see proxy" in check["problem"]
    assert "proxy" in check["advice"]
    assert "secret" not in str(check)
