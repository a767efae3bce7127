"""A filter slides over a picture: all positions at once, or one window at a time."""

import torch
from torch import Tensor
from torch.nn import functional

from convis_core.errors import SpecError
from convis_core.results.convolution import Slide, Step
from convis_core.values import check_whole


def slide(picture: Tensor, filters: Tensor, bias: Tensor | None = None, *, stride: int = 1, padding: int = 0) -> Slide:
    """A convolution that is ready to compute: filters and a picture that fit each other, with stride and padding.

    Args:
        picture: [C, H, W].
        filters: [K, C, Fh, Fw]; or [Fh, Fw], one filter that is applied to every channel alike.
        bias: [K]; zeros by default.
        stride: cells from one window to the next.
        padding: zeros on each side.

    Raises:
        SpecError: when the channels differ, numbers are missing, or the window is larger than the padded picture.

    >>> import torch
    >>> from convis_core import convolution
    >>> slide = convolution.slide(torch.zeros(3, 8, 8), torch.ones(3, 3), padding=1)
    >>> slide.filters.shape, slide.bias.tolist()
    (torch.Size([1, 3, 3, 3]), [0.0])
    """
    if filters.dim() == 2:
        filters = filters.expand(1, len(picture), *filters.shape)
    if picture.dim() != 3 or filters.dim() != 4 or picture.shape[0] != filters.shape[1]:
        raise SpecError(
            f"Filters {tuple(filters.shape)} do not fit a picture {tuple(picture.shape)}: "
            "a picture is [C, H, W], filters are [K, C, F, F] with the same C."
        )
    added = torch.zeros(len(filters)) if bias is None else bias
    if added.shape != (len(filters),):
        raise SpecError(f"There are {len(filters)} filters and {len(added)} biases; each filter has one.")
    if not (picture.isfinite().all() and filters.isfinite().all() and added.isfinite().all()):
        raise SpecError("A number is missing: fill in every cell of the kernel.")
    check_whole("The stride", stride, 1, 10_000)
    check_whole("The padding", padding, 0, 1000)
    for side, name, kernel in ((1, "high", filters.shape[2]), (2, "wide", filters.shape[3])):
        if kernel > picture.shape[side] + 2 * padding:
            raise SpecError(
                f"A window {kernel} cells {name} does not fit into {picture.shape[side]} cells "
                f"with {padding} on each side; make the kernel smaller or the padding larger."
            )
    return Slide(picture, filters, added, stride, padding)


def convolve(slide: Slide) -> Tensor:
    """Every filter at every position of its window.

    out[k, i, j] = bias_k + sum_{c, u, v} filter[k, c, u, v] x[c, i S + u, j S + v], where x is padded. The filter is
    not flipped: in mathematics this is a cross-correlation, in deep learning it is called convolution.

    Args:
        slide: from ``slide``.

    Returns:
        [K, H', W'] with H' = floor((H - F + 2P) / S) + 1.

    >>> from convis_core import convolution
    >>> picture = convolution.get_grid("vertical").picture()  # three columns of 10, then three of 0
    >>> slide = convolution.slide(picture, convolution.get_kernel("vertical_edge").filter())
    >>> convolution.convolve(slide)[0, 0].tolist()
    [0.0, 30.0, 30.0, 0.0]
    """
    windows = _windows(slide)
    return torch.einsum("cijuv,kcuv->kij", windows, slide.filters) + slide.bias[:, None, None]


def step_count(slide: Slide) -> int:
    """The number of steps that fill the output: filters times positions of the window.

    >>> from convis_core import convolution
    >>> convolution.step_count(convolution.volume())  # 2 filters, 3 x 3 positions
    18
    """
    return len(slide.filters) * _windows(slide)[0, :, :, 0, 0].numel()


def step(slide: Slide, index: int) -> Step:
    """One window and its sum; steps go filter by filter, row by row, from left to right.

    Args:
        slide: from ``slide``.
        index: number of the step, from 0.

    Raises:
        SpecError: when there is no such step.

    >>> from convis_core import convolution
    >>> picture = convolution.get_grid("vertical").picture()
    >>> slide = convolution.slide(picture, convolution.get_kernel("vertical_edge").filter())
    >>> step = convolution.step(slide, 1)
    >>> step.row, step.column, step.window[0, 0].tolist(), step.value
    (0, 1, [10.0, 10.0, 0.0], 30.0)
    """
    windows = _windows(slide)
    rows, columns = windows.shape[1:3]
    steps = len(slide.filters) * rows * columns
    check_whole("The step", index, 0, steps - 1)
    number, position = divmod(index, rows * columns)
    row, column = divmod(position, columns)
    window, weights, bias = windows[:, row, column], slide.filters[number], slide.bias[number]
    return Step(
        index=index,
        steps=steps,
        filter=number,
        row=row,
        column=column,
        top=row * slide.stride - slide.padding,
        left=column * slide.stride - slide.padding,
        window=window.clone(),
        weights=weights.clone(),
        bias=float(bias),
        value=float((window * weights).sum() + bias),
    )


def _windows(slide: Slide) -> Tensor:
    """Every window, as a view: [C, H', W', Fh, Fw]."""
    padded = functional.pad(slide.picture, [slide.padding] * 4)
    high, wide = slide.filters.shape[2:]
    return padded.unfold(1, high, slide.stride).unfold(2, wide, slide.stride)
