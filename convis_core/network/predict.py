"""What the network says a picture shows."""

import torch
from torch import Tensor

from convis_core.errors import SpecError
from convis_core.models import LoadedModel
from convis_core.network.checks import check_picture
from convis_core.results import Prediction, Score


def predict(model: LoadedModel, x: Tensor, *, top: int = 5) -> Prediction:
    """The network's scores for a picture and its best classes.

    probability_c = exp(logit_c) / sum_k exp(logit_k).

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        top: how many of the best classes to name; at most all.

    Raises:
        SpecError: when ``top`` is not positive or ``x`` is not one picture of the network's size.
    """
    check_picture(model, x)
    with torch.no_grad():
        logits = model.module(x.to(model.device))[0].cpu()
    return rank(model, logits, top=top)


def rank(model: LoadedModel, logits: Tensor, *, top: int = 5) -> Prediction:
    """Scores as a prediction, however they came about.

    Args:
        model: the network, for the names of its classes.
        logits: float32 [C], on the CPU.
        top: how many of the best classes to name; at most all.

    Raises:
        SpecError: when ``top`` is not positive.
    """
    if top < 1:
        raise SpecError(f"At least one class must be named, not {top}.")
    probabilities = logits.softmax(dim=0)
    best = probabilities.topk(min(top, len(probabilities)))
    scores = zip(best.indices.tolist(), best.values.tolist(), strict=True)
    return Prediction(logits, probabilities, tuple(Score(i, model.categories[i], p) for i, p in scores))
