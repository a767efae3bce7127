"""Kernels as pictures: in colour where they read the picture, otherwise slice by slice."""

from typing import get_args

import torch
from torch import Tensor, fx, nn

from convis_core import network
from convis_core.errors import SpecError
from convis_core.feature_maps.sheets import lay_out, page_of, scaled, tile
from convis_core.models import LoadedModel
from convis_core.network import operations
from convis_core.results import ContactSheet, Filters, KernelSpec
from convis_core.results.sheets import Scale
from convis_core.values import check_choice, check_whole

_SAME_PICTURE = frozenset({operations.NORMALISE, operations.PAD, operations.IDENTITY})


def convolutions(model: LoadedModel, layer: str = "") -> tuple[str, ...]:
    """The names of the convolutions of a network, or of one of its blocks, in order of execution.

    Args:
        model: the network.
        layer: name of a layer or block; by default the whole network.

    >>> from torch import nn
    >>> from convis_core import feature_maps, models
    >>> network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    >>> feature_maps.convolutions(models.wrap(network, input_size=16))
    ('0', '1')
    """
    traced = network.trace(model)
    names = [name for node, name in traced.names.items() if _as_convolution(node, traced.module) is not None]
    return tuple(name for name in names if not layer or name == layer or name.startswith(f"{layer}."))


def filters(model: LoadedModel, layer: str) -> Filters:
    """The kernels of a convolution, with their norms.

    Args:
        model: the network.
        layer: name of a convolution.

    Raises:
        SpecError: when the network has no such layer or it is no convolution.

    >>> from torch import nn
    >>> from convis_core import feature_maps, models
    >>> network = nn.Sequential(nn.Conv2d(3, 4, 5), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    >>> kernels = feature_maps.filters(models.wrap(network, input_size=16), "0")
    >>> kernels.weights.shape, kernels.norms.shape, kernels.on_picture
    (torch.Size([4, 3, 5, 5]), torch.Size([4]), True)
    """
    traced = network.trace(model)
    node = traced.node(layer)
    convolution = _as_convolution(node, traced.module)
    if convolution is None or traced.names[node] != layer:
        raise SpecError(f"Layer {layer!r} is not a convolution and has no filters; see feature_maps.convolutions.")
    weights = convolution.weight.detach().cpu().clone()
    bias = torch.zeros(len(weights)) if convolution.bias is None else convolution.bias.detach().cpu().clone()
    norms = weights.flatten(1).norm(dim=1)
    return Filters(layer, weights, norms, bias, convolution.groups, _reads_picture(node, model))


def colour_sheet(kernels: Filters, *, scale: Scale = "channel", width: int = 1200) -> ContactSheet:
    """The filters of a first layer in colour, with zero as middle grey.

    Args:
        kernels: of a convolution that reads the picture.
        scale: "layer" for one scale, "channel" to stretch each filter to the full range.
        width: approximate width of the sheet, in pixels.

    Raises:
        SpecError: when the kernels do not read the picture's three colours.

    >>> from torch import nn
    >>> from convis_core import feature_maps, models
    >>> network = nn.Sequential(nn.Conv2d(3, 4, 5), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    >>> kernels = feature_maps.filters(models.wrap(network, input_size=16), "0")
    >>> sheet = feature_maps.colour_sheet(kernels, width=50)
    >>> sheet.values.dim(), sheet.layout.channels, bool((sheet.low == -sheet.high).all())
    (3, (0, 1, 2, 3), True)
    """
    if not kernels.on_picture or kernels.weights.shape[1] != 3:
        raise SpecError(f"The filters of {kernels.layer!r} do not read the picture's colours; see kernel_sheet.")
    return _signed_sheet(kernels.weights, range(len(kernels.weights)), scale, width)


def kernel_sheet(kernels: Filters, spec: KernelSpec) -> ContactSheet:
    """Slices of kernels as maps on a scale symmetric about zero: 0.5 on the sheet is a weight of zero.

    Args:
        kernels: of any convolution.
        spec: which slices, in which order, on which scale.

    Raises:
        SpecError: when there is no such filter, input channel or page.

    >>> import torch
    >>> from convis_core import feature_maps
    >>> from convis_core.results import Filters, KernelSpec
    >>> weights = torch.tensor([[[[-1.0]], [[0.0]], [[2.0]]]])  # one filter that reads three channels
    >>> kernels = Filters("0", weights, weights.flatten(1).norm(dim=1), torch.zeros(1), 1, on_picture=False)
    >>> sheet = feature_maps.kernel_sheet(kernels, KernelSpec(across="inputs", order="norm"))
    >>> sheet.layout.channels, sheet.low.tolist(), sheet.high.tolist()
    ((2, 0, 1), [-2.0, -2.0, -2.0], [2.0, 2.0, 2.0])
    """
    check_choice("The direction of slices", spec.across, ("filters", "inputs"))
    check_choice("The order", spec.order, ("index", "norm"))
    check_choice("The scale", spec.scale, get_args(Scale))
    count = kernels.weights.shape[0 if spec.across == "inputs" else 1]
    check_whole("The filter" if spec.across == "inputs" else "The input channel", spec.index, 0, count - 1)
    slices = kernels.weights[spec.index] if spec.across == "inputs" else kernels.weights[:, spec.index]
    norms = slices.flatten(1).norm(dim=1)
    ordered = norms.argsort(descending=True, stable=True).tolist() if spec.order == "norm" else range(len(slices))
    shown, pages = page_of(ordered, spec.page, spec.per_page)
    sheet = _signed_sheet(slices, shown, spec.scale, spec.width)
    return ContactSheet(sheet.layout, sheet.values, sheet.low, sheet.high, pages)


def matrix_sheet(kernels: Filters, *, width: int = 1200) -> ContactSheet:
    """The weights of a 1 x 1 convolution as one map, with the longer side horizontal.

    If there are at least as many filters as input channels, each filter is a column and each input channel a row;
    otherwise each filter is a row and each input channel a column.

    Args:
        kernels: of a convolution whose kernels have a single cell.
        width: approximate width of the sheet, in pixels.

    Raises:
        SpecError: when the kernels have more than one cell.

    >>> import torch
    >>> from convis_core import feature_maps
    >>> from convis_core.results import Filters
    >>> weights = torch.ones(6, 2, 1, 1)
    >>> kernels = Filters("0", weights, weights.flatten(1).norm(dim=1), torch.zeros(6), 1, on_picture=False)
    >>> layout = feature_maps.matrix_sheet(kernels).layout
    >>> layout.map_height, layout.map_width
    (2, 6)
    """
    if kernels.weights.shape[2:] != (1, 1):
        raise SpecError(f"The filters of {kernels.layer!r} are larger than 1 x 1; see kernel_sheet.")
    weights = kernels.weights[:, :, 0, 0]
    wide = weights.T if filters_across(kernels) else weights
    return _signed_sheet(wide[None], range(1), "layer", width)


def filters_across(kernels: Filters) -> bool:
    """Whether each filter is a column of ``matrix_sheet``; otherwise it is a row.

    >>> import torch
    >>> from convis_core import feature_maps
    >>> from convis_core.results import Filters
    >>> weights = torch.ones(6, 2, 1, 1)
    >>> feature_maps.filters_across(Filters("0", weights, torch.ones(6), torch.zeros(6), 1, on_picture=False))
    True
    """
    return kernels.weights.shape[0] >= kernels.weights.shape[1]


def _signed_sheet(slices: Tensor, shown: range | tuple[int, ...], scale: Scale, width: int) -> ContactSheet:
    tiles = slices[list(shown)]
    largest = slices.abs().amax().expand(len(tiles)) if scale == "layer" else tiles.flatten(1).abs().amax(dim=1)
    # A kernel of zeros must be drawn as zero, the middle of the scale, not as its lowest colour.
    bound = torch.where(largest > 0, largest, torch.ones_like(largest))
    layout = lay_out(tuple(shown), (slices.shape[-2], slices.shape[-1]), width=width, spacing=1 / 10)
    return ContactSheet(layout, tile(scaled(tiles, -bound, bound), layout), -bound, bound)


def _as_convolution(node: fx.Node, module: nn.Module) -> nn.Conv2d | None:
    if node.op != "call_module":
        return None
    layer = module.get_submodule(str(node.target))
    return layer if isinstance(layer, nn.Conv2d) else None


def _reads_picture(node: fx.Node, model: LoadedModel) -> bool:
    traced = network.trace(model)
    source = node.all_input_nodes[0]
    while source.op != "placeholder" and traced.operations[source].kind in _SAME_PICTURE:
        source = source.all_input_nodes[0]
    return source.op == "placeholder"
