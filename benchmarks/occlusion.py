"""Occlusion against Captum's, and against our own full passes: 224 pixels, window 32, stride 8, 625 windows.

``python -m benchmarks.occlusion`` measures VGG16, Lite0, AlexNet and ResNet-18 with random weights;
``python -m benchmarks.occlusion resnet50 densenet121`` others. ``--all-windows`` gives Captum and the full passes
every window; without it they get the windows of a wider stride, and their time is scaled to 625, which favours
neither: each of their windows costs the same.

Every network has a process of its own, in which all contestants see the same picture. Captum runs on the plain
contiguous network, on all cores, at its best ``perturbations_per_eval``. The full passes are ours at their best:
batch norm folded, channels last, batched, on torch's threads or on the lanes, whichever is faster. The engine's
time is that of a whole map by ``occlusion.occlusion`` for a picture that it has not seen, base pass included.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from captum.attr import Occlusion
from torch import Tensor

from convis_core import models, occlusion
from convis_core.engines import incremental
from convis_core.models import LoadedModel
from convis_core.network import fast
from convis_core.occlusion import maps, order
from convis_core.results import OcclusionSpec
from convis_core.runtime import lanes
from convis_core.runtime.cores import usable_cores
from convis_core.runtime.memory import keep_freed

SPEC = OcclusionSpec(window=32, stride=8, fill="grey")
TARGET = 3
GOALS = {"vgg16": (10.0, 5.0), "efficientnet_lite0": (6.0, 3.0), "alexnet": (6.0, None), "resnet18": (4.0, None)}
FIRST_MAP_GOAL = 1 / 12
MEMORY_GOAL = 400  # MB, VGG16
WIDER = {"vgg16": 32}  # Captum's and the full passes' stride; 16 for the others
REPEATS = 3


@dataclass(frozen=True, slots=True)
class Row:
    """What one network took; seconds are for all 625 windows.

    Attributes:
        network: its id.
        captum: seconds by ``perturbations_per_eval``.
        captum_windows: how many windows Captum and the full passes were given.
        full: seconds of our own full passes.
        engine: seconds of the incremental engine.
        first_map: seconds to the first map.
        windows: windows of the map.
        multiply_adds: of the engine, all windows.
        full_multiply_adds: of as many full passes.
        difference: largest difference of a logit from the plain network's, as a share of the largest logit.
        memory: growth of the peak of resident memory during the first map, in MB.
    """

    network: str
    captum: dict[str, float]
    captum_windows: int
    full: float
    engine: float
    first_map: float
    windows: int
    multiply_adds: int
    full_multiply_adds: int
    difference: float
    memory: float


def main(arguments: list[str]) -> int:
    """Print the table; the exit status says whether all goals were reached."""
    keep_freed()  # as the dashboard does
    options = [argument for argument in arguments if argument.startswith("--")]
    names = [argument for argument in arguments if argument not in options] or list(GOALS)
    if "--row" in options:
        print(json.dumps(asdict(measure(names[0], every="--all-windows" in options))))
        return 0
    print(f"{usable_cores()} cores; 224 px, window {SPEC.window}, stride {SPEC.stride}; best of {REPEATS}")
    rows = []
    for name in names:
        command = [sys.executable, "-m", "benchmarks.occlusion", "--row", *options, name]
        result = subprocess.run(command, check=True, capture_output=True, text=True)
        rows.append(Row(**json.loads(result.stdout.splitlines()[-1])))
        print(f"  {name} measured", file=sys.stderr, flush=True)
    print(table(rows))
    missed = [text for row in rows for text in misses(row)]
    print("\n".join(["", *(missed or ["All goals reached."])]))
    return 1 if missed else 0


def measure(name: str, *, every: bool) -> Row:
    """All contestants on one network."""
    model = models.load(name, weights="random", seed=0)
    x = torch.rand(1, 3, model.input_size, model.input_size, generator=torch.Generator().manual_seed(1))
    memory = growth(lambda: _drain(model, x))
    engine, first_map = min(_engine(model, x, seed) for seed in range(REPEATS))
    wider = SPEC.stride if every else WIDER.get(name, 16)
    count = len(order.grid(model.input_size, replace(SPEC, stride=wider))) ** 2
    cost = occlusion.estimate(model, SPEC)
    scale = cost.windows / count
    torch.set_num_threads(usable_cores())
    captum = {str(batch): scale * _captum(model, x, wider, batch) for batch in (1, 8, 32)}
    full = scale * _full(model, x, count)
    return Row(
        network=name,
        captum=captum,
        captum_windows=count,
        full=full,
        engine=engine,
        first_map=first_map,
        windows=cost.windows,
        multiply_adds=done(model),
        full_multiply_adds=cost.full_multiply_adds,
        difference=_difference(model, x),
        memory=memory,
    )


def done(model: LoadedModel) -> int:
    """Multiply-adds that the engine carries out for the map, as the windows are batched."""
    network = incremental.program(model)
    starts = np.array(order.grid(model.input_size, SPEC))
    capacity = order.Capacity(lanes.shared().count, maps.ACTIVATION_BYTES)
    chunks = order.chunks(network, SPEC, starts, order.interlaced(len(starts)), capacity)
    crops = sum(batch.multiply_adds for chunk in chunks for batch in chunk.batches)
    return crops + len(starts) ** 2 * incremental.tail_multiply_adds(network)


def growth(compute: Callable[[], object]) -> float:
    """By how many MB the resident memory grows at most while something is computed."""
    before = peak = _resident()
    ended = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not ended.wait(0.01):
            peak = max(peak, _resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    compute()
    ended.set()
    watcher.join()
    return (max(peak, _resident()) - before) / 1e6


def table(rows: list[Row]) -> str:
    """One line for each network."""
    heads = (
        "network",
        "Captum s (per eval)",
        "full s",
        "engine s",
        "x Captum",
        "x full",
        "first map",
        "GMAC/window: done/full",
        "GFLOP/s: engine/full",
        "difference",
        "MB",
    )
    lines = [heads]
    for row in rows:
        best = min(row.captum, key=row.captum.__getitem__)
        speeds = 2 * row.multiply_adds / row.engine / 1e9, 2 * row.full_multiply_adds / row.full / 1e9
        scaled = "" if row.captum_windows == row.windows else f", {row.captum_windows} windows scaled"
        lines.append(
            (
                row.network,
                f"{row.captum[best]:.2f} ({best}{scaled})",
                f"{row.full:.2f}",
                f"{row.engine:.2f}",
                f"{row.captum[best] / row.engine:.1f}",
                f"{row.full / row.engine:.1f}",
                f"1/{row.engine / row.first_map:.1f}",
                f"{row.multiply_adds / row.windows / 1e9:.3f}/{row.full_multiply_adds / row.windows / 1e9:.3f}",
                f"{speeds[0]:.0f}/{speeds[1]:.0f}",
                f"{row.difference:.1e}",
                f"{row.memory:.0f}",
            )
        )
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    return "\n".join("  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True)) for line in lines)


def misses(row: Row) -> list[str]:
    """The goals that a network missed, in words."""
    against_captum, against_full = GOALS.get(row.network, (None, None))
    found = []
    for label, ratio, goal in (
        ("Captum", min(row.captum.values()) / row.engine, against_captum),
        ("the full passes", row.full / row.engine, against_full),
    ):
        if goal is not None and ratio < goal:
            found.append(f"Missed: {row.network} is {ratio:.1f} times as fast as {label}; the goal is {goal:.0f}.")
    if row.first_map / row.engine > FIRST_MAP_GOAL:
        share = row.engine / row.first_map
        found.append(f"Missed: {row.network}'s first map takes 1/{share:.1f} of the time; the goal is 1/12.")
    if row.network == "vgg16" and row.memory > MEMORY_GOAL:
        found.append(f"Missed: {row.network} takes {row.memory:.0f} MB; the goal is {MEMORY_GOAL}.")
    return found


def _engine(model: LoadedModel, x: Tensor, seed: int) -> tuple[float, float]:
    """Seconds of a whole map and of its first frame, for a picture that is new."""
    noise = torch.rand(x.shape, generator=torch.Generator().manual_seed(100 + seed))
    begun = time.perf_counter()
    times = [time.perf_counter() - begun for _ in occlusion.occlusion(model, (x + noise) / 2, TARGET, SPEC)]
    return times[-1], times[0]


def _captum(model: LoadedModel, x: Tensor, stride: int, batch: int) -> float:
    peer = Occlusion(model.module)
    side = SPEC.window

    def attribute() -> Tensor:
        result: Tensor = peer.attribute(
            x, (3, side, side), (3, stride, stride), baselines=0.5, target=TARGET, perturbations_per_eval=batch
        )
        return result

    with torch.no_grad():
        return _best(attribute, 2 if model.spec.id == "vgg16" else REPEATS)


def _full(model: LoadedModel, x: Tensor, windows: int) -> float:
    """Full forward passes of as many pictures, folded and channels last: the best of batches and threads."""
    network = fast(model).module
    found = []
    for size in (4, 16, 32):
        batch = x.expand(min(size, windows), -1, -1, -1).contiguous(memory_format=torch.channels_last)
        batches = [batch] * (windows // len(batch)) + ([batch[: windows % len(batch)]] if windows % len(batch) else [])

        def forward(pictures: Tensor) -> Tensor:
            with torch.no_grad():
                logits: Tensor = network(pictures)
                return logits

        def threads(batches: list[Tensor] = batches) -> None:
            for pictures in batches:
                forward(pictures)

        def on_lanes(batches: list[Tensor] = batches) -> None:
            for _ in lanes.map(forward, batches):
                pass

        repeats = 1 if model.spec.id == "vgg16" else REPEATS
        found += [_best(threads, repeats), _best(on_lanes, repeats)]
    return min(found)


def _difference(model: LoadedModel, x: Tensor) -> float:
    """The engine's logits against the plain network's, for a few windows."""
    tops, lefts = [0, 97, 192, 50], [0, 33, 192, 192]
    patches = torch.full((len(tops), 3, SPEC.window, SPEC.window), 0.5)
    ours = incremental.logits(incremental.prepare(model, x), patches, tops, lefts)
    hidden = [occlusion.hide(model, x, top, left, SPEC) for top, left in zip(tops, lefts, strict=True)]
    with torch.no_grad():
        plain = model.module(torch.cat(hidden))
    return float((ours - plain).abs().max() / plain.abs().max())


def _drain(model: LoadedModel, x: Tensor) -> None:
    for _ in occlusion.occlusion(model, x, TARGET, SPEC):
        pass


def _best(compute: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        compute()
        times.append(time.perf_counter() - begun)
    return min(times)


def _resident() -> int:
    with Path("/proc/self/statm").open() as file:
        return int(file.read().split()[1]) * 4096


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
