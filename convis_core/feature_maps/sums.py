"""One cell of a convolution written out as a sum of products."""

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from convis_core import network
from convis_core.errors import SpecError
from convis_core.feature_maps.fields import check_cell
from convis_core.models import LoadedModel
from convis_core.network import operations
from convis_core.network.checks import check_picture
from convis_core.results import Cell, SumOfProducts
from convis_core.results.architecture import Padding

_CELL_BY_CELL = frozenset({operations.BATCH_NORM, operations.ACTIVATION, operations.DROPOUT, operations.IDENTITY})


def underlying_convolution(model: LoadedModel, layer: str) -> str | None:
    """The convolution from whose cells this layer's cells follow, one by one, by batch norm and activation alone.

    None where there is no single one: after pooling, addition and concatenation.

    Args:
        model: the network.
        layer: name of a layer or block.

    Raises:
        SpecError: when the network has no such layer.

    >>> from torch import nn
    >>> from convis_core import feature_maps, models
    >>> network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    >>> model = models.wrap(network, input_size=16)
    >>> feature_maps.underlying_convolution(model, "2"), feature_maps.underlying_convolution(model, "3")
    ('0', None)
    """
    chain = _chain(model, layer)
    return network.trace(model).names[chain[0]] if chain else None


def sum_of_products(model: LoadedModel, x: Tensor, layer: str, cell: Cell) -> SumOfProducts:
    """A cell written out as bias + sum over inputs and kernel of input * weight, with the layers that follow.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        layer: a convolution, or a batch norm or activation that follows one, or a block that ends in such.
        cell: channel, row and column.

    Raises:
        SpecError: when ``x`` is not one picture of the network's size, there is no such layer or cell, or no
            convolution underlies the layer; see ``underlying_convolution``.

    >>> import torch
    >>> from torch import nn
    >>> from convis_core import feature_maps, models
    >>> from convis_core.results import Cell
    >>> network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    >>> model, x = models.wrap(network, input_size=16), torch.rand(1, 3, 16, 16)
    >>> written = feature_maps.sum_of_products(model, x, "1", Cell(channel=2, row=0, column=5))
    >>> written.products.shape, written.outside.tolist()[0]  # the kernel's first row lies on the padding
    (torch.Size([3, 3, 3]), [True, True, True])
    >>> round(float(written.products.sum()) + written.bias - written.total, 4) == 0, written.then[0][0]
    (True, '1')
    """
    check_picture(model, x)
    check_cell(model, layer, cell)
    chain = _chain(model, layer)
    if not chain:
        raise SpecError(f"The cells of layer {layer!r} are not the sums of a single convolution.")
    traced = network.trace(model)
    convolution = traced.module.get_submodule(str(chain[0].target))
    if not isinstance(convolution, nn.Conv2d) or convolution.padding_mode != "zeros":
        raise SpecError(f"Layer {traced.names[chain[0]]!r} pads with values other than zero; its sum is not shown.")
    source = traced.names[chain[0].all_input_nodes[0]]
    names = [traced.names[node] for node in chain]
    outputs = network.record(model, x, [source, *names])
    weights = convolution.weight[cell.channel].detach().cpu()
    inputs, outside = _window(convolution, outputs[source][0], cell)
    behind = traced.operations[chain[0].all_input_nodes[0]]
    if behind.kind == operations.PAD:
        outside = outside | _on_padding(convolution, outputs[source].shape[2:], behind.padding, cell)
    values = [(name, float(outputs[name][0, cell.channel, cell.row, cell.column])) for name in names]
    bias = 0.0 if convolution.bias is None else float(convolution.bias[cell.channel])
    (name, total), *then = values
    return SumOfProducts(name, cell, inputs, outside, weights.clone(), bias, total, tuple(then))


def _chain(model: LoadedModel, layer: str) -> list[fx.Node]:
    """The operations from the convolution to the layer, in order; empty where there is no such chain."""
    traced = network.trace(model)
    node = traced.node(layer)
    chain = [node]
    while traced.operations[node].kind in _CELL_BY_CELL:
        node = node.all_input_nodes[0]
        if node.op == "placeholder":
            return []
        chain.insert(0, node)
    kind = traced.operations[node].kind
    return chain if kind.startswith(operations.CONVOLUTION) and node.op == "call_module" else []


def _window(convolution: nn.Conv2d, source: Tensor, cell: Cell) -> tuple[Tensor, Tensor]:
    """The inputs under a kernel, [I, kh, kw] with zeros beyond the border, and which of its taps lie beyond it."""
    reads = convolution.weight.shape[1]
    first = cell.channel // (convolution.out_channels // convolution.groups) * reads
    inputs = _under_kernel(convolution, source[first : first + reads], cell)
    inside = torch.ones(source.shape[1:], dtype=torch.bool)
    return inputs, ~_under_kernel(convolution, inside, cell)


def _on_padding(convolution: nn.Conv2d, shape: torch.Size, padding: Padding, cell: Cell) -> Tensor:
    """The taps of a kernel that lie on what a padding layer before the convolution added."""
    inside = torch.zeros(shape, dtype=torch.bool)
    inside[padding.top : shape[0] - padding.bottom, padding.left : shape[1] - padding.right] = True
    return ~_under_kernel(convolution, inside, cell)


def _under_kernel(convolution: nn.Conv2d, source: Tensor, cell: Cell) -> Tensor:
    # Convolutions store their padding in this form whether it was given as numbers or as "same".
    padded = functional.pad(source, convolution._reversed_padding_repeated_twice)
    down, across = (
        slice(position * stride, position * stride + (kernel - 1) * step + 1, step)
        for position, stride, kernel, step in zip(
            (cell.row, cell.column), convolution.stride, convolution.kernel_size, convolution.dilation, strict=True
        )
    )
    return padded[..., down, across].clone()
