"""How long two networks take for one picture on this machine."""

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

    They take turns, so that other work on the machine affects both alike; the first two turns only warm them up and are
    not counted.

    Args:
        model: one network.
        other: the other.
        picture: RGB; resized to the input size of each network.
        runs: measurements of each network.

    Returns:
        An iterator with the timings so far after every turn; the last one is the result.

    Raises:
        SpecError: when ``runs`` is not positive.

    >>> from torch import nn
    >>> from convis_core import architecture, images, models
    >>> fast = models.wrap(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), input_size=16)
    >>> slow = models.wrap(nn.Sequential(nn.Conv2d(3, 8, 5), nn.AdaptiveAvgPool2d(1), nn.Flatten()), input_size=16)
    >>> *_, last = architecture.compare(fast, slow, images.sample("chelsea"), runs=3)
    >>> last.done, last.total, last.first.runs
    (3, 3, 3)
    >>> 0 < last.second.fastest <= last.second.median <= last.second.slowest
    True
    """
    if runs < 1:
        raise SpecError(f"At least one run must be measured; {runs} were asked for.")
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
