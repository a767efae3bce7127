"""Contact sheets: many small maps as one image, with their order and layout."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from torch import Tensor

from convis_core.results.architecture import Pair

Order: TypeAlias = Literal["index", "activation", "variance", "contribution"]
Scale: TypeAlias = Literal["layer", "channel"]


@dataclass(frozen=True, slots=True)
class SheetSpec:
    """How the channels of a layer are put on contact sheets.

    Attributes:
        order: "index", or largest first by "activation" (mean over the cells), "variance" (over the cells) or
            "contribution" (to the class logit).
        scale: "layer" gives all channels one colour scale, "channel" each its own.
        page: which sheet, from 0.
        per_page: channels on a sheet.
        width: approximate width of the sheet, in pixels; maps are enlarged by whole factors to come close to it.
    """

    order: Order = "index"
    scale: Scale = "layer"
    page: int = 0
    per_page: int = 512
    width: int = 1200


@dataclass(frozen=True, slots=True)
class KernelSpec:
    """Which kernels of a convolution are put on a contact sheet, and how.

    A kernel of a deep layer has one slice for each channel that it reads, too many to show as colours.

    Attributes:
        across: "filters" shows one slice of every filter, the one that reads the input channel ``index``; "inputs"
            shows every slice of the filter ``index``.
        index: of the input channel or of the filter.
        order: "index", or largest first by "norm" of the slice shown.
        scale: "layer" gives all tiles one colour scale, "channel" each its own.
        page: which sheet, from 0.
        per_page: tiles on a sheet.
        width: approximate width of the sheet, in pixels.
    """

    across: Literal["filters", "inputs"] = "filters"
    index: int = 0
    order: Literal["index", "norm"] = "index"
    scale: Scale = "layer"
    page: int = 0
    per_page: int = 512
    width: int = 1200


@dataclass(frozen=True, slots=True)
class SheetLayout:
    """The layout of a contact sheet: a grid in reading order, with a gap around every tile.

    Attributes:
        channels: indices of the channels shown, in reading order.
        columns: tiles in a row.
        map_height: cells of a tile, downwards.
        map_width: cells of a tile, across.
        zoom: side of a cell on the sheet, in pixels.
        gap: pixels between tiles and around the sheet.
    """

    channels: tuple[int, ...]
    columns: int
    map_height: int
    map_width: int
    zoom: int
    gap: int = 2

    @property
    def rows(self) -> int:
        """Rows of tiles."""
        return -(-len(self.channels) // self.columns)

    @property
    def pitch(self) -> Pair:
        """Pixels from one tile to the next: (down, across)."""
        return self.map_height * self.zoom + self.gap, self.map_width * self.zoom + self.gap

    @property
    def size(self) -> Pair:
        """(height, width) of the sheet, in pixels."""
        down, across = self.pitch
        return self.rows * down + self.gap, self.columns * across + self.gap


@dataclass(frozen=True, slots=True, eq=False)
class ContactSheet:
    """Many small maps as one image.

    Attributes:
        layout: positions of the tiles.
        values: float32 in [0, 1], nan in the gaps: [H', W'], or [3, H', W'] for kernels in colour. 0 stands for a
            tile's ``low`` and 1 for its ``high``.
        low: float32 [n], what 0 means on each tile, in the layer's own units.
        high: float32 [n], what 1 means on each tile.
        pages: number of sheets.
    """

    layout: SheetLayout
    values: Tensor
    low: Tensor
    high: Tensor
    pages: int = 1
