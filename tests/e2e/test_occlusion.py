"""The occlusion page in a browser: one computation whatever the hand on the slider does, and a Stop that stops."""

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from convis_core.runtime.cores import lane_count
from tests.e2e.watching import Watched, wait_until

pytestmark = pytest.mark.browser
Settle = Callable[[Page], None]

LONG = 60_000
"""Milliseconds that a slow machine may take for a map."""


def how_much_slower() -> float:
    """By how much work takes longer here than its processor time, because others want the cores too."""
    clock, own = time.perf_counter(), time.thread_time()
    while time.thread_time() < own + 0.3:
        pass
    return (time.perf_counter() - clock) / (time.thread_time() - own)


def begin_if_asked(page: Page) -> None:
    """On a slow machine the page asks first."""
    begin, stop = (page.locator(f".st-key-occlusion_map_{name} button") for name in ("begin", "stop"))
    expect(begin.or_(stop)).to_be_visible(timeout=LONG)
    if begin.is_visible():
        begin.click()


def test_five_quick_drags_of_the_slider_leave_one_computation(watched: Watched, tab: Page, settle: Settle):
    tab.goto(f"{watched.address}/occlusion?occlusion_window=48&occlusion_stride=8")
    expect(tab.get_by_text("Computed in")).to_be_visible(timeout=LONG)
    settle(tab)
    assert watched.computations() == 0
    results = watched.results()

    slider = tab.locator(".st-key-occlusion_window [role=group]")
    track = slider.bounding_box()
    assert track is not None
    across, height = tab.mouse, track["y"] + track["height"] / 2
    at = (48 - 8) / (96 - 8)
    for share in (0.55, 0.65, 0.75, 0.85, 0.95):
        across.move(track["x"] + at * track["width"], height)
        across.down()
        across.move(track["x"] + share * track["width"], height, steps=3)
        across.up()
        # Slow enough for the browser to send every drag on its own.
        tab.wait_for_timeout(250)
        at = share
    # Four of the five are let go of before they have got anywhere; one is carried to its end.
    assert wait_until(lambda: watched.computations() == 1, 15), "nothing runs, or more than one computation"
    expect(tab.get_by_text("Computed in")).to_be_visible(timeout=LONG)
    settle(tab)
    assert watched.computations() == 0
    assert watched.results() == results + 1
    chosen = int(slider.locator("input").input_value())
    assert 88 <= chosen <= 96 and f"occlusion_window={chosen}" in tab.url
    expect(tab.get_by_text(f"windows of {chosen} × {chosen} pixels").first).to_be_visible()


def test_stop_stops_the_processor_within_a_second_and_what_there_is_stays(watched: Watched, tab: Page):
    # Once through, so that libraries loaded at first use do not count.
    tab.goto(f"{watched.address}/occlusion?occlusion_window=64&occlusion_stride=56&picture=rocket")
    expect(tab.get_by_text("Computed in")).to_be_visible(timeout=LONG)
    # Held until the browser has found the map, so that there is as much to stop on a fast machine as on a slow one.
    with watched.held(frames=1):
        tab.goto(f"{watched.address}/occlusion?occlusion_window=60&occlusion_stride=4&picture=rocket")
        begin_if_asked(tab)
        map_shown = tab.locator(".st-key-occlusion_over img")
        expect(map_shown).to_be_visible(timeout=LONG)
        slower = how_much_slower()
    assert watched.computations() == 1
    tab.locator(".st-key-occlusion_map_stop button").click()
    before = watched.cpu()
    assert wait_until(lambda: watched.computations() == 0, 15), "the computation goes on"
    # A second of every core. Where other processes hold the cores, it is their time that is counted, not the clock's,
    # and as much more of it as everything takes longer there.
    assert watched.cpu() - before <= lane_count() * slower
    assert wait_until(lambda: watched.cpu_share(0.5) < 0.1, 15), "something goes on"
    expect(tab.get_by_text("This is partial")).to_be_visible()
    expect(map_shown).to_be_visible()
    said = tab.get_by_text(" windows are computed.")
    expect(said).to_be_visible()

    reached = computed(said)
    tab.locator(".st-key-occlusion_map_again button").click()
    expect(tab.get_by_text("This is partial")).to_be_hidden()
    # Whatever is shown next has all that was there, and not a twenty-fifth of the map.
    assert wait_until(lambda: tab.get_by_text("Computed in").is_visible() or computed(said) > reached, 30)
    expect(tab.get_by_text("Computed in")).to_be_visible(timeout=LONG)
    expect(said).to_be_hidden()


def computed(said: Locator) -> int:
    """How many windows the sentence says are computed; 0 where there is no sentence."""
    found = re.search(r"([\d,]+) of [\d,]+ windows", said.inner_text()) if said.is_visible() else None
    return int(found[1].replace(",", "")) if found else 0


def test_a_file_is_made_when_it_is_asked_for(server: str, tab: Page, settle: Settle):
    tab.goto(f"{server}/occlusion?occlusion_window=64&occlusion_stride=56")
    expect(tab.get_by_text("Computed in")).to_be_visible(timeout=LONG)
    settle(tab)
    with tab.expect_download() as asked:
        tab.get_by_role("button", name="Values (CSV)").click()
    lines = Path(asked.value.path()).read_text().splitlines()
    assert asked.value.suggested_filename == "occlusion-chelsea.csv"
    assert lines[1].startswith("row,column,top,left,probability,logit,drop,top_class")
    # Windows at 0, 56, 112 and 160, downwards and across.
    assert len(lines) == 2 + 16


def test_a_click_on_the_map_hides_that_place(server: str, tab: Page, settle: Settle):
    tab.goto(f"{server}/occlusion?occlusion_stride=16")
    expect(tab.get_by_text("Computed in")).to_be_visible(timeout=LONG)
    settle(tab)
    shown = tab.locator(".st-key-occlusion_over .frame")
    box = shown.bounding_box()
    assert box is not None
    shown.click(position={"x": box["width"] * 0.26, "y": box["height"] * 0.76})
    settle(tab)
    hidden = tab.locator(".st-key-occlusion_hidden img")
    # Pixel (170, 58) of 224: nearest are the windows whose middle is at row 176 and column 64.
    expect(hidden).to_have_attribute("alt", "Chelsea, a tabby cat with rows 160 to 191 and columns 48 to 79 hidden")
    assert re.search(r"occlusion_row=1(69|70|71)\b", tab.url) and re.search(r"occlusion_column=5[789]\b", tab.url)
