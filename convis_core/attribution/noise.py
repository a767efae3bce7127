"""The noise that SmoothGrad and the noise walk add to a picture."""

import numpy as np
import torch
from torch import Tensor

from convis_core.results import SmoothGradSpec

MOST_NOISE = 10.0
"""Noise ten times as strong as the picture; stronger noise shows nothing new."""


def sample_noise(spec: SmoothGradSpec, index: int, side: int) -> Tensor:
    """The noise of one copy before it is scaled: standard normal, float32 [3, side, side].

    It depends only on the seed, the index and, with antithetic pairs, the position within the pair.

    >>> sample_noise(SmoothGradSpec(seed=3), 7, 32).shape
    torch.Size([3, 32, 32])

    Args:
        spec: only ``seed`` and ``antithetic`` are used.
        index: of the copy, from 0.
        side: side S of the picture, in pixels.
    """
    stream = index // 2 if spec.antithetic else index
    # torch uses 32 bits of a seed and drops the rest, so seed and index are mixed into that many.
    mixed = int(np.random.SeedSequence((spec.seed, stream)).generate_state(1)[0])
    noise = torch.randn(3, side, side, generator=torch.Generator().manual_seed(mixed))
    return -noise if spec.antithetic and index % 2 else noise


def noise_scale(x: Tensor, noise_level: float) -> float:
    """Sigma of the noise in units of the pixels: noise_level * (max(x) - min(x)).

    >>> noise_scale(torch.tensor([0.25, 0.75]), 0.5)
    0.25
    """
    return noise_level * float(x.max() - x.min())
