"""What is looked at of an attribution: one number a pixel, and what can be said of them all."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from convis_core.results import Attribution

CHANNEL_RULES: dict[str, Callable[[Tensor], Tensor]] = {
    "strongest": lambda values: values.abs().amax(dim=0),
    "sum of magnitudes": lambda values: values.abs().sum(dim=0),
    "magnitude of the sum": lambda values: values.sum(dim=0).abs(),
}
"""How three channels become one magnitude: as Simonyan et al. do, as PAIR does, as Captum does."""

_DISPLAY_PERCENTILE = 99.0


def combined(attribution: Attribution, rule: str = "strongest") -> Tensor:
    """One magnitude for each pixel: float32 [S, S], not negative.

    Args:
        attribution: values [3, S, S] or [1, S, S].
        rule: one of ``CHANNEL_RULES``.
    """
    return CHANNEL_RULES[rule](attribution.values)


def signed(attribution: Attribution) -> Tensor:
    """One signed value for each pixel, the sum over the channels, [S, S]; of Grad-CAM the layer's own grid, [h, w]."""
    if attribution.coarse is not None and len(attribution.values) == 1:
        return attribution.coarse
    return attribution.values.sum(dim=0)


def is_zero(attribution: Attribution) -> bool:
    """Whether the attribution is zero for every pixel."""
    return not bool(attribution.values.any())


def concentration(magnitude: Tensor, share: float = 0.5) -> float:
    """The smallest part of the picture that holds a share of all the magnitude, 0 to 1; 0 for a zero map.

    Args:
        magnitude: [S, S], not negative.
        share: of the sum of all magnitudes.
    """
    ordered = magnitude.flatten().double().sort(descending=True).values.cumsum(0)
    if float(ordered[-1]) <= 0:
        return 0.0
    wanted = share * ordered[-1]
    return (int((ordered < wanted).sum()) + 1) / ordered.numel()


def relative(magnitude: Tensor) -> Tensor:
    """The magnitude as a share of its own 99th percentile, so that maps of different units can stand side by side.

    Args:
        magnitude: [S, S], not negative. A map whose 99th percentile is zero is divided by its maximum instead.
    """
    top = float(np.percentile(magnitude.numpy(), _DISPLAY_PERCENTILE))
    top = top if top > 0 else float(magnitude.max())
    return magnitude / top if top > 0 else torch.zeros_like(magnitude)


def strongest_pixel(attribution: Attribution) -> tuple[int, int]:
    """Row and column of the pixel with the largest magnitude."""
    magnitude = attribution.magnitude()
    place = int(magnitude.argmax())
    return place // magnitude.shape[1], place % magnitude.shape[1]


def sign_changes(derivatives: Tensor) -> int:
    """How often a walk crosses zero, all channels together; pending points (nan) and exact zeros do not count.

    Args:
        derivatives: [K, C], by position.
    """
    changes = 0
    for channel in derivatives.unbind(dim=1):
        known = channel[channel.isfinite() & (channel != 0)]
        changes += int((known[1:].sign() != known[:-1].sign()).sum())
    return changes
