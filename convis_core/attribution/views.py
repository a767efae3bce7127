"""Views of an attribution: one number for each pixel, and summaries of them."""

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
"""How three channels become one magnitude: the conventions of Simonyan et al., of PAIR and of Captum."""

_DISPLAY_PERCENTILE = 99.0


def combined(attribution: Attribution, rule: str = "strongest") -> Tensor:
    """One magnitude for each pixel: float32 [S, S], not negative.

    Args:
        attribution: values [3, S, S] or [1, S, S].
        rule: one of ``CHANNEL_RULES``.

    >>> attribution = Attribution(torch.tensor([[[1.0, -2.0]], [[0.0, 1.0]], [[0.0, -3.0]]]), 0, "example")
    >>> combined(attribution).tolist(), combined(attribution, "sum of magnitudes").tolist()
    ([[1.0, 3.0]], [[1.0, 6.0]])
    """
    return CHANNEL_RULES[rule](attribution.values)


def signed(attribution: Attribution) -> Tensor:
    """One signed value for each pixel, the sum over the channels, [S, S]; for Grad-CAM the layer's own grid, [h, w].

    >>> attribution = Attribution(torch.tensor([[[1.0, -2.0]], [[0.0, 1.0]], [[0.0, -3.0]]]), 0, "example")
    >>> signed(attribution).tolist()
    [[1.0, -4.0]]
    """
    if attribution.coarse is not None and len(attribution.values) == 1:
        return attribution.coarse
    return attribution.values.sum(dim=0)


def is_zero(attribution: Attribution) -> bool:
    """Whether the attribution is zero for every pixel.

    >>> is_zero(Attribution(torch.zeros(3, 2, 2), 0, "example"))
    True
    """
    return not bool(attribution.values.any())


def concentration(magnitude: Tensor, share: float = 0.5) -> float:
    """The smallest share of the pixels that holds a share of the total magnitude, 0 to 1; 0 for a zero map.

    Args:
        magnitude: [S, S], not negative.
        share: of the total magnitude, 0 to 1.

    >>> concentration(torch.tensor([[1.0, 1.0], [1.0, 5.0]]))
    0.25
    """
    ordered = magnitude.flatten().double().sort(descending=True).values.cumsum(0)
    if float(ordered[-1]) <= 0:
        return 0.0
    wanted = share * ordered[-1]
    return (int((ordered < wanted).sum()) + 1) / ordered.numel()


def relative(magnitude: Tensor) -> Tensor:
    """The magnitude divided by its own 99th percentile, so that maps with different units can be compared.

    Args:
        magnitude: [S, S], not negative. A map whose 99th percentile is zero is divided by its maximum instead.

    >>> relative(torch.tensor([[0.0, 0.0], [4.0, 4.0]])).tolist()
    [[0.0, 0.0], [1.0, 1.0]]
    """
    top = float(np.percentile(magnitude.numpy(), _DISPLAY_PERCENTILE))
    top = top if top > 0 else float(magnitude.max())
    return magnitude / top if top > 0 else torch.zeros_like(magnitude)


def strongest_pixel(attribution: Attribution) -> tuple[int, int]:
    """Row and column of the pixel with the largest magnitude.

    >>> attribution = Attribution(torch.tensor([[[1.0, -2.0]], [[0.0, 1.0]], [[0.0, -3.0]]]), 0, "example")
    >>> strongest_pixel(attribution)
    (0, 1)
    """
    magnitude = attribution.magnitude()
    position = int(magnitude.argmax())
    return position // magnitude.shape[1], position % magnitude.shape[1]


def sign_changes(derivatives: Tensor) -> int:
    """The number of zero crossings along a walk, over all channels; pending points (nan) and exact zeros are skipped.

    Args:
        derivatives: [K, C], K points of the walk.

    >>> sign_changes(torch.tensor([[1.0], [-1.0], [0.0], [-2.0], [3.0]]))
    2
    """
    changes = 0
    for channel in derivatives.unbind(dim=1):
        known = channel[channel.isfinite() & (channel != 0)]
        changes += int((known[1:].sign() != known[:-1].sign()).sum())
    return changes
