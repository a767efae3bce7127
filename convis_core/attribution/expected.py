"""How long a computation will take here, so that a page can ask before it begins."""

import time
from dataclasses import dataclass

import torch
from torch import Tensor

from convis_core.attribution.methods import saliency
from convis_core.models import LoadedModel


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds that one picture takes on this machine, as measured once.

    Attributes:
        look: forwards only.
        gradient: forwards and backwards.
    """

    look: float
    gradient: float

    def seconds(self, *, looks: int = 0, gradients: int = 0) -> float:
        """Expected seconds for so many of each, one after another."""
        return looks * self.look + gradients * self.gradient


def pace(model: LoadedModel, x: Tensor) -> Pace:
    """Times one forward pass and one gradient; the first of each only warms up.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
    """
    looks, gradients = [], []
    for _ in range(2):
        begin = time.perf_counter()
        with torch.no_grad():
            # Reading the answer makes an accelerator finish before the clock is read.
            model.module(x.to(model.device)).sum().item()
        looks.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        saliency(model, x, 0)
        gradients.append(time.perf_counter() - begin)
    return Pace(min(looks), min(gradients))
