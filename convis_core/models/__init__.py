"""The networks: the registry's entries, and how to load one or wrap your own.

Names are torchvision's. ``python -m convis_core weights list`` shows which weights are on this machine.
"""

from convis_core.models.categories import imagenet_categories, imagenet_synsets
from convis_core.models.loading import choose_device, load
from convis_core.models.probability import probabilities
from convis_core.models.registry import MODELS, get_spec
from convis_core.models.spec import LoadedModel, ModelSpec, WeightsSource
from convis_core.models.wrapping import wrap

__all__ = [
    "MODELS",
    "LoadedModel",
    "ModelSpec",
    "WeightsSource",
    "choose_device",
    "get_spec",
    "imagenet_categories",
    "imagenet_synsets",
    "load",
    "probabilities",
    "wrap",
]
