"""The pages in a real browser: they work, on a screen and on a phone, and everybody can use them.

Skipped where no Chromium is installed. With `XINSHI_TEST_PICTURES=FOLDER` it writes the pictures of
`docs/pages.md` there.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import registry
from tests.support.servers import missing
from tests.support.stage import TEXT, eventually, mobiles
from tests.web.conftest import Served
from worker.domain.enums import Scope
from worker.store.db import database

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
playwright = pytest.importorskip("playwright.sync_api")

SCREEN = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
#: What keeps somebody from using a page.
SERIOUS = {"serious", "critical"}
PAGES = [
    *("/sign-in", "/docs", "/", "/campaigns", "/messages", "/replies", "/templates", "/unknown"),
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """One browser for all tests here."""
    if CHROMIUM is None:
        missing("chromium", "no Chromium is installed")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Browser:
    """A window on a served stage, and what went wrong in it."""

    def __init__(self, page: Any, served: Served) -> None:
        self.page = page
        self.served = served
        self.faults: list[str] = []
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", lambda said: said.type == "error" and self.faults.append(said.text))

    def open(self, address: str) -> None:
        """Open one of our pages."""
        self.page.goto(self.served.url + address)

    def sign_in(self, *scopes: Scope) -> None:
        """Sign in as a person does."""
        self.open("/sign-in")
        self.page.get_by_label("API key").fill(self.served.key("li", *scopes))
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(self.served.url + "/")

    def picture(self, name: str) -> None:
        """Keep a picture, where somebody asks for them."""
        folder = os.environ.get("XINSHI_TEST_PICTURES")
        if folder:
            self.page.screenshot(path=Path(folder) / f"{name}.png")


@pytest.fixture
def browser(chromium: Any, served: Served) -> Iterator[Browser]:
    """A window of a screen's size."""
    context = chromium.new_context(viewport=SCREEN, locale="en-GB")
    found = Browser(context.new_page(), served)
    yield found
    context.close()
    assert found.faults == []


def test_a_person_signs_in_runs_a_campaign_and_sees_it_move(browser: Browser) -> None:
    stage, page = browser.served.stage, browser.page
    loaded = stage.producer.enqueue_campaign("Autumn sale", mobiles(300), TEXT, start=False)
    browser.sign_in(Scope.OPERATE)
    page.get_by_role("link", name="Campaigns").click()
    page.get_by_role("link", name="Autumn sale").click()
    with stage.working():
        page.get_by_role("button", name="Start").click()
        page.get_by_text("Done", exact=True).wait_for(timeout=20_000)
    assert stage.producer is not None
    assert page.get_by_text("300 / 300").is_visible()
    assert loaded.total == 300


def test_whoever_looks_is_offered_no_act(browser: Browser) -> None:
    stage = browser.served.stage
    loaded = stage.producer.enqueue_campaign("Sale", mobiles(3), TEXT, start=False)
    browser.sign_in(Scope.LOOK)
    for address in ("/", f"/campaigns/{loaded.id}", "/unknown"):
        browser.open(address)
        assert [button.inner_text() for button in browser.page.get_by_role("button").all()] == [
            "Sign out · li"
        ]


def test_a_number_is_searched_with_the_keyboard_alone(browser: Browser) -> None:
    browser.served.stage.enqueue(["13800138000", "13900000000"], TEXT)
    browser.sign_in(Scope.OPERATE)
    browser.open("/messages")
    browser.page.get_by_label("Number").focus()
    browser.page.keyboard.type("13800138000")
    browser.page.keyboard.press("Enter")
    browser.page.get_by_role("cell", name="13800138000").wait_for()
    assert not browser.page.get_by_role("cell", name="13900000000").count()
    assert "138" not in browser.page.url.rpartition("/")[2]


def test_a_reply_appears_without_a_reload(browser: Browser) -> None:
    stage = browser.served.stage
    browser.sign_in(Scope.OPERATE)
    browser.open("/replies")
    with stage.working():
        stage.sandbox.control.reply("apiv1", "13800138000", "谢谢")
        browser.page.get_by_text("谢谢").wait_for(timeout=20_000)


def test_no_page_is_wider_than_its_window_and_all_can_use_it(browser: Browser) -> None:
    """On a screen and on a phone, in both languages; axe-core finds nothing serious."""
    page, stage = browser.page, browser.served.stage
    sent = stage.enqueue(["13800138000", "13900000000"], TEXT, account="v1")
    loaded = stage.producer.enqueue_campaign("Autumn sale", mobiles(400, first=7), TEXT)
    with stage.working():
        eventually(lambda: stage.states(sent) == {"delivered": 2})
        eventually(lambda: stage.producer.get(f"{loaded.id}-399").state != "queued")
    with database.writing(stage.engine) as connection:
        signature = registry.add_signature(connection, account="v1")
        version = registry.add_version(connection)
        registry.bind(connection, version, "v1", signature=signature)
    browser.sign_in(Scope.OPERATE)
    addresses = (
        *(*PAGES, f"/campaigns/{loaded.id}", f"/messages/{sent.ids[0]}", "/templates/login"),
    )
    for language, size in (("zh", PHONE), ("zh", SCREEN), ("en", PHONE), ("en", SCREEN)):
        page.set_viewport_size(size)
        browser.open(f"/language/{language}")
        for address in addresses:
            browser.open(address)
            assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], address
            if size is SCREEN:
                serious = [one for one in checked(page) if one["impact"] in SERIOUS]
                assert not serious, (address, [(one["id"], one["nodes"]) for one in serious])
        if language == "en":
            browser.open("/" if size is SCREEN else f"/campaigns/{loaded.id}")
            browser.picture("overview" if size is SCREEN else "campaign-phone")


def checked(page: Any) -> list[dict[str, Any]]:
    """Return what axe-core finds fault with."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    found: list[dict[str, Any]] = axe.Axe().run(page).response["violations"]
    return found
