"""The part of the picture that a cell of a feature map sees, and where the map lies on the picture."""

import math

import torch
from torch import Tensor

from convis_core import network
from convis_core.feature_maps.summaries import map_node
from convis_core.models import LoadedModel
from convis_core.network import receptive
from convis_core.network.checks import check_picture
from convis_core.results import Cell, EffectiveField
from convis_core.results.architecture import Box, ReceptiveField
from convis_core.values import check_whole


def effective_field(model: LoadedModel, x: Tensor, layer: str, cell: Cell) -> EffectiveField:
    """The sensitivity of one cell of a feature map to each pixel, with the theoretical receptive field.

    values = max over the colours of |d cell / d x|. ReLU and max pooling pass on the gradient of some pixels only, so
    the effective field depends on the picture; the theoretical one does not.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        layer: name of a layer or block.
        cell: channel, row and column.

    Raises:
        SpecError: when ``x`` is not one picture of the network's size, or there is no such layer or cell.

    Luo, Li, Urtasun and Zemel, "Understanding the Effective Receptive Field in Deep Convolutional Neural Networks",
    NIPS 2016 (arXiv:1701.04128).

    >>> import torch
    >>> from torch import nn
    >>> from convis_core import feature_maps, models
    >>> from convis_core.results import Cell
    >>> network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    >>> model = models.wrap(network, input_size=16)
    >>> field = feature_maps.effective_field(model, torch.rand(1, 3, 16, 16), "0", Cell(channel=0, row=0, column=8))
    >>> field.values.shape, field.box  # at the upper border only two rows of the 3 x 3 kernel lie on the picture
    (torch.Size([16, 16]), Box(top=0, left=7, bottom=2, right=10))
    """
    check_picture(model, x)
    check_cell(model, layer, cell)
    pixels = x.detach().to(model.device).requires_grad_(True)
    with torch.enable_grad():
        _, outputs = network.forward(network.trace(model), pixels, layers=[layer])
        (gradient,) = torch.autograd.grad(outputs[layer][0, cell.channel, cell.row, cell.column], pixels)
    values = gradient[0].abs().amax(dim=0).cpu()
    return EffectiveField(layer, cell, values, receptive.box(model, layer, cell.row, cell.column, model.input_size))


def check_cell(model: LoadedModel, layer: str, cell: Cell) -> None:
    """Refuse a cell that a layer does not have.

    Raises:
        SpecError: when there is no such layer, or it has no maps or no such cell.
    """
    shape = network.trace(model).shapes[map_node(model, layer)][1:]
    for name, index, size in zip(("channel", "row", "column"), cell, shape, strict=True):
        check_whole(f"The {name} in layer {layer}", index, 0, size - 1)


def crop(x: Tensor, box: Box) -> Tensor:
    """The part of a picture inside a box, such as the receptive field of a cell.

    Args:
        x: [1, 3, S, S] or [3, S, S].
        box: in pixels.

    Returns:
        [3, h, w].

    >>> import torch
    >>> from convis_core import feature_maps
    >>> from convis_core.results.architecture import Box
    >>> feature_maps.crop(torch.zeros(1, 3, 16, 16), Box(top=0, left=7, bottom=2, right=10)).shape
    torch.Size([3, 2, 3])
    """
    picture = x[0] if x.dim() == 4 else x
    return picture[:, box.top : box.bottom, box.left : box.right]


def aligned(values: Tensor, field: ReceptiveField, size: int) -> Tensor:
    """A map enlarged to the picture, each pixel with the value of the cell whose receptive field's centre is nearest.

    To stretch the map over the picture would be simpler and, for many networks, wrong: the receptive fields of
    AlexNet's last 6 x 6 cells have their centres 32 pixels apart, from the 31st pixel to the 191st, while stretching
    places them 37 apart, from the 19th to the 205th. Where padding keeps the map centred and complete, as in VGG16,
    both agree.

    Args:
        values: [H, W], one map.
        field: receptive field of its layer, from ``receptive.field``.
        size: side S of the picture, in pixels.

    Returns:
        [S, S].

    >>> import torch
    >>> from convis_core import feature_maps
    >>> from convis_core.results.architecture import ReceptiveField
    >>> field = ReceptiveField(size=(2, 2), jump=(2, 2), start=(0, 0))  # of a 2 x 2 pooling
    >>> feature_maps.aligned(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), field, 4)
    tensor([[1., 1., 2., 2.],
            [1., 1., 2., 2.],
            [3., 3., 4., 4.],
            [3., 3., 4., 4.]])
    """
    rows = _nearest(field.start[0], field.size[0], field.jump[0], values.shape[0], size)
    columns = _nearest(field.start[1], field.size[1], field.jump[1], values.shape[1], size)
    return values[rows][:, columns]


def cell_under(field: ReceptiveField, shape: tuple[int, int], x: float, y: float) -> tuple[int, int]:
    """The cell, (row, column), whose receptive field's centre is nearest to a point of the picture.

    Args:
        field: receptive field of the layer.
        shape: (H, W) of its maps.
        x: pixels from the picture's left edge.
        y: pixels from its top.

    >>> from convis_core import feature_maps
    >>> from convis_core.results.architecture import ReceptiveField
    >>> field = ReceptiveField(size=(2, 2), jump=(2, 2), start=(0, 0))
    >>> feature_maps.cell_under(field, (8, 8), x=5.0, y=0.5)
    (0, 2)
    """
    points = zip((y, x), field.start, field.size, field.jump, shape, strict=True)
    row, column = (
        min(max(math.floor((point - start - size / 2) / jump + 0.5), 0), count - 1)
        for point, start, size, jump, count in points
    )
    return row, column


def _nearest(start: int, size: int, jump: int, count: int, pixels: int) -> Tensor:
    # Pixel p covers p to p + 1; cell i sees start + i * jump to start + i * jump + size.
    centres = torch.arange(pixels, dtype=torch.float64) + 0.5
    return ((centres - start - size / 2) / jump + 0.5).floor().long().clamp(0, count - 1)
