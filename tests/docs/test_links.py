"""Every relative link of every page leads somewhere, down to the heading it names."""

import re
from itertools import pairwise
from urllib.parse import unquote

import pytest

from tests.support import documents

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PAGES = {str(path.relative_to(documents.ROOT)): path for path in documents.pages()}


def links(name: str) -> list[str]:
    found: list[str] = LINK.findall(documents.prose(PAGES[name].read_text("utf-8")))
    return [link for link in found if "://" not in link]


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    for link in links(name):
        path, _, fragment = unquote(link).partition("#")
        target = (PAGES[name].parent / path).resolve() if path else PAGES[name]
        assert target.exists(), link
        assert target.is_relative_to(documents.ROOT), link
        if fragment:
            assert fragment in documents.anchors(target.read_text("utf-8")), link


def test_every_page_is_linked_from_the_readme_or_from_a_page_that_is() -> None:
    seen = set()
    waiting = [documents.ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        waiting += [
            (page.parent / unquote(link).partition("#")[0]).resolve()
            for link in links(str(page.relative_to(documents.ROOT)))
        ]
    assert set(PAGES.values()) <= seen


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_one_title_and_no_level_is_left_out(name: str) -> None:
    levels = [level for level, _ in documents.headings(PAGES[name].read_text("utf-8"))]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
