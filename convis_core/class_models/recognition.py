"""Do other networks agree? A finished picture and slightly displaced views of it, classified by each."""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from convis_core.class_models import transforms
from convis_core.errors import SpecError
from convis_core.models import LoadedModel
from convis_core.network.checks import check_target
from convis_core.network.predict import predict
from convis_core.results.class_models import Recognition
from convis_core.runtime import lanes

_DISPLACED = (
    {"centre": (0.07, 0.0)},
    {"centre": (0.0, -0.07)},
    {"centre": (-0.07, 0.07)},
    {"zoom": 0.9},
    {"zoom": 1.1},
)
"""Shifts by 3.5 % of the side, and 10 % closer or further away."""


def displaced(picture: Tensor, side: int) -> Tensor:
    """Five slightly shifted or rescaled views of a picture, float32 [5, 3, side, side].

    Args:
        picture: float32 [3, S, S] in [0, 1].
        side: of the views, in pixels.

    >>> tuple(displaced(torch.rand(3, 32, 32), 16).shape)
    (5, 3, 16, 16)
    """
    whole = _resized(picture, side)
    with torch.no_grad():
        return torch.cat([transforms.apply(transforms.View(side=side, **change), whole) for change in _DISPLACED])


def recognise(models: Sequence[LoadedModel], picture: Tensor, target: int) -> tuple[Recognition, ...]:
    """How each network classifies a finished picture, as it is and slightly displaced.

    Args:
        models: the networks; their classes must have the same indices.
        picture: float32 [3, S, S] in [0, 1]; resized to each network's input, not cropped.
        target: index of the class that it was drawn for.

    Raises:
        SpecError: the picture has another shape, or a network has no such class.

    >>> from convis_core import models
    >>> linear = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 8 * 8, 2))
    >>> linear[1].bias.data = torch.tensor([-50.0, 50.0])
    >>> model = models.wrap(linear, input_size=8)
    >>> (answer,) = recognise([model], torch.rand(3, 8, 8), 1)
    >>> answer.rank, round(answer.probability, 6), answer.steadiness
    (1, 1.0, 1.0)
    """
    if picture.dim() != 3 or picture.shape[0] != 3:
        raise SpecError(f"A finished picture is [3, S, S], not {tuple(picture.shape)}.")
    for model in models:
        check_target(model, target)
    return tuple(lanes.run(partial(_ask, model, picture, target)) for model in models)


def _ask(model: LoadedModel, picture: Tensor, target: int) -> Recognition:
    prediction = predict(model, _resized(picture, model.input_size))
    with torch.no_grad():
        best = model.module(displaced(picture, model.input_size).to(model.device)).argmax(dim=1)
    return Recognition(
        model_id=model.spec.id,
        label=model.spec.label,
        prediction=prediction,
        probability=float(prediction.probabilities[target]),
        rank=1 + int((prediction.logits > prediction.logits[target]).sum()),
        steadiness=float((best == target).float().mean()),
    )


def _resized(picture: Tensor, side: int) -> Tensor:
    whole = picture.detach().cpu()[None]
    if whole.shape[-2:] == (side, side):
        return whole
    return functional.interpolate(whole, size=(side, side), mode="bilinear", antialias=True).clamp(0, 1)
