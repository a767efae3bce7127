"""A network of the registry without its weights, which is enough to describe it and takes almost no memory."""

import torch

from convis_core.models import LoadedModel, get_spec, registry
from convis_core.models.pixels import FromPixels


def blueprint(model_id: str) -> LoadedModel:
    """The network with the shapes of its weights only, for ``describe``; it cannot compute anything.

    Args:
        model_id: torchvision's name, one of the ids of ``MODELS``.

    Raises:
        SpecError: when no network has this id.

    >>> from convis_core import architecture
    >>> blueprint = architecture.blueprint("efficientnet_lite0")
    >>> blueprint.device.type, sum(parameter.numel() for parameter in blueprint.module.parameters())
    ('meta', 4652008)
    """
    spec = get_spec(model_id)
    with torch.device("meta"):
        module = FromPixels(registry.build(model_id), spec.mean, spec.std)
    module = module.eval().requires_grad_(False)
    key = f"{spec.id}:blueprint"
    return LoadedModel(spec, module, spec.categories, spec.input_size, torch.device("meta"), key)
