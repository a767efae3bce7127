"""Class models in a browser: start, pause, continue, scrub, download; leaving the page stops the work."""

import io
import re
import time
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.e2e.watching import Watched, wait_until

pytestmark = pytest.mark.browser
LONG = 90_000
"""Milliseconds; a busy machine is slow to draw."""
RAW = "class_models?class_models_lesson=raw+gradient"


def begin(tab: Page, address: str) -> None:
    tab.goto(address)
    tab.locator(".st-key-class_models_begin button").click()
    expect(tab.locator(".st-key-class_models_climb")).to_be_visible(timeout=LONG)


def steps_said(tab: Page) -> int:
    said = tab.get_by_text(re.compile(r"^Step \d+ of \d+: logit")).inner_text()
    return int(said.split()[1])


def test_start_pause_continue_scrub_and_download(watched: Watched, tab: Page, settle):
    tab.set_default_timeout(60_000)
    # Held, because a fast machine has drawn all of it before the browser has found the button.
    with watched.held(frames=3):
        begin(tab, f"{watched.address}/{RAW}&class_models_steps=512")
        assert watched.computations() == 1
        tab.locator(".st-key-class_models_drawing_stop button").click()
        expect(tab.get_by_text("This is partial")).to_be_visible(timeout=LONG)
    assert wait_until(lambda: watched.computations() == 0, 5)
    settle(tab)
    stopped_at = steps_said(tab)
    assert 0 < stopped_at < 512

    with watched.held(frames=5):
        tab.locator(".st-key-class_models_drawing_again button").click()
        expect(tab.get_by_text("This is partial")).to_be_hidden(timeout=LONG)
        assert wait_until(lambda: watched.computations() == 1, 10)
        expect(tab.locator(".st-key-class_models_climb")).to_be_visible(timeout=LONG)
        assert steps_said(tab) >= stopped_at, "it began anew"
        tab.locator(".st-key-class_models_drawing_stop button").click()
        expect(tab.get_by_text("This is partial")).to_be_visible(timeout=LONG)
    settle(tab)
    stopped_again_at = steps_said(tab)

    thumb = tab.locator("[class*=st-key-class_models_moment]").get_by_role("slider")
    thumb.focus()
    thumb.press("ArrowLeft")
    settle(tab)
    assert steps_said(tab) < stopped_again_at

    with tab.expect_download() as arriving:
        tab.locator(".st-key-class_models_drawing_gif button").click()
    film = Image.open(io.BytesIO(Path(arriving.value.path()).read_bytes()))
    assert film.format == "GIF" and film.n_frames > 1
    assert b"class_models.ascend" in film.info["comment"]
    assert f'"steps": {stopped_again_at}'.encode() in film.info["comment"]


def test_leaving_the_page_stops_the_work(watched: Watched, tab: Page):
    tab.set_default_timeout(60_000)
    # Held, so that it cannot end of its own before it is left.
    with watched.held(frames=3):
        begin(tab, f"{watched.address}/{RAW}&class_models_steps=1024&class_models_seed=3")
        assert watched.computations() == 1
        tab.get_by_role("link", name="Convolution").first.click()
        expect(tab.get_by_role("heading", name="Convolution", exact=True)).to_be_visible(timeout=LONG)
        assert wait_until(lambda: watched.computations() == 0, 12), "a drawing that nobody sees goes on"
    time.sleep(1)
    assert watched.computations() == 0
