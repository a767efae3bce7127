"""Convolution step by step: windows, strides, pooling, ReLU and shared weights on numbers checked by hand."""

from convis_core.convolution.corners import find_corners
from convis_core.convolution.examples import GRIDS, Grid, get_grid, numbers, volume
from convis_core.convolution.growth import grow, parse
from convis_core.convolution.kernels import KERNELS, gabor, get_kernel
from convis_core.convolution.pictures import first_filters, shrink
from convis_core.convolution.pooling import pool
from convis_core.convolution.reading import read_line, read_rows, write_rows
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
    "first_filters",
    "gabor",
    "get_grid",
    "get_kernel",
    "grow",
    "learn",
    "numbers",
    "output_size",
    "parse",
    "pool",
    "read_line",
    "read_rows",
    "rectify",
    "shrink",
    "slide",
    "step",
    "step_count",
    "volume",
    "write_rows",
]
