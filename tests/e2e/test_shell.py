"""The shell of the dashboard in a browser: deep links, the address as state, page switches, own pictures."""

import io
import re
import urllib.parse
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser
Settle = Callable[[Page], None]


def strip(page: Page) -> str:
    return page.locator(".convis-head .strip").inner_text()


def query(page: Page) -> dict[str, str]:
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(page.url).query))


def test_the_first_link_of_a_fresh_process_may_be_deep(start_server: Callable[[], str], tab: Page, settle: Settle):
    # A process of its own: once anybody has opened any page of a server, the trap is gone.
    tab.goto(f"{start_server()}/saliency?picture=coffee&class=cup&saliency_show=signed")
    settle(tab)
    expect(tab.locator(".convis-head h1")).to_have_text("Saliency")
    expect(tab.get_by_test_id("stSidebar")).to_be_visible()
    assert "A cup of coffee" in strip(tab) and "cup (chosen by you)" in strip(tab)
    assert query(tab) == {"picture": "coffee", "class": "cup", "saliency_show": "signed"}


def test_page_switches_keep_the_context_and_back_goes_back(server: str, tab: Page, settle: Settle):
    tab.goto(f"{server}/?picture=coffee&class=cup")
    settle(tab)
    tab.get_by_test_id("stTopNavLink").filter(has_text="Saliency").click()
    expect(tab.locator(".convis-head h1")).to_have_text("Saliency")
    settle(tab)
    assert "cup (chosen by you)" in strip(tab)
    assert query(tab) == {"picture": "coffee", "class": "cup"}
    tab.go_back()
    expect(tab.locator(".convis-head h1")).to_have_text("Convis")
    settle(tab)
    assert "cup (chosen by you)" in strip(tab)


def test_a_choice_goes_into_the_address_and_back_undoes_it(server: str, tab: Page, settle: Settle):
    tab.goto(server)
    settle(tab)
    tab.locator(".st-key-class input").click()
    tab.locator(".st-key-class input").fill("flamingo")
    tab.keyboard.press("Enter")
    settle(tab)
    assert query(tab) == {"class": "flamingo"}
    assert "flamingo (chosen by you)" in strip(tab)


def test_a_picture_of_ones_own_has_a_link_that_works_for_others(server: str, tab: Page, settle: Settle):
    noise = np.random.default_rng(7).integers(0, 255, (300, 500, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, format="PNG")
    tab.goto(server)
    settle(tab)
    tab.get_by_role("button", name=re.compile("Your own")).click()
    tab.locator(".st-key-upload input[type=file]").set_input_files(
        {"name": "noise.png", "mimeType": "image/png", "buffer": file.getvalue()}
    )
    expect(tab.locator(".convis-head .strip")).to_contain_text("noise.png")
    settle(tab)
    link = tab.url
    assert re.fullmatch(r"upload-[0-9a-f]{12}", query(tab)["picture"])

    stranger = tab.context.browser.new_context().new_page()  # type: ignore[union-attr]
    stranger.goto(link)
    settle(stranger)
    assert "noise.png" in strip(stranger)
    stranger.context.close()


def test_a_file_that_is_no_picture_is_refused_in_words(server: str, tab: Page, settle: Settle):
    tab.goto(server)
    settle(tab)
    tab.get_by_role("button", name=re.compile("Your own")).click()
    tab.locator(".st-key-upload input[type=file]").set_input_files(
        {"name": "broken.png", "mimeType": "image/png", "buffer": b"no picture at all"}
    )
    expect(tab.get_by_text("This is not a picture that can be read")).to_be_visible()
    assert "Chelsea" in strip(tab)


def test_a_network_that_cannot_be_had_says_why_and_the_one_before_stays(server: str, tab: Page, settle: Settle):
    tab.goto(f"{server}/?model=alexnet")
    expect(tab.get_by_text("AlexNet", exact=False).first).to_be_visible()
    expect(tab.get_by_test_id("stSidebar").get_by_test_id("stAlert")).to_contain_text("alexnet", timeout=60_000)
    settle(tab)
    assert strip(tab).startswith("EfficientNet-Lite0")
    assert "model" not in query(tab)
