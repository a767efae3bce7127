"""Feature maps in a browser: from all layers to one cell by clicks, by keys, and from the address."""

import io
import urllib.parse
import urllib.request
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.browser
Settle = Callable[[Page], None]
PLACE = "feature_maps_"


def query(page: Page) -> dict[str, str]:
    pairs = urllib.parse.parse_qsl(urllib.parse.urlsplit(page.url).query)
    return {name.removeprefix(PLACE): value for name, value in pairs if name.startswith(PLACE)}


def part(page: Page, name: str) -> Locator:
    return page.locator(f".st-key-{PLACE}{name} .frame")


def point_at(page: Page, frame: Locator, across: float, down: float) -> tuple[float, float]:
    box = frame.bounding_box()
    assert box is not None
    return box["x"] + across * box["width"], box["y"] + down * box["height"]


def field(page: Page) -> tuple[float, ...]:
    """The receptive field framed on the picture: left, top, width and height in percent of the picture."""
    mark = part(page, "picture").locator(".mark")
    names = ("left", "top", "width", "height")
    return tuple(float(mark.evaluate(f"mark => parseFloat(mark.style.{name})")) for name in names)


def test_from_all_layers_to_a_cell_by_clicks(server: str, tab: Page, settle: Settle):
    tab.goto(f"{server}/feature_maps")
    settle(tab)
    layers = tab.locator(f".st-key-{PLACE}gallery button")
    expect(layers).to_have_count(18)
    layers.filter(has_text="blocks.4").click()
    expect(part(tab, "sheet")).to_be_visible()
    settle(tab)
    assert query(tab)["layer"] == "blocks.4"

    # Forty channels of 28 x 28 cells, ten in a row: the fourth of the second row is channel 13.
    tab.mouse.move(*point_at(tab, part(tab, "sheet"), 0.35, 0.375))
    expect(part(tab, "sheet").locator(".tip")).to_contain_text("channel 13:")
    tab.mouse.click(*point_at(tab, part(tab, "sheet"), 0.35, 0.375))
    expect(part(tab, "cells")).to_be_visible()
    settle(tab)
    assert query(tab)["channel"] == "13"

    tab.mouse.click(*point_at(tab, part(tab, "cells"), 5.5 / 28, 6.5 / 28))
    settle(tab)
    assert (query(tab)["row"], query(tab)["column"]) == ("6", "5")
    before = field(tab)
    tab.mouse.click(*point_at(tab, part(tab, "cells"), 15.5 / 28, 6.5 / 28))
    settle(tab)
    after = field(tab)
    # Ten cells to the right, eight pixels each, of 224; up and down nothing moves.
    assert after[0] + after[2] / 2 > before[0] + before[2] / 2 + 20
    assert (after[1], after[3]) == (before[1], before[3])

    tab.mouse.click(*point_at(tab, part(tab, "picture"), 0.5, 0.5))
    settle(tab)
    left, top, width, height = field(tab)
    assert abs(left + width / 2 - 50) < 4 and abs(top + height / 2 - 50) < 4


def test_a_link_to_a_cell_opens_at_that_cell_and_the_keys_move_it(server: str, tab: Page, settle: Settle):
    tab.goto(
        f"{server}/feature_maps?{PLACE}view=One+channel&{PLACE}layer=blocks.5&{PLACE}channel=9&{PLACE}row=4&{PLACE}column=7"
    )
    settle(tab)
    expect(tab.get_by_text("Cell (4, 7) of channel 9 says")).to_be_visible()
    before = field(tab)
    part(tab, "cells").focus()
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("ArrowRight")
    expect(part(tab, "cells").locator(".tip")).to_contain_text("row 5, column 8: ")
    tab.keyboard.press("Enter")
    expect(tab.get_by_text("Cell (5, 8) of channel 9 says")).to_be_visible()
    settle(tab)
    assert field(tab)[:2] > before[:2]
    assert (query(tab)["row"], query(tab)["column"]) == ("5", "8")


def test_a_sheet_is_one_image_with_hard_pixels(server: str, tab: Page, settle: Settle):
    tab.goto(f"{server}/feature_maps?{PLACE}view=One+layer&{PLACE}layer=head")
    settle(tab)
    images = part(tab, "sheet").locator("img")
    expect(images).to_have_count(1)
    source = images.get_attribute("src") or ""
    picture = Image.open(io.BytesIO(urllib.request.urlopen(source).read())).convert("RGBA")
    pixels = np.asarray(picture)
    # The first tile: seven by seven squares, each of one colour.
    first = pixels[(pixels[..., 3] > 0).argmax() // pixels.shape[1] :]
    left = int((first[0, :, 3] > 0).argmax())
    tile = first[:, left:]
    side = int((tile[0, :, 3] == 0).argmax())
    assert side % 7 == 0
    zoom = side // 7
    squares = tile[:side, :side].reshape(7, zoom, 7, zoom, 4)
    assert (squares == squares[:, :1, :, :1]).all()
