"""Deep Dream: gradient ascent on a photograph, from small to full size, that amplifies what a layer detects in it."""

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from convis_core.class_models import objectives
from convis_core.class_models.checks import check_dream
from convis_core.class_models.seeds import generator
from convis_core.errors import SpecError
from convis_core.models import LoadedModel
from convis_core.results.class_models import DreamFrame, DreamSpec
from convis_core.results.objectives import Objective
from convis_core.runtime import lanes

_SMALLEST = 32
"""Pixels of the shorter side below which too little of a photograph is left for a network."""


def deep_dream(model: LoadedModel, x: Tensor, objective: Objective, spec: DreamSpec) -> Iterator[DreamFrame]:
    """Amplifies, in a photograph, the patterns that raise an objective.

    At each size, small to full, x = resize(photograph) + resize(detail so far), then some steps along the gradient
    of the objective, divided by its root mean square; the change is the detail for the next size.

    Args:
        model: the network.
        x: the photograph, float32 [1, 3, H, W] in [0, 1]. Any size that the network takes.
        objective: what to maximise, usually ``Layer`` or ``Channel``.
        spec: sizes and steps.

    Returns:
        An iterator of frames, one a step.

    Raises:
        SpecError: the network has no such layer or does not take pictures of this size; the photograph is too small
            for so many octaves; or a value of the spec is out of range.

    A. Mordvintsev, C. Olah and M. Tyka, "Inceptionism: Going Deeper into Neural Networks", Google Research, 2015.

    >>> from convis_core import models
    >>> linear = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 2))
    >>> model = models.wrap(linear, input_size=32)
    >>> from convis_core.results import ClassLogit
    >>> grey = torch.full((1, 3, 32, 32), 0.5)
    >>> first, *_, last = deep_dream(model, grey, ClassLogit(1), DreamSpec(octaves=1, steps=4, jitter=0))
    >>> tuple(last.image.shape), (last.step, last.total), last.score > first.score
    ((3, 32, 32), (4, 4), True)
    """
    check_dream(spec)
    if x.dim() != 4 or x.shape[:2] != (1, 3):
        raise SpecError(f"The photograph must be one picture (1, 3, H, W), not {tuple(x.shape)}.")
    objectives.check_objective(model, objective)
    sizes = _sizes(spec, x.shape[2], x.shape[3])
    if min(sizes[0]) < _SMALLEST:
        raise SpecError(f"The first octave would have {min(sizes[0])} pixels; use fewer octaves or a larger picture.")
    return _dream(model, x.detach().to(model.device), objective, spec)


def _sizes(spec: DreamSpec, height: int, width: int) -> list[tuple[int, int]]:
    powers = [spec.octave_scale ** (octave - spec.octaves + 1) for octave in range(spec.octaves)]
    return [(round(height * power), round(width * power)) for power in powers]


def _dream(model: LoadedModel, photograph: Tensor, objective: Objective, spec: DreamSpec) -> Iterator[DreamFrame]:
    total = spec.octaves * spec.steps
    detail = torch.zeros_like(photograph)
    step = 0
    for octave, size in enumerate(_sizes(spec, photograph.shape[2], photograph.shape[3])):
        base, picture = lanes.run(partial(_enlarge, photograph, detail, size))
        for _ in range(spec.steps):
            rolls = [_roll(spec, step, view) for view in range(spec.views)]
            parts = list(lanes.map(partial(_differentiate, model, picture, objective), rolls))
            picture = lanes.run(partial(_move, picture, [gradient for _, gradient in parts], spec.learning_rate))
            step += 1
            score = sum(value for value, _ in parts) / len(parts)
            yield DreamFrame(picture[0].cpu().clone(), score, octave, step, total)
        detail = picture - base


def _enlarge(photograph: Tensor, detail: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    base, more = (
        functional.interpolate(tensor, size=size, mode="bilinear", antialias=True) for tensor in (photograph, detail)
    )
    return base, (base + more).clamp(0, 1)


def _roll(spec: DreamSpec, step: int, view: int) -> tuple[int, int]:
    down, across = torch.randint(
        -spec.jitter, spec.jitter + 1, (2,), generator=generator(spec.seed, step, view)
    ).tolist()
    return down, across


def _differentiate(
    model: LoadedModel, picture: Tensor, objective: Objective, roll: tuple[int, int]
) -> tuple[float, Tensor]:
    leaf = picture.detach().requires_grad_(True)
    try:
        values, _ = objectives.measure(model, torch.roll(leaf, roll, dims=(2, 3)), objective)
    except RuntimeError as error:
        size = " x ".join(str(side) for side in picture.shape[2:])
        raise SpecError(f"The network does not take pictures of {size} pixels; dream with one octave.") from error
    (gradient,) = torch.autograd.grad(values.sum(), leaf)
    return float(values.detach()), gradient


def _move(picture: Tensor, gradients: list[Tensor], learning_rate: float) -> Tensor:
    gradient = torch.stack(gradients).mean(dim=0)
    typical = gradient.square().mean().sqrt().clamp(min=torch.finfo(gradient.dtype).tiny)
    return (picture + learning_rate * gradient / typical).clamp(0, 1)
