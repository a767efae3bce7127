"""ImageNet's 1000 classes: readable names and WordNet synsets, by index."""

from functools import cache
from importlib.resources import files


@cache
def imagenet_categories() -> tuple[str, ...]:
    """Readable names of the 1000 classes, all different, as torchvision publishes them with its weights.

    >>> imagenet_categories()[282]
    'tiger cat'
    """
    return _lines("imagenet_categories.txt")


@cache
def imagenet_synsets() -> tuple[str, ...]:
    """WordNet ids of the 1000 classes (Deng et al., ImageNet, CVPR 2009).

    >>> imagenet_synsets()[282]
    'n02123159'
    """
    return _lines("imagenet_synsets.txt")


def _lines(name: str) -> tuple[str, ...]:
    return tuple(files("convis_core.models").joinpath(name).read_text(encoding="utf-8").splitlines())
