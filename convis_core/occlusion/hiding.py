"""A picture with a part of it hidden, and what the part is filled with."""

import torch
from torch import Tensor

from convis_core.errors import SpecError
from convis_core.models import LoadedModel
from convis_core.network.baselines import baseline
from convis_core.results import OcclusionSpec


def hide(model: LoadedModel, x: Tensor, top: int, left: int, spec: OcclusionSpec) -> Tensor:
    """The picture with one window hidden, as the network sees it.

    Args:
        model: the network; the mean colour of its training pictures is one of the fills.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        top: first row of the window.
        left: first column of the window.
        spec: the window's side and the fill.

    Returns:
        float32 [1, 3, S, S].

    Raises:
        SpecError: when the window does not lie within the picture.

    >>> import torch
    >>> from torch import nn
    >>> from convis_core import models, occlusion
    >>> from convis_core.results import OcclusionSpec
    >>> model = models.wrap(nn.Sequential(nn.AvgPool2d(16), nn.Flatten()), input_size=16)
    >>> spec = OcclusionSpec(window=8, fill="black")
    >>> hidden = occlusion.hide(model, torch.ones(1, 3, 16, 16), top=0, left=8, spec=spec)
    >>> float(hidden[0, 0, 0, 7]), float(hidden[0, 0, 0, 8]), float(hidden.mean())
    (1.0, 0.0, 0.75)
    """
    side = x.shape[-1]
    if not (0 <= top <= side - spec.window and 0 <= left <= side - spec.window):
        raise SpecError(f"A window of {spec.window} pixels at ({top}, {left}) does not lie within {side} x {side}.")
    mask = torch.zeros(side, side, dtype=torch.bool)
    mask[top : top + spec.window, left : left + spec.window] = True
    return hide_pixels(model, x, mask, spec)


def hide_pixels(model: LoadedModel, x: Tensor, mask: Tensor, spec: OcclusionSpec) -> Tensor:
    """The picture with an arbitrary set of pixels hidden at once.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        mask: bool [S, S], true where the picture is hidden.
        spec: the fill; window and stride are ignored.

    Returns:
        float32 [1, 3, S, S].

    >>> import torch
    >>> from torch import nn
    >>> from convis_core import models, occlusion
    >>> from convis_core.results import OcclusionSpec
    >>> model = models.wrap(nn.Sequential(nn.AvgPool2d(2), nn.Flatten()), input_size=2)
    >>> mask = torch.tensor([[True, False], [False, True]])
    >>> occlusion.hide_pixels(model, torch.ones(1, 3, 2, 2), mask, OcclusionSpec(fill="grey"))[0, 0]
    tensor([[0.5000, 1.0000],
            [1.0000, 0.5000]])
    """
    return torch.where(mask.to(x.device), fill_picture(model, x, spec), x)


def fill_picture(model: LoadedModel, x: Tensor, spec: OcclusionSpec) -> Tensor:
    """The picture that shows through hidden windows, float32 [1, 3, S, S].

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        spec: the fill, and the seed of the noise.

    >>> import torch
    >>> from torch import nn
    >>> from convis_core import models, occlusion
    >>> from convis_core.results import OcclusionSpec
    >>> model = models.wrap(nn.Sequential(nn.AvgPool2d(2), nn.Flatten()), input_size=2, mean=(0.25, 0.5, 0.75))
    >>> occlusion.fill_picture(model, torch.ones(1, 3, 2, 2), OcclusionSpec(fill="mean"))[0, :, 0, 0].tolist()
    [0.25, 0.5, 0.75]
    """
    if spec.fill == "noise":
        drawn = torch.rand(x.shape, generator=torch.Generator().manual_seed(spec.seed))
        return drawn.to(x.device)
    return baseline(model, x, "blurred" if spec.fill == "blur" else spec.fill)
