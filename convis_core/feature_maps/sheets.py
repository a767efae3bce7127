"""Contact sheets: all channels of a layer as one image with hard pixels, and the cell under each of its points."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

import torch
from torch import Tensor

from convis_core.errors import SpecError
from convis_core.results import Cell, ContactSheet, FeatureMaps, SheetLayout, SheetSpec
from convis_core.results.sheets import Order, Scale
from convis_core.values import check_choice, check_whole

# A screen is about twice as wide as the visible part of a page is high.
_ASPECT = 2.0
_MOST_TILES, _WIDEST = 4096, 8192


def contact_sheet(maps: FeatureMaps, spec: SheetSpec, *, contributions: Tensor | None = None) -> ContactSheet:
    """One page of a layer's channels, in the order and on the scale asked for.

    Args:
        maps: all channels of the layer.
        spec: order, scale, page.
        contributions: float32 [C], from ``contributions``; needed for the order "contribution".

    Raises:
        SpecError: when there is no such page, or the order needs contributions and none are given.

    >>> import torch
    >>> from convis_core import feature_maps
    >>> from convis_core.results import FeatureMaps, SheetSpec
    >>> values = torch.arange(3 * 2 * 2).float().view(3, 2, 2)
    >>> maps = FeatureMaps("layer", values, feature_maps.statistics(values))
    >>> sheet = feature_maps.contact_sheet(maps, SheetSpec(order="activation", per_page=2))
    >>> sheet.layout.channels, sheet.pages, sheet.low.tolist(), sheet.high.tolist()
    ((2, 1), 2, [0.0, 0.0], [11.0, 11.0])
    """
    check_choice("The scale", spec.scale, get_args(Scale))
    ordered = order(maps, spec.order, contributions=contributions)
    shown, pages = page_of(ordered, spec.page, spec.per_page)
    return replace(sheet_of(maps, shown, scale=spec.scale, width=spec.width), pages=pages)


def sheet_of(
    maps: FeatureMaps, channels: Sequence[int], *, scale: Scale = "channel", width: int = 1200
) -> ContactSheet:
    """The given channels side by side.

    Args:
        maps: all channels of the layer.
        channels: which of them, in reading order; at least one.
        scale: "layer" or "channel".
        width: approximate width of the sheet, in pixels.

    >>> import torch
    >>> from convis_core import feature_maps
    >>> from convis_core.results import FeatureMaps
    >>> values = torch.arange(3 * 2 * 2).float().view(3, 2, 2)
    >>> maps = FeatureMaps("layer", values, feature_maps.statistics(values))
    >>> sheet = feature_maps.sheet_of(maps, [2, 0])
    >>> sheet.layout.channels, sheet.low.tolist(), sheet.high.tolist()
    ((2, 0), [8.0, 0.0], [11.0, 3.0])
    """
    layout = lay_out(channels, (maps.values.shape[1], maps.values.shape[2]), width=width)
    tiles = maps.values[list(channels)]
    low, high = limits(tiles, maps.values, scale)
    return ContactSheet(layout, tile(scaled(tiles, low, high), layout), low, high)


def order(maps: FeatureMaps, by: Order, *, contributions: Tensor | None = None) -> tuple[int, ...]:
    """The indices of a layer's channels, sorted; ties stay in order of index.

    Args:
        maps: all channels of the layer.
        by: "index", or largest first by "activation" (mean), "variance" or "contribution".
        contributions: float32 [C], needed for the order "contribution"; evidence against the class comes last.

    Raises:
        SpecError: when the order needs contributions and none are given, or is none of the four.

    >>> import torch
    >>> from convis_core import feature_maps
    >>> from convis_core.results import FeatureMaps
    >>> values = torch.tensor([[[1.0, 1.0]], [[0.0, 4.0]], [[3.0, 3.0]]])
    >>> maps = FeatureMaps("layer", values, feature_maps.statistics(values))
    >>> feature_maps.order(maps, "activation"), feature_maps.order(maps, "variance")
    ((2, 1, 0), (1, 0, 2))
    """
    check_choice("The order", by, get_args(Order))
    keys = {"activation": maps.statistics.mean, "variance": maps.statistics.std, "contribution": contributions}
    if by == "index":
        return tuple(range(len(maps.values)))
    key = keys.get(by)
    if key is None:
        raise SpecError("To sort channels by their contribution, give the contributions to the class.")
    return tuple(key.argsort(descending=True, stable=True).tolist())


def page_of(ordered: Sequence[int], page: int, per_page: int) -> tuple[tuple[int, ...], int]:
    """The part of a sequence on one page, and the number of pages.

    Raises:
        SpecError: when there is no such page.
    """
    check_whole("The number of maps on a sheet", per_page, 1, _MOST_TILES)
    pages = max(1, math.ceil(len(ordered) / per_page))
    check_whole("The sheet", page, 0, pages - 1)
    return tuple(ordered[page * per_page : (page + 1) * per_page]), pages


def lay_out(
    channels: Sequence[int], cells: tuple[int, int], *, width: int = 1200, spacing: float = 1 / 30
) -> SheetLayout:
    """A grid about twice as wide as high, with its maps enlarged by an integer factor to fill the width.

    Args:
        channels: what the tiles show, in reading order; at least one.
        cells: (height, width) of a map.
        width: approximate width of the sheet, in pixels. Maps are never reduced, so the sheet may be wider.
        spacing: the gap as a share of a tile, at least two pixels; more where tiles may be as pale as the gap.

    Raises:
        SpecError: when the width is not between 1 and 8,192.

    >>> from convis_core import feature_maps
    >>> layout = feature_maps.lay_out(range(512), (14, 14))
    >>> layout.columns, layout.rows, layout.zoom
    (32, 16, 3)
    """
    check_whole("The width of a sheet", width, 1, _WIDEST)
    height_of_map, width_of_map = cells
    count = len(channels)
    columns = _columns(count, math.sqrt(count * _ASPECT * height_of_map / width_of_map))
    gap = max(2, round(width / columns * spacing)) if count > 1 else 0
    zoom = max(1, round((width / columns - gap) / width_of_map))
    return SheetLayout(tuple(channels), columns, height_of_map, width_of_map, zoom, gap)


def _columns(count: int, ideal: float) -> int:
    """A number of columns near the ideal that leaves few empty positions in the last row; in doubt, the wider grid."""
    candidates = range(max(1, math.ceil(ideal * 0.8)), max(1, math.floor(ideal * 1.25)) + 1)
    possible = [columns for columns in candidates if columns <= count] or [count]
    return min(possible, key=lambda columns: (-count % columns, columns < ideal, abs(columns - ideal)))


def peak_cell(values: Tensor) -> tuple[int, int]:
    """The cell, (row, column), with the largest value of a map that is not saturated.

    Where several cells share the maximum, it is a ceiling such as that of ReLU6, and such cells do not respond to small
    changes in the picture. Then the largest value below the ceiling counts, unless that is the map's minimum.

    Args:
        values: [H, W].

    >>> import torch
    >>> from convis_core import feature_maps
    >>> feature_maps.peak_cell(torch.tensor([[1.0, 5.0], [2.0, 3.0]]))
    (0, 1)
    >>> feature_maps.peak_cell(torch.tensor([[6.0, 6.0], [0.0, 3.0]]))
    (1, 1)
    """
    top = values == values.max()
    below = values.masked_fill(top, -math.inf)
    shared = int(top.sum()) > 1 and float(below.max()) > float(values.min())
    row, column = divmod(int((below if shared else values).argmax()), values.shape[1])
    return row, column


def limits(tiles: Tensor, everything: Tensor, scale: Scale) -> tuple[Tensor, Tensor]:
    """The values that the darkest and the brightest colour of each tile stand for.

    Args:
        tiles: [n, H, W], the maps on the sheet.
        everything: [C, H, W], all maps of the layer, so that its pages share one scale.
        scale: "layer" or "channel".
    """
    if scale == "layer":
        low, high = everything.aminmax()
        return low.expand(len(tiles)).clone(), high.expand(len(tiles)).clone()
    lows, highs = tiles.flatten(1).aminmax(dim=1)
    return lows, highs


def scaled(tiles: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Each tile mapped from its own [low, high] to [0, 1]; a tile with an empty range becomes 0.

    Args:
        tiles: [n, ...].
        low: [n].
        high: [n].
    """
    shape = (-1, *(1,) * (tiles.dim() - 1))
    span = high - low
    safe = torch.where(span > 0, span, torch.ones_like(span))
    return ((tiles - low.view(shape)) / safe.view(shape)).clamp(0, 1)


def tile(tiles: Tensor, layout: SheetLayout) -> Tensor:
    """Maps side by side, each cell enlarged to a uniform square, with nan in the gaps.

    Args:
        tiles: [n, h, w], or [n, 3, h, w] in colour, in reading order.
        layout: positions of the tiles.

    Returns:
        [H', W'], or [3, H', W'].

    >>> import torch
    >>> from convis_core import feature_maps
    >>> from convis_core.results import SheetLayout
    >>> layout = SheetLayout(channels=(0, 1), columns=2, map_height=1, map_width=1, zoom=2, gap=1)
    >>> feature_maps.tile(torch.tensor([[[0.0]], [[1.0]]]), layout)[1]
    tensor([nan, 0., 0., nan, 1., 1., nan])
    """
    large = tiles.repeat_interleave(layout.zoom, dim=-2).repeat_interleave(layout.zoom, dim=-1)
    sheet = torch.full((*tiles.shape[1:-2], *layout.size), math.nan)
    down, across = layout.pitch
    for position, one in enumerate(large):
        row, column = divmod(position, layout.columns)
        top, left = layout.gap + row * down, layout.gap + column * across
        sheet[..., top : top + one.shape[-2], left : left + one.shape[-1]] = one
    return sheet


def channel_at(layout: SheetLayout, x: float, y: float) -> int | None:
    """The channel whose tile lies under a point of the sheet; None in a gap, in an empty position and outside.

    Args:
        layout: of the sheet.
        x: pixels from the left edge of the sheet.
        y: pixels from its top.

    >>> from convis_core import feature_maps
    >>> from convis_core.results import SheetLayout
    >>> layout = SheetLayout(channels=(4, 7), columns=2, map_height=3, map_width=3, zoom=2, gap=2)
    >>> feature_maps.channel_at(layout, 12.0, 5.0), feature_maps.channel_at(layout, 1.0, 5.0)
    (7, None)
    """
    cell = cell_at(layout, x, y)
    return None if cell is None else cell.channel


def cell_at(layout: SheetLayout, x: float, y: float) -> Cell | None:
    """The cell under a point of the sheet; None in a gap, in an empty position and outside.

    Args:
        layout: of the sheet.
        x: pixels from the left edge of the sheet.
        y: pixels from its top.

    >>> from convis_core import feature_maps
    >>> from convis_core.results import SheetLayout
    >>> layout = SheetLayout(channels=(4, 7), columns=2, map_height=3, map_width=3, zoom=2, gap=2)
    >>> feature_maps.cell_at(layout, 12.0, 5.0)
    Cell(channel=7, row=1, column=1)
    """
    down, across = layout.pitch
    tile_row, within_y = divmod(y - layout.gap, down)
    tile_column, within_x = divmod(x - layout.gap, across)
    row, column = int(within_y // layout.zoom), int(within_x // layout.zoom)
    position = int(tile_row) * layout.columns + int(tile_column)
    inside = 0 <= tile_column < layout.columns and 0 <= position < len(layout.channels)
    if not inside or row >= layout.map_height or column >= layout.map_width:
        return None
    return Cell(layout.channels[position], row, column)
