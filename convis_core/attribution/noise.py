"""The noise that SmoothGrad and the walk add to a picture."""

import numpy as np
import torch
from torch import Tensor

from convis_core.results import SmoothGradSpec

MOST_NOISE = 10.0
"""Noise ten times as strong as the picture: more shows nothing else either."""


def sample_noise(spec: SmoothGradSpec, index: int, side: int) -> Tensor:
    """The noise of one copy before it is scaled: standard normal, float32 [3, side, side].

    It depends on the seed, on the index and, with antithetic pairs, on which of the pair it is; on nothing else.

    >>> sample_noise(SmoothGradSpec(seed=3), 7, 32).shape
    torch.Size([3, 32, 32])

    Args:
        spec: ``seed`` and ``antithetic`` are read.
        index: which copy, from 0.
        side: side S of the picture, in pixels.
    """
    stream = index // 2 if spec.antithetic else index
    # torch takes 32 bits of a seed and drops the rest, so seed and index are mixed into as many.
    mixed = int(np.random.SeedSequence((spec.seed, stream)).generate_state(1)[0])
    noise = torch.randn(3, side, side, generator=torch.Generator().manual_seed(mixed))
    return -noise if spec.antithetic and index % 2 else noise


def noise_scale(x: Tensor, noise_level: float) -> float:
    """Sigma of the noise in units of the pixels: noise_level * (max(x) - min(x)).

    >>> noise_scale(torch.tensor([0.25, 0.75]), 0.5)
    0.25
    """
    return noise_level * float(x.max() - x.min())
