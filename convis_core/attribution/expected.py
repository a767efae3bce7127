"""How long a computation will take here, so that a page can ask before it begins."""

import time

import torch
from torch import Tensor

from convis_core.attribution.methods.saliency import saliency
from convis_core.models import LoadedModel
from convis_core.results import Pace


def pace(model: LoadedModel, x: Tensor) -> Pace:
    """Times one forward pass and one gradient; the first of each only warms up.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
    """
    forwards, gradients = [], []
    for _ in range(2):
        begin = time.perf_counter()
        with torch.no_grad():
            # Reading the answer makes an accelerator finish before the clock is read.
            model.module(x.to(model.device)).sum().item()
        forwards.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        saliency(model, x, 0)
        gradients.append(time.perf_counter() - begin)
    return Pace(min(forwards), min(gradients))
