"""Class models on EfficientNet-Lite0: how long one takes, whether its saved PNG is recognised, and what the lanes gain.

``python -m benchmarks.ascent`` draws twenty classes one after the other; ``python -m benchmarks.ascent 4`` four.
"""

import io
import sys
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from convis_core import class_models, images, models, network
from convis_core.class_models import parameterisation, transforms
from convis_core.models import LoadedModel
from convis_core.results import ClassModelSpec
from convis_core.runtime import lanes, memory

CLASSES = (130, 668, 340, 543, 1, 76, 207, 292, 323, 327, 954, 953, 980, 483, 555, 779, 409, 849, 402, 963)
STEPS = 100
REPEATS = 3


def main(count: int) -> None:
    memory.keep_freed()  # as the dashboard does
    model = models.load("efficientnet_lite0")
    print(f"{lanes.shared().count} lanes, torch's own threads: {torch.get_num_threads()}")
    _drain(model, replace(class_models.MODERN, steps=8), CLASSES[0])  # folding and first-call costs
    compare(model)
    recognised(model, CLASSES[:count])


def recognised(model: LoadedModel, targets: tuple[int, ...]) -> None:
    """One class after the other with the modern preset, each saved as PNG, read again and displaced."""
    print(f"\n{class_models.MODERN.steps} steps with the preset 'modern'; the saved PNG in five displaced views")
    print(f"{'class':28} {'seconds':>8} {'P':>7} {'lowest P':>9} {'top-1':>6}")
    seconds, hits = [], []
    for target in targets:
        begun = time.perf_counter()
        image = _drain(model, class_models.MODERN, target)
        seconds.append(time.perf_counter() - begun)
        saved = _through_png(image)
        views = [saved[None], *class_models.displaced(saved, model.input_size).split(1)]
        first, *others = (network.predict(model, view) for view in views)
        top = [int(other.logits.argmax()) == target for other in others]
        hits.extend(top)
        lowest = min(float(other.probabilities[target]) for other in others)
        share = f"{sum(top)}/{len(top)}"
        name = model.categories[target]
        print(f"{name:28} {seconds[-1]:8.2f} {float(first.probabilities[target]):7.3f} {lowest:9.3f} {share:>6}")
    middle = sorted(seconds)[len(seconds) // 2]
    print(
        f"median {middle:.2f} s a class (goal 5); top-1 in {100 * sum(hits) / len(hits):.1f} % of the views (goal 95)"
    )


def compare(model: LoadedModel) -> None:
    """The same steps by a plain loop on the network as it was loaded, with torch's own threads; the best of three."""
    print(f"\n{STEPS} steps, best of {REPEATS}: lanes and folded network against a plain loop on the unfolded one")
    modern, raw = (replace(spec, steps=STEPS, frame_every=STEPS) for spec in (class_models.MODERN, class_models.RAW))
    full_size = replace(modern, transforms=replace(modern.transforms, sides=(1.0,)))
    cases = (
        ("modern; plain loop with the same small views", modern, modern),
        ("modern; plain loop with views of the full size", modern, full_size),
        ("modern with views of the full size; plain the same", full_size, full_size),
        ("raw pixels, one view: only one lane has work", raw, raw),
    )
    for name, ours, theirs in cases:
        pairs = [(_seconds(_drain, model, ours), _seconds(plain_loop, model, theirs)) for _ in range(REPEATS)]
        fast, plain = (min(column) for column in zip(*pairs, strict=True))
        print(f"{name:52} {fast:6.2f} s   plain {plain:6.2f} s   {plain / fast:4.2f} x (goal 1.5)")


def _seconds(
    run: Callable[[LoadedModel, ClassModelSpec, int], Tensor], model: LoadedModel, spec: ClassModelSpec
) -> float:
    begun = time.perf_counter()
    run(model, spec, CLASSES[0])
    return time.perf_counter() - begun


def plain_loop(model: LoadedModel, spec: ClassModelSpec, target: int) -> Tensor:
    """The ascent as one writes it first: no lanes, no folding, no memory format."""
    origin = torch.tensor(model.spec.mean).view(3, 1, 1)
    values = parameterisation.start(spec, model.input_size, origin, None).values[None].requires_grad_(True)
    fourier = spec.parameterisation == "fourier"
    optimiser = (torch.optim.Adam if fourier else torch.optim.SGD)([values], lr=spec.learning_rate, maximize=True)
    for step in range(spec.steps):
        optimiser.zero_grad()
        picture = parameterisation.render(spec, values, origin)
        views = transforms.draw(spec.transforms, (spec.seed, step), min(1.0, step / spec.ramp), model.input_size)
        logits = [model.module(transforms.apply(view, picture))[0, target] for view in views]
        (torch.stack(logits).mean()).backward()
        optimiser.step()
    return values.detach()


def _drain(model: LoadedModel, spec: ClassModelSpec, target: int) -> Tensor:
    image = torch.empty(0)
    for frame in class_models.ascend(model, target, spec):
        image = frame.image
    return image


def _through_png(image: Tensor) -> Tensor:
    file = io.BytesIO()
    images.to_image(image).save(file, format="PNG")
    picture = images.read_image(file.getvalue())
    values = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8)
    return values.view(picture.height, picture.width, 3).permute(2, 0, 1).float() / 255


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else len(CLASSES))
