"""Classical filters, designed by hand long before networks learned their own."""

import math

import torch
from torch import Tensor

from convis_core.results.convolution import Kernel, Rows
from convis_core.values import check_choice, check_real, check_whole


def gabor(size: int, *, wavelength: float = 4.0, angle: float = 0.0, width: float = 1.6) -> Tensor:
    """A cosine wave in a Gaussian envelope, the filter that many first layers learn by themselves.

    g(x, y) = exp(-(x^2 + y^2) / (2 width^2)) * cos(2 pi (x cos angle + y sin angle) / wavelength), minus its mean, so
    that the response to a constant grey is zero.

    Args:
        size: side of the kernel, odd, in cells.
        wavelength: cells from one crest to the next.
        angle: direction across the stripes, in radians; 0 gives vertical stripes.
        width: standard deviation of the Gaussian, in cells.

    Returns:
        float32 [size, size].

    Raises:
        SpecError: when a number is out of range.

    J. G. Daugman, "Uncertainty relation for resolution in space, spatial frequency, and orientation optimized
    by two-dimensional visual cortical filters", 1985.

    >>> from convis_core import convolution
    >>> upright = convolution.gabor(7)
    >>> upright.shape, round(abs(float(upright.sum())), 4), divmod(int(upright.argmax()), 7)
    (torch.Size([7, 7]), 0.0, (3, 3))
    """
    check_whole("The size of a Gabor filter", size, 1, 99)
    check_real("The wavelength", wavelength, 0.1, 1000)
    check_real("The angle", angle, -1000, 1000)
    check_real("The width", width, 0.01, 1000)
    positions = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    y, x = torch.meshgrid(positions, positions, indexing="ij")
    along = x * math.cos(angle) + y * math.sin(angle)
    wave = torch.exp(-(x**2 + y**2) / (2 * width**2)) * torch.cos(2 * math.pi * along / wavelength)
    return (wave - wave.mean()).float()


def _rounded(values: Tensor) -> Rows:
    """Numbers with two decimals that still add up to zero: the middle one takes up the rounding error."""
    hundredths = (values.double() * 100).round().long()
    middle = len(values) // 2
    hundredths[middle, middle] -= hundredths.sum()
    return tuple(tuple(int(value) / 100 for value in row) for row in hundredths)


def _binomial() -> Rows:
    line = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    return tuple(tuple(float(value) for value in row) for row in torch.outer(line, line))


_NINTH = 1 / 9

KERNELS: tuple[Kernel, ...] = (
    Kernel(
        "vertical_edge",
        "Vertical edge",
        ((1, 0, -1), (1, 0, -1), (1, 0, -1)),
        "Positive where the picture is lighter on the left and darker on the right.",
    ),
    Kernel(
        "horizontal_edge",
        "Horizontal edge",
        ((1, 1, 1), (0, 0, 0), (-1, -1, -1)),
        "Positive where the picture is lighter above and darker below.",
    ),
    Kernel(
        "sobel",
        "Sobel",
        ((1, 0, -1), (2, 0, -2), (1, 0, -1)),
        "Also a vertical edge, with the middle row counted twice, which is less sensitive to noise.",
    ),
    Kernel(
        "laplacian",
        "Laplacian",
        ((0, 1, 0), (1, -4, 1), (0, 1, 0)),
        "Zero where brightness is constant or changes linearly; responds where the slope changes, in any direction.",
    ),
    Kernel("blur", "Box blur", ((_NINTH,) * 3,) * 3, "The mean of a cell and its eight neighbours."),
    Kernel("gaussian", "Gaussian blur", _binomial(), "A weighted mean in which near cells count more than far ones."),
    Kernel(
        "sharpen",
        "Sharpen",
        ((0, -1, 0), (-1, 5, -1), (0, -1, 0)),
        "The picture minus its Laplacian, which increases the difference between each cell and its neighbours.",
    ),
    Kernel(
        "emboss",
        "Emboss",
        ((-2, -1, 0), (-1, 1, 1), (0, 1, 2)),
        "Makes the picture look like a relief lit from the upper left.",
    ),
    Kernel(
        "gabor",
        "Gabor",
        _rounded(gabor(7)),
        "A wave in a Gaussian envelope: responds to stripes of one width and one direction.",
    ),
    Kernel("identity", "Identity", ((0, 0, 0), (0, 1, 0), (0, 0, 0)), "Returns its input unchanged."),
)

_BY_ID = {kernel.id: kernel for kernel in KERNELS}


def get_kernel(kernel_id: str) -> Kernel:
    """The kernel of this id, one of ``KERNELS``.

    Raises:
        SpecError: when there is none.

    >>> from convis_core import convolution
    >>> convolution.get_kernel("sobel").filter().tolist()
    [[1.0, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]]
    """
    check_choice("The kernel", kernel_id, _BY_ID)
    return _BY_ID[kernel_id]
