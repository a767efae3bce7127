"""The formulas for a layer's sizes with its own numbers substituted, and their results."""

import math

from convis_core.network import operations
from convis_core.results.architecture import LayerRow, Substitution


def substitutions(row: LayerRow) -> tuple[Substitution, ...]:
    """The formulas that give a layer's output size, parameters and multiply-adds, with its numbers substituted.

    Symbols: H and W are the input's height and width, F the kernel's side, S the stride, P the padding of one
    side (P_1 and P_2 where the sides differ), d the dilation, C channels in, K channels out, G groups.

    Args:
        row: from ``architecture.describe``.

    Returns:
        In this order: height of the output, width of the output, weights, biases, multiply-adds; only those
        that the layer has.

    >>> from torch import nn
    >>> from convis_core import architecture, models
    >>> network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    >>> _, convolution, *_ = architecture.describe(models.wrap(network, input_size=16))
    >>> for formula in architecture.substitutions(convolution)[2:4]:
    ...     print(formula.quantity, formula.numbers, formula.value)
    weights (('F_h', 3), ('F_w', 3), ('C', 3), ('K', 8)) 216
    biases (('K', 8),) 8
    """
    formulas: list[Substitution] = []
    if row.kernel is not None and len(row.output_shape) == 4:
        formulas += [_side(row, 0), _side(row, 1)]
    if row.macs and row.kernel is not None:
        formulas += _convolution(row)
    elif row.macs:
        inputs, outputs = row.input_shape[-1], row.output_shape[-1]
        formulas.append(Substitution("linear weights", (("C", inputs), ("K", outputs)), row.weights))
        formulas.append(Substitution("biases", (("K", outputs),), row.biases))
        formulas.append(Substitution("linear macs", (("C", inputs), ("K", outputs)), row.macs))
    elif row.kind == operations.BATCH_NORM:
        formulas.append(Substitution("batch norm", (("C", row.output_shape[1]),), row.parameters))
    return tuple(substitution for substitution in formulas if substitution.value)


def _side(row: LayerRow, axis: int) -> Substitution:
    """Height (axis 0) or width (axis 1) of the output."""
    kernel, stride, padding, dilation = row.kernel, row.stride, row.padding, row.dilation
    if kernel is None or stride is None or padding is None or dilation is None:
        raise ValueError(f"{row.name} has no window")
    before, after = (padding.top, padding.bottom) if axis == 0 else (padding.left, padding.right)
    length, side = row.input_shape[2 + axis], row.output_shape[2 + axis]
    reach = length - dilation[axis] * (kernel[axis] - 1) - 1 + before + after
    letter = "H" if axis == 0 else "W"
    numbers = [(letter, length), ("F", kernel[axis]), ("S", stride[axis])]
    numbers += [("P", before)] if before == after else [("P_1", before), ("P_2", after)]
    if dilation[axis] > 1:
        numbers.append(("d", dilation[axis]))
    rounding = "floor" if math.floor(reach / stride[axis]) + 1 == side else "ceil"
    return Substitution(f"{'height' if axis == 0 else 'width'} by {rounding}", tuple(numbers), side)


def _convolution(row: LayerRow) -> list[Substitution]:
    if row.kernel is None:
        raise ValueError(f"{row.name} is no convolution")
    (down, across), channels, outputs = row.kernel, row.input_shape[1], row.output_shape[1]
    taps = (("F_h", down), ("F_w", across), ("C", channels), ("K", outputs))
    grouped = (*taps, ("G", row.groups)) if row.groups > 1 else taps
    cells = (("H'", row.output_shape[2]), ("W'", row.output_shape[3]))
    return [
        Substitution("weights", grouped, row.weights),
        Substitution("biases", (("K", outputs),), row.biases),
        Substitution("macs", (*grouped, *cells), row.macs),
    ]
