"""The frames of a run: the picture, its scores, the film so far and the best moment."""

import math
from dataclasses import replace

import torch
from torch import Tensor

from convis_core.class_models import objectives
from convis_core.models.probability import probabilities
from convis_core.results.class_models import AscentState, ClassModelFrame, ClassModelSpec, Moment
from convis_core.results.objectives import Objective

FILM_LENGTH = 64
"""Largest number of moments in a film; beyond it every second one is dropped."""


def moment(image: Tensor, objective: Objective, measured: tuple[Tensor, Tensor, Tensor], step: int) -> Moment:
    """The picture at one step with its scores.

    Args:
        image: float32 [3, S, S] in [0, 1].
        objective: what is maximised.
        measured: the objective's value [], the logits [C], and the gradient [3, S, S].
        step: number of steps taken.
    """
    score, logits, gradient = measured
    target = objectives.class_of(objective)
    logit = probability = math.nan
    if target is not None:
        logit = float(logits[target])
        probability = float(probabilities(logits)[target])
    pixels = (image * 255).round().to(torch.uint8)
    return Moment(pixels, float(score), logit, probability, float(gradient.norm()), step)


def frame(
    image: Tensor, now: Moment, state: AscentState, spec: ClassModelSpec, before: ClassModelFrame | Objective
) -> ClassModelFrame:
    """The frame of a moment, given the frame before it, or the objective when it is the first."""
    earlier = before if isinstance(before, ClassModelFrame) else None
    objective = before.objective if isinstance(before, ClassModelFrame) else before
    best = now if earlier is None or now.score > earlier.best.score else earlier.best
    film = () if earlier is None else earlier.film
    return ClassModelFrame(
        image=image,
        score=now.score,
        logit=now.logit,
        probability=now.probability,
        gradient_norm=now.gradient_norm,
        step=now.step,
        total=spec.steps,
        objective=objective,
        spec=spec,
        best=best,
        film=_extended(film, now, spec.frame_every),
        state=state,
    )


def continued(before: ClassModelFrame, spec: ClassModelSpec) -> ClassModelFrame:
    """The last frame of an earlier run as a frame of a longer one."""
    return replace(before, spec=spec, total=spec.steps)


def _extended(film: tuple[Moment, ...], now: Moment, every: int) -> tuple[Moment, ...]:
    # The distance depends only on the step, so that a resumed run has the same film as an uninterrupted one.
    doublings = max(0, math.ceil(math.log2(now.step / (every * FILM_LENGTH))))
    distance = every * 2**doublings
    return (*(moment for moment in film if moment.step % distance == 0), now)
