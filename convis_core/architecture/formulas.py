"""The formulas of a layer with its own numbers put in, and what they come to."""

import math

from convis_core.network import operations
from convis_core.results.architecture import LayerRow, Substitution


def substitutions(row: LayerRow) -> tuple[Substitution, ...]:
    """What a layer's output size, parameters and work come from.

    Symbols: H and W are the input's height and width, F the kernel's side, S the stride, P the padding of one
    side (P_1 and P_2 where the sides differ), d the dilation, C channels in, K channels out, G groups.

    Args:
        row: from ``architecture.describe``.

    Returns:
        In this order: height of the output, width of the output, weights, biases, multiply-adds; only those
        that the layer has.
    """
    found: list[Substitution] = []
    if row.kernel is not None and len(row.output_shape) == 4:
        found += [_side(row, 0), _side(row, 1)]
    if row.macs and row.kernel is not None:
        found += _convolution(row)
    elif row.macs:
        inputs, outputs = row.input_shape[-1], row.output_shape[-1]
        found.append(Substitution("linear weights", (("C", inputs), ("K", outputs)), row.weights))
        found.append(Substitution("biases", (("K", outputs),), row.biases))
        found.append(Substitution("linear macs", (("C", inputs), ("K", outputs)), row.macs))
    elif row.kind == operations.BATCH_NORM:
        found.append(Substitution("batch norm", (("C", row.output_shape[1]),), row.parameters))
    return tuple(substitution for substitution in found if substitution.value)


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
