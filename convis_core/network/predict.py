"""What the network says a picture shows."""

import torch
from torch import Tensor

from convis_core.models import LoadedModel
from convis_core.models.probability import probabilities as probability_of
from convis_core.network.checks import check_answer, check_picture
from convis_core.results import Prediction, Score
from convis_core.values import check_whole


def predict(model: LoadedModel, x: Tensor, *, top: int = 5) -> Prediction:
    """The network's scores for a picture and its best classes.

    probability_c = exp(logit_c) / sum_k exp(logit_k); of a network with one output, 1 / (1 + exp(-logit)).

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
    check_answer(logits)
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
    check_whole("The number of classes to name", top, 1, 10**6)
    probabilities = probability_of(logits)
    best = probabilities.topk(min(top, len(probabilities)))
    scores = zip(best.indices.tolist(), best.values.tolist(), strict=True)
    return Prediction(logits, probabilities, tuple(Score(i, model.categories[i], p) for i, p in scores))
