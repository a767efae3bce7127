"""Filters that people gave names to, long before networks learned their own."""

import math

import torch
from torch import Tensor

from convis_core.results.convolution import Kernel, Rows
from convis_core.values import check_choice, check_real, check_whole


def gabor(size: int, *, wavelength: float = 4.0, angle: float = 0.0, width: float = 1.6) -> Tensor:
    """A wave under a bell: what many first layers learn by themselves.

    g(x, y) = exp(-(x^2 + y^2) / (2 width^2)) * cos(2 pi (x cos angle + y sin angle) / wavelength), less its
    mean, so that an even grey gives zero.

    Args:
        size: side of the kernel, odd, in cells.
        wavelength: cells from crest to crest.
        angle: direction across the stripes, in radians; 0 gives vertical stripes.
        width: standard deviation of the bell, in cells.

    Returns:
        float32 [size, size].

    J. G. Daugman, "Uncertainty relation for resolution in space, spatial frequency, and orientation optimized
    by two-dimensional visual cortical filters", 1985.
    """
    check_whole("The size of a Gabor filter", size, 1, 99)
    check_real("The wavelength", wavelength, 0.1, 1000)
    check_real("The angle", angle, -1000, 1000)
    check_real("The width", width, 0.01, 1000)
    places = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    y, x = torch.meshgrid(places, places, indexing="ij")
    along = x * math.cos(angle) + y * math.sin(angle)
    wave = torch.exp(-(x**2 + y**2) / (2 * width**2)) * torch.cos(2 * math.pi * along / wavelength)
    return (wave - wave.mean()).float()


def _short(values: Tensor) -> Rows:
    """Numbers of two decimals that still add up to zero: what the rounding left over goes into the middle."""
    hundredths = (values.double() * 100).round().long()
    middle = len(values) // 2
    hundredths[middle, middle] -= hundredths.sum()
    return tuple(tuple(int(value) / 100 for value in row) for row in hundredths)


def _binomial() -> Rows:
    line = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    return tuple(tuple(float(value) for value in row) for row in torch.outer(line, line))


_THIRD = 1 / 9

KERNELS: tuple[Kernel, ...] = (
    Kernel(
        "vertical_edge",
        "Vertical edge",
        ((1, 0, -1), (1, 0, -1), (1, 0, -1)),
        "Positive where it is lighter on the left and darker on the right.",
    ),
    Kernel(
        "horizontal_edge",
        "Horizontal edge",
        ((1, 1, 1), (0, 0, 0), (-1, -1, -1)),
        "Positive where it is lighter above and darker below.",
    ),
    Kernel(
        "sobel",
        "Sobel",
        ((1, 0, -1), (2, 0, -2), (1, 0, -1)),
        "A vertical edge too, with the middle row counted twice, which is less shaken by noise.",
    ),
    Kernel(
        "laplacian",
        "Laplacian",
        ((0, 1, 0), (1, -4, 1), (0, 1, 0)),
        "Zero on even ground and on even slopes; speaks where the slope changes, in any direction.",
    ),
    Kernel("blur", "Box blur", ((_THIRD,) * 3,) * 3, "The mean of nine neighbours."),
    Kernel("gaussian", "Gaussian blur", _binomial(), "A mean that counts the near more than the far."),
    Kernel(
        "sharpen",
        "Sharpen",
        ((0, -1, 0), (-1, 5, -1), (0, -1, 0)),
        "The picture minus its Laplacian: what differs from its neighbours differs more.",
    ),
    Kernel(
        "emboss",
        "Emboss",
        ((-2, -1, 0), (-1, 1, 1), (0, 1, 2)),
        "As if light fell from the upper left on a relief.",
    ),
    Kernel(
        "gabor",
        "Gabor",
        _short(gabor(7)),
        "A wave under a bell: stripes of one width and one direction.",
    ),
    Kernel("identity", "Identity", ((0, 0, 0), (0, 1, 0), (0, 0, 0)), "Gives back what it was given."),
)

_BY_ID = {kernel.id: kernel for kernel in KERNELS}


def get_kernel(kernel_id: str) -> Kernel:
    """The kernel of this id.

    Raises:
        SpecError: when there is none.
    """
    check_choice("The kernel", kernel_id, _BY_ID)
    return _BY_ID[kernel_id]
