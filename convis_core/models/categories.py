"""ImageNet's 1000 classes: readable names and WordNet synsets, by index."""

from functools import cache
from importlib.resources import files

from torchvision.models import VGG16_Weights


@cache
def imagenet_categories() -> tuple[str, ...]:
    """Readable names of the 1000 classes, all different, as torchvision publishes them with its weights."""
    return tuple(VGG16_Weights.IMAGENET1K_V1.meta["categories"])


@cache
def imagenet_synsets() -> tuple[str, ...]:
    """WordNet ids of the 1000 classes, such as ``n02123159`` for the tiger cat (Deng et al., ImageNet, 2009)."""
    return tuple(files("convis_core.models").joinpath("imagenet_synsets.txt").read_text().split())
