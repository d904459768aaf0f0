"""Accounts of the configuration that are one at the gateway: their reports lie in one queue."""

from tests.support.stage import Stage, eventually, section
from worker.domain.enums import MessageState as M


def test_reports_reach_their_message_whichever_account_collects_them(stage: Stage) -> None:
    """One collects all that the other sent, over HTTP with its batch id and over SOAP without."""
    silent = {"reports": "pull", "collect_reports_every": "1h"}
    by_soap = section(stage.sandbox, "jzy", transport="soap", **silent)
    by_http = section(stage.sandbox, "jzy", **silent)
    stage.configure("jzy", accounts={"by_soap": by_soap, "by_http": by_http})
    with stage.working():
        # The two that send have asked once, and ask no more.
        first = stage.enqueue("13800000001", account="jzy")
        eventually(lambda: stage.message(first).state is M.DELIVERED)
        sent = [
            stage.enqueue("13800000002", account="by_soap"),
            stage.enqueue("13800000003", account="by_http"),
        ]
        for one in sent:
            eventually(lambda one=one: stage.message(one).state is M.DELIVERED)


def test_accounts_at_other_hosts_share_nothing(stage: Stage) -> None:
    """A user name at one reseller is not the same user name at another."""
    elsewhere = section(stage.sandbox, "jzy", base_url="http://127.0.0.2:9003")
    settings = stage.configure("jzy", accounts={"elsewhere": elsewhere})
    assert settings.accounts_sharing_login("jzy") == ["jzy"]
    assert settings.accounts_sharing_login("elsewhere") == ["elsewhere"]
    assert settings.accounts_sharing_login("gone") == ["gone"]
