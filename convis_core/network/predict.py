"""The network's prediction for a picture: logits, probabilities and the top classes."""

import torch
from torch import Tensor

from convis_core.models import LoadedModel
from convis_core.models.probability import probabilities as probability_of
from convis_core.network.checks import check_answer, check_picture
from convis_core.results import Prediction, Score
from convis_core.values import check_whole


def predict(model: LoadedModel, x: Tensor, *, top: int = 5) -> Prediction:
    """The network's logits and probabilities for a picture, and its top classes.

    probability_c = exp(logit_c) / sum_k exp(logit_k); of a network with one output, 1 / (1 + exp(-logit)).

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        top: number of top classes to name; a larger number than there are classes names all.

    Raises:
        SpecError: when ``top`` is not positive, ``x`` is not one picture of the network's size, or a logit is not
            finite.

    >>> from convis_core import images, models
    >>> model = models.load("efficientnet_lite0")
    >>> x = images.to_tensor(images.sample("chelsea"), model.input_size)
    >>> prediction = predict(model, x, top=2)
    >>> [(score.index, score.name, round(score.probability, 2)) for score in prediction.top]
    [(282, 'tiger cat', 0.38), (285, 'Egyptian cat', 0.38)]
    """
    check_picture(model, x)
    with torch.no_grad():
        logits = model.module(x.to(model.device))[0].cpu()
    check_answer(logits)
    return rank(model, logits, top=top)


def rank(model: LoadedModel, logits: Tensor, *, top: int = 5) -> Prediction:
    """The prediction that logits amount to, wherever they come from.

    Args:
        model: the network, for the names of its classes.
        logits: float32 [C], on the CPU.
        top: number of top classes to name; a larger number than there are classes names all.

    Raises:
        SpecError: when ``top`` is not positive.

    >>> from torch import nn, zeros
    >>> from convis_core import models
    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    >>> model = models.wrap(network, input_size=2, categories=("cat", "dog"))
    >>> rank(model, zeros(2) + zeros(2).index_fill(0, zeros(1).long(), 2.0), top=1).top[0].name
    'cat'
    """
    check_whole("The number of classes to name", top, 1, 10**6)
    probabilities = probability_of(logits)
    best = probabilities.topk(min(top, len(probabilities)))
    scores = zip(best.indices.tolist(), best.values.tolist(), strict=True)
    return Prediction(logits, probabilities, tuple(Score(i, model.categories[i], p) for i, p in scores))
