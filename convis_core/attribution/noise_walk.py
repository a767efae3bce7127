"""Why smooth: the derivative at one pixel along a change of the picture that is too small to see."""

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor

from convis_core.attribution.chunks import chunk_size, logit_gradients
from convis_core.attribution.noise import MOST_NOISE, noise_scale, sample_noise
from convis_core.models import LoadedModel
from convis_core.network.checks import check_picture, check_target
from convis_core.results import NoiseWalk, NoiseWalkSpec, SmoothGradSpec
from convis_core.runtime import lanes
from convis_core.values import check_real, check_seed, check_whole

MOST_STEPS = 4096
"""More points than a screen has columns."""


def derivative_along_noise(
    model: LoadedModel, x: Tensor, target: int, pixel: tuple[int, int], spec: NoiseWalkSpec
) -> Iterator[NoiseWalk]:
    """The derivative of the class logit at one pixel as the picture moves from x to x + e, e being noise.

    derivatives[k] = d logit_target / d pixel at x + t_k e, for t_k from 0 to 1. It jumps and changes sign although
    the pictures look alike; SmoothGrad averages these fluctuations away.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        target: index of the class.
        pixel: (row, column) of the pixel, from 0.
        spec: noise level, seed and number of points.

    Returns:
        An iterator of walks, each with more points than the one before; the last is complete.

    Raises:
        SpecError: when ``x``, ``target``, ``pixel`` or ``spec`` is out of range.

    Smilkov et al., 2017 (arXiv:1706.03825), figure 2.

    >>> from convis_core import models
    >>> linear = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 4 * 4, 2))
    >>> model, x = models.wrap(linear, input_size=4), torch.rand(1, 3, 4, 4)
    >>> *_, walk = derivative_along_noise(model, x, 1, (0, 2), NoiseWalkSpec(steps=5))
    >>> tuple(walk.derivatives.shape), torch.allclose(walk.derivatives, linear[1].weight[1].view(3, 4, 4)[:, 0, 2])
    ((5, 3), True)
    """
    check_picture(model, x)
    check_target(model, target)
    row, column = pixel
    side = x.shape[-1]
    check_whole("The pixel's row", row, 0, side - 1)
    check_whole("The pixel's column", column, 0, side - 1)
    check_whole("The number of points", spec.steps, 2, MOST_STEPS)
    check_real("The noise level", spec.noise_level, 0, MOST_NOISE)
    check_seed(spec.seed)
    return _frames(model, x.detach(), target, pixel, spec)


def _frames(
    model: LoadedModel, x: Tensor, target: int, pixel: tuple[int, int], spec: NoiseWalkSpec
) -> Iterator[NoiseWalk]:
    row, column = pixel
    size = chunk_size(model)
    noise = sample_noise(SmoothGradSpec(seed=spec.seed), 0, x.shape[-1])
    shift = (noise_scale(x, spec.noise_level) * noise).to(x)
    positions = torch.linspace(0, 1, spec.steps)

    def differentiate(first: int) -> tuple[Tensor, Tensor, Tensor]:
        pictures = x + positions[first : first + size].view(-1, 1, 1, 1).to(x) * shift
        gradients, logits = logit_gradients(model, pictures, target)
        # Not the whole gradients: they would take 58 MB for a walk of 96 points.
        return gradients[:, :, row, column].float(), gradients.abs().flatten(1).amax(dim=1).float(), logits.float()

    derivatives = torch.full((spec.steps, 3), torch.nan)
    largest, logits = torch.full((spec.steps,), torch.nan), torch.full((spec.steps,), torch.nan)
    noisy = (x + shift)[0].cpu().float()
    done = 0
    with contextlib.closing(lanes.map(differentiate, range(0, spec.steps, size))) as chunks:
        for slopes, extremes, scores in chunks:
            reached = slice(done, done + len(scores))
            derivatives, largest, logits = derivatives.clone(), largest.clone(), logits.clone()
            derivatives[reached], largest[reached], logits[reached] = slopes, extremes, scores
            done += len(scores)
            yield NoiseWalk(positions, derivatives, largest, logits, noisy, target, pixel, spec, done)
