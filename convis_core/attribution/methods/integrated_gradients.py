"""Integrated gradients: the change of the class logit from a baseline to the picture, distributed over the pixels."""

import contextlib
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from convis_core.attribution.chunks import chunk_size, logit_gradients
from convis_core.attribution.info import MethodInfo
from convis_core.models import LoadedModel
from convis_core.network.baselines import baseline
from convis_core.network.checks import check_picture, check_target
from convis_core.results import Attribution, IntegratedGradientsSpec
from convis_core.runtime import lanes
from convis_core.values import check_whole

MOST_STEPS = 4096
"""More points would not improve the sum in single precision."""


def integrated_gradients(
    model: LoadedModel, x: Tensor, target: int, spec: IntegratedGradientsSpec
) -> Iterator[Attribution]:
    """How much of the class logit each value of the picture accounts for, compared with a baseline.

    values = (x - b) * integral from 0 to 1 of g(b + a (x - b)) da, with g = d logit_target / d pixel; the integral
    by Gauss-Legendre quadrature. Completeness: the values add up to logit(x) - logit(b), up to the error of the
    quadrature, which the sum therefore reveals.

    The points of the line are visited in an order that makes every frame a rough estimate over the whole line.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        target: index of the class.
        spec: baseline and number of points.

    Returns:
        An iterator of signed values, float32 [3, S, S]; the last frame is the result.

    Raises:
        SpecError: when ``x``, ``target`` or ``spec`` is out of range.

    Sundararajan, Taly and Yan, "Axiomatic Attribution for Deep Networks", 2017 (arXiv:1703.01365).

    >>> from convis_core import models
    >>> linear = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 4 * 4, 2))
    >>> model, x = models.wrap(linear, input_size=4), torch.rand(1, 3, 4, 4)
    >>> *_, last = integrated_gradients(model, x, 1, IntegratedGradientsSpec(steps=8, baseline="black"))
    >>> rise = (model.module(x) - model.module(torch.zeros_like(x)))[0, 1]
    >>> torch.allclose(last.values.sum(), rise, atol=1e-5)
    True
    """
    check_picture(model, x)
    check_target(model, target)
    check_whole("The number of steps", spec.steps, 1, MOST_STEPS)
    start = baseline(model, x, spec.baseline)
    return _frames(model, x.detach(), start, target, spec)


def _frames(
    model: LoadedModel, x: Tensor, start: Tensor, target: int, spec: IntegratedGradientsSpec
) -> Iterator[Attribution]:
    nodes, weights = np.polynomial.legendre.leggauss(spec.steps)
    # From [-1, 1], where the weights add up to 2, to [0, 1].
    positions = torch.from_numpy((1 + nodes) / 2)[_scattered(spec.steps)]
    shares = torch.from_numpy(weights / 2)[_scattered(spec.steps)]
    size = chunk_size(model)

    def add_up(first: int) -> tuple[Tensor, Tensor]:
        chunk = slice(first, first + size)
        pictures = start + positions[chunk].view(-1, 1, 1, 1).to(x) * (x - start)
        gradients, _ = logit_gradients(model, pictures, target)
        weighted = shares[chunk].view(-1, 1, 1, 1) * gradients.double()
        return shares[chunk].sum(), weighted.sum(dim=0)

    done = 0
    share = torch.zeros((), dtype=torch.float64)
    total = torch.zeros(x.shape[1:], dtype=torch.float64)
    difference = (x - start)[0].cpu().double()
    with contextlib.closing(lanes.map(add_up, range(0, spec.steps, size))) as chunks:
        for part, weighted in chunks:
            done = min(done + size, spec.steps)
            share, total = share + part, total + weighted
            values = (difference * total / share).float()
            yield Attribution(values, target, "integrated gradients", done, spec.steps)


def _scattered(count: int) -> list[int]:
    """0 .. count-1 by reversed bits, so that the first few of them are always spread over the whole range."""
    bits = max(1, (count - 1).bit_length())
    return sorted(range(count), key=lambda index: int(f"{index:0{bits}b}"[::-1], 2))


def _passes(spec: IntegratedGradientsSpec) -> int:
    return spec.steps


INFO = MethodInfo(
    id="integrated_gradients",
    label="Integrated gradients",
    unit="contribution to the logit",
    signed=True,
    spec_type=IntegratedGradientsSpec,
    takes_layer=False,
    run=integrated_gradients,
    recipe="attribution.integrated_gradients",
    passes=_passes,
)
