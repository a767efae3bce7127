"""Baselines, pictures without content: where integrated gradients start and what replaces a deleted pixel."""

import torch
from torch import Tensor
from torch.nn import functional

from convis_core.models import LoadedModel
from convis_core.results import Baseline
from convis_core.values import check_choice

_BLUR_SHARE = 0.05
"""Sigma of the blurred baseline as a share of the picture's side: outlines vanish, colours remain."""

_GREYS = {"black": 0.0, "grey": 0.5, "white": 1.0}


def baseline(model: LoadedModel, x: Tensor, kind: Baseline) -> Tensor:
    """A baseline for a picture: of the same size, without its content.

    Args:
        model: the network; "mean" is the mean colour of its training pictures, which normalisation maps to zero.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        kind: "black", "grey", "white", "mean", or "blurred" for the picture itself, strongly blurred.

    Returns:
        float32 [1, 3, S, S].

    Raises:
        SpecError: when there is no such baseline.

    >>> from convis_core import models
    >>> grey = baseline(models.load("efficientnet_lite0"), torch.rand(1, 3, 224, 224), "grey")
    >>> tuple(grey.shape), float(grey.min()), float(grey.max())
    ((1, 3, 224, 224), 0.5, 0.5)
    """
    check_choice("The baseline", kind, (*_GREYS, "mean", "blurred"))
    if kind == "blurred":
        return gaussian_blur(x.detach(), _BLUR_SHARE * x.shape[-1])
    if kind == "mean":
        return x.new_tensor(model.spec.mean).view(1, 3, 1, 1).expand_as(x).clone()
    return torch.full_like(x.detach(), _GREYS[kind])


def gaussian_blur(maps: Tensor, sigma: float) -> Tensor:
    """Each channel convolved with a Gaussian; beyond the border the outermost pixels are repeated.

    Args:
        maps: float32 [N, C, H, W].
        sigma: standard deviation in pixels; 0 leaves the maps as they are.

    Returns:
        float32 [N, C, H, W].

    >>> impulse = torch.zeros(1, 1, 9, 9)
    >>> impulse[0, 0, 4, 4] = 1
    >>> blurred = gaussian_blur(impulse, 1.0)
    >>> bool(blurred[0, 0, 4, 4] < 1), round(float(blurred.sum()), 3)
    (True, 1.0)
    """
    if sigma <= 0:
        return maps.clone()
    radius = max(1, round(3 * sigma))
    offsets = torch.arange(-radius, radius + 1, dtype=maps.dtype, device=maps.device)
    window = torch.exp(-(offsets**2) / (2 * sigma**2))
    window = window / window.sum()
    flat = maps.reshape(-1, 1, *maps.shape[-2:])
    flat = functional.pad(flat, (radius, radius, radius, radius), mode="replicate")
    flat = functional.conv2d(functional.conv2d(flat, window.view(1, 1, 1, -1)), window.view(1, 1, -1, 1))
    return flat.view(maps.shape)
