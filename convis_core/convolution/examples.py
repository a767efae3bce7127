"""Pictures of a few numbers, small enough for sums by hand."""

from dataclasses import dataclass

import torch
from torch import Tensor

from convis_core.results.convolution import Rows, Slide
from convis_core.values import check_choice, check_seed, check_whole


@dataclass(frozen=True, slots=True)
class Grid:
    """A picture of a few numbers.

    Attributes:
        id: the name that ``get_grid`` takes.
        label: what the picture shows.
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
    """The grid of this id, one of ``GRIDS``.

    Raises:
        SpecError: when there is none.

    >>> from convis_core import convolution
    >>> convolution.get_grid("vertical").picture()[0, 0].tolist()
    [10.0, 10.0, 10.0, 0.0, 0.0, 0.0]
    """
    check_choice("The grid", grid_id, _BY_ID)
    return _BY_ID[grid_id]


def numbers(side: int = 6, seed: int = 0) -> Tensor:
    """A map of random whole numbers from 0 to 9, [1, side, side].

    Args:
        side: number of rows and of columns.
        seed: of the random numbers.

    Raises:
        SpecError: when the side is not between 1 and 100, or ``seed`` is no seed.

    >>> from convis_core import convolution
    >>> values = convolution.numbers(4, seed=1)
    >>> values.shape, bool((values == values.round()).all()), bool(values.min() >= 0), bool(values.max() <= 9)
    (torch.Size([1, 4, 4]), True, True, True)
    """
    check_whole("The side", side, 1, 100)
    check_seed(seed)
    return torch.randint(0, 10, (1, side, side), generator=torch.Generator().manual_seed(seed)).float()


def volume(seed: int = 0) -> Slide:
    """Two filters over three channels with padding 1 and stride 2, all in random small whole numbers.

    The input is 5 x 5 x 3 and the output 3 x 3 x 2, as in the animation in the notes of Stanford's course CS231n.

    Args:
        seed: of the random numbers.

    Raises:
        SpecError: when ``seed`` is no seed.

    >>> from convis_core import convolution
    >>> slide = convolution.volume()
    >>> slide.picture.shape, slide.filters.shape, convolution.convolve(slide).shape
    (torch.Size([3, 5, 5]), torch.Size([2, 3, 3, 3]), torch.Size([2, 3, 3]))
    """
    check_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    picture = torch.randint(0, 3, (3, 5, 5), generator=generator).float()
    filters = torch.randint(-1, 2, (2, 3, 3, 3), generator=generator).float()
    return Slide(picture, filters, torch.tensor([1.0, 0.0]), stride=2, padding=1)
