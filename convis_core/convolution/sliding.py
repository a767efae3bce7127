"""A filter slides over a picture: all at once, or one window at a time."""

import torch
from torch import Tensor
from torch.nn import functional

from convis_core.errors import SpecError
from convis_core.results.convolution import Slide, Step
from convis_core.values import check_whole


def slide(picture: Tensor, filters: Tensor, bias: Tensor | None = None, *, stride: int = 1, padding: int = 0) -> Slide:
    """What slides over what, checked.

    Args:
        picture: [C, H, W].
        filters: [K, C, Fh, Fw]; or [Fh, Fw], one filter that is laid on every channel alike.
        bias: [K]; zeros without it.
        stride: cells from one window to the next.
        padding: zeros on each side.

    Raises:
        SpecError: when channels do not agree, numbers are missing, or the window is larger than the padded
        picture.
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
    """Every filter at every place: out[k, i, j] = bias_k + sum_{c, u, v} filter[k, c, u, v] x[c, i S + u, j S
    + v].

    The filter is not flipped: mathematicians call this cross-correlation, networks call it convolution.

    Args:
        slide: from ``slide``.

    Returns:
        [K, H', W'] with H' = floor((H - F + 2P) / S) + 1.
    """
    windows = _windows(slide)
    return torch.einsum("cijuv,kcuv->kij", windows, slide.filters) + slide.bias[:, None, None]


def step_count(slide: Slide) -> int:
    """Filters times places: how many windows are looked at until the output is full."""
    return len(slide.filters) * _windows(slide)[0, :, :, 0, 0].numel()


def step(slide: Slide, index: int) -> Step:
    """One window of the many: filter after filter, row after row, from left to right.

    Args:
        slide: from ``slide``.
        index: which step, from 0.

    Raises:
        SpecError: when there is no such step.
    """
    windows = _windows(slide)
    rows, columns = windows.shape[1:3]
    steps = len(slide.filters) * rows * columns
    check_whole("The step", index, 0, steps - 1)
    number, place = divmod(index, rows * columns)
    row, column = divmod(place, columns)
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
