"""Links that somebody else wrote, in a browser: what they say is quoted, and what no control shows is set right."""

import re
import urllib.parse
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser
Settle = Callable[[Page], None]

PICTURE = "![x](//elsewhere.b)"
WORDS = (
    "[a](//elsewhere.b)",
    "<img/src=//a.b/c>",
    "http://a.b/c",
    "www.elsewhere.b",
    "me@elsewhere.b",
    "**bold**",
    "~~struck~~",
    "`code`",
    "$x^2$",
    ":smile:",
    ":material/home:",
    ":red[coloured]",
    "&lt;b&gt;",
)
"""Each stands first, since the page quotes the first word that it cannot read, up to twenty characters."""


def link(server: str, page: str, **query: str) -> str:
    return f"{server}/{page}?{urllib.parse.urlencode(query)}"


def test_what_a_link_says_is_quoted_and_fetches_nothing(server: str, tab: Page, settle: Settle):
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(link(server, "convolution", convolution_experiment="Receptive field", convolution_layers=PICTURE))
    settle(tab)
    alert = tab.get_by_test_id("stAlertContentError")
    field = tab.locator(".st-key-convolution_layers input")
    for word in (PICTURE, *WORDS):
        if word != PICTURE:
            field.fill(word)
            field.press("Enter")
        # The joiner parts what would become an icon or a link; it is not seen.
        expect(alert).to_contain_text(re.compile("\u2060?".join(map(re.escape, word))))
        settle(tab)
        marked = alert.locator("p").locator("a, img, code, strong, del, span, .katex")
        assert marked.count() == 0, word
    assert not [url for url in asked if urllib.parse.urlsplit(url).hostname not in ("127.0.0.1", None)]


def test_numbers_of_a_link_are_set_right_also_on_the_way_back(server: str, tab: Page, settle: Settle):
    tab.goto(link(server, "convolution", convolution_stride="1e999", convolution_padding="99"))
    settle(tab)
    fields = tab.locator(".st-key-convolution_stride input"), tab.locator(".st-key-convolution_padding input")
    for _ in range(2):
        expect(fields[0]).to_have_value("1")
        expect(fields[1]).to_have_value("5")
        assert "1e999" not in tab.url and "convolution_padding=5" in tab.url
        assert tab.get_by_test_id("stException").count() == 0
        tab.go_back()
        settle(tab)


def test_a_network_and_a_class_may_be_named_by_their_ids(server: str, tab: Page, settle: Settle):
    tab.goto(link(server, "", **{"class": "282"}))
    settle(tab)
    assert "class=tiger+cat" in tab.url
    tab.go_back()
    settle(tab)
    assert tab.get_by_test_id("stException").count() == 0
