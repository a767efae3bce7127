"""The expected time of a computation on this machine, so that a page can ask before starting it."""

import time

import torch
from torch import Tensor

from convis_core.attribution.methods.saliency import saliency
from convis_core.models import LoadedModel
from convis_core.results import Pace


def pace(model: LoadedModel, x: Tensor) -> Pace:
    """Times one forward pass and one gradient; the first of each is a warm-up.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].

    >>> from convis_core import models
    >>> linear = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 4 * 4, 2))
    >>> model, x = models.wrap(linear, input_size=4), torch.rand(1, 3, 4, 4)
    >>> measured = pace(model, x)
    >>> measured.seconds(forwards=2) == 2 * measured.forward > 0
    True
    """
    forwards, gradients = [], []
    for _ in range(2):
        begin = time.perf_counter()
        with torch.no_grad():
            # Reading the result makes an accelerator finish before the clock is read.
            model.module(x.to(model.device)).sum().item()
        forwards.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        saliency(model, x, 0)
        gradients.append(time.perf_counter() - begin)
    return Pace(min(forwards), min(gradients))
