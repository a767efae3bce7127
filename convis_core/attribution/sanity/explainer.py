"""What the tests of an attribution ask of the method they test."""

from collections.abc import Callable
from typing import TypeAlias

from torch import Tensor

from convis_core.models import LoadedModel
from convis_core.results import Attribution

Explainer: TypeAlias = Callable[[LoadedModel, Tensor, int], Attribution]
"""A way to attribute: network, picture, class -> attribution, such as ``attribution.saliency``."""
