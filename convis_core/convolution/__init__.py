"""The laboratory of the convolution: each step of it by itself, on numbers small enough to check by hand."""

from convis_core.convolution.corners import find_corners
from convis_core.convolution.examples import GRIDS, Grid, get_grid, volume
from convis_core.convolution.growth import grow
from convis_core.convolution.kernels import KERNELS, gabor, get_kernel
from convis_core.convolution.pooling import pool
from convis_core.convolution.rectify import rectify
from convis_core.convolution.shared import learn
from convis_core.convolution.sizes import coverage, output_size
from convis_core.convolution.sliding import convolve, slide, step, step_count

__all__ = [
    "GRIDS",
    "KERNELS",
    "Grid",
    "convolve",
    "coverage",
    "find_corners",
    "gabor",
    "get_grid",
    "get_kernel",
    "grow",
    "learn",
    "output_size",
    "pool",
    "rectify",
    "slide",
    "step",
    "step_count",
    "volume",
]
