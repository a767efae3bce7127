"""A network of the registry without its weights: enough to describe it, and it costs next to nothing."""

import torch

from convis_core.models import LoadedModel, get_spec, registry
from convis_core.models.pixels import FromPixels


def blueprint(model_id: str) -> LoadedModel:
    """The network with shapes in the place of weights, for ``describe``; it cannot be given a picture.

    Args:
        model_id: torchvision's name, one of the ids of ``MODELS``.

    Raises:
        SpecError: when no network has this id.
    """
    spec = get_spec(model_id)
    with torch.device("meta"):
        module = FromPixels(registry.build(model_id), spec.mean, spec.std)
    module = module.eval().requires_grad_(False)
    key = f"{spec.id}:blueprint"
    return LoadedModel(spec, module, spec.categories, spec.input_size, torch.device("meta"), key)
