"""How many windows fit, and how often each pixel is seen."""

import torch
from torch import Tensor

from convis_core.errors import SpecError
from convis_core.results.convolution import OutputSize
from convis_core.values import check_whole


def output_size(width: int, kernel: int, *, padding: int = 0, stride: int = 1) -> OutputSize:
    """(W - F + 2P) / S + 1, and what becomes of it when it is not whole.

    Args:
        width: W, cells of the input along a side.
        kernel: F, cells of the window.
        padding: P, zeros on each side.
        stride: S, cells from one window to the next.

    Raises:
        SpecError: when a number is out of range or the window does not fit.
    """
    for name, value, least in (
        ("width", width, 1),
        ("kernel", kernel, 1),
        ("stride", stride, 1),
        ("padding", padding, 0),
    ):
        check_whole(f"The {name}", value, least, 100_000)
    room = width - kernel + 2 * padding
    if room < 0:
        raise SpecError(
            f"A window of {kernel} does not fit into {width} cells with {padding} zeros on each side; "
            "make the kernel smaller or the padding larger."
        )
    floor = room // stride + 1
    ceil = -(-room // stride) + 1
    if (ceil - 1) * stride >= width + padding:
        # A window that would begin in the padding behind the input sees nothing and is left out.
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
    """How many windows see each pixel of a square picture.

    Without padding a corner is seen once where the middle is seen F x F times (at stride 1): what lies at the
    border counts less.

    Args:
        size: from ``output_size``, taken along both sides.

    Returns:
        int64 [W, W].
    """
    line = torch.zeros(size.width, dtype=torch.int64)
    for start in size.starts:
        line[max(0, start) : max(0, start + size.kernel)] += 1
    return torch.outer(line, line)
