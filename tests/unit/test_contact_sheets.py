"""Contact sheets: the position of every tile, their order, their scale and their colours."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from convis_core import feature_maps
from convis_core.figures import feature_maps as pictures
from convis_core.figures.render import colour_table
from convis_core.figures.style import COLOURS
from convis_core.results import Cell, FeatureMaps, SheetLayout, SheetSpec


def some_maps(channels: int, height: int, width: int) -> FeatureMaps:
    values = torch.randn(channels, height, width, generator=torch.Generator().manual_seed(channels))
    return FeatureMaps("layer", values, feature_maps.statistics(values))


def test_orders_are_largest_first_and_stable() -> None:
    values = torch.tensor([[[1.0, 1.0]], [[0.0, 4.0]], [[1.0, 1.0]], [[3.0, 3.0]]])
    maps = FeatureMaps("layer", values, feature_maps.statistics(values))
    assert feature_maps.order(maps, "index") == (0, 1, 2, 3)
    assert feature_maps.order(maps, "activation") == (3, 1, 0, 2)
    assert feature_maps.order(maps, "variance") == (1, 0, 2, 3)
    contributions = torch.tensor([-5.0, 0.0, 1.0, 0.0])
    assert feature_maps.order(maps, "contribution", contributions=contributions) == (2, 1, 3, 0)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 30),
    st.integers(1, 7),
    st.integers(1, 7),
    st.integers(10, 120),
    st.sampled_from(("layer", "channel")),
)
def test_every_pixel_of_a_sheet_belongs_to_its_cell(
    channels: int, height: int, width: int, wide: int, scale: str
) -> None:
    maps = some_maps(channels, height, width)
    spec = SheetSpec(order="activation", scale=scale, width=wide)  # type: ignore[arg-type]
    sheet = feature_maps.contact_sheet(maps, spec)
    assert tuple(sheet.values.shape) == sheet.layout.size
    seen = torch.zeros(channels, height, width, dtype=torch.long)
    for y in range(sheet.layout.size[0]):
        for x in range(sheet.layout.size[1]):
            cell = feature_maps.cell_at(sheet.layout, x + 0.5, y + 0.5)
            value = float(sheet.values[y, x])
            if cell is None:
                assert value != value
                continue
            seen[cell] += 1
            position = sheet.layout.channels.index(cell.channel)
            low, high = float(sheet.low[position]), float(sheet.high[position])
            expected = (float(maps.values[cell]) - low) / (high - low) if high > low else 0.0
            assert value == pytest.approx(expected, abs=1e-5)
            assert feature_maps.channel_at(sheet.layout, x, y) == cell.channel
    assert (seen == sheet.layout.zoom**2).all()


def test_points_outside_a_sheet_belong_to_no_cell() -> None:
    layout = SheetLayout(channels=(4, 7, 9), columns=2, map_height=3, map_width=3, zoom=2, gap=2)
    assert layout.size == (18, 18)
    assert feature_maps.cell_at(layout, 2, 2) == Cell(4, 0, 0)
    assert feature_maps.cell_at(layout, 15.9, 7.9) == Cell(7, 2, 2)
    for x, y in ((-1, 3), (3, -1), (18.5, 3), (3, 18.5), (1, 5), (8.5, 3), (12, 12)):
        assert feature_maps.cell_at(layout, x, y) is None


def test_pages_show_every_channel_once_on_one_scale() -> None:
    maps = some_maps(23, 2, 3)
    sheets = [feature_maps.contact_sheet(maps, SheetSpec(page=page, per_page=10)) for page in range(3)]
    assert [sheet.pages for sheet in sheets] == [3, 3, 3]
    assert tuple(channel for sheet in sheets for channel in sheet.layout.channels) == tuple(range(23))
    assert {float(high) for sheet in sheets for high in sheet.high} == {float(maps.values.max())}


def test_five_hundred_and_twelve_maps_make_one_sheet_twice_as_wide_as_high() -> None:
    sheet = feature_maps.contact_sheet(some_maps(512, 14, 14), SheetSpec())
    assert (sheet.pages, sheet.layout.rows, sheet.layout.columns) == (1, 16, 32)
    assert 1000 < sheet.layout.size[1] < 1500


@given(st.integers(1, 2048))
def test_a_sheet_is_wider_than_high_and_leaves_few_positions_empty(channels: int) -> None:
    layout = feature_maps.lay_out(range(channels), (7, 7))
    empty = layout.rows * layout.columns - channels
    assert 0 <= empty < layout.columns
    assert layout.columns >= layout.rows
    assert channels < 8 or layout.columns <= 3.6 * layout.rows
    assert channels < 8 or empty <= channels / 5


def test_the_peak_of_a_map_is_its_largest_value_below_a_ceiling() -> None:
    assert feature_maps.peak_cell(torch.tensor([[1.0, 5.0], [2.0, 3.0]])) == (0, 1)
    assert feature_maps.peak_cell(torch.tensor([[6.0, 6.0], [0.0, 3.0]])) == (1, 1)
    assert feature_maps.peak_cell(torch.tensor([[6.0, 6.0], [0.0, 0.0]])) == (0, 0)
    assert feature_maps.peak_cell(torch.zeros(2, 2)) == (0, 0)


def test_a_sheet_is_drawn_with_transparent_gaps_and_dead_channels_crossed_out() -> None:
    maps = some_maps(6, 4, 4)
    sheet = feature_maps.sheet_of(maps, range(6), width=90)
    picture = pictures.sheet_image(sheet, "activation", struck={2})
    assert (picture.height, picture.width) == sheet.layout.size
    pixels = np.asarray(picture.convert("RGBA"))
    gaps = sheet.values.isnan().numpy()
    assert (pixels[gaps][:, 3] == 0).all() and (pixels[~gaps][:, 3] == 255).all()
    table = colour_table(COLOURS["activation"])
    grey = (pixels[..., :3] == 150).all(axis=-1)
    for y in range(0, sheet.layout.size[0], 3):
        for x in range(0, sheet.layout.size[1], 3):
            cell = feature_maps.cell_at(sheet.layout, x + 0.5, y + 0.5)
            if cell is not None and not grey[y, x]:
                expected = table[round(float(sheet.values[y, x]) * 255)]
                assert np.abs(pixels[y, x, :3] - expected).max() <= 6  # 254 steps instead of 256
            if grey[y, x]:
                assert cell is not None and cell.channel == 2
    assert grey.any()


def test_filters_in_colour_keep_their_colours() -> None:
    layout = feature_maps.lay_out(range(2), (2, 2), width=20)
    colours = torch.zeros(2, 3, 2, 2)
    colours[0, 0], colours[1, 2] = 1, 0.5
    values = feature_maps.tile(colours, layout)
    sheet = pictures.ContactSheet(layout, values, torch.zeros(2), torch.ones(2))
    pixels = np.asarray(pictures.colour_image(sheet))
    assert {tuple(colour) for colour in pixels.reshape(-1, 4).tolist()} == {
        (255, 0, 0, 255),
        (0, 0, 128, 255),
        (0, 0, 0, 0),
    }
