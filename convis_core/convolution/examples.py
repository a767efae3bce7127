"""Pictures small enough to count on."""

from dataclasses import dataclass

import torch
from torch import Tensor

from convis_core.results.convolution import Rows, Slide
from convis_core.values import check_choice, check_seed, check_whole


@dataclass(frozen=True, slots=True)
class Grid:
    """A picture of a few numbers.

    Attributes:
        id: its short name.
        label: what it shows.
        values: brightness, row by row; 0 is dark.
    """

    id: str
    label: str
    values: Rows

    def picture(self) -> Tensor:
        """float32 [1, H, W]."""
        return torch.tensor(self.values).unsqueeze(0)


def _square(side: int, first: int, last: int) -> Rows:
    inside = range(first, last)
    return tuple(
        tuple(10.0 if row in inside and column in inside else 0.0 for column in range(side)) for row in range(side)
    )


GRIDS: tuple[Grid, ...] = (
    Grid("vertical", "Light left, dark right", ((10.0,) * 3 + (0.0,) * 3,) * 6),
    Grid("horizontal", "Light above, dark below", ((10.0,) * 6,) * 3 + ((0.0,) * 6,) * 3),
    Grid("square", "A bright square", _square(8, 2, 6)),
    Grid(
        "diagonal",
        "A slope",
        tuple(tuple(float(max(0, 10 - 2 * abs(row - column))) for column in range(6)) for row in range(6)),
    ),
)

_BY_ID = {grid.id: grid for grid in GRIDS}


def get_grid(grid_id: str) -> Grid:
    """The grid of this id.

    Raises:
        SpecError: when there is none.
    """
    check_choice("The grid", grid_id, _BY_ID)
    return _BY_ID[grid_id]


def numbers(side: int = 6, seed: int = 0) -> Tensor:
    """A map of small whole numbers, [1, side, side], 0 to 9.

    Args:
        side: rows and columns.
        seed: of the numbers.
    """
    check_whole("The side", side, 1, 100)
    check_seed(seed)
    return torch.randint(0, 10, (1, side, side), generator=torch.Generator().manual_seed(seed)).float()


def volume(seed: int = 0) -> Slide:
    """Two filters over three channels with padding 1 and stride 2, all in small whole numbers.

    The arrangement that the notes of Stanford's course CS231n animate: 5 x 5 x 3 in, 3 x 3 x 2 out.

    Args:
        seed: of the numbers.
    """
    check_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    picture = torch.randint(0, 3, (3, 5, 5), generator=generator).float()
    filters = torch.randint(-1, 2, (2, 3, 3, 3), generator=generator).float()
    return Slide(picture, filters, torch.tensor([1.0, 0.0]), stride=2, padding=1)
