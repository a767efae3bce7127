"""SmoothGrad with 50 samples against Captum's NoiseTunnel in the same process: seconds, ratio, memory, precision.

``python -m benchmarks.smoothgrad`` takes both networks; ``python -m benchmarks.smoothgrad efficientnet_lite0`` one.
Captum gets torch's own threads and is measured at several batch sizes, of which the best counts; Convis works on its
lanes. The two take turns, and of each the best run counts.
"""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
from captum.attr import NoiseTunnel, Saliency
from torch import Tensor

from convis_core import attribution, images, models
from convis_core.models import LoadedModel
from convis_core.results import Attribution, SmoothGradSpec
from convis_core.runtime import lanes, memory

SAMPLES = 50
TARGET = 281
NETWORKS = {"efficientnet_lite0": (2.0, (1, 2, 4, 8), 3), "vgg16": (1.5, (1, 2, 4), 2)}
"""Goal of the ratio, Captum's batch sizes, and repeats."""


def main(names: list[str]) -> None:
    memory.keep_freed()  # as the dashboard does
    x = images.to_tensor(images.sample("chelsea"), 224)
    print(f"SmoothGrad of {SAMPLES} samples; {lanes.shared().count} lanes against {torch.get_num_threads()} threads")
    print(f"{'network':20} {'Convis s':>9} {'Captum s':>9} {'batch':>6} {'ratio':>6} {'goal':>5}", end=" ")
    print(f"{'25->50':>7} {'RSS +MB':>8}")
    for name in names or list(NETWORKS):
        goal, batches, repeats = NETWORKS[name]
        model = models.load(name, weights="pretrained" if models.get_spec(name).embedded else "random")
        compare(model, x, goal, batches, repeats)


def compare(model: LoadedModel, x: Tensor, goal: float, batches: tuple[int, ...], repeats: int) -> None:
    """One row of the table."""
    _drain(attribution.smoothgrad(model, x, TARGET, SmoothGradSpec(n_samples=1)))
    # The memory of the first whole run counts, in a process that has folded the network and seen one gradient.
    with peak_growth() as growth:
        _drain(attribution.smoothgrad(model, x, TARGET, SmoothGradSpec(n_samples=SAMPLES)))
    half = _drain(attribution.smoothgrad(model, x, TARGET, SmoothGradSpec(n_samples=25)))
    whole, rest, peers = [], [], dict.fromkeys(batches, float("inf"))
    spec = SmoothGradSpec(n_samples=SAMPLES)
    for _ in range(repeats):
        whole.append(_seconds(lambda: _drain(attribution.smoothgrad(model, x, TARGET, spec))))
        rest.append(_seconds(lambda: _drain(attribution.smoothgrad(model, x, TARGET, spec, resume=half))))
        for batch in batches:
            peers[batch] = min(peers[batch], _seconds(partial(_captum, model, x, batch)))
    best = min(peers, key=peers.__getitem__)
    ours = min(whole)
    print(
        f"{model.spec.label:20} {ours:9.2f} {peers[best]:9.2f} {best:6d} {peers[best] / ours:6.2f} {goal:5.1f} "
        f"{min(rest) / ours:7.2f} {growth[0]:8.0f}",
        flush=True,
    )


def _captum(model: LoadedModel, x: Tensor, batch: int) -> Tensor:
    sigma = attribution.noise_scale(x, SmoothGradSpec().noise_level)
    tunnel = NoiseTunnel(Saliency(model.module))
    return tunnel.attribute(
        x, nt_type="smoothgrad", nt_samples=SAMPLES, nt_samples_batch_size=batch, stdevs=sigma, target=TARGET, abs=False
    )


def _drain(frames: Iterator[Attribution]) -> Attribution:
    *_, last = frames
    return last


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


@contextlib.contextmanager
def peak_growth() -> Iterator[list[float]]:
    """The highest resident memory inside less that at the start, in MB, in the list's only place once it has ended."""
    found, ended, start = [0.0], threading.Event(), _resident()

    def watch() -> None:
        while not ended.wait(0.005):
            found[0] = max(found[0], _resident() - start)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield found
    finally:
        ended.set()
        watcher.join()


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


if __name__ == "__main__":
    torch.manual_seed(0)
    main(sys.argv[1:])
