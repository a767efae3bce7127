"""How long networks take for one picture, measured here and now."""

import statistics
import time
from collections.abc import Iterator

import torch
from PIL import Image
from torch import Tensor

from convis_core import images
from convis_core.errors import SpecError
from convis_core.models import LoadedModel
from convis_core.results.architecture import Race, Timing

_WARM_UP = 2


def compare(model: LoadedModel, other: LoadedModel, picture: Image.Image, *, runs: int = 9) -> Iterator[Race]:
    """Seconds that two networks take for the same picture.

    They take turns, so that other work on the machine disturbs both alike; the first turns only warm them up.

    Args:
        model: one network.
        other: the other.
        picture: RGB; each network is given it in its own size.
        runs: how often each is measured.

    Returns:
        What is known after every turn; the last one is the result.

    Raises:
        SpecError: when ``runs`` is not positive.
    """
    if runs < 1:
        raise SpecError(f"At least one run must be measured, not {runs}.")
    return _race(model, other, picture, runs)


def _race(model: LoadedModel, other: LoadedModel, picture: Image.Image, runs: int) -> Iterator[Race]:
    candidates = [(network, _given(network, picture)) for network in (model, other)]
    for network, x in candidates * _WARM_UP:
        _seconds(network, x)
    taken: tuple[list[float], list[float]] = ([], [])
    for turn in range(1, runs + 1):
        for times, (network, x) in zip(taken, candidates, strict=True):
            times.append(_seconds(network, x))
        first, second = (_timing(times) for times in taken)
        yield Race(first, second, turn, runs)


def _given(model: LoadedModel, picture: Image.Image) -> Tensor:
    return images.to_tensor(picture, model.input_size).to(model.device)


def _seconds(model: LoadedModel, x: Tensor) -> float:
    begin = time.perf_counter()
    with torch.no_grad():
        # Reading the answer makes an accelerator finish before the clock is read.
        model.module(x).sum().item()
    return time.perf_counter() - begin


def _timing(times: list[float]) -> Timing:
    return Timing(statistics.median(times), min(times), max(times), len(times), torch.get_num_threads())
