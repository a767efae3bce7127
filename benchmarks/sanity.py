"""Does SmoothGrad know more than chance? Deletion and insertion areas on every sample picture.

``python -m benchmarks.sanity`` prints a row for each picture: the areas under the curves of SmoothGrad, of saliency and
of Grad-CAM, and the mean of five random orders. Deletion should be lower than random, insertion higher; a star marks
where it is not.
"""

from collections.abc import Iterator
from typing import TypeVar

from convis_core import images, models, network
from convis_core.attribution import grad_cam, saliency, sanity, smoothgrad
from convis_core.results import DeletionInsertion, DeletionInsertionSpec, SmoothGradSpec

SPEC = DeletionInsertionSpec(random_orders=5)

T = TypeVar("T")


def main() -> None:
    model = models.load("efficientnet_lite0")
    print(
        f"Deletion and insertion AUC in {SPEC.steps} steps of single pixels, class probability; * no better than random"
    )
    print(f"{'picture':12} {'class':14} {'P':>6}   {'deletion: lower is better':36}   insertion: higher is better")
    columns = "SmoothGrad  saliency  Grad-CAM  random"
    print(f"{'':34}   {columns}   {columns}")
    for sample in images.SAMPLES:
        x = images.to_tensor(images.sample(sample.id), model.input_size)
        top = network.predict(model, x, top=1).top[0]
        maps = (
            _last(smoothgrad(model, x, top.index, SmoothGradSpec())),
            saliency(model, x, top.index),
            grad_cam(model, x, top.index),
        )
        curves = [_last(sanity.deletion_insertion(model, x, attribution, SPEC)) for attribution in maps]
        print(
            f"{sample.id:12} {top.name:14.14} {top.probability:6.3f}   {_deletion(curves)}   {_insertion(curves)}",
            flush=True,
        )


def _deletion(curves: list[DeletionInsertion]) -> str:
    chance = curves[0].random_deletion_auc()
    return _row([(found.deletion_auc(), found.deletion_auc() < chance) for found in curves], chance)


def _insertion(curves: list[DeletionInsertion]) -> str:
    chance = curves[0].random_insertion_auc()
    return _row([(found.insertion_auc(), found.insertion_auc() > chance) for found in curves], chance)


def _row(areas: list[tuple[float, bool]], chance: float) -> str:
    widths = (10, 8, 8)
    cells = [
        f"{f'{area:.3f}' + (' ' if better else '*'):>{width}}"
        for (area, better), width in zip(areas, widths, strict=True)
    ]
    return "  ".join([*cells, f"{chance:6.3f}"])


def _last(frames: Iterator[T]) -> T:
    *_, final = frames
    return final


if __name__ == "__main__":
    main()
