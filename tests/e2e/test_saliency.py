"""The running estimate in a browser: it moves, it can be stopped, and it goes on."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.watching import Watched

pytestmark = pytest.mark.browser
Settle = Callable[[Page], None]
COUNT = re.compile(r"(\d+) of 100 noisy copies")


def copies(page: Page) -> int:
    found = COUNT.search(page.locator("[data-testid=stMain]").inner_text())
    return int(found.group(1)) if found else 0


def wait_for(page: Page, copies_wanted: int) -> int:
    page.wait_for_function(
        "least => { const found = document.querySelector('[data-testid=stMain]').innerText"
        ".match(/(\\d+) of 100 noisy copies/); return found && Number(found[1]) >= least }",
        arg=copies_wanted,
    )
    return copies(page)


def test_the_running_estimate_moves_stops_and_goes_on(watched: Watched, tab: Page, settle: Settle):
    # Held, because a fast machine has computed all hundred before the browser has found the button.
    with watched.held(frames=2):
        tab.goto(f"{watched.address}/saliency?saliency_samples=100")
        first = wait_for(tab, 1)
    with watched.held(frames=4):
        second = wait_for(tab, first + 1)
        assert second < 100
        expect(tab.locator(".st-key-saliency_map .js-plotly-plot").first).to_be_visible()
        tab.locator(".st-key-saliency_live_stop button").click()
        expect(tab.get_by_text("Stopped.")).to_be_visible()
    settle(tab)
    stopped = copies(tab)
    assert second <= stopped < 100
    tab.wait_for_timeout(1500)
    assert copies(tab) == stopped
    tab.locator(".st-key-saliency_live_again button").click()
    assert wait_for(tab, stopped + 1) > stopped


@pytest.mark.parametrize(("width", "height", "least"), [(1280, 800, 420), (1920, 1080, 640)])
def test_the_map_fills_the_screen_with_its_sentence_in_sight(
    server: str, tab: Page, settle: Settle, width: int, height: int, least: int
):
    tab.set_viewport_size({"width": width, "height": height})
    tab.goto(f"{server}/saliency?saliency_samples=4")
    expect(tab.get_by_text("4 of 4 noisy copies")).to_be_visible(timeout=60_000)
    settle(tab)
    drawn = tab.locator(".st-key-saliency_map .hm image").bounding_box()
    said = tab.locator("[data-testid=stMain] h4").bounding_box()
    assert drawn and said
    assert min(drawn["width"], drawn["height"]) >= least
    assert max(drawn["y"] + drawn["height"], said["y"] + said["height"]) <= height
