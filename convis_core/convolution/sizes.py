"""How many windows fit along a side, and how many of them cover each pixel."""

import torch
from torch import Tensor

from convis_core.errors import SpecError
from convis_core.results.convolution import OutputSize
from convis_core.values import check_whole


def output_size(width: int, kernel: int, *, padding: int = 0, stride: int = 1) -> OutputSize:
    """The size of a convolution's output, (W - F + 2P) / S + 1, and its roundings when it is not whole.

    Args:
        width: W, cells of the input along a side.
        kernel: F, cells of the window.
        padding: P, zeros on each side.
        stride: S, cells from one window to the next.

    Raises:
        SpecError: when a number is out of range or the window does not fit.

    >>> from convis_core import convolution
    >>> convolution.output_size(227, 11, stride=4).floor  # AlexNet's first layer
    55
    >>> size = convolution.output_size(10, 3, stride=2)
    >>> float(size.exact), size.floor, size.ceil, size.unseen
    (4.5, 4, 5, 1)
    """
    for name, value, least in (
        ("width", width, 1),
        ("kernel", kernel, 1),
        ("stride", stride, 1),
        ("padding", padding, 0),
    ):
        check_whole(f"The {name}", value, least, 100_000)
    travel = width - kernel + 2 * padding  # cells by which the window can move
    if travel < 0:
        raise SpecError(
            f"A window of {kernel} does not fit into {width} cells with {padding} zeros on each side; "
            "make the kernel smaller or the padding larger."
        )
    floor = travel // stride + 1
    ceil = -(-travel // stride) + 1
    if (ceil - 1) * stride >= width + padding:
        # A window that would begin in the padding after the input covers no cell of it and is left out.
        ceil -= 1
    same = -(-width // stride)
    zeros = max(0, (same - 1) * stride + kernel - width)
    end = (floor - 1) * stride - padding + kernel
    return OutputSize(
        width=width,
        kernel=kernel,
        padding=padding,
        stride=stride,
        floor=floor,
        ceil=ceil,
        same=same,
        same_padding=(zeros // 2, zeros - zeros // 2),
        unseen=max(0, width - end),
    )


def coverage(size: OutputSize) -> Tensor:
    """The number of windows that cover each pixel of a square picture.

    Without padding and at stride 1, one window covers a corner and F x F windows cover a pixel in the middle, so the
    border counts less.

    Args:
        size: from ``output_size``, taken along both sides.

    Returns:
        int64 [W, W].

    >>> from convis_core import convolution
    >>> convolution.coverage(convolution.output_size(4, 2)).tolist()
    [[1, 2, 2, 1], [2, 4, 4, 2], [2, 4, 4, 2], [1, 2, 2, 1]]
    """
    line = torch.zeros(size.width, dtype=torch.int64)
    for start in size.starts:
        line[max(0, start) : max(0, start + size.kernel)] += 1
    return torch.outer(line, line)
